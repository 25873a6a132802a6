import numpy as np
import pytest

from zsl_jax.data import descriptors

EDGES, TEXTURES, COLOURS = slice(0, 384), slice(384, 654), slice(654, 718)
ROOT_6 = np.sqrt(6)  # six blocks of unit length make a row


def pixels(n=3, side=32, low=0, high=256, seed=0):
    """Random blocks of 4x4 pixels under some noise: edges of every strength and direction."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(low, high - 20, (n, side // 4, side // 4, 3))
    blocks = coarse.repeat(4, axis=1).repeat(4, axis=2)
    return (blocks + rng.integers(0, 20, blocks.shape)).astype(np.uint8)


def unit(block):
    return block / np.linalg.norm(block)


def tent(distance):
    return max(0.0, 1.0 - abs(distance))


def cell_weights(grid, side):
    """[grid, side]: how much of a cell's average a pixel is, along one axis."""
    weights = [[tent((p + 0.5) / side * grid - (cell + 0.5)) for p in range(side)] for cell in range(grid)]
    return np.array([row / np.sum(row) for row in weights])


def strongest_gradient(planes, y, x):
    side = planes.shape[-1]
    best = (0.0, 0.0)
    for plane in planes:
        dx = plane[y, x + 1] - plane[y, x - 1] if 0 < x < side - 1 else 0.0
        dy = plane[y + 1, x] - plane[y - 1, x] if 0 < y < side - 1 else 0.0
        if np.hypot(dx, dy) > np.hypot(*best):
            best = (dx, dy)
    return best


