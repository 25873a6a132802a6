"""Rendered shapes as pairs: which pairs there are, how many images of each, and what is refused."""

import numpy as np
import pytest

from zsl_jax import config as config_lib
from zsl_jax import data, errors
from zsl_jax.data import shape_pairs, shapes_rendering
from zsl_jax.training import protocols


def counts(found, split):
    return np.bincount(found.labels[found.splits[split]], minlength=len(found.classes))


def test_pairs_are_drawn_so_that_every_part_is_there_and_seen():
    found = data.load("shape_pairs", attribute="texture,size", num_pairs=30, unseen_count=6, num_per_class=5, size=16)
    parts, is_seen = found.classes.parts, found.classes.is_seen
    assert (len(parts), int(np.sum(~is_seen)), [len(side) for side in found.parts]) == (30, 6, [8, 8])
    assert "solid small" in found.parts[0]
    for side in (0, 1):
        assert len(np.unique(parts[is_seen, side])) == 8
    assert counts(found, "train").tolist() == np.where(is_seen, 4, 0).tolist()
    assert counts(found, "test").tolist() == [1] * 30
    other = data.load("shape_pairs", attribute="texture,size", num_pairs=30, num_per_class=5, size=16, seed=1)
    assert other.classes.names != found.classes.names


def test_images_are_of_their_pair_in_every_variant():
    found = data.load("shape_pairs", num_pairs=12, num_per_class=10, size=16, inputs="pixels")
    assert (len(found.classes), found.inputs.shape[1:]) == (12, (16, 16, 3))
    row = int(np.flatnonzero(found.classes.is_seen)[0])
    colour, shape = found.classes.names[row].split()
    variants = [(texture, size) for texture in shapes_rendering.TEXTURES for size in shapes_rendering.SIZES]
    for number, (texture, size) in enumerate(variants):
        place = 0
        for name, value in zip(shape_pairs.FACTORS.values(), (colour, shape, texture, size)):
            place = place * len(name) + name.index(value)
        look = {"colour": colour, "shape": shape, "texture": texture, "size": size}
        wanted = shapes_rendering.render(0, place, 1, **look, pixels=16)[0]
        np.testing.assert_array_equal(found.inputs[found.labels == row][number], wanted)


def test_a_correlation_gives_each_attribute_a_favourite_in_training_alone():
    options = {"attribute": "texture", "num_per_class": 10, "size": 16, "inputs": "pixels"}
    plain, uneven = (data.load("shape_pairs", correlation=r, **options) for r in (0.0, 0.6))
    np.testing.assert_array_equal(counts(plain, "test"), counts(uneven, "test"))
    np.testing.assert_array_equal(plain.classes.is_seen, uneven.classes.is_seen)
    parts, is_seen = uneven.classes.parts, uneven.classes.is_seen
    for attribute in range(4):
        mine = np.flatnonzero(is_seen & (parts[:, 0] == attribute))
        assert set(counts(plain, "train")[mine]) == {8}
        k, found = len(mine), np.sort(counts(uneven, "train")[mine])
        shares = np.array([0.4 / k] * (k - 1) + [0.4 / k + 0.6])
        np.testing.assert_array_equal(found, np.round(shares * 8 * k))


def test_the_protocol_of_pairs_takes_them():
    config = config_lib.base("two_heads", "shape_pairs")
    assert (config.protocol, config.select.metric) == ("pairs", "auc")
    config.data.update({"num_per_class": 5, "size": 16})
    choosing, final = protocols.PAIRS.tasks(data.load(**config.data), config)
    assert len(choosing) == 5
    assert len(final.classes) == 64
    assert set(protocols.PAIRS.looks(final)) == {"closed"}  # all pairs are there


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attribute": "color"}, "unknown factor 'color': did you mean 'colour'"),
        ({"attribute": "colour,shape"}, "shape is a factor of the attribute and of the object"),
        ({"num_pairs": 65}, "num_pairs=65: 9 to 64 pairs of 8 attributes and 8 objects"),
        ({"num_pairs": 8}, "num_pairs=8: 9 to 64 pairs"),
        ({"correlation": 1.0}, r"correlation must be in \[0, "),
        ({"num_per_class": 4}, "num_per_class must be in"),
        ({"unseen_count": 60}, "choose a smaller data.unseen_count"),
        ({"semantics": "words"}, "semantics=words needs word vectors"),
    ],
)
def test_what_cannot_be_is_one_line(options, message):
    with pytest.raises(errors.UserError, match=message):
        data.load("shape_pairs", **{"num_pairs": 12, "num_per_class": 5, "size": 16, "inputs": "pixels"} | options)
