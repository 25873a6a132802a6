"""Datasets by name; a source is imported when it is asked for."""

import importlib
import inspect
from collections.abc import Callable

from zsl_jax import errors
from zsl_jax.data import dataset, splits

SOURCES = (
    *("digits", "features", "image_folder", "in_memory", "npz", "pairs", "scenes", "shape_pairs", "shapes"),
    *("texts", "tfds_images", "xlsa17"),
)
# Those whose inputs are texts, which a text tower encodes: see `config.towers`.
OF_TEXTS = ("texts",)
# Those whose classes are pairs of attribute and object: see `training.protocols.pairs`.
OF_PAIRS = ("pairs", "shape_pairs")
# Those whose classes are scenes of two objects: see `training.protocols.matching`.
OF_SCENES = ("scenes",)


def load(name: str, *, unseen: str = "", **options) -> dataset.Dataset:
    """Returns a dataset by name.

    Args:
      name: `digits` (handwritten digits, described by strokes), `shapes` (rendered from a seed, described by shape,
        colour, texture and size), `xlsa17` (a folder in the layout of the standard benchmark; option `dir`), `npz`
        (your own features in a NumPy archive; option `file`), `pairs` (classes that are pairs of attribute
        and object, in an archive or a folder; options `file` and `dir`), `shape_pairs` (rendered shapes as such pairs,
        any number of them), `scenes` (two objects side by side, rendered or in an archive; option `file`),
        `image_folder` (your own images, which `data import` wrote down; option `dir`), `features` (what `extract`
        made of them; option `dir`), `texts` (a file of texts with a label each; option `file`), `tfds_images` (images
        of TFDS with a table of classes; options `builder` and `attributes`) or `in_memory` (what `zsl_jax.fit` was
        given and `save` wrote; option `dir`).
      unseen: names of the unseen classes with commas between them, or a file with one per line; empty for those that
        the source has or draws.
      **options: see the `load` of the module `zsl_jax.data.NAME`.

    Raises:
      UserError: an unknown name or option, or data that is not sound.

    >>> load("digits").classes.names[:3]
    ('zero', 'one', 'two')
    """
    loader = source(name)
    known = inspect.signature(loader).parameters
    for option in options:
        if option not in known:
            raise errors.unknown(f"option of {name}", option, known)
    if not unseen:
        return loader(**options)
    module = importlib.import_module(f"zsl_jax.data.{name}")
    if hasattr(module, "load_with_unseen"):  # its descriptions depend on which classes are seen
        return module.load_with_unseen(unseen, **options)
    return splits.with_unseen(loader(**options), unseen)


def source(name: str) -> Callable[..., dataset.Dataset]:
    """Returns the `load` function of a source."""
    if name not in SOURCES:
        raise errors.unknown("dataset", name, SOURCES)
    return importlib.import_module(f"zsl_jax.data.{name}").load
