"""Recipes by name: `ale` is configs/ale.py of the checkout, or the copy of it that the installed package carries."""

import difflib
import pathlib

from zsl_jax import errors

_PACKAGE = pathlib.Path(__file__).resolve().parent.parent


def folder() -> pathlib.Path:
    """Returns the folder of the recipes: inside the package where it is installed, beside it in a checkout."""
    installed = _PACKAGE / "configs"
    return installed if installed.is_dir() else _PACKAGE.parent / "configs"


def names() -> tuple[str, ...]:
    """Returns the names of all recipes, those for `extract` among them.

    >>> [name for name in names() if name.startswith("extract/")]
    ['extract/mobilenet_v2', 'extract/pretrained', 'extract/resnet', 'extract/vit']
    """
    paths = (path.relative_to(folder()).with_suffix("") for path in folder().rglob("*.py"))
    return tuple(sorted(path.as_posix() for path in paths))


def find(name: str) -> pathlib.Path:
    """Returns the file of a recipe.

    Args:
      name: of a recipe in `folder()` without `.py`, or a path to a Python file.

    Raises:
      UserError: there is no such recipe; says which are near and where recipes are.

    >>> find("ale").name
    'ale.py'
    """
    if name in names():
        return folder() / f"{name}.py"
    path = pathlib.Path(name)
    if _is_file(path):
        if path.suffix == ".py":
            return path
        raise errors.UserError(f"{name} is no recipe: a recipe is a Python file, NAME.py")
    beside = [str(file) for file in path.parent.glob("*.py")] if path.suffix == ".py" else []
    near = [f"{name}.py"] if _is_file(pathlib.Path(f"{name}.py")) else difflib.get_close_matches(name, beside, n=1)
    near = near or difflib.get_close_matches(path.stem, names(), n=1, cutoff=0.5)
    raise errors.unlisted("recipe", name, near, f"recipes are in {folder()}; a path to a Python file is taken too")


def _is_file(path: pathlib.Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False
