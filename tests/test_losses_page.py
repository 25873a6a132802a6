"""docs/losses.md is what the docstrings say."""

import json
import pathlib
import runpy

import numpy as np
import PIL.Image
import pytest

from zsl_jax import losses
from zsl_jax.methods import objectives

DOCS = pathlib.Path(__file__).resolve().parent.parent / "docs"
maker = runpy.run_path(str(DOCS / "make_losses_page.py"))
landscapes = runpy.run_path(str(DOCS / "landscapes.py"))


def test_the_committed_page_is_the_generated_one():
    assert (DOCS / "losses.md").read_text() == maker["page"](), "run: python docs/make_losses_page.py"


def test_every_loss_is_on_the_page():
    listed = [fn.__name__ for module in maker["families"]() for fn in maker["public"](module)]
    assert len(listed) == len(set(listed))
    functions = {name for name in dir(losses) if name[0].islower() and callable(getattr(losses, name))}
    assert set(listed) == functions


def test_every_loss_that_trains_is_drawn_beside_its_row_of_the_atlas():
    drawn = [name for module in maker["families"]() for name in maker["drawn"](module)]
    assert sorted(drawn) == sorted(objectives.LOSSES)
    page = (DOCS / "losses.md").read_text()
    for module in maker["families"]():
        (text, *_), shown = maker["figure"](module) or [""], maker["drawn"](module)
        assert bool(text) == bool(shown)
        assert text in page
        if shown:
            columns = min(len(shown), landscapes["COLUMNS"])
            with PIL.Image.open(DOCS / "losses" / f"{module.__name__.rpartition('.')[2]}.png") as sheet:
                assert sheet.width == round(columns * landscapes["SIDE"] * landscapes["DPI"]), (
                    f"{module}: make it again"
                )
    row = json.loads((DOCS / "atlas.json").read_text())["birds, attributes"]["info_nce"]
    means = [f"{100 * np.mean(row['scores'][name][0]):.1f}" for name in ("zsl", "ausuc", "harmonic")]
    first = maker["scores"](losses.info_nce).partition("<br>")[0]
    assert first == f"birds, attributes {' / '.join(means)}, {1000 * row['epoch_seconds']:.3g} ms"
    assert maker["scores"](losses.matryoshka) == ""


@pytest.mark.parametrize("name", ["warp", "info_nce", "triplet_margin", "supervised_contrastive", "multi_tag_softmax"])
def test_a_landscape_is_the_loss_and_its_slope(name):
    """Low at the class of the image, high at another one; the arrows are the slope."""
    places = np.concatenate([landscapes["CLASSES"], [[0.3, -0.4], [0.3 + 1e-2, -0.4], [0.3 - 1e-2, -0.4]]])
    values, slopes = map(np.asarray, landscapes["landscape"](name)(places.astype(np.float32)))
    assert values[0] < min(values[1:3])
    assert slopes[4][0] == pytest.approx((values[5] - values[6]) / 2e-2, rel=0.05, abs=0.02)


def test_the_unseen_class_of_a_landscape_is_no_training_class():
    """Of all classes without images, only the self-calibrating losses know the place."""
    (value,), (slope,) = landscapes["landscape"]("self_calibration")(landscapes["CLASSES"][3:])
    assert value > 0.1
    assert slope @ landscapes["CLASSES"][3] < 0, "uphill is away from the unseen class"


def test_what_a_docstring_lacks_is_named():
    def nameless():
        """Returns nothing.

        Use when: never.
        """

    with pytest.raises(ValueError, match="nameless has no formula"):
        maker["formula"](nameless)
    with pytest.raises(ValueError, match="nameless has no paragraph 'Reference"):
        maker["section"](nameless, "Reference:")


def test_formulas_are_read_in_both_forms():
    def inline():
        """Sum.

        `loss = |a|
        + b`; the rest is prose.
        """

    def block():
        """Sum.

        With `v` of the scores::

            loss = v        (0 where v < 0)
            v    = a + b

        Use when: always, a | b
        too.

        Reference: nobody.
        """

    assert maker["formula"](inline) == "`loss = |a| + b`; the rest is prose."
    assert maker["formula"](block) == "With `v` of the scores:<br>`loss = v (0 where v < 0)`<br>`v = a + b`"
    assert maker["section"](block, "Use when:") == "always, a | b too."
    assert r"| always, a \| b too. |  |  | nobody. |" in maker["row"](block)
