"""Groups of classes, and how far a map is from being one: the largest sum of activations over a group and a pattern.

For a group S the patterns fall away:

    max_{v in {0,1}^A} sum_{c in S} activation_c(v) = sum_{c in S} offset_c + sum_a max(sum_{c in S} slope_ca, 0)

A map is one if this is 1 at most for every S.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax.bounds import rule as rule_lib

_BLOCK = 1024


def of_size(num_classes: int, size: int) -> np.ndarray:
    """All groups of a size, `[S, C]` bool."""
    members = np.array(list(itertools.combinations(range(num_classes), size)), np.int64).reshape(-1, size)
    groups = np.zeros((len(members), num_classes), bool)
    np.put_along_axis(groups, members, True, axis=1)
    return groups


def all_of(num_classes: int) -> np.ndarray:
    """All groups of at least one class, `[2^C - 1, C]` bool."""
    return ((np.arange(1, 2**num_classes)[:, None] >> np.arange(num_classes)) & 1).astype(bool)


def totals(groups: np.ndarray, rule: rule_lib.AffineRule) -> np.ndarray:
    """The largest sum of activations over each group, `[S]`."""
    offset, slope = np.asarray(rule.offset), np.asarray(rule.slope)
    found = np.empty(len(groups), slope.dtype)
    for start in range(0, len(groups), 1 << 14):
        block = groups[start : start + (1 << 14)].astype(slope.dtype)
        found[start : start + len(block)] = block @ offset + np.sum(np.maximum(block @ slope, 0), axis=1)
    return found


def unique(groups: np.ndarray) -> np.ndarray:
    """The groups without repetition, sorted."""
    packed = np.unique(np.packbits(groups, axis=1), axis=0)
    return np.unpackbits(packed, axis=1, count=groups.shape[1]).astype(bool)


def with_one_more(groups: np.ndarray, rule: rule_lib.AffineRule) -> np.ndarray:
    """`totals` of each group with each further class, `[S, C]` float32; -inf for the classes that it has."""
    offset, slope = jnp.asarray(rule.offset, jnp.float32), jnp.asarray(rule.slope, jnp.float32)
    found = np.empty(groups.shape, np.float32)
    padded = np.zeros((_BLOCK, groups.shape[1]), np.float32)
    for start in range(0, len(groups), _BLOCK):
        block = groups[start : start + _BLOCK]
        padded[: len(block)] = block
        found[start : start + len(block)] = np.asarray(with_one_more_on_device(padded, offset, slope))[: len(block)]
    return np.where(groups, -np.inf, found)


@jax.jit
def with_one_more_on_device(groups: jax.Array, offset: jax.Array, slope: jax.Array) -> jax.Array:
    """As `with_one_more` for groups `[S, C]` of 0 and 1, with some finite value for the classes that a group has."""
    sums = groups @ slope
    start = (groups @ offset)[:, None] + offset[None, :]

    def add(attribute, found):  # attribute by attribute, so that what is in flight stays in the cache
        return found + jnp.maximum(sums[:, attribute, None] + slope[None, :, attribute], 0)

    return jax.lax.fori_loop(0, slope.shape[1], add, start)


def suspects(rule: rule_lib.AffineRule, known: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Groups whose total is likely to be large: grown from known ones class by class, and by alternation from chance.

    Args:
      rule: activations.
      known: `[S, C]` groups to grow.
      rng: for the starts of the alternation.

    Returns:
      `[R, C]` bool.
    """
    num_classes = known.shape[1]
    likely = rng.uniform(0.02, 0.6, (256, 1))
    found = [_alternate(rng.random((256, num_classes)) < likely, rule), _alternate(known[:2048], rule)]
    growing = known[np.argsort(-totals(known, rule))[:1024]]
    for _ in range(10):
        if not len(growing):
            break
        more = with_one_more(growing, rule)
        best = np.argmax(more, axis=1)
        grows = more[np.arange(len(best)), best] > totals(growing, rule) + 1e-6
        growing, best = growing[grows].copy(), best[grows]
        growing[np.arange(len(best)), best] = True
        found.append(growing)
    return unique(np.concatenate(found))


def _alternate(groups: np.ndarray, rule: rule_lib.AffineRule) -> np.ndarray:
    """Takes the best pattern of each group, then the best group of each pattern, until nothing changes."""
    offset, slope = np.asarray(rule.offset, np.float32), np.asarray(rule.slope, np.float32)
    for _ in range(50):
        patterns = groups.astype(np.float32) @ slope > 0
        better = patterns.astype(np.float32) @ slope.T + offset > 0
        if np.array_equal(better, groups):
            break
        groups = better
    return groups[np.any(groups, axis=1)]
