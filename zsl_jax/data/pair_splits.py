"""Which pairs are unseen, and which inputs are for training, validation and test.

    drawn      pairs that can be left out while every attribute and every object stays in another one
    given      a pair is seen where it has a training input; validation has unseen pairs of its own

A given validation split keeps only pairs that the test does not ask for. Where none is given, or it has no unseen pair
left, the protocol draws one from the training part.
"""

from typing import NamedTuple

import numpy as np

from zsl_jax import errors
from zsl_jax.data import pair_names

_TRIES = 200
_SHARE, _TEST_SHARE = 0.2, 0.2


class Split(NamedTuple):
    """Which pairs are seen `[C]`, rows of inputs by use, and what a record says of it."""

    is_seen: np.ndarray
    rows: dict[str, np.ndarray]
    said: str


def draw(parts: np.ndarray, count: int, rng: np.random.Generator, *, spare: int = 0) -> np.ndarray:
    """Returns rows of pairs to leave out so that each of their attributes and objects stays in a pair that is left.

    Args:
      parts: `[C, 2]` int, attribute and object of each pair.
      count: pairs to leave out.
      rng: of the order in which pairs are tried.
      spare: pairs that could then still be left out, if possible.

    Returns:
      `[k]` sorted rows, k <= count; fewer than `count` where no more were found in 200 orders.

    >>> parts = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> len(draw(parts, 1, np.random.default_rng(0))), len(draw(parts, 3, np.random.default_rng(0)))
    (1, 2)
    """
    best: list[int] = []
    for _ in range(_TRIES):
        left = [np.bincount(parts[:, side]) for side in (0, 1)]
        out = []
        for row in rng.permutation(len(parts)):
            a, o = parts[row]
            if len(out) < count + spare and left[0][a] > 1 and left[1][o] > 1:
                out.append(int(row))
                left[0][a] -= 1
                left[1][o] -= 1
        if len(out) > len(best):
            best = out
        if len(best) >= count + spare:
            break
    return np.sort(np.array(best[:count], int))


def drawn(name: str, pairs: pair_names.Pairs, count: int, seed: int) -> Split:
    """Returns a split with `count` unseen pairs drawn by a seed; 0 for a fifth of them.

    Raises:
      UserError: fewer pairs can be left out.
    """
    rng = np.random.default_rng(seed)
    wanted = count or max(1, round(_SHARE * len(pairs.parts)))
    rows = draw(pairs.parts, wanted, rng, spare=1)
    if len(rows) < wanted and (count or not len(rows)):
        raise errors.UserError(
            f"{name}: of its {len(pairs.parts)} pairs {len(rows)} can be unseen so that every attribute and object "
            f"stays seen, not {wanted}: choose a smaller data.unseen_count"
        )
    return _with_unseen(name, pairs, rows, rng, f"{len(rows)} unseen pairs drawn by seed {seed}")


def listed(name: str, pairs: pair_names.Pairs, rows: np.ndarray, file: str, seed: int) -> Split:
    """Returns a split whose unseen pairs are listed; which inputs of the others are tested is drawn by the seed."""
    return _with_unseen(name, pairs, rows, np.random.default_rng(seed), f"{len(rows)} unseen pairs of {file}")


def _with_unseen(name, pairs: pair_names.Pairs, unseen: np.ndarray, rng: np.random.Generator, said: str) -> Split:
    is_seen = ~np.isin(np.arange(len(pairs.parts)), unseen)
    tested = ~is_seen[pairs.labels]
    for row in np.flatnonzero(is_seen):
        mine = rng.permutation(np.flatnonzero(pairs.labels == row))
        tested[mine[: round(_TEST_SHARE * len(mine))]] = True
    return Split(is_seen, {"train": np.flatnonzero(~tested), "test": np.flatnonzero(tested)}, said)


def given(pairs: pair_names.Pairs, use: np.ndarray) -> Split:
    """Returns the split that says `train`, `validation` or `test` of each input, `[N]` texts; others are left out."""
    rows = {each: np.flatnonzero(use == each) for each in ("train", "validation", "test")}
    is_seen = np.isin(np.arange(len(pairs.parts)), pairs.labels[rows["train"]])
    asked = pairs.labels[rows["test"]]
    mine, said = rows["validation"], "given"
    leaked = ~is_seen[pairs.labels[mine]] & np.isin(pairs.labels[mine], asked)
    if leaked.any():
        said += f"; {leaked.sum()} validation inputs of unseen test pairs left out"
    rows["validation"] = mine[~leaked]
    if is_seen[pairs.labels[rows["validation"]]].all():
        if len(mine):
            said += "; validation has no unseen pair of its own, so that it is drawn from the training part"
        del rows["validation"]
    return Split(is_seen, rows, said)


def check(name: str, kind: str, pairs: pair_names.Pairs, split: Split, *, new_parts: bool) -> None:
    """Raises a UserError for a split that trains or tests nothing, or that asks for a part that training never shows.

    Args:
      name, kind: of the data and its inputs, for the message.
      pairs: all of them.
      split: to be checked.
      new_parts: whether attributes and objects without training inputs are allowed.
    """
    for each, rows in split.rows.items():
        if not len(rows):
            raise errors.UserError(f"{name} has no {kind} in its split {each}")
    tested = split.is_seen[pairs.labels[split.rows["test"]]]
    for which, there in (("unseen", ~tested), ("seen", tested)):
        if not there.any():
            raise errors.UserError(f"{name} has no test {kind} of {which} pairs: their accuracy could not be measured")
    trained = pairs.parts[pairs.labels[split.rows["train"]]]
    for side, part, names in ((0, "attribute", pairs.attributes), (1, "object", pairs.objects)):
        new = np.setdiff1d(pairs.parts[pairs.labels[np.concatenate(list(split.rows.values()))], side], trained[:, side])
        if len(new) and not new_parts:
            more = f" (and {len(new) - 1} more)" if len(new) > 1 else ""
            raise errors.UserError(
                f"{name}: the {part} {names[new[0]]!r}{more} is in no training pair, so that nothing can be learned of "
                "it: move a pair of it to training, or allow it with --config.data.new_parts=True"
            )
