"""What a value of a config may be: a test, and the same in words."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Rule(NamedTuple):
    """A test of a value, and what it asks for in words."""

    holds: Callable[[Any], bool]
    words: str


class Knob(NamedTuple):
    """A knob of a method or of another part: what it does, and what it may be."""

    says: str
    rule: Rule


def whole(lowest: int, *, bits: int = 31) -> Rule:
    """A whole number that an array can hold in that many bits."""

    def holds(x):
        return isinstance(x, int) and not isinstance(x, bool) and lowest <= x < 2**bits

    return Rule(holds, f"a whole number >= {lowest} and < 2^{bits}")


def number(low: float, high: float = math.inf, *, ends: str = "()") -> Rule:
    """A finite number in an interval; `ends` says with brackets whether low and high belong to it."""

    def holds(x):
        if not isinstance(x, (int, float)) or isinstance(x, bool) or not math.isfinite(x):
            return False
        return (x >= low if ends[0] == "[" else x > low) and (x <= high if ends[1] == "]" else x < high)

    return Rule(holds, f"a number in {ends[0]}{low}, {high}{ends[1]}")


def wholes(lowest: int) -> Rule:
    """A tuple of whole numbers."""
    one = whole(lowest)
    return Rule(lambda x: isinstance(x, tuple) and all(map(one.holds, x)), f"a tuple of whole numbers >= {lowest}")


def one_of(choices: Sequence) -> Rule:
    return Rule(lambda x: x in choices, " or ".join(map(str, choices)))


def whole_of(text: str) -> int | None:
    """The whole number that a text is, in at most 18 plain digits, or None.

    >>> whole_of("12"), whole_of("\u00b2"), whole_of("-1"), whole_of("9" * 5000)
    (12, None, None, None)
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def _is_stretch(text: str) -> bool:
    first, colon, last = text.partition(":")
    ends = whole_of(first), whole_of(last)
    return text == "" or (bool(colon) and None not in ends and ends[0] < ends[1])


STRETCH = Rule(_is_stretch, "FIRST:LAST with FIRST < LAST, or empty")
