"""What a user gets wrong is one line on standard error, exit code 2, no traceback, and nothing written."""

import pathlib

import pytest

from zsl_jax import __main__, methods
from zsl_jax.data import sources

ROOT = pathlib.Path(__file__).resolve().parent.parent
ALE = f"--config={ROOT / 'configs/ale.py'}"
PIXELS = f"--config={ROOT / 'configs/ale_pixels.py'}"


def call(capsys, *argv):
    code = __main__.main(argv)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


WRONG = {
    "no config": ([], "needs --config=FILE"),
    "no workdir": ([ALE], "needs --workdir=DIR"),
    "unknown flag": ([ALE, "--workdirr=x"], "did you mean '--workdir'?"),
    "missing recipe": ([f"--config={ROOT / 'configs/alee.py'}"], "configs/ale.py'?"),
    "no recipe": ([f"--config={ROOT / 'tests/toy.py'}"], "has no get_config"),
    "a section for a value": ([ALE, "--config.train=3"], "unknown config key 'train'"),
    "no value": ([ALE, "--config.seed"], "write --config.seed=VALUE"),
    "misspelt key": ([ALE, "--config.train.epoch=3"], "did you mean 'train.epochs'?"),
    "misspelt section": ([ALE, "--config.trian.epochs=3"], "did you mean 'train.epochs'?"),
    "misspelt knob": ([ALE, "--config.method.margn=3"], "did you mean 'method.margin'?"),
    "not a number": ([ALE, "--config.train.epochs=ten"], "config.train.epochs=ten is not a whole number, as 30 is"),
    "not whole": ([ALE, "--config.train.epochs=1.5"], "config.train.epochs=1.5 is not a whole number"),
    "not positive": ([ALE, "--config.train.epochs=0"], "config.train.epochs=0 is not a whole number >= 1"),
    "not finite": ([ALE, "--config.method.learning_rate=nan"], "config.method.learning_rate=nan is not a number"),
    "negative margin": ([ALE, "--config.method.margin=-1"], "config.method.margin=-1"),
    "fraction": ([ALE, "--config.select.split.image_fraction=1.0"], "image_fraction=1.0 is not a number in (0, 1)"),
    "choice": ([ALE, "--config.select.metric=acc"], "is not zsl or harmonic or uncalibrated or ausuc"),
    "scaling": ([ALE, "--config.normalize.inputs=l3"], "config.normalize.inputs=l3 is not l2"),
    "unknown dataset": ([ALE + ":shape"], "unknown dataset 'shape': did you mean 'shapes'?"),
    "unknown word": ([ALE + ":shapes,smok"], "did you mean 'smoke'"),
    "another method": ([ALE, "--config.method.name=alle"], "config.method.name is chosen by the recipe"),
    "stray word": ([ALE, "fast"], "takes flags only, not 'fast'"),
    "no folder": ([ALE + ":xlsa17"], "data.dir"),
    "folder missing": ([ALE + ":xlsa17", "--config.data.dir=nowhere"], "nowhere"),
    "unknown encoder": (
        [PIXELS, "--config.encoder.name=convnett"],
        "unknown encoder 'convnett': did you mean 'convnet'",
    ),
    "knob of another encoder": ([PIXELS, "--config.encoder.name=mlp", "--config.encoder.pool=max"], "encoder.pool"),
    "knob of an encoder": ([PIXELS, "--config.encoder.widths=(0,)"], "is not a tuple of whole numbers >= 1"),
    "image size": ([PIXELS, "--config.data.size=30", "--config.data.num_per_class=2"], "cannot take images of 30x30"),
    "augmented features": (
        [PIXELS, "--config.data.inputs=features", "--config.encoder.name=mlp"],
        "data.inputs=pixels",
    ),
    "key of another dataset": ([ALE + ":digits", "--config.data.dir=x"], "unknown config key 'data.dir'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_mistakes_of_train(case, capsys, tmp_path):
    argv, words = WRONG[case]
    workdir = tmp_path / "run"
    if case not in ("no workdir", "no config"):
        argv = [*argv, f"--workdir={workdir}"]
    code, out, err = call(capsys, "train", *argv)
    assert code == 2
    assert err.startswith("zsl-jax: ")
    assert err.count("\n") == 1, err
    assert words in err
    assert "Traceback" not in err + out
    assert not workdir.exists()


def test_a_workdir_that_cannot_be_written(capsys, tmp_path):
    (tmp_path / "file").write_text("in the way")
    code, _, err = call(capsys, "train", ALE + ":digits,smoke", f"--workdir={tmp_path / 'file' / 'run'}")
    assert code == 2
    assert err.count("\n") == 1
    assert "cannot write" in err


def test_evaluate_needs_a_finished_run(capsys, tmp_path):
    code, _, err = call(capsys, "evaluate", f"--workdir={tmp_path}")
    assert code == 2
    assert "holds no finished run" in err


def test_no_verb_and_an_unknown_one_print_the_list(capsys):
    for argv, words in (((), ""), (("trian",), "did you mean 'train'?")):
        code, _, err = call(capsys, *argv)
        assert code == 2
        assert words in err
        for verb in __main__.VERBS:
            assert verb in err


@pytest.mark.parametrize("verb", __main__.VERBS)
def test_help_of_every_verb(verb, capsys):
    code, out, err = call(capsys, verb, "--help")
    assert code == 0
    assert f"python -m zsl_jax {verb}" in out
    assert err == ""


def test_every_method_and_source_is_listed():
    assert {"ale"} <= set(methods.METHODS)
    assert {"digits", "features", "image_folder", "npz", "shapes", "tfds_images", "xlsa17"} == set(sources.SOURCES)
