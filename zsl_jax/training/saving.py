"""A trained method as a workdir that every verb reads, as `run.run` leaves one."""

import pathlib

import ml_collections

from zsl_jax import errors, methods
from zsl_jax.data import class_tables, in_memory, json_files
from zsl_jax.training import files, phases, run, selection, trained


def save(model: trained.Trained, workdir: pathlib.Path) -> None:
    """Writes a model, and the data that it was fitted on where it is at hand.

    Args:
      model: what is written.
      workdir: of the run; made if it does not exist.

    Raises:
      UserError: the folder holds something, cannot be written, or the method has no name to make it by.
    """
    workdir = pathlib.Path(workdir)
    if model.config.method.name not in methods.METHODS:
        raise errors.UserError(
            "a Method without a name cannot be made again when it is read: enter its factory with "
            "methods.registry.method, and fit it by its name"
        )
    if workdir.exists() and (not workdir.is_dir() or any(workdir.iterdir())):
        raise errors.UserError(f"{workdir} holds something already: save into a folder of its own")
    config, record = ml_collections.ConfigDict(model.config).unlock(), model.record
    if model.dataset is not None:
        config.data.dir = str(workdir.absolute())
    run.open_workdir(workdir, config, record[run.MADE_OF])
    if model.dataset is not None:
        files.write_arrays(workdir / in_memory.FILE, in_memory.arrays_of(model.dataset))
    class_tables.write(workdir, model.classes, model.attributes)
    files.write_text(workdir / "metrics.jsonl", model.log)
    notes = {"steps_per_s": record["timing"]["steps_per_s"]}
    if "losses" in record:
        notes["losses"] = record["losses"]
    travelling = phases.Run(config, workdir, made_of=record[run.MADE_OF])
    selection.write(travelling, record["selection"])
    travelling.save("finished", record["selection"]["epochs"], model.state, notes)
    files.write_json(workdir / "record.json", json_files.sealed(record))
