"""What a user gets wrong is one line on standard error, exit code 2, no traceback, and nothing written."""

import pathlib

import pytest

import zsl_jax
from zsl_jax import __main__, methods
from zsl_jax.data import sources
from zsl_jax.verbs import command_line

ROOT = pathlib.Path(__file__).resolve().parent.parent
ALE = f"--config={ROOT / 'configs/ale.py'}"
PIXELS = f"--config={ROOT / 'configs/ale_pixels.py'}"


def call(capsys, *argv):
    code = __main__.main(argv)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


WRONG = {
    "no config": ([], "needs --config=NAME, e.g. --config=ale"),
    "no workdir": ([ALE], "needs --workdir=DIR"),
    "unknown flag": ([ALE, "--workdirr=x"], "did you mean '--workdir'?"),
    "missing recipe": ([f"--config={ROOT / 'configs/alee.py'}"], "configs/ale.py'?"),
    "missing name": (["--config=alee"], f"did you mean 'ale'? (recipes are in {ROOT / 'configs'};"),
    "nothing near": (["--config=zzzzzzz"], f"unknown recipe 'zzzzzzz': recipes are in {ROOT / 'configs'};"),
    "no Python file": (["--config=/etc/passwd"], "/etc/passwd is no recipe: a recipe is a Python file"),
    "a folder for a recipe": ([f"--config={ROOT}"], "unknown recipe"),
    "a name too long for a file": (["--config=" + "a" * 10_000], "unknown recipe"),
    "another verb's recipe": (["--config=extract/resnet"], "is a recipe for extract"),
    "no sentences": (["--config=ale:digits,sent"], "digits has no sentence embeddings of its classes"),
    "a path without its ending": ([f"--config={ROOT / 'tests/toy'}"], "tests/toy.py'?"),
    "no recipe": ([f"--config={ROOT / 'tests/toy.py'}"], "has no get_config"),
    "a section for a value": ([ALE, "--config.train=3"], "unknown config key 'train'"),
    "no value": ([ALE, "--config.seed"], "write --config.seed=VALUE"),
    "no value before a flag": ([ALE, "--config.seed", "--config.train.epochs=3"], "write --config.seed=VALUE"),
    "a value apart": ([ALE, "--config.train.epochs", "0"], "config.train.epochs=0 is not a whole number >= 1"),
    "nothing but the key near": ([ALE, "--config.epochs=3"], "did you mean 'train.epochs'?"),
    "not even near": ([ALE, "--config.method.qqqq=3"], "'method.qqqq': keys of config.method: "),
    "set of sets": ([ALE, "--config.seed={{}}"], "config.seed={{}} is not a whole number, as 0 is"),
    "signs without end": ([ALE, "--config.seed=" + "-" * 3000 + "1"], "--... is not a whole number, as 0 is"),
    "very many signs": ([ALE, "--config.seed=" + "-" * 100_000 + "1"], "is not a whole number, as 0 is"),
    "digits without end": ([ALE, "--config.seed=" + "9" * 5000], "is not a whole number, as 0 is"),
    "a seed beyond its bits": ([ALE, f"--config.seed={2**63}"], "is not a whole number >= 0 and < 2^32"),
    "seeds that would be the same": ([ALE, f"--config.seed={2**32}"], "is not a whole number >= 0 and < 2^32"),
    "epochs beyond their bits": ([ALE, f"--config.train.epochs={2**31}"], "is not a whole number >= 1 and < 2^31"),
    "a step beyond all floats": ([ALE, "--config.method.learning_rate=1" + "0" * 400], "is not a number in (0, inf)"),
    "newlines": ([ALE, "--config.seed=a\nb\x1b[2J"], "config.seed=a\\nb\\x1b[2J is not a whole number, as 0 is"),
    "newlines in a choice": ([ALE, "--config.normalize.inputs=a\nb"], "config.normalize.inputs=a\\nb is not l2"),
    "a very long choice": ([ALE, "--config.normalize.inputs=" + "a" * 10_000], "config.normalize.inputs=aaaa"),
    "half a character": ([ALE, "--config.seed=\ud800"], "config.seed=\\ud800 is not a whole number, as 0 is"),
    "a very long word": ([ALE, "(" * 10_000], "takes flags only, not '(((("),
    "NUL in a path": ([ALE, "--config.profile.steps=a\0b"], "has a NUL character"),
    "misspelt key": ([ALE, "--config.train.epoch=3"], "did you mean 'train.epochs'?"),
    "misspelt section": ([ALE, "--config.trian.epochs=3"], "did you mean 'train.epochs'?"),
    "misspelt knob": ([ALE, "--config.method.margn=3"], "did you mean 'method.margin'?"),
    "not a number": ([ALE, "--config.train.epochs=ten"], "config.train.epochs=ten is not a whole number, as 30 is"),
    "not whole": ([ALE, "--config.train.epochs=1.5"], "config.train.epochs=1.5 is not a whole number"),
    "not positive": ([ALE, "--config.train.epochs=0"], "config.train.epochs=0 is not a whole number >= 1"),
    "not finite": ([ALE, "--config.method.learning_rate=nan"], "config.method.learning_rate=nan is not a number"),
    "negative margin": ([ALE, "--config.method.margin=-1"], "config.method.margin=-1"),
    "fraction": ([ALE, "--config.select.split.image_fraction=1.0"], "image_fraction=1.0 is not a number in (0, 1)"),
    "choice": ([ALE, "--config.select.metric=acc"], "config.select.metric=acc is not zsl or uncalibrated or ausuc"),
    "off is no folder": (
        [ALE, "--config.compilation_cache=off"],
        "config.compilation_cache=off is not auto, a folder, or none to keep nothing",
    ),
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
    "image size": (
        [PIXELS, "--config.data.size=30", "--config.data.num_per_class=2", "--config.optimizer.decay_epochs=0"],
        "cannot take images of 30x30",
    ),
    "augmented features": (
        [PIXELS, "--config.data.inputs=features", "--config.encoder.name=mlp", "--config.data.num_per_class=8"],
        "data.inputs=pixels",
    ),
    "scaled images": (
        [PIXELS, "--config.normalize.inputs=l2", "--config.data.num_per_class=8"],
        "inputs=l2 is for features",
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
    assert len(err) < 1100
    assert words in err
    assert "Traceback" not in err + out
    assert not workdir.exists()


def test_a_workdir_that_cannot_be_written(capsys, tmp_path):
    (tmp_path / "file").write_text("in the way")
    code, _, err = call(capsys, "train", ALE + ":digits,smoke", f"--workdir={tmp_path / 'file' / 'run'}")
    assert code == 2
    assert err.count("\n") == 1
    assert "cannot write" in err


BROKEN = {
    "syntax": ("def get_config(:\n", "mine.py, line 1: SyntaxError"),
    "import": ("\nimport no_such_module\n", "mine.py, line 2: ModuleNotFoundError"),
    "code": ("def get_config(argument):\n    return {}[argument]\n", "mine.py, line 2: KeyError: 'digits'"),
    "return": ("def get_config(argument):\n    return 3\n", "get_config(argument) returns int"),
    "signature": ("def get_config():\n    return 3\n", "mine.py: TypeError"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_fault_in_a_recipe_of_your_own(case, capsys, tmp_path):
    text, words = BROKEN[case]
    (tmp_path / "mine.py").write_text(text)
    code, _, err = call(capsys, "train", f"--config={tmp_path / 'mine.py'}:digits", f"--workdir={tmp_path / 'run'}")
    assert code == 2
    assert err.count("\n") == 1, err
    assert words in err


@pytest.mark.parametrize(("workdir", "words"), [("a" * 5000, "File name too long"), ("a\0b", "has a NUL character")])
def test_a_workdir_that_no_folder_can_have(workdir, words, capsys):
    code, _, err = call(capsys, "train", ALE + ":digits,smoke", f"--workdir={workdir}")
    assert code == 2
    assert err.count("\n") == 1
    assert words in err


def test_a_recipe_by_name_is_that_of_its_file():
    by_name = command_line.recipe("ale:xlsa17,sent", {"seed": "3"})
    assert by_name.to_dict() == command_line.recipe(f"{ROOT / 'configs/ale.py'}:xlsa17,sent", {"seed": "3"}).to_dict()
    assert (by_name.seed, by_name.data.semantics) == (3, "sent")


def test_the_version(capsys):
    assert call(capsys, "--version") == (0, f"zsl-jax {zsl_jax.__version__}\n", "")


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
    assert {
        "digits",
        "features",
        "image_folder",
        "in_memory",
        "npz",
        "pairs",
        "scenes",
        "shape_pairs",
        "shapes",
        "texts",
        "tfds_images",
        "xlsa17",
    } == set(sources.SOURCES)
