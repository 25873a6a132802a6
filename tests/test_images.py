"""Images of every kind come upright and as RGB, of one size, in their order; what is no image is named."""

import dataclasses
import io
import struct

import numpy as np
import PIL.Image
import pytest
import sklearn.datasets

from zsl_jax import errors
from zsl_jax.data import images

STRETCH = images.Preprocessing(4, "stretch", 1.0, "bilinear")


@pytest.fixture
def left_red():
    """4 x 6 pixels, the left half red and the right half blue."""
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[:, :3, 0] = pixels[:, 3:, 2] = 255
    return pixels


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, lambda x: x),
        (2, np.fliplr),
        (3, lambda x: np.rot90(x, 2)),
        (4, np.flipud),
        (5, lambda x: np.swapaxes(x, 0, 1)),
        (6, lambda x: np.rot90(x, -1)),
        (7, lambda x: np.swapaxes(np.rot90(x, 2), 0, 1)),
        (8, np.rot90),
    ],
)
def test_exif_rotation(tmp_path, orientation, upright):
    image = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    PIL.Image.fromarray(image).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(images.decode(tmp_path / "turned.png"), upright(image))


def test_modes(tmp_path, left_red):
    grey = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
    PIL.Image.fromarray(grey).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(images.decode(tmp_path / "grey.png"), np.repeat(grey[..., None], 3, axis=-1))
    PIL.Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "grey16.png")
    np.testing.assert_array_equal(images.decode(tmp_path / "grey16.png"), np.repeat(grey[..., None], 3, axis=-1))
    alpha = np.concatenate([left_red, np.full((4, 6, 1), 255, np.uint8)], axis=-1)
    alpha[0, 0] = 0
    PIL.Image.fromarray(alpha).save(tmp_path / "alpha.png")
    on_white = left_red.copy()
    on_white[0, 0] = 255
    np.testing.assert_array_equal(images.decode(tmp_path / "alpha.png"), on_white)
    PIL.Image.fromarray(alpha).convert("LA").save(tmp_path / "grey_alpha.png")
    assert images.decode(tmp_path / "grey_alpha.png")[0, 0].tolist() == [255] * 3
    PIL.Image.fromarray(left_red).convert("P").save(tmp_path / "palette.gif")
    np.testing.assert_array_equal(images.decode(tmp_path / "palette.gif"), left_red)
    PIL.Image.fromarray(left_red).resize((48, 32), 0).convert("CMYK").save(tmp_path / "cmyk.jpg", quality=100)
    cmyk = images.decode(tmp_path / "cmyk.jpg").astype(int)
    assert cmyk.shape == (32, 48, 3)
    assert np.abs(cmyk[4, 4] - [255, 0, 0]).max() < 20
    assert np.abs(cmyk[4, 44] - [0, 0, 255]).max() < 20


def test_sixteen_bits_are_read_and_pixels_without_a_known_white_are_refused(tmp_path):
    grey = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
    for dtype in ("<u2", ">u2"):
        PIL.Image.fromarray(grey.astype(dtype) * 257).save(tmp_path / "grey16.tif")
        np.testing.assert_array_equal(images.decode(tmp_path / "grey16.tif"), np.repeat(grey[..., None], 3, axis=-1))
    bits = struct.pack("<HHIH", 258, 3, 1, 16), struct.pack("<HHIH", 258, 3, 1, 12)
    for name, array, tags, says in (
        ("f.tif", grey / np.float32(255), {}, "floats"),
        ("i.tif", grey.astype(np.int32), {}, "of 32 bits"),
        ("signed.tif", grey, {339: 2}, "of 8 bits with a sign"),
        ("inverted.tif", grey.astype("<u2"), {262: 0}, "inverted integers of 16 bits"),
        ("12.tif", grey.astype("<u2"), {}, "integers of 12 bits"),
    ):
        PIL.Image.fromarray(array).save(tmp_path / name, tiffinfo=tags)
        if name == "12.tif":
            (tmp_path / name).write_bytes((tmp_path / name).read_bytes().replace(*bits))
        with pytest.raises(images.UnreadableImage, match=says) as caught:
            images.decode(tmp_path / name)
        assert images.fault(tmp_path / name) == str(caught.value)


