"""Writes the figures of docs/gallery.md from the figures of a finished run, and docs/story.png, that of README.

zsl-jax train --config=ale --workdir=runs/ale
python docs/make_gallery.py runs/ale
"""

import pathlib
import shutil
import sys

import PIL.Image

from zsl_jax.verbs.captions import CAPTIONS

GALLERY = pathlib.Path(__file__).with_name("gallery")
WIDTH = 1000  # pixels


def write(workdir: pathlib.Path) -> list[str]:
    """Writes every figure of a run, at most `WIDTH` wide; returns their names."""
    GALLERY.mkdir(exist_ok=True)
    shutil.copyfile(workdir / "story.png", GALLERY.with_name("story.png"))
    found = [name for name in CAPTIONS if (workdir / name).is_file()]
    for name in found:
        with PIL.Image.open(workdir / name) as opened:
            figure = opened.convert("RGB")
        if figure.width > WIDTH:
            size = (WIDTH, round(figure.height * WIDTH / figure.width))
            figure = figure.resize(size, PIL.Image.Resampling.LANCZOS)
        figure.save(GALLERY / name, optimize=True)
    return found


if __name__ == "__main__":
    print("written:", *write(pathlib.Path(sys.argv[1])))
