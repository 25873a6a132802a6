"""Writes docs/losses.md from the docstrings of zsl_jax.losses and the table of choices, and figures of the losses.

    python docs/make_losses_page.py

What a docstring has to hold for it is said at the top of `zsl_jax/losses/__init__.py`.
"""

import functools
import importlib
import inspect
import itertools
import pathlib
import pkgutil
import re
import runpy
from collections.abc import Callable
from types import ModuleType

from zsl_jax import losses
from zsl_jax.methods import objectives

PAGE = pathlib.Path(__file__).with_name("losses.md")
FIGURES = PAGE.with_name("losses")

INTRODUCTION = """\
# Losses

Pure functions of arrays: `from zsl_jax import losses`. Each returns one value per example (or what its docstring says),
float32, never reduced and never silently normalised; `where` masks, and numeric knobs may be traced. Written by
`python docs/make_losses_page.py` from the docstrings, which say more: arguments, shapes, limits and an example each.
Which one? See [the atlas](atlas.md). The column *Atlas* is from there: ZSL / AUSUC / calibrated H in %, means over
draws of a bilinear map trained by the loss, and the processor time of an epoch, on birds by attributes and by
sentences, rendered shapes and digits.

The figures show each loss over the place of one image, dark where it is low, and the way downhill. The red star is the
class of the image, orange squares are other training classes, the grey diamond is an unseen class, black dots are other
images of the batch. Two losses are the same everywhere: they compare images of classes with like descriptions, and no
two of these classes are alike.

## Train with any of them

`bilinear` (features), `label_embedding` (an encoder of pixels) and `two_tower` (an encoder on each side) take every
loss below that is not marked *no choice*: its name is `config.method.loss`, its knobs are `config.loss`.

    python -m zsl_jax train --config=bilinear:digits --config.method.loss=circle --config.loss.scale=24 \\
        --workdir=runs/circle
    python -m zsl_jax train --config=clip_pixels --config.method.loss=class_sigmoid --workdir=runs/sigmoid

A sum has weights, and knobs under the names of its terms. Terms marked *in a sum* train nothing by themselves. The
first loss of a sum says how scores are compared: by cosine if it compares unit vectors, by inner product otherwise.

    python -m zsl_jax train --config=bilinear --config.method.loss=warp+0.1*uniformity --config.loss.warp.margin=0.5 \\
        --workdir=runs/sum

`config.method.balance` weighs the terms: `fixed` weights, as above; `uncertainty`, which trains them from there
(`sum_t w_t L_t - log(w_t) / 2`; for losses that are not negative); `gradnorm`, which trains them until the gradients
of all terms in the embedded images are equally long (for terms that are losses by themselves: a regulariser such as
`uniformity` gets as much say as they); or `mgda`, for two terms: the shortest vector between their gradients, a step
that makes neither worse. `mgda_ub` is the cheaper form of its released code, which takes the shares from the gradients
in the embedded images, each divided by its length and its loss.

    python -m zsl_jax train --config=bilinear:digits --config.method.loss=info_nce+0.5*alignment \\
        --config.method.balance=mgda --workdir=runs/mgda
    python -m zsl_jax train --config=bilinear:digits --config.method.loss=info_nce+0.5*alignment+0.1*clip_softmax \\
        --config.method.balance=gradnorm --workdir=runs/gradnorm

**Short embeddings.** `config.method.prefixes=8,32` trains the first 8 and the first 32 entries of the embeddings to
do as well as all of them (Matryoshka), and `config.method.score_width=8` scores with those alone. Where images are
compared with attributes (`bilinear`, `label_embedding`), they are the first attributes. **Margins by descriptions.**
`config.method.margins=described` multiplies `loss.margin` for each pair of classes by the distance of their
descriptions over the mean distance: near classes may come closer, for the hinges on scores, `cosface` and
`triplet_margin`. Both go around any sum, any choice of negatives, and each other.

    python -m zsl_jax train --config=bilinear:shapes --config.method.loss=triplet_margin+0.1*warp \\
        --config.method.margins=described --config.method.prefixes=8 --config.method.score_width=8 \\
        --workdir=runs/wrapped

**The released forms.** Where the code of a paper computes something else than its formula, a knob says so:
`loss.released=True` of `vicreg` (the term of the variance halved) and `supervised_contrastive` (times t / 0.07),
`loss.within=True` of `conditional_hard_negatives` and `conditional_positives` (pairs within a view beside those
between the views), `balance=mgda_ub` above. The multi-scale loss of AMDIM (Bachman, Hjelm, Buchwalter, NeurIPS 2019)
is out: it compares the maps of two views of an image with each other and no image with a class, and no method here
trains by that.

    python -m zsl_jax train --config=bilinear:digits --config.method.loss=vicreg --config.loss.released=True \\
        --workdir=runs/vicreg_released

**Groups of attributes.** `attribute_network` with groups takes `losses.attribute_decorrelation`, by which groups
compete for features, as `config.method.decorrelation`, and what the released code computes in its place by
`config.method.decorrelated_as=published`.

    python -m zsl_jax train --config=attributes_pixels --config.method.groups=8,8,4,2 \\
        --config.method.decorrelation=0.001 --workdir=runs/decorrelated

**What a model does not know.** After training by `evidential_log` or `evidential_digamma`, `Trained.uncertainty` says
for each input which share of belief no class has: see [arrays](arrays.md#ask).

A loss that compares the images of a batch wants large ones. `config.optimizer.chunk` encodes a batch of pixels in
chunks, with the memory of a chunk and the gradient of the whole: see [scale](scale.md).

    python -m zsl_jax train --config=clip_pixels --config.train.batch_size=1024 --config.optimizer.chunk=128 \\
        --workdir=runs/clip_large

## Choose the negatives

`config.method.negatives` is one of these; `num_negatives` says how many. The first six choose wrong classes, for losses
on scores, triplets and classes as candidates, `swapped` makes one more; the last two give more images to losses that
compare those of a batch, embedded by a moving average of the parameters (`memory_momentum`). What a loss cannot take is
an error. `similar=0.9` leaves out classes whose descriptions have a higher cosine. `train.per_class=K` makes batches of
a few classes with K images each, and `train.clustering` above 0 draws classes with near descriptions into one batch.

{negatives}
    python -m zsl_jax train --config=bilinear:digits --config.method.loss=info_nce --config.method.negatives=dynamic \\
        --config.method.num_negatives=3 --workdir=runs/dynamic
    python -m zsl_jax train --config=bilinear --config.method.loss=supervised_contrastive \\
        --config.method.negatives=queue --config.method.num_negatives=1024 --config.train.per_class=4 \\
        --config.train.clustering=4 --workdir=runs/queue

Look at `dynamic` negatives often. On CUB127 (`info_nce`, 8 negatives of each class, 10 epochs, seed 0) a look every 10
steps gives calibrated H 61.9 on validation classes and 59.1 on the test split; every 100 steps, as in the paper of
another task, 58.0 and 37.3; all negatives 60.0 and 57.9.

    python -m zsl_jax train --config=bilinear:xlsa17 --config.data.dir=CUB127 --config.method.loss=info_nce \\
        --config.method.negatives=dynamic --config.method.refresh_steps=10 --config.train.epochs=10 --workdir=runs/looks

## A loss of your own

It is any function whose arguments have the names below, from Python or as `package.module:function`.
Its keyword arguments with a number as default are knobs, checked and swept like all others.

```python
import jax.numpy as jnp

from zsl_jax import methods


def squared(scores, labels, *, width: float = 1.0):
    own = jnp.take_along_axis(scores, labels[:, None], axis=1)[:, 0]
    return (own - width) ** 2 + jnp.mean(scores**2, axis=1)


made = methods.normalized(methods.bilinear(loss=squared))  # for zsl_jax.fit(made, inputs, labels, classes)
```

A recipe sweeps knobs of the loss side by side, in one compiled program: `{"loss.scale": (8.0, 24.0, 72.0)}` in
`sweep()`.

| arguments | what a loss with them is given |
|---|---|
"""


