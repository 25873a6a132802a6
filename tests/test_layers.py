"""Imports go down the floors of the house, never up."""

import ast
import functools
import pathlib

import pytest

PACKAGE = pathlib.Path(__file__).resolve().parent.parent / "zsl_jax"
FLOORS = (
    ("errors", "arguments", "rules", "similarity", "losses", "metrics", "bounds"),
    ("encoders", "class_encoders", "data", "whole_files"),
    ("methods", "explain"),
    ("training", "config", "config_keys"),
    ("verbs", "recipes", "plots", "fitting", "sklearn", "__main__"),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
PURE = {
    "jax",
    "collections",
    "functools",
    "math",
    "numpy",
    "typing",
    "zsl_jax",
}  # what floor 0 may import at the top of a file
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def room_of(module: pathlib.PurePath) -> str:
    return module.parts[0].removesuffix(".py")


@functools.cache
def imports(path: pathlib.Path) -> tuple[tuple[str, bool], ...]:
    """(absolute module name, whether the import stands at the top level) for every import of a file."""
    return tuple(named_imports(path))


def named_imports(path: pathlib.Path):
    tree = ast.parse(path.read_text())
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in top
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                yield f"{node.module}.{alias.name}", id(node) in top


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_imports_go_down(module):
    room = room_of(module)
    if room == "__init__":
        return
    assert room in FLOOR, f"{module} is in no room of the house: name its floor in {__file__}"
    for name, _ in imports(PACKAGE / module):
        if name.startswith("zsl_jax."):
            other = name.split(".")[1]
            assert FLOOR[other] <= FLOOR[room], f"{module} (floor {FLOOR[room]}) imports {name} (floor {FLOOR[other]})"


@pytest.mark.parametrize("module", [m for m in MODULES if FLOOR.get(room_of(m)) == 0], ids=str)
def test_the_ground_floor_is_pure(module):
    if room_of(module) in ("errors", "bounds"):
        return
    for name, at_top in imports(PACKAGE / module):
        assert not at_top or name.split(".")[0] in PURE, f"{module} imports {name}"


@pytest.mark.parametrize(
    ("library", "only"),
    [
        ("orbax", "training/checkpoints.py"),
        ("absl", ("verbs/", "data/streaming.py")),  # grain's workers want some program to have parsed flags
        ("grain", "data/streaming.py"),
        ("tensorflow_datasets", "data/"),
    ],
)
def test_one_place_knows_the_library(library, only):
    users = [str(m) for m in MODULES if any(name.split(".")[0] == library for name, _ in imports(PACKAGE / m))]
    assert all(user.startswith(only) for user in users), users


@pytest.mark.parametrize(
    ("words", "only"),
    [
        (("device_count(", ".devices(", "Mesh(", "NamedSharding("), "training/parallel/"),
        (("process_index(", "process_count(", "distributed.initialize("), "training/processes.py"),
    ],
)
def test_one_place_knows_the_devices_and_one_the_processes(words, only):
    users = [str(m) for m in MODULES if any(word in (PACKAGE / m).read_text() for word in words)]
    assert users
    assert all(user.startswith(only) for user in users), users
