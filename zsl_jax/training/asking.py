"""What a user hands to predict: files and folders, checked before the first answer, and read a block at a time."""

import itertools
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from zsl_jax import errors
from zsl_jax.data import images, input_files, soundness
from zsl_jax.data import inputs as inputs_lib
from zsl_jax.training import trained

BLOCK = 1024
_SHOWN = images.Preprocessing(size=192, fit="crop", crop_fraction=1.0, filter="bilinear")


def files(model: trained.Trained, paths: Sequence[pathlib.Path]) -> list[pathlib.Path]:
    """Returns the files among `paths`, with every folder replaced by the images in it and below it, in their order.

    Raises:
      UserError: a folder without images, or for a run whose inputs cannot be made of images.
    """
    found = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        if not takes_images(model):
            raise errors.UserError(f"{path} is a folder, of images as it seems: {wanted(model)}")
        inside = [path / name for name in images.find(path)]
        if not inside:
            raise errors.UserError(f"{path}: no image in this folder ({', '.join(images.SUFFIXES)})")
        found += inside
    return found


def takes_images(model: trained.Trained) -> bool:
    """Whether inputs can be made of images, or are images."""
    return model.kind != "texts" and model.preprocessing is not None


def wanted(model: trained.Trained) -> str:
    """Returns in words what the run takes."""
    if model.kind == "texts":
        return "this run takes texts, in files with a text per line"
    shape = "in the parts of its record" if model.input_shape is None else f"of {_described(model.input_shape)} each"
    arrays = f"this run takes {model.kind} {shape}, in .npy, .npz or .csv files"
    return f"{arrays}, and images" if takes_images(model) else arrays


def check(
    model: trained.Trained,
    paths: Sequence[pathlib.Path],
    *,
    skip: Callable[[errors.UserError], None] | None = None,
    header: str = "auto",
    say: Callable[[str], None] | None = None,
) -> None:
    """Reads through files of arrays, tables and texts, and the headers of images; raises what `blocks` would.

    The end of an image that is damaged shows only when it is decoded.

    Args:
      model, paths: as `blocks` takes them.
      skip: where given, images are left to `blocks`.
      header, say: of CSV files, as `input_files.blocks` takes them.

    Raises:
      UserError: a file that is missing, damaged, or of inputs of another shape.
    """
    if model.kind == "texts":
        for path in paths:
            input_files.texts(path)
        return
    for path in paths:
        if not _is_image(path):
            for names, rows in input_files.blocks(path, size=BLOCK, header=header, say=say):
                if not _are_images(model, rows, names[0]):
                    check_directions(rows, names)
            continue
        _ = model.preprocess  # an encoder whose weights are gone is told before any image
        if skip is None and (fault := images.fault(path)):
            raise errors.UserError(fault)


def blocks(
    model: trained.Trained,
    paths: Sequence[pathlib.Path],
    *,
    skip: Callable[[errors.UserError], None] | None = None,
    header: str = "auto",
    say: Callable[[str], None] | None = None,
) -> Iterator[input_files.Block]:
    """Yields what files hold in their order, a block at a time; inputs are made of image files.

    Args:
      model: from `trained.load`.
      paths: of the files.
      skip: called with what is wrong with an image that cannot be read, which is left out; it is raised if None.
      header, say: of CSV files, as `input_files.blocks` takes them.

    Raises:
      UserError: a file that cannot be read, or images where the model does not know how to make inputs of them.
    """
    if model.kind == "texts":
        stage = model.stage()
        for path in paths:
            texts = input_files.texts(path)
            for first in range(0, len(texts), BLOCK):
                part = texts[first : first + BLOCK]
                names = [f"{path}:{first + number}" for number in range(1, len(part) + 1)]
                yield input_files.Block(names, stage.function(part))
        return
    for is_image, group in itertools.groupby(paths, _is_image):
        if not is_image:
            for path in group:
                yield from input_files.blocks(path, size=BLOCK, header=header, say=say)
            continue
        found = list(group)
        made = zip(found, model.preprocess.of_files(found, skip=skip))
        rows = ((path, row) for path, row in made if row is not None)
        while batch := list(itertools.islice(rows, BLOCK)):
            yield input_files.Block([str(path) for path, _ in batch], np.stack([row for _, row in batch]))


def shown(paths: Sequence[pathlib.Path], most: int) -> dict[str, np.ndarray]:
    """Returns the first images among the inputs, `[H, W, 3]` uint8, by the names that `blocks` gives them.

    Images that cannot be read are left out.
    """
    found = {}
    for path in paths:
        if len(found) == most:
            break
        if _is_image(path):
            decoded = next(images.load([path], _SHOWN, skip=lambda error: None))
            found |= {} if decoded is None else {str(path): decoded}
        elif path.suffix.lower() in (".npy", ".npz"):
            for names, rows in input_files.blocks(path, size=most):
                if _is_rgb(rows):
                    found |= dict(zip(names[: most - len(found)], rows))
                break
    return found


def as_inputs(model: trained.Trained, inputs: Any, name: str) -> Any:
    """Returns inputs of the shape that the model takes, made of images where these are images."""
    if _are_images(model, inputs, name):
        return model.preprocess.of_arrays(inputs)
    return inputs if isinstance(inputs, dict) else np.asarray(inputs, model.inputs["dtype"])


def check_directions(rows: Any, names: Sequence[str]) -> None:
    """Raises a UserError for a row of features that are all 0."""
    is_matrix = isinstance(rows, np.ndarray) and rows.ndim == 2 and rows.dtype.kind == "f"
    if is_matrix and len(empty := soundness.empty_rows(rows)):
        raise errors.UserError(f"{names[empty[0]]}: all its numbers are 0, so that it has no direction to score by")


def _are_images(model: trained.Trained, inputs: Any, name: str) -> bool:
    """Whether these are images of which inputs are made; raises where they are neither images nor inputs."""
    if model.input_shape is None or isinstance(inputs, dict):
        if not isinstance(inputs, dict) or inputs_lib.spec(inputs) != model.inputs:
            raise errors.UserError(f"{name} and what follows are not {model.kind} as the run has: {model.inputs}")
        return False
    if inputs.shape[1:] == model.input_shape:
        return False
    if _is_rgb(inputs):
        _ = model.preprocess
        return True
    found, right = (_described(shape) for shape in (inputs.shape[1:], model.input_shape))
    raise errors.UserError(f"{name} and what follows are {found} per input, {right} are wanted")


def _is_rgb(rows: np.ndarray) -> bool:
    return rows.ndim == 4 and rows.shape[-1] == 3 and rows.dtype == np.uint8


def _is_image(path: pathlib.Path) -> bool:
    return path.suffix.lower() in images.SUFFIXES


def _described(shape: tuple[int, ...]) -> str:
    if not shape:
        return "1 number"
    return f"{shape[0]} numbers" if len(shape) == 1 else f"arrays {list(shape)}"