def page() -> str:
    """Returns the text of docs/losses.md."""
    return "\n".join([INTRODUCTION.replace("{negatives}", negatives()) + arguments(), *map(family, families())])


def negatives() -> str:
    """Returns a row for each choice of negatives."""
    rows = [f"| `{name}` | {choice.says} |\n" for name, choice in objectives.CHOICES.items()]
    return "".join(["| negatives | what an image is compared with |\n", "|---|---|\n", *rows])


def arguments() -> str:
    """Returns a row for each kind of loss that a function of somebody's own may be."""
    own = {names: kind for names, kind in objectives.KINDS.items() if kind not in _of_table()}
    return "".join(f"| `({', '.join(names)})` | {kind.says} |\n" for names, kind in own.items())


def _of_table() -> list[objectives.Kind]:
    """The kinds that only the table of losses names."""
    return [loss.kind for loss in objectives.LOSSES.values() if loss.takes]


def families() -> list[ModuleType]:
    """Returns the modules of `zsl_jax.losses` whose public names it re-exports, by name."""
    names = sorted(info.name for info in pkgutil.iter_modules(losses.__path__))
    modules = [importlib.import_module(f"{losses.__name__}.{name}") for name in names]
    return [module for module in modules if public(module)]


def public(module: ModuleType) -> list[Callable]:
    """Returns the functions in a module's `__all__` that `zsl_jax.losses` re-exports."""
    found = [getattr(module, name) for name in getattr(module, "__all__", ()) if hasattr(losses, name)]
    return [fn for fn in found if callable(fn) and not inspect.isclass(fn)]


