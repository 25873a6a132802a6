"""Strict everywhere: no silent broadcasting of ranks, and eight CPU devices so that every test can shard."""

import gc
import json
import os
import pathlib
import signal
import subprocess
import sys

os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import psutil
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")
# Tracing makes objects by the million that live on: looking through them for garbage takes a tenth of the time.
gc.set_threshold(100_000, 50, 100)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background jobs ignore it, and so would the programs that tests start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"


MOST_MEMORY = 3 * 2**30
PURE = ("test_bounds", "test_losses", "test_metrics", "test_pure", "test_similarity", "test_uncertainty")


@pytest.fixture(autouse=True)
def strict_dtypes(request):
    """Pure functions never mix dtypes silently: their tests run with dtype promotion = strict."""
    if request.path.name.startswith(PURE):
        with jax.numpy_dtype_promotion("strict"):
            yield
    else:
        yield


@pytest.fixture(autouse=True, scope="module")
def bounded_memory():
    """Compiled programs are let go where a worker holds much: the folder of compiled programs has them."""
    yield
    if psutil.Process().memory_info().rss > MOST_MEMORY:
        jax.clear_caches()
        gc.collect()


@pytest.fixture(scope="session")
def shared_data() -> pathlib.Path:
    """The folder of real benchmarks beside the checkout; tests that need it are skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the real benchmarks in {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture
def trained(tmp_path):
    """Runs `train` in a process of its own, compiled as users compile it, and returns the record.

    For data on which the steps take longer than compiling them well.
    """

    def train(*arguments: str) -> dict:
        line = (sys.executable, "-m", "zsl_jax", "train", f"--workdir={tmp_path / 'run'}", "--config.plots=none")
        done = subprocess.run((*line, *arguments), env=as_users(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads((tmp_path / "run" / "record.json").read_text())

    return train


def as_users() -> dict[str, str]:
    """The environment of a program that is compiled as users compile it."""
    return {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"} | {"PYTHONPATH": str(ROOT)}


def digits_config():
    """ALE on digits, six epochs: the run that several tests look at."""
    from zsl_jax.verbs import command_line

    result = command_line.load_recipe(f"{ROOT / 'configs/ale.py'}:digits")
    result.train.update(epochs=6, checkpoint_every=1)
    result.select.folds = 1
    return result


@pytest.fixture(scope="session")
def digits_problem():
    """Shared, so that its programs are compiled once for all tests."""
    from zsl_jax.training import problems

    return problems.make_problem(digits_config())


@pytest.fixture(scope="session")
def digits_run(digits_problem, tmp_path_factory):
    """A finished run: its workdir, its result, and what it said. Tests leave the workdir as it is."""
    from zsl_jax.training import run

    workdir, lines = tmp_path_factory.mktemp("digits") / "run", []
    result = run.run(digits_config(), workdir, say=lines.append, problem=digits_problem)
    return workdir, result, lines
