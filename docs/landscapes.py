"""Draws what each loss asks of an image: its landscape over the place of one image, with the way downhill.

The plane is the space in which images and classes meet. Three training classes and one unseen class lie on the unit
circle, three images near their classes, and one image of the class at the top is moved over the plane. The colour is
the sum of the losses of the batch, between its quantiles, dark for low; the arrows show the step that gradient descent
takes, all of one length.
"""

import functools
import io
import math

import jax
import jax.numpy as jnp
import numpy as np
import PIL.Image
from matplotlib import figure as mpl_figure

from zsl_jax import data
from zsl_jax.methods import objectives

ANGLES = np.radians([90.0, 210.0, 330.0, 30.0])  # of the classes; the last one is unseen
CLASSES = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1).astype(np.float32)
LABELS = np.array([0, 1, 2, 1])  # of the images; the first one is moved
OTHERS = np.array([[-0.75, -0.2], [0.9, -0.75], [-1.0, -0.75]], np.float32)
REACH, POINTS, ARROWS = 1.45, 49, 11
COLUMNS, SIDE, DPI, COLOURS = 4, 1.75, 72, 96


def objective_of(name: str):
    """Returns `compared -> [B]` of a loss by itself, one that trains nothing alone as well."""
    if objectives.LOSSES[name].alone:
        return objectives.make(name).loss
    beside = objectives.make(f"softmax_cross_entropy+1*{name}")
    return lambda given: beside.parts(given)[1]


@functools.cache
def landscape(name: str):
    """Returns a function of places `[N, 2]` of the first image: the sum of the losses `[N]`, its gradient `[N, 2]`."""
    seen = np.arange(4) < 3
    table = data.ClassTable(jnp.asarray(CLASSES), seen, ("own", "left", "right", "unseen"), trained=3)
    loss = objective_of(name)

    def total(place):
        images = jnp.concatenate([place[None, :], jnp.asarray(OTHERS)])
        batch = data.Batch(images, jnp.asarray(LABELS), jnp.ones(4, bool))
        return jnp.sum(loss(objectives.of_batch(images, table.embedding, batch, table, jax.random.key(0))))

    return jax.jit(jax.vmap(jax.value_and_grad(total)))


def draw(axes, name: str) -> None:
    """Draws the landscape of a loss."""
    steps = np.linspace(-REACH, REACH, POINTS, dtype=np.float32)
    x, y = np.meshgrid(steps, steps)
    values, gradient = landscape(name)(np.stack([x.ravel(), y.ravel()], axis=1))
    values, gradient = np.asarray(values).reshape(x.shape), np.asarray(gradient).reshape(*x.shape, 2)
    levels = np.unique(np.quantile(values, np.linspace(0, 1, 13)).round(6))
    if len(levels) > 1:
        axes.contourf(x, y, values, levels=levels, cmap="viridis", extend="both")
    else:
        axes.text(0, 0.2, "the same everywhere", ha="center", fontsize=7)
    some = slice(POINTS // ARROWS // 2, None, POINTS // ARROWS)
    way = -gradient[some, some]
    length = np.linalg.norm(way, axis=-1, keepdims=True)
    way = np.where(length > 1e-6, way / np.maximum(length, 1e-6), 0.0)
    arrows = {"color": "white", "scale": 14, "width": 0.008, "pivot": "mid"}
    axes.quiver(x[some, some], y[some, some], way[..., 0], way[..., 1], **arrows)
    axes.plot(*CLASSES[0], "*", color="tab:red", markersize=9, markeredgecolor="white")
    axes.plot(*CLASSES[1:3].T, "s", color="tab:orange", markersize=5, markeredgecolor="white")
    axes.plot(*CLASSES[3:].T, "D", color="lightgrey", markersize=4, markeredgecolor="black")
    axes.plot(*OTHERS.T, "o", color="black", markersize=3, markeredgecolor="white")
    axes.set_title(name, fontsize=7)
    axes.set(xticks=[], yticks=[], aspect="equal", xlim=(-REACH, REACH), ylim=(-REACH, REACH))


def sheet(names: list[str]) -> PIL.Image.Image:
    """Returns the landscapes of some losses, side by side, in few colours."""
    columns = min(len(names), COLUMNS)
    rows = math.ceil(len(names) / columns)
    figure = mpl_figure.Figure(figsize=(SIDE * columns, (SIDE + 0.15) * rows), layout="constrained")
    panels = np.ravel(figure.subplots(rows, columns, squeeze=False))
    for axes, name in zip(panels, names):
        draw(axes, name)
    for axes in panels[len(names) :]:
        axes.set_axis_off()
    file = io.BytesIO()
    figure.savefig(file, dpi=DPI)
    return PIL.Image.open(file).convert("RGB").quantize(COLOURS, PIL.Image.Quantize.MAXCOVERAGE)
