"""What all figures share: seen classes are blue and unseen ones orange, which the colour-blind tell apart."""

import pathlib
import re
from collections.abc import Iterable

from matplotlib import figure as mpl_figure

from zsl_jax import whole_files

SEEN, UNSEEN, WRONG = "#0072B2", "#D55E00", "#767676"


def colour(is_seen: bool) -> str:
    return SEEN if is_seen else UNSEEN


def paint_labels(labels: Iterable, is_seen: Iterable) -> None:
    """Gives the tick labels of classes their colours."""
    for label, seen in zip(labels, is_seen):
        label.set_color(colour(seen))


def readable(name: str) -> str:
    """Returns a class name as people write it.

    >>> readable("190.Red_cockaded_Woodpecker")
    'Red cockaded Woodpecker'
    """
    return re.sub(r"^\d+\.", "", name).replace("_", " ")


def save(figure: mpl_figure.Figure, path: pathlib.Path) -> None:
    """Writes the figure as PNG, without a display, whole or not at all."""
    try:
        with whole_files.replacing(path) as part:
            figure.savefig(part, dpi=120)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error  # of a full disk it does not say where
