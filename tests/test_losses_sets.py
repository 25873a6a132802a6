"""Losses on the order of similarities, between sets, and on several tags: plain loops, masks, limits, ugly points."""

import contract
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zsl_jax import losses, similarity

RNG = np.random.default_rng(0)
SCORES = RNG.uniform(-1, 1, (4, 6)).astype(np.float32)
RELATIONS = RNG.integers(0, 4, (4, 6)).astype(np.float32) / 3  # with ties
MASK = RNG.random((4, 6)) < 0.7
Z = RNG.standard_normal((7, 3)).astype(np.float32)
LABELS = np.array([0, 1, 0, 2, 1, 1, 0])


def cosent(scores, relations, scale, where):
    found = []
    for s, r, kept in zip(scores.astype(float), relations, where):
        pairs = [(j, k) for j in range(6) for k in range(6) if kept[j] and kept[k] and r[j] > r[k]]
        found.append(np.log(1 + sum(np.exp(scale * (s[k] - s[j])) for j, k in pairs)))
    return np.array(found)


@pytest.mark.parametrize("where", [np.ones((4, 6), bool), MASK, np.zeros((4, 6), bool)])
def test_cosent_is_the_loop_over_all_pairs(where):
    loss = jax.jit(lambda s, r: losses.cosent(s, r, scale=3.0, where=where))
    contract.assert_close(loss(SCORES, RELATIONS), cosent(SCORES, RELATIONS, 3.0, where), rtol=1e-5)
    dirty = np.where(where, SCORES, np.nan), np.where(where, RELATIONS, np.nan)
    contract.assert_close(loss(*dirty), cosent(SCORES, RELATIONS, 3.0, where), rtol=1e-5)
    contract.check_vmap(loss, SCORES, RELATIONS)
    gradient = jax.grad(lambda s: jnp.sum(losses.cosent(s, RELATIONS, scale=3.0, where=where)))(SCORES)
    for place in np.ndindex(SCORES.shape):
        moved = [
            SCORES.astype(float) + 1e-5 * sign * (np.indices(SCORES.shape) == np.array(place)[:, None, None]).all(0)
            for sign in (1, -1)
        ]
        numeric = np.diff([cosent(s, RELATIONS, 3.0, where).sum() for s in moved[::-1]])[0] / 2e-5
        assert gradient[place] == pytest.approx(numeric, abs=1e-3)


def test_cosent_at_its_limits():
    labels = np.array([0, 3, 5, 1])
    is_own = (labels[:, None] == np.arange(6)[None, :]).astype(np.float32)
    contract.assert_close(losses.cosent(SCORES, is_own, scale=1.0), losses.lsep(SCORES, is_own), rtol=1e-5)
    contract.assert_close(losses.cosent(SCORES, np.ones((4, 6)), scale=9.0), np.zeros(4))
    contract.check_finite_gradients(lambda s, r: losses.cosent(s, r), np.zeros((2, 3)), np.zeros((2, 3)))
    contract.check_finite_gradients(lambda s: losses.cosent(s, RELATIONS, scale=1e4), SCORES)
    contract.check_half_precision(lambda s, r: losses.cosent(s, r), SCORES, RELATIONS)
    with pytest.raises(ValueError, match=r"\(4, 6\).*\(4, 5\)"):
        losses.cosent(SCORES, RELATIONS[:, :5])


def inter_set(z, labels, t, where):
    z, found = z.astype(float), np.zeros(len(z))
    for label in set(labels[where].tolist()):
        mine = [m for m in range(len(z)) if where[m] and labels[m] == label]
        others = [n for n in range(len(z)) if where[n] and labels[n] != label]
        if others:
            found[mine] = np.log(sum(np.exp(z[m] @ z[n] / t) for m in mine for n in others)) / len(mine)
    return found


