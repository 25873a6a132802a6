"""docs/losses.md is what the docstrings say."""

import pathlib
import runpy

import pytest

from zsl_jax import losses

DOCS = pathlib.Path(__file__).resolve().parent.parent / "docs"
maker = runpy.run_path(str(DOCS / "make_losses_page.py"))


def test_the_committed_page_is_the_generated_one():
    assert (DOCS / "losses.md").read_text() == maker["page"](), "run: python docs/make_losses_page.py"


def test_every_loss_is_on_the_page():
    listed = [fn.__name__ for module in maker["families"]() for fn in maker["public"](module)]
    assert len(listed) == len(set(listed))
    functions = {name for name in dir(losses) if name[0].islower() and callable(getattr(losses, name))}
    assert set(listed) == functions


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
    assert r"| always, a \| b too. |  | nobody. |" in maker["row"](block)
