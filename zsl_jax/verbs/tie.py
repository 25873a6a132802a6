"""Fit a tie: the map by which the vectors of a text tower meet features of images."""

import pathlib
from collections.abc import Sequence

import numpy as np
from absl import flags

from zsl_jax import errors
from zsl_jax.verbs import command_line

USAGE = """\
Fits a tie from the texts of a text tower to features of images, by ridge regression; zero_shot takes it.

usage: zsl-jax tie --config=zero_shot:SOURCE --config.towers.text=FOLDER --out=TIE.npz [--pairs=PAIRS.npz]
       [--strength=S] [--config.KEY=VALUE ...]

  python -m zsl_jax tie --config=zero_shot:xlsa17 --config.data.dir=FOLDER --config.towers.text=FOLDER --out=birds.npz
  python -m zsl_jax tie --config=zero_shot --config.towers.text=FOLDER --pairs=rows.npz --out=imagenet.npz

Without --pairs: from the sentences on the seen classes of a dataset to the means of their training images; unseen
classes and test images take no part.
--pairs     an archive of `vectors [N, F]` (the rows of a classifier, or features of images) with `names [N]`, which the
            template makes sentences of, or `texts [N]`, which are taken as they are
--strength  of the ridge, in units of the mean eigenvalue; without it the one that tells each pair best from the others
--out       the file to write"""


def main(argv: Sequence[str]) -> int:
    argv, overrides = command_line.split_overrides(argv)
    values = command_line.parse("tie", argv, _define, USAGE)
    if values is None:
        return 0
    config = command_line.required_config(values, overrides, "tie")
    if not values.out:
        raise errors.UserError("tie needs --out=TIE.npz, the file to write")
    if "towers" not in config or config.towers.tie:
        raise errors.UserError("tie fits a new one: take --config=zero_shot:SOURCE, without config.towers.tie")
    if values.strength is not None and not 0 < values.strength < np.inf:
        raise errors.UserError(f"--strength={values.strength:g} is not a number > 0")

    from zsl_jax.encoders import ties
    from zsl_jax.training import problems

    if values.pairs:
        texts, targets, about = _pairs(pathlib.Path(values.pairs), problems.class_describer(config))
    else:
        texts, targets, about = _seen(problems.load_data(config))
    tie = ties.ridge(texts, targets, strength=values.strength)
    fitted = tie.about
    ties.write(values.out, tie._replace(about={**about, **fitted}))
    print(
        f"{fitted['pairs']} pairs, {tie.map.shape[0]} -> {tie.map.shape[1]} numbers, strength "
        f"{fitted['strength']:.3g}, error on the pair left out {fitted['left_out_error']:.3f} (1: no better than the "
        f"mean)\ntie: {values.out}"
    )
    return 0


def _seen(source):
    """The sentence vectors of the seen classes, the means of their training images, and what these are."""
    rows = source.splits.get("train", ())
    seen = np.unique(source.labels[rows]) if len(rows) else np.zeros(0, int)
    if len(seen) < 2:
        raise errors.UserError(
            f"{source.name} has {len(seen)} classes with training images, a tie needs 2 at least (npz: "
            "config.data.num_unseen says how many classes have none)"
        )
    if np.ndim(source.inputs) != 2:
        raise errors.UserError(f"a tie leads to features [N, F], the inputs of {source.name} are {source.kind}")
    inputs, labels = np.asarray(source.inputs[rows], np.float64), source.labels[rows]
    inputs = inputs / np.maximum(np.linalg.norm(inputs, axis=1, keepdims=True), 1e-12)
    means = np.stack([inputs[labels == row].mean(axis=0) for row in seen])
    about = {
        "dataset": source.name,
        "files": dict(source.info.get("files", {})),
        "described_by": source.info["described_by"],
    }
    return np.asarray(source.classes.embedding)[seen], means, about


def _pairs(path: pathlib.Path, describer):
    from zsl_jax.data import arrays, soundness

    held, digest = arrays.read(path)
    named = next((name for name in ("texts", "names") if name in held), None)
    if named is None or "vectors" not in held:
        raise errors.UserError(
            f"{path} holds {', '.join(sorted(held)[:5]) or 'nothing'}: vectors, and names or texts, are wanted"
        )
    words, vectors = soundness.text(held[named]), held["vectors"]
    if words is None or vectors.ndim != 2 or len(words) != len(vectors):
        raise errors.UserError(
            f"{path}: vectors {vectors.shape} and {named} {held[named].shape}, wanted [N, F] and [N] texts"
        )
    if wrong := soundness.features(vectors):
        raise errors.UserError(f"{path}: vectors: {wrong}")
    texts = [(text,) for text in words] if named == "texts" else describer.sentences(words)
    about = {"files": {path.name: digest}, "described_by": describer.said}
    return describer.vectors(texts), np.asarray(vectors, np.float64), about


def _define(values: flags.FlagValues) -> None:
    command_line.define_config(values)
    command_line.define_string(values, "out", "file to write")
    command_line.define_string(values, "pairs", "archive of texts and vectors")
    flags.DEFINE_float("strength", None, "of the ridge", flag_values=values)