def family(module: ModuleType) -> str:
    name = module.__name__.rpartition(".")[2]
    head = f"## [{name.replace('_', ' ')}](../zsl_jax/losses/{name}.py)\n\n{paragraphs(module)[0]}\n"
    table = (
        "| Loss | Formula | Use when | Trains with | Atlas | Paper |",
        "|---|---|---|---|---|---|",
        *map(row, public(module)),
    )
    return "\n".join([head, *figure(module), *table, ""])


def drawn(module: ModuleType) -> list[str]:
    """Returns the losses of a family that a method can be trained by."""
    return [fn.__name__ for fn in public(module) if fn.__name__ in objectives.LOSSES]


def figure(module: ModuleType) -> list[str]:
    name, shown = module.__name__.rpartition(".")[2], drawn(module)
    return [f"![{', '.join(shown)}, over the place of one image](losses/{name}.png)", ""] if shown else []


def row(fn: Callable) -> str:
    told = formula(fn), section(fn, "Use when:"), choice(fn), scores(fn), section(fn, "Reference:", default="")
    cells = f"`{fn.__name__}`", *told
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def choice(fn: Callable) -> str:
    """Returns what a method that is trained by this loss gives it and its knobs, or what stands in the way."""
    name = fn.__name__
    if name not in objectives.LOSSES:
        reason = objectives.ELSEWHERE.get(name)
        return "" if reason is None else f"no choice: {reason}"
    loss = objectives.LOSSES[name]
    knobs = ", ".join(f"`{knob}={value}`" for knob, value in loss.defaults.items())
    how = [
        loss.kind.says,
        *["unit vectors"] * loss.unit,
        *["in a sum"] * (not loss.alone),
        *["by attribute"] * loss.axes,
    ]
    return f"{'; '.join(how)}{'<br>' if knobs else ''}{knobs}"


@functools.cache
def atlas() -> dict[str, dict]:
    """Returns the rows of the atlas by the name of the loss."""
    maker = runpy.run_path(str(PAGE.with_name("make_atlas.py")))
    return {row["loss"].rpartition("*")[2]: row for row in maker["table"](maker["read"]())}


def scores(fn: Callable) -> str:
    """Returns ZSL, AUSUC, calibrated H and the time of an epoch on the datasets of the atlas."""
    row = atlas().get(fn.__name__, {})
    lines = []
    for name, found in row.items():
        if name != "loss":
            means = [sum(found[score]) / len(found[score]) for score in ("zsl", "ausuc", "harmonic")]
            told = " / ".join(f"{mean:.1f}" for mean in means)
            lines.append(f"{name} {told}, {1000 * found['epoch_seconds']:.3g} ms")
    return "<br>".join(lines)


def formula(fn: Callable) -> str:
    """Returns the first code of a docstring, with the sentence that names its symbols."""
    summary, *blocks = paragraphs(fn)
    for before, block in itertools.pairwise([summary, *blocks]):
        if before.endswith("::"):
            symbols = [] if before is summary else [" ".join(before[:-1].split())]
            return "<br>".join(symbols + [f"`{' '.join(line.split())}`" for line in block.splitlines()])
        if block.startswith("`"):
            return " ".join(block.split())
    raise ValueError(f"the docstring of {fn.__name__} has no formula: a paragraph in backticks, or a block after '::'")


def section(fn: Callable, title: str, default: str | None = None) -> str:
    """Returns the paragraph of a docstring that starts with the title, without it, on one line."""
    for block in paragraphs(fn):
        if block.startswith(title):
            return " ".join(block.removeprefix(title).split())
    if default is None:
        raise ValueError(f"the docstring of {fn.__name__} has no paragraph '{title} ...'")
    return default


def paragraphs(documented: Callable | ModuleType) -> list[str]:
    """Returns the paragraphs of a docstring."""
    return [block for block in re.split(r"\n\s*\n", inspect.getdoc(documented) or "") if block.strip()]


if __name__ == "__main__":
    PAGE.write_text(page())
    landscapes = runpy.run_path(str(PAGE.with_name("landscapes.py")))
    FIGURES.mkdir(exist_ok=True)
    for module in families():
        if drawn(module):
            name = module.__name__.rpartition(".")[2]
            landscapes["sheet"](drawn(module)).save(FIGURES / f"{name}.png", optimize=True)
    print(f"wrote {PAGE} and {FIGURES}")