def test_only_the_named_formats_are_decoded(tmp_path, monkeypatch):
    program = tmp_path / "gs"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/called\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    head = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n"
    (tmp_path / "x.jpg").write_bytes(head)
    PIL.Image.new("RGB", (4, 4)).save(tmp_path / "x.ppm")
    (tmp_path / "x.ppm").rename(tmp_path / "x.png")
    for name in ("x.jpg", "x.png"):
        assert images.fault(tmp_path / name).endswith(f"{name}: not a readable image")
        with pytest.raises(images.UnreadableImage, match="not a readable image"):
            images.decode(tmp_path / name)
    assert not (tmp_path / "called").exists()


def test_arrays_of_every_kind_are_rgb(left_red):
    grey = np.arange(24, dtype=np.uint8).reshape(4, 6, 1) * 10
    np.testing.assert_array_equal(images.as_rgb(grey), np.repeat(grey, 3, axis=-1))
    np.testing.assert_array_equal(images.as_rgb(grey.astype(np.uint16) * 257), np.repeat(grey, 3, axis=-1))
    np.testing.assert_array_equal(images.as_rgb(left_red), left_red)
    transparent = np.concatenate([left_red, np.zeros((4, 6, 1), np.uint8)], axis=-1)
    np.testing.assert_array_equal(images.as_rgb(transparent), np.full((4, 6, 3), 255))


