"""How two towers compare images with classes: each similarity is its definition, trains, and is refused elsewhere."""

import jax
import numpy as np
import pytest
import small_trainer
import toy

from zsl_jax import data, errors, methods, similarity
from zsl_jax.methods import objectives


@pytest.fixture(scope="module")
def task():
    return data.test_task(toy.dataset(num_seen=12, num_unseen=4, per_class=20))


def test_each_is_its_definition():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((3, 8)).astype(np.float32), rng.standard_normal((5, 8)).astype(np.float32)
    found = {name: np.asarray(compare(x, y)) for name, compare in objectives.SIMILARITIES.items()}
    for b, c in np.ndindex(3, 5):
        assert found["euclidean"][b, c] == pytest.approx(-np.linalg.norm(x[b] - y[c]), rel=1e-4)
        assert found["cosine"][b, c] == pytest.approx(
            x[b] @ y[c] / np.linalg.norm(x[b]) / np.linalg.norm(y[c]), rel=1e-4
        )
        (m, v), (n, w) = ((z[:4], np.log1p(np.exp(z[4:])) + 1e-3) for z in (x[b], y[c]))
        expected = -0.5 * np.sum(np.log(w / v) + (v + (m - n) ** 2) / w - 1)
        assert found["gaussian"][b, c] == pytest.approx(expected, rel=1e-3)
        parts, others = (z.reshape(4, 2) / np.linalg.norm(z.reshape(4, 2), axis=1, keepdims=True) for z in (x[b], y[c]))
        assert found["late_interaction"][b, c] == pytest.approx(np.sum(np.max(parts @ others.T, axis=1)), rel=1e-4)


@pytest.mark.parametrize("name", objectives.SIMILARITIES)
@pytest.mark.long
def test_towers_that_compare_so_name_unseen_classes(name, task):
    method = small_trainer.make("two_tower", loss="softmax_cross_entropy", similarity=name, width=16)
    state = jax.block_until_ready(small_trainer.fitted(method, task, epochs=40))
    unseen = task.sets["test_unseen"]
    found = methods.score(method, state, unseen.inputs, task.unseen_classes)
    images, described = method.embed(state, unseen.inputs), method.describe(state, task.unseen_classes)
    np.testing.assert_allclose(found, objectives.SIMILARITIES[name](images, described), rtol=1e-5)
    right = small_trainer.top1(found, unseen.labels, first=task.num_seen)
    assert right > 0.5, right
    assert right > small_trainer.top1(np.roll(found, 1, axis=1), unseen.labels, first=task.num_seen)


def test_a_metric_learned_with_attributes_is_the_distance_between_mapped_points():
    rng = np.random.default_rng(0)
    x, y, m = (rng.standard_normal(shape).astype(np.float32) for shape in ((3, 4), (5, 4), (4, 4)))
    expected = [[-np.sum(((a - b) @ m) ** 2) for b in y] for a in x]
    np.testing.assert_allclose(similarity.mahalanobis(x, y, m), expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("knobs", "says"),
    [
        ({"similarity": "gaussian"}, "is for losses on scores, such as softmax_cross_entropy"),
        ({"similarity": "euclidean", "loss": "cosface"}, "is for losses on scores"),
        ({"similarity": "gaussain", "loss": "warp"}, "did you mean 'gaussian'"),
        ({"similarity": "late_interaction", "loss": "warp", "width": 10}, "a width of 10 is not divided by 4"),
        ({"similarity": "euclidean", "loss": "warp", "width": 8, "prefixes": (4,)}, "first entries of unit vectors"),
    ],
)
def test_what_cannot_be_is_one_line(knobs, says):
    with pytest.raises(errors.UserError, match=says):
        small_trainer.make("two_tower", **knobs)