@pytest.mark.parametrize("where", [np.ones(7, bool), np.arange(7) % 3 != 1, np.arange(7) == 0, np.zeros(7, bool)])
def test_sets_are_told_apart_as_in_the_loops(where):
    loss = jax.jit(lambda z: losses.inter_set(z, LABELS, temperature=0.5, where=where))
    contract.assert_close(loss(Z), inter_set(Z, LABELS, 0.5, where), rtol=1e-5)
    contract.assert_close(loss(np.where(where[:, None], Z, np.nan)), inter_set(Z, LABELS, 0.5, where), rtol=1e-5)
    contract.check_finite_gradients(loss, 0 * Z)
    contract.check_half_precision(loss, Z)
    order = np.random.default_rng(1).permutation(7)
    moved = losses.inter_set(Z[order], LABELS[order], temperature=0.5, where=where[order])
    contract.assert_close(moved, loss(Z)[order], rtol=1e-5)


def test_a_query_is_the_mean_similarity_to_each_set():
    included, excluded = RNG.standard_normal((2, 3, 3)), RNG.standard_normal((1, 4, 3))
    expected = [
        sum(np.mean([x @ y for y in one]) for one in included) - sum(np.mean([x @ y for y in one]) for one in excluded)
        for x in Z.astype(float)
    ]
    contract.assert_close(similarity.set_query(Z, included, excluded), np.array(expected), rtol=1e-4)
    alone = similarity.set_query(Z, included[:1])
    contract.assert_close(alone, np.array([np.mean([x @ y for y in included[0]]) for x in Z]), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="sets must be"):
        similarity.set_query(Z, included[0])


def multi_tag(s, phi, scale, where):
    found = []
    for row, attributes, kept in zip(s.astype(float), phi.astype(float), where):
        strength = [max(a, 0) * k for a, k in zip(attributes, kept)]
        total = sum(np.exp(scale * x) for x, k in zip(row, kept) if k)
        found.append(
            sum(-a / sum(strength) * np.log(np.exp(scale * x) / total) for a, x in zip(strength, row) if a > 0)
        )
    return np.array(found)


@pytest.mark.parametrize("where", [np.ones((4, 6), bool), MASK, np.zeros((4, 6), bool)])
def test_tags_share_a_softmax(where):
    phi = RNG.uniform(-1, 1, (4, 6)).astype(np.float32)
    loss = jax.jit(lambda s, phi: losses.multi_tag_softmax(s, phi, scale=2.0, where=where))
    contract.assert_close(loss(SCORES, phi), multi_tag(SCORES, phi, 2.0, where), rtol=1e-5)
    dirty = np.where(where, SCORES, np.nan), np.where(where, phi, np.nan)
    contract.assert_close(loss(*dirty), multi_tag(SCORES, phi, 2.0, where), rtol=1e-5)
    contract.check_vmap(loss, SCORES, phi)
    contract.check_finite_gradients(loss, SCORES, -np.ones((4, 6)))
    contract.check_half_precision(loss, SCORES, phi)
    own = np.eye(6, dtype=np.float32)[[0, 3, 5, 1]]
    contract.assert_close(
        losses.multi_tag_softmax(SCORES, own), losses.softmax_cross_entropy(SCORES, np.array([0, 3, 5, 1])), rtol=1e-5
    )


def test_a_gate_closes_dimensions_and_those_alone():
    """Two images that agree in the first dimension alone are alike where the gate opens it, and unlike without it."""
    a, b = np.array([[1.0, 1.0], [-1.0, 1.0]]), np.array([[1.0, -1.0], [-1.0, -1.0]])
    first, second = np.array([[1.0, 0.0]] * 2), np.array([[0.0, 1.0]] * 2)
    near = losses.gated_contrastive(a, b, first, temperature=0.1)
    contract.assert_close(near, np.full(2, np.log1p(np.exp(-20.0))), rtol=1e-3, atol=1e-6)
    contract.assert_close(losses.gated_contrastive(a, b, second, temperature=0.1), np.full(2, np.log(2)), rtol=1e-5)
    contract.assert_close(losses.gated_contrastive(a, b, 0 * first, temperature=0.1), np.full(2, np.log(2)), rtol=1e-5)
    contract.check_finite_gradients(lambda *x: losses.gated_contrastive(*x, temperature=0.1), a, b, 0 * first)
    scaled = losses.gated_contrastive(3 * a, b, 7 * first, temperature=0.1)
    contract.assert_close(scaled, near, rtol=1e-4)
