"""Draws docs/frame.png and puts the files it shows into docs/write_a_method.md.

python docs/make_write_a_method.py
"""

import pathlib
import re

from matplotlib import figure as mpl_figure
from matplotlib import patches

from zsl_jax import plots

DOCS = pathlib.Path(__file__).parent
FILES = {"The file": "zsl_jax/methods/relation_net.py", "The recipe": "configs/relation_net.py"}


def frame() -> mpl_figure.Figure:
    """How a state comes about above, how it scores below."""
    figure = mpl_figure.Figure(figsize=(10, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlim=(0, 20), ylim=(0, 8.4))
    axes.axis("off")
    box(axes, 0.2, 6.6, "labelled examples\n+ training table", fill="#eeeeee")
    for x, name, note in (
        (5.2, "init", "shapes"),
        (8.6, "prepare", "all examples"),
        (12.0, "update", "a batch, each step"),
        (15.4, "finish", "all examples"),
    ):
        box(axes, x, 6.6, name, note=note, width=2.4)
    arrow(axes, (4.0, 7.2), (5.2, 7.2))
    for x in (7.6, 11.0, 14.4):
        arrow(axes, (x, 7.2), (x + 1.0, 7.2))
    axes.text(18.2, 7.2, "state", fontsize=11, va="center", weight="bold")
    arrow(axes, (17.8, 7.2), (18.1, 7.2))
    axes.plot((18.7, 18.7, 11.5), (6.8, 5.2, 5.2), ":", color="#333333", linewidth=1)
    arrow(axes, (11.5, 5.2), (11.5, 3.5), style=":")
    box(axes, 0.2, 3.6, "inputs", fill=plots.SEEN, note="images, texts, ...")
    box(axes, 0.2, 0.8, "classes", fill=plots.UNSEEN, note="any table, new ones too")
    box(axes, 5.2, 3.6, "embed", note="once per input", width=2.9)
    box(axes, 5.2, 0.8, "describe", note="once per table", width=2.9)
    box(axes, 10.2, 2.2, "scores", note="[B, C]", width=2.6)
    box(axes, 14.0, 2.2, "together", note="optional, all inputs", width=2.8, dashed=True)
    axes.text(17.4, 2.8, "protocol:\nwhat is asked\nand reported", fontsize=9.5, va="center")
    arrow(axes, (4.0, 4.2), (5.2, 4.2))
    arrow(axes, (4.0, 1.4), (5.2, 1.4))
    arrow(axes, (8.1, 4.2), (10.2, 3.1))
    arrow(axes, (8.1, 1.4), (10.2, 2.5))
    arrow(axes, (12.8, 2.8), (14.0, 2.8))
    arrow(axes, (16.8, 2.8), (17.3, 2.8))
    return figure


def box(axes, x, y, text, *, width=3.8, note="", fill="white", dashed=False) -> None:
    style = {"facecolor": fill, "edgecolor": "black", "linestyle": "--" if dashed else "-"}
    axes.add_patch(patches.FancyBboxPatch((x, y), width, 1.2, boxstyle="round,pad=0.06", **style))
    dark = fill in (plots.SEEN, plots.UNSEEN)
    axes.text(x + width / 2, y + 0.6, text, ha="center", va="center", fontsize=10, color="white" if dark else "black")
    axes.text(x + width / 2, y - 0.2, note, ha="center", va="top", fontsize=8.5, color="#555555")


def arrow(axes, start, end, *, style="-") -> None:
    axes.annotate("", end, start, arrowprops={"arrowstyle": "->", "linestyle": style, "color": "#333333"})


def page() -> str:
    """The page with the files as they are now."""
    text = (DOCS / "write_a_method.md").read_text()
    for heading, name in FILES.items():
        code = (DOCS.parent / name).read_text().rstrip()
        pattern = rf"(## {heading}\n.*?```python\n).*?(\n```\n)"
        text = re.sub(pattern, lambda found, code=code: found[1] + code + found[2], text, count=1, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    plots.save(frame(), DOCS / "frame.png")
    (DOCS / "write_a_method.md").write_text(page())
