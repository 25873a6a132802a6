"""docs/make_results.py: every recipe on vectors has rows, and a command line that is one."""

import importlib.util
import pathlib

import numpy as np

from zsl_jax.verbs import command_line

ROOT = pathlib.Path(__file__).resolve().parent.parent
SPEC = importlib.util.spec_from_file_location("make_results", ROOT / "docs" / "make_results.py")
make_results = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(make_results)


def test_every_recipe_of_vectors_has_rows():
    found = make_results.recipes()
    assert set(make_results.CHEAPEST) | set(make_results.GENERATIVE) <= set(found)
    assert not {"ale_pixels", "two_heads", "zero_shot"} & set(found)
    assert found[: len(make_results.CHEAPEST)] == list(make_results.CHEAPEST)


def test_rows_of_the_carried_datasets():
    rows = make_results.rows([], [])
    assert {row.name.split("/")[0] for row in rows} == {"digits", "shapes"}
    by_name = {row.name: row for row in rows}
    assert by_name["digits/eszsl"].seeds == (0, 1, 2, 3, 4), "closed forms depend on the draws of validation classes"
    assert by_name["digits/eszsl"].swept
    assert not by_name["shapes/f_clswgan"].swept
    assert "digits/ale_published" not in by_name, "the knobs of a paper are for its own benchmark"
    assert not any("sentences" in name for name in by_name), "a tower has rows where one is given"
    (command,) = by_name["digits/ale"].commands()
    assert command == (
        "python -m zsl_jax sweep --config=configs/ale.py:digits --config.sweep.seeds=5 "
        "--workdir=runs/results/digits/ale"
    )


def test_rows_of_a_tower_by_what_is_given(tmp_path):
    np.savez(
        tmp_path / "own.npz",
        features=np.ones((4, 3), np.float32),
        labels=np.arange(4),
        class_names=np.array(["a", "b", "c", "d"]),
    )
    archive = str(tmp_path / "own.npz")
    assert not [row for row in make_results.rows([], [archive]) if row.name.startswith("own")]
    rows = {row.name: row for row in make_results.rows([], [archive], {"text": "TOWER", "tie": "TIE.npz"})}
    named, tied = rows["own_sentences/named_names"], rows["own_sentences/tied_names"]
    assert (named.overrides["towers.tie"], named.overrides["towers.columns"]) == ("TIE.npz", "0:1280")
    assert len(named.commands()) == len(named.seeds) == len(tied.commands()) - 1
    fit, train = tied.commands()[:2]
    assert fit.startswith("python -m zsl_jax tie --config=configs/zero_shot.py:npz")
    assert fit.endswith("--out=runs/results/own_sentences/tied_names.npz")
    assert "protocol" not in fit
    assert "--config.towers.tie=runs/results/own_sentences/tied_names.npz" in train
    command_line.recipe(str(ROOT / tied.recipe), tied.overrides)
