"""Augmentation: every image is a shift, a mirror image or another light of what it was, by its key alone."""

import jax
import numpy as np
import pytest

from zsl_jax import errors
from zsl_jax.encoders import augmentation

KEY = jax.random.key(3)
IMAGES = np.random.default_rng(0).integers(0, 256, (16, 6, 5, 3), dtype=np.uint8)


def test_a_shift_is_one_of_the_shifts():
    shifted = np.asarray(jax.jit(lambda k, x: augmentation.random_shift(k, x, 1))(KEY, IMAGES))
    padded = np.pad(IMAGES, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    used = set()
    for before, after in zip(padded, shifted):
        matches = [(i, j) for i in range(3) for j in range(3) if np.array_equal(before[i : i + 6, j : j + 5], after)]
        assert len(matches) == 1
        used.add(matches[0])
    assert len(used) > 4


def test_half_of_the_images_are_mirrored():
    flipped = np.asarray(augmentation.random_flip(KEY, IMAGES))
    mirrored = [np.array_equal(after, before[:, ::-1]) for before, after in zip(IMAGES, flipped)]
    same = [np.array_equal(after, before) for before, after in zip(IMAGES, flipped)]
    assert all(m or s for m, s in zip(mirrored, same))
    assert 0 < sum(mirrored) < len(IMAGES)


def test_each_kind_of_light_keeps_what_it_should():
    x = IMAGES / np.float32(255)

    def jittered(**knobs):
        everything = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0} | knobs
        return np.asarray(augmentation.colour_jitter(KEY, 0.25 + 0.5 * x, **everything))

    base = 0.25 + 0.5 * x
    brighter = jittered(brightness=0.1) - base
    np.testing.assert_allclose(brighter, np.broadcast_to(brighter[:, :1, :1, :1], brighter.shape), atol=1e-6)
    assert 0 < np.abs(brighter).max() <= 0.1 + 1e-6
    contrast = jittered(contrast=0.3)
    np.testing.assert_allclose(contrast.mean((1, 2, 3)), base.mean((1, 2, 3)), atol=1e-5)
    saturated = jittered(saturation=0.3)
    np.testing.assert_allclose(saturated.mean(-1), base.mean(-1), atol=1e-5)
    assert len(np.unique(np.round((saturated - saturated.mean(-1, keepdims=True))[:, 0, 0, 0], 4))) > 8


def test_nothing_asked_is_the_identity_on_anything_and_features_are_refused_else():
    features = np.ones((2, 7), np.float32)
    assert augmentation.make_augment()(KEY, features) is features
    with pytest.raises(errors.UserError, match=r"not inputs \[2, 7\]"):
        augmentation.make_augment(crop=1)(KEY, features)


def test_the_same_key_gives_the_same_images_and_another_key_others():
    augment = jax.jit(augmentation.make_augment(crop=1, flip=True, brightness=0.2, contrast=0.2, saturation=0.2))
    first = augment(KEY, IMAGES)
    np.testing.assert_array_equal(first, augment(KEY, IMAGES))
    assert not np.array_equal(first, augment(jax.random.key(4), IMAGES))
    assert first.min() >= 0
    assert first.max() <= 1
