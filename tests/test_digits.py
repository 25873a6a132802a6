import itertools
import json

import numpy as np
import pytest
from sklearn import datasets

from zsl_jax import errors
from zsl_jax.data import digits


@pytest.fixture(scope="module")
def loaded():
    return digits.load()


def test_layout(loaded):
    assert loaded.inputs.shape == (1797, 718)
    assert loaded.images.shape == (1797, 8, 8, 3)
    assert (loaded.inputs.dtype, loaded.images.dtype, loaded.labels.dtype) == (np.float32, np.uint8, np.int32)
    assert np.isfinite(loaded.inputs).all()
    assert loaded.classes.embedding.shape == (10, 18)
    assert set(np.unique(loaded.classes.embedding)) == {0, 0.5, 1}
    assert len(np.unique(loaded.classes.embedding, axis=0)) == 10
    np.testing.assert_array_equal(np.flatnonzero(~loaded.classes.is_seen), digits.UNSEEN)
    assert json.loads(json.dumps(loaded.info)) == loaded.info
    assert len(loaded.info["attributes"]) == 18


def test_pixels_are_the_images(loaded):
    pixels = digits.load(inputs="pixels").inputs
    assert (pixels.shape, pixels.dtype) == ((1797, 8, 8, 1), np.float32)
    assert (pixels.min(), pixels.max()) == (0, 1)
    np.testing.assert_allclose(np.broadcast_to(pixels, (1797, 8, 8, 3)), loaded.images / 255.0, atol=0.5 / 255 + 1e-6)


def test_splits(loaded):
    train, test_seen, test_unseen = (loaded.splits[name] for name in ("train", "test_seen", "test_unseen"))
    np.testing.assert_array_equal(np.sort(np.concatenate([train, test_seen, test_unseen])), np.arange(1797))
    assert set(loaded.labels[test_unseen]) == set(digits.UNSEEN)
    counts = [np.bincount(loaded.labels[rows], minlength=10) for rows in (train, test_seen)]
    seen = loaded.classes.is_seen
    np.testing.assert_allclose(counts[1][seen] / (counts[0] + counts[1])[seen], 0.2, atol=0.004)
    assert not counts[0][~seen].any()


def test_the_seed_draws_the_seen_test_images(loaded):
    again, other = digits.load().splits, digits.load(seed=1).splits
    np.testing.assert_array_equal(again["test_seen"], loaded.splits["test_seen"])
    assert np.intersect1d(other["test_seen"], loaded.splits["test_seen"]).size < 100  # of 250
    np.testing.assert_array_equal(other["test_unseen"], loaded.splits["test_unseen"])


def is_admissible(table, unseen):
    """Each attribute that an unseen digit has: a seen digit has it as a rule, and a seen digit has it not."""
    seen = np.delete(table, unseen, axis=0)
    has = table[unseen].max(0) > 0
    return bool(np.all(seen.max(0)[has] == 1) and np.all(seen.min(0)[has] == 0))


def share_outside_the_seen(table, unseen):
    """Of the unseen rows' squared distance to the mean of the seen rows, what the seen rows cannot express."""
    seen = np.delete(table, unseen, axis=0)
    offsets, directions = table[unseen] - seen.mean(0), seen - seen.mean(0)
    rest = offsets - np.linalg.lstsq(directions.T, offsets.T, rcond=None)[0].T @ directions
    return np.sum(rest**2) / np.sum(offsets**2)


def test_the_unseen_digits_follow_from_the_table(loaded):
    table = np.asarray(loaded.classes.embedding, np.float64)
    admissible = [list(c) for c in itertools.combinations(range(10), 3) if is_admissible(table, list(c))]
    assert 1 < len(admissible) < 120
    assert min(admissible, key=lambda unseen: share_outside_the_seen(table, unseen)) == list(digits.UNSEEN)


def test_unseen_digits_are_recognised(loaded):
    """ESZSL in closed form; measured 0.66, chance is 0.33 (pytest tests/test_digits.py)."""
    classes, rows = loaded.classes, loaded.splits["train"]
    attributes = classes.embedding / np.linalg.norm(classes.embedding, axis=1, keepdims=True)
    x, phi = loaded.inputs[rows].astype(np.float64), attributes[loaded.labels[rows]]
    phi_seen, unseen = attributes[classes.is_seen], np.flatnonzero(~classes.is_seen)
    w = np.linalg.solve(x.T @ x + 1.0 * np.eye(718), x.T @ phi)
    w = np.linalg.solve(phi_seen.T @ phi_seen + 1.0 * np.eye(18), w.T).T
    test = loaded.splits["test_unseen"]
    predictions = unseen[np.argmax(loaded.inputs[test] @ w @ attributes[unseen].T, axis=1)]
    accuracy = np.mean([np.mean(predictions[loaded.labels[test] == c] == c) for c in unseen])
    assert 0.6 < accuracy < 0.8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "digits: seed must be an integer of 0 or more, not -1"),
        ({"seed": 0.5}, "digits: seed must be an integer of 0 or more, not 0.5"),
        ({"inputs": "feature"}, "unknown inputs 'feature': did you mean 'features'? (choices: features, pixels)"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(errors.UserError) as caught:
        digits.load(**options)
    assert str(caught.value) == message


def test_pixels_and_labels_are_those_of_scikit_learn():
    source, found = datasets.load_digits(), digits.load(inputs="pixels")
    np.testing.assert_array_equal(found.labels, source.target)
    np.testing.assert_array_equal(found.inputs[..., 0], source.images / 16)
