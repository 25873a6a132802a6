"""What `pip install` leaves works in any folder: a wheel made of the source distribution, and an editable checkout."""

import importlib.metadata
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
NOT_SOURCE = (".git", ".venv*", "runs", "shared", "site", "build", "dist", "*.egg-info", "__pycache__", ".*_cache")

# Stands before the other finders: what is not in the list cannot be imported, whatever is installed.
LIGHT = """
import importlib.machinery, sys

wanted = {"jax", "jaxlib", "numpy", "scipy", "ml_dtypes", "opt_einsum", "zsl_jax", *sys.stdlib_module_names}

class Only(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        top = name.partition(".")[0]
        return super().find_spec(name, path, target) if top in wanted or top.startswith("_sysconfigdata") else None

builtin = (importlib.machinery.BuiltinImporter, importlib.machinery.FrozenImporter)
sys.meta_path[:] = [finder for finder in sys.meta_path if finder in builtin] + [Only]
try:
    import flax
except ModuleNotFoundError:
    pass
else:
    raise SystemExit("flax was found: the test tests nothing")

import jax.numpy as jnp
import numpy as np
from zsl_jax import bounds, losses, metrics, similarity

scores = similarity.cosine(jnp.eye(3), jnp.eye(3))
assert losses.warp(scores, jnp.arange(3), margin=0.5).shape == (3,)
assert metrics.per_class_accuracy(scores.argmax(-1), jnp.arange(3), num_classes=3) == 1
assert abs(bounds.worst_case(np.eye(3))[0] - 1) < 1e-6
"""


def test_the_pure_floors_need_jax_and_what_it_needs():
    """scipy, ml_dtypes and opt_einsum are what jax itself is installed with."""
    subprocess.run([sys.executable, "-c", LIGHT], check=True, cwd=ROOT)


def needs_setuptools():
    version = importlib.metadata.version("setuptools")
    if int(version.partition(".")[0]) < 77:
        pytest.skip(f"needs setuptools 77 to build (the extra dev has it), not {version}")


def build(source: pathlib.Path, out: pathlib.Path, kind: str) -> pathlib.Path:
    program = f"from setuptools import build_meta; build_meta.build_{kind}({str(out)!r})"
    done = subprocess.run([sys.executable, "-c", program], cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = out.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return built


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of the checkout, which building writes into."""
    needs_setuptools()
    copy = tmp_path_factory.mktemp("source") / "checkout"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*NOT_SOURCE))
    return copy


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    """Built of the source distribution, so that nothing is missing there."""
    out = tmp_path_factory.mktemp("dist")
    with tarfile.open(build(source, out, "sdist")) as archive:
        archive.extractall(out, filter="data")
    (unpacked,) = (path for path in out.iterdir() if path.is_dir())
    return build(unpacked, out, "wheel")


def environment(folder: pathlib.Path, *installed: str) -> pathlib.Path:
    """Makes an environment that has what this one has, except for zsl_jax, and installs that; no network."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    (inside,) = folder.glob("lib/python*/site-packages")
    # As lines of a .pth file: the .pth files in those folders, an editable zsl_jax among them, are not followed.
    folders = [folder for folder in sys.path if os.path.isdir(folder) and pathlib.Path(folder) != ROOT]
    (inside / "dependencies.pth").write_text("".join(f"{folder}\n" for folder in folders))
    options = ("--no-index", "--no-deps", "--no-build-isolation", "--force-reinstall", "--disable-pip-version-check")
    command = [sys.executable, "-m", "pip", f"--python={python}", "install", *options, *installed]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "bin"


def run(program: pathlib.Path, *arguments: str, cwd: pathlib.Path) -> subprocess.CompletedProcess:
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run([program, *arguments], cwd=cwd, env=clean, capture_output=True, text=True, check=False)


@pytest.mark.long
def test_the_wheel_has_every_file_of_the_package_and_every_recipe(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    code = {path.relative_to(ROOT).as_posix() for path in (ROOT / "zsl_jax").rglob("*.py")}
    data = {path.relative_to(ROOT).as_posix() for path in (ROOT / "zsl_jax").rglob("*.json")}
    recipes = {f"zsl_jax/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "configs").rglob("*.py")}
    assert code | data | recipes | {"zsl_jax/py.typed"} <= names
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"zsl_jax"}


@pytest.mark.long
@pytest.mark.parametrize("how", ["wheel", "editable"])
def test_an_installation_works_from_another_folder(how, request, tmp_path):
    source = request.getfixturevalue("source")
    installed = [str(request.getfixturevalue("wheel"))] if how == "wheel" else ["-e", str(source)]
    programs = environment(tmp_path / "environment", *installed)
    home = tmp_path / "elsewhere"
    home.mkdir()
    zsl_jax = programs / "zsl-jax"

    found = run(programs / "python", "-c", "import zsl_jax; print(zsl_jax.__file__)", cwd=home).stdout
    assert found.startswith(str(programs.parent if how == "wheel" else source)), found
    version = run(zsl_jax, "--version", cwd=home)
    assert version.stdout == f"zsl-jax {importlib.metadata.version('zsl-jax')}\n", version.stderr

    wrong = run(zsl_jax, "train", "--config=alee", "--workdir=w", cwd=home)
    assert wrong.returncode == 2
    place = "zsl_jax/configs" if how == "wheel" else "checkout/configs"
    assert "did you mean 'ale'?" in wrong.stderr
    assert place in wrong.stderr

    shutil.copyfile(ROOT / "configs" / "ale.py", home / "mine.py")
    wrong = run(zsl_jax, "train", "--config=mine.py:digits", "--workdir=w", "--config.seed", "one", cwd=home)
    assert "config.seed=one is not a whole number" in wrong.stderr
    assert not (home / "w").exists()

    if how == "wheel":
        line = ("train", "--config=ale:digits,smoke", "--workdir=runs/ale", "--config.plots", "none")
        done = run(zsl_jax, *line, cwd=home)
        assert done.returncode == 0, done.stderr
        record = json.loads((home / "runs/ale/record.json").read_text())
        assert record["versions"]["zsl-jax"] == importlib.metadata.version("zsl-jax")