def halved(planes):
    return planes.reshape(3, planes.shape[1] // 2, 2, -1, 2).mean((2, 4))


@pytest.mark.parametrize("level", [0, 1, 2])
def test_edges_against_loops(level):
    image = pixels(1)
    planes = np.moveaxis(image[0] / 255.0, -1, 0)
    for _ in range(level):
        planes = halved(planes)
    side = planes.shape[-1]
    expected, weights = np.zeros((8, 4, 4)), cell_weights(4, side)
    for y in range(side):
        for x in range(side):
            dx, dy = strongest_gradient(planes, y, x)
            for b in range(8):
                share = np.cos(np.arctan2(dy, dx) - b * np.pi / 8) ** 8 * np.hypot(dx, dy)
                expected[b] += share * np.outer(weights[:, y], weights[:, x])
    expected = unit(np.sqrt(expected.ravel()))
    actual = descriptors.describe(image)[0, EDGES].reshape(3, 128)[level] * ROOT_6
    np.testing.assert_allclose(actual, expected, atol=2e-4)


def test_textures_against_loops():
    image = pixels(1)
    planes = halved(np.moveaxis(image[0] / 255.0, -1, 0))  # the coarser of the two scales, 16x16
    moments = np.zeros((16, 16, 3), complex)
    for y in range(16):
        for x in range(16):
            dx, dy = strongest_gradient(planes, y, x)
            size, angle = np.hypot(dx, dy), np.arctan2(dy, dx)
            moments[y, x] = size, size * np.exp(2j * angle), size * np.exp(4j * angle)
    maps = np.zeros((27, 16, 16))
    for y in range(16):
        for x in range(16):
            window = moments[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
            strength, parallel, rectangular = np.abs(window.sum((0, 1))) / 9
            parallel, rectangular = parallel / (strength + 0.02), rectangular / (strength + 0.02)
            bins = [
                tent(2 * parallel - i) * tent(2 * rectangular - j) * tent(2 * min(1, 2.5 * strength) - k)
                for i in range(3)
                for j in range(3)
                for k in range(3)
            ]
            maps[:, y, x] = bins
    cells = [
        np.einsum("ay,bx,kyx->kab", w, w, maps).reshape(27, -1) for w in (cell_weights(1, 16), cell_weights(2, 16))
    ]
    expected = unit(np.sqrt(np.concatenate(cells, axis=1).ravel()))
    actual = descriptors.describe(image)[0, TEXTURES].reshape(2, 135)[1] * ROOT_6
    np.testing.assert_allclose(actual, expected, atol=2e-3)


def test_colours_against_loops():
    image = pixels(1)
    expected = np.zeros((4, 4, 4))
    for pixel in image.reshape(-1, 3) / 255.0 * 3:
        low = np.minimum(pixel.astype(int), 2)
        for corner in np.ndindex(2, 2, 2):
            index = low + corner
            expected[tuple(index)] += np.prod(1 - np.abs(pixel - index))
    actual = descriptors.describe(image)[0, COLOURS] * ROOT_6
    np.testing.assert_allclose(actual, unit(np.sqrt(expected.ravel())), atol=1e-4)


def test_colours_do_not_know_places():
    images = pixels()
    shuffled = np.random.default_rng(1).permutation(images.reshape(3, 1024, 3), axis=1).reshape(images.shape)
    before, after = descriptors.describe(images), descriptors.describe(shuffled)
    np.testing.assert_allclose(after[:, COLOURS], before[:, COLOURS], atol=1e-6)
    assert np.abs(after[:, EDGES] - before[:, EDGES]).max() > 0.01


@pytest.mark.parametrize("change", [np.fliplr, np.flipud, np.rot90], ids=["left-right", "up-down", "quarter turn"])
def test_textures_of_the_whole_do_not_know_direction(change):
    images = pixels()
    changed = np.stack([change(image) for image in images])
    before, after = descriptors.describe(images), descriptors.describe(changed)
    whole_after, whole_before = (rows[:, TEXTURES].reshape(3, 54, 5)[:, :, 0] for rows in (after, before))
    np.testing.assert_allclose(whole_after, whole_before, atol=1e-4)
    assert np.abs(after[:, EDGES] - before[:, EDGES]).max() > 0.01


def test_edges_do_not_know_brightness():
    images = pixels(high=150)
    before, after = descriptors.describe(images), descriptors.describe(images + np.uint8(90))
    np.testing.assert_allclose(after[:, EDGES], before[:, EDGES], atol=1e-4)
    assert np.abs(after[:, COLOURS] - before[:, COLOURS]).max() > 0.01


def test_a_row_depends_on_its_image_alone():
    images = pixels(70)  # more than two chunks
    rows = descriptors.describe(images)
    assert rows.shape == (70, descriptors.NUM_FEATURES)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    for i in (0, 33, 69):
        np.testing.assert_allclose(descriptors.describe(images[i : i + 1])[0], rows[i], atol=1e-6)


@pytest.mark.parametrize("side", [(8, 8), (24, 40), (64, 64)])
def test_other_sizes(side):
    """A flat image and a ramp have the same rows at every size."""
    plain = np.full((1, *side, 3), 90, np.uint8)
    reference = np.full((1, 32, 32, 3), 90, np.uint8)
    np.testing.assert_allclose(descriptors.describe(plain), descriptors.describe(reference), atol=1e-3)

    def ramp(height, width):
        columns = np.round(255 * (np.arange(width) + 0.5) / width)
        return np.broadcast_to(columns[None, None, :, None], (1, height, width, 3)).astype(np.uint8)

    rows, expected = descriptors.describe(ramp(*side)), descriptors.describe(ramp(32, 32))
    assert np.sum(rows * expected) > 0.98


def test_no_pixels():
    assert descriptors.describe(np.zeros((0, 32, 32, 3), np.uint8)).shape == (0, descriptors.NUM_FEATURES)


@pytest.mark.parametrize(
    "images",
    [np.zeros((32, 32, 3), np.uint8), np.zeros((2, 32, 32, 1), np.uint8), np.zeros((2, 32, 32, 3), np.float32)],
    ids=["rank", "channels", "dtype"],
)
def test_wrong_images(images):
    with pytest.raises(ValueError, match=r"images must be \[N, H, W, 3\] uint8, not"):
        descriptors.describe(images)