def test_unreadable_files_are_named(tmp_path, left_red):
    PIL.Image.fromarray(np.repeat(left_red, 50, axis=0)).save(tmp_path / "whole.jpg")
    content = (tmp_path / "whole.jpg").read_bytes()
    for name, held, says in [
        ("empty.jpg", b"", "an empty file"),
        ("text.jpg", b"no image", "not a readable image"),
        ("half.jpg", content[: len(content) // 2], "not a readable image"),
    ]:
        (tmp_path / name).write_bytes(held)
        with pytest.raises(images.UnreadableImage, match=says) as caught:
            images.decode(tmp_path / name)
        assert str(caught.value).startswith(f"{tmp_path / name}: ")
        assert "\n" not in str(caught.value)
    with pytest.raises(errors.UserError, match=r"absent\.jpg: not a readable image"):
        images.decode(tmp_path / "absent.jpg")


def test_a_image_too_large_to_be_one(tmp_path, monkeypatch):
    PIL.Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(tmp_path / "large.png")
    for limit in (1000, 100):  # PIL warns above the limit, and raises above twice the limit
        monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(images.UnreadableImage, match="1600 pixels") as caught:
            images.decode(tmp_path / "large.png")
        assert images.fault(tmp_path / "large.png") == str(caught.value)


def test_stretch_and_crop():
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, 4:12] = 200  # the middle square
    pixels[2:6, 6:10] = 100  # the middle of it
    crop = images.Preprocessing(4, "crop", 1.0, "bilinear")
    middle = images.fit(pixels, crop).astype(int)
    assert middle[0, 0, 0] > 150  # nothing of the black sides
    np.testing.assert_array_equal(middle, middle[:, ::-1])
    inner = images.Preprocessing(4, "crop", 0.5, "bilinear")
    np.testing.assert_array_equal(images.fit(pixels, inner), np.full((4, 4, 3), 100))
    stretched = images.fit(pixels, STRETCH)
    assert stretched.shape == (4, 4, 3)
    assert stretched[0, 0, 0] < 100
    with pytest.raises(errors.UserError, match="did you mean 'stretch'"):
        images.Preprocessing(4, "strech", 1.0, "bilinear")
    with pytest.raises(errors.UserError, match="did you mean 'bicubic'"):
        images.Preprocessing(4, "crop", 1.0, "bicubik")


def published(picture, size, resized, filter):
    """Resize(resized) and CenterCrop(size) of torchvision, by PIL."""
    width, height = picture.size
    short, long = sorted((width, height))
    other = int(resized * long / short)
    to = (resized, other) if width <= height else (other, resized)
    picture = picture if picture.size == to else picture.resize(to, images.FILTERS[filter])
    left, top = round((to[0] - size) / 2.0), round((to[1] - size) / 2.0)
    return np.asarray(picture.crop((left, top, left + size, top + size)), int)


@pytest.mark.parametrize(
    ("size", "fraction", "resized", "filter"),
    [(224, 1.0, 224, "bicubic"), (224, 0.875, 256, "bilinear"), (96, 0.95, 101, "bicubic"), (224, 0.9, 248, "bicubic")],
)
def test_a_crop_is_that_of_the_published_transforms(size, fraction, resized, filter):
    rng = np.random.default_rng(size)
    crop = images.Preprocessing(size, "crop", fraction, filter)
    was = 0
    sides = ((333, 500), (500, 333), (1024, 683), (227, 227), (resized, resized), (resized, 400), (97, 640), (61, 60))
    for shape in sides:
        pixels = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
        wanted = published(PIL.Image.fromarray(pixels), size, resized, filter)
        np.testing.assert_array_equal(images.fit(pixels, crop), wanted, err_msg=str(shape))
        was = max(was, np.abs(images.fit(pixels, dataclasses.replace(crop, version=1)) - wanted).max())
    assert was > 20  # what a record without a version was made with is made again


@pytest.mark.parametrize("upright", [False, True])
def test_a_crop_of_a_photo_is_that_of_the_published_transforms(upright):
    crop = images.Preprocessing(224, "crop", 1.0, "bicubic")
    for pixels in sklearn.datasets.load_sample_images().images:
        pixels = np.ascontiguousarray(pixels.swapaxes(0, 1)) if upright else pixels
        wanted = published(PIL.Image.fromarray(pixels), 224, 224, "bicubic")
        np.testing.assert_array_equal(images.fit(pixels, crop), wanted)


def test_the_middle_of_a_line_of_pixels_is_cropped_in_little_memory():
    """A whole resized line would be of 20 million pixels."""
    pixels = np.zeros((2, 40_000, 3), np.uint8)
    pixels[:, 19_000:21_000] = 90
    crop = images.Preprocessing(32, "crop", 1.0, "bicubic")
    np.testing.assert_array_equal(images.fit(pixels, crop), np.full((32, 32, 3), 90))
    np.testing.assert_array_equal(images.fit(pixels.swapaxes(0, 1).copy(), crop), np.full((32, 32, 3), 90))


def test_a_record_without_a_version_is_of_the_first():
    crop = images.Preprocessing(4, "crop", 1.0, "bilinear")
    said = dataclasses.asdict(crop)
    assert (crop.version, images.Preprocessing.from_json(said)) == (images.VERSION, crop)
    del said["version"]
    assert images.Preprocessing.from_json(said).version == 1


def test_many_come_in_order_and_the_broken_are_skipped_if_asked(tmp_path):
    for i in range(30):
        PIL.Image.fromarray(np.full((5, 5, 3), i, np.uint8)).save(tmp_path / f"{i:02}.png")
    (tmp_path / "07.png").write_bytes(b"")
    paths = sorted(tmp_path.iterdir())
    with pytest.raises(images.UnreadableImage, match=r"07\.png"):
        list(images.load(paths, STRETCH, ahead=4))
    skipped = []
    found = list(images.load(paths, STRETCH, skip=skipped.append, ahead=4))
    assert [None if x is None else x[0, 0, 0] for x in found] == [i if i != 7 else None for i in range(30)]
    assert len(skipped) == 1
    assert "07.png" in str(skipped[0])


def test_find(tmp_path):
    for name in ("b/2.JPG", "b/1.png", "a/x.txt", "a/c/3.webp", ".hidden/4.png", "b/._1.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(io.BytesIO().getvalue())
    assert [str(path) for path in images.find(tmp_path)] == ["a/c/3.webp", "b/1.png", "b/2.JPG"]


def test_find_follows_symbolic_links_but_not_in_circles(tmp_path):
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    for name in ("1.png", "deep/2.png"):
        (tmp_path / "elsewhere" / name).write_bytes(b"")
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "deep" / "again").symlink_to(folder)
    assert [str(path) for path in images.find(folder)] == ["a/1.png", "a/deep/2.png"]
