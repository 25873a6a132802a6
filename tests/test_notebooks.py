"""The notebooks are their sources, executed; they run offline and define no logic."""

import ast
import json
import os
import pathlib
import runpy
import subprocess
import sys
import tomllib

import jupytext
import pytest
from IPython.core.interactiveshell import InteractiveShell

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "colab").glob("*.py"))


def cells(notebook):
    return [(cell["cell_type"], "".join(cell["source"])) for cell in notebook["cells"]]


def test_the_notebooks_are_there_and_their_page_is_the_generated_one():
    maker = runpy.run_path(str(ROOT / "docs" / "make_colab_readme.py"))
    assert {path.stem for path in SOURCES} == set(maker["NOTEBOOKS"])
    assert (ROOT / "colab" / "README.md").read_text() == maker["page"](), "run: python docs/make_colab_readme.py"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_the_committed_notebook_is_its_source_executed(source):
    notebook = json.loads(source.with_suffix(".ipynb").read_text())
    assert cells(notebook) == cells(jupytext.read(source)), f"run: bash colab/execute.sh {source.stem}"
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["execution_count"] for cell in code)
    kinds = {output["output_type"] for cell in code for output in cell["outputs"]}
    assert "error" not in kinds
    assert kinds & {"display_data", "execute_result"}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_notebook_imports_and_defines_nothing(source):
    """But for those that show how a method and a loss are written."""
    tree = ast.parse(source.read_text())
    made = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    assert not made or source.stem in ("your_own_method", "your_own_loss")
    assert any("zsl_jax" in ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_installation_is_for_colab_alone(source):
    _, install = next(cell for cell in cells(jupytext.read(source)) if cell[0] == "code")
    assert '"google.colab" in sys.modules' in install
    assert install.index("google.colab") < install.index("pip install")
    # Where the repository is stands in pyproject.toml alone, once it has an address.
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"].get("urls", {})
    address = f"git+{urls['Repository']}" if urls else ""
    assert f'address = "{address}"  # @param {{type: "string"}}' in install


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("", "zsl-jax[viz]"),
        ("git+https://example.org/zsl_jax", "zsl-jax[viz] @ git+https://example.org/zsl_jax"),
        ("/content/zsl_jax", "/content/zsl_jax[viz]"),
        ("/content/zsl_jax-0.1.0-py3-none-any.whl", "/content/zsl_jax-0.1.0-py3-none-any.whl[viz]"),
    ],
)
def test_the_install_cell_asks_pip_for_what_the_address_says(address, wanted):
    cell = SOURCES[0].read_text().split("# %%")[2].replace('address = ""', f'address = "{address}"')
    asked, shell = [], InteractiveShell.instance()
    shell.register_magic_function(asked.append, magic_name="pip")
    cell = cell.replace("# %pip", "%pip").replace('"google.colab"', '"sys"')
    shell.run_cell(cell).raise_error()
    assert asked == [f'install -q "{wanted}"']


def executed(folder, *names) -> dict[str, str]:
    """How each notebook ended, executed in one process: see executed_notebooks.py."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    # Compiled as these tests are, on one device as on most machines.
    flags = os.environ["XLA_FLAGS"].split()
    environment["XLA_FLAGS"] = " ".join(flag for flag in flags if "device_count" not in flag)
    paths = [str(ROOT / "colab" / f"{name}.ipynb") for name in names]
    command = [sys.executable, str(ROOT / "tests" / "executed_notebooks.py"), str(folder / "ends.json"), *paths]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "ends.json").read_text())


# It says how many devices there are before jax starts.
OF_ITS_OWN = ("pod",)


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebooks")
    return executed(folder, *(path.stem for path in SOURCES if path.stem not in OF_ITS_OWN))


@pytest.mark.long
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_notebook_runs(source, request, tmp_path):
    name = source.stem
    found = executed(tmp_path, name) if name in OF_ITS_OWN else request.getfixturevalue("ends")
    assert not found[name], found[name]
