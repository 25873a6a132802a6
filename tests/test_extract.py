"""`extract` makes a dataset of features, goes on after a stop, and records what would make the same of new images."""

import json
import pathlib

import jax
import numpy as np
import pytest
import tiny_photos

from zsl_jax import __main__, data, errors
from zsl_jax import config as config_lib
from zsl_jax.data import features, image_folder, images
from zsl_jax.encoders import extraction
from zsl_jax.methods import base
from zsl_jax.recipes import extraction as extraction_recipes
from zsl_jax.training import parallel, problems, states
from zsl_jax.verbs import command_line, extract
from zsl_jax.verbs import data as data_verb

RECIPES = pathlib.Path(__file__).resolve().parent.parent / "configs" / "extract"


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Imported photos and weights for the tiny encoder."""
    folder = tiny_photos.write(tmp_path_factory.mktemp("own"))
    tiny_photos.write_weights(folder / "tiny.npz")
    command = [str(folder / "photos"), f"--attributes={folder / 'classes.csv'}", "--unseen=0.34"]
    data_verb.main(["import", *command, f"--out={folder / 'dataset'}"])
    return folder


def command(photos, out, *more) -> list[str]:
    return [
        f"--config={RECIPES / 'vit.py'}:tiny",
        f"--config.data.dir={photos / 'dataset'}",
        f"--config.encoder.weights={photos / 'tiny.npz'}",
        f"--out={out}",
        *tiny_photos.TINY,
        *more,
    ]


@pytest.mark.long
def test_features_are_the_encoders_and_a_stopped_run_goes_on(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(features, "_PART", 7)
    assert extract.main(command(photos, tmp_path / "whole")) == 0
    printed = capsys.readouterr().out
    assert "192 features" in printed
    assert "M parameters" in printed
    whole = data.load("features", dir=tmp_path / "whole")
    assert whole.inputs.shape == (30, 192)
    assert whole.classes.names == tuple(tiny_photos.COLOURS)
    assert not (tmp_path / "whole" / "parts").exists()

    made = extraction.Extraction.from_json(whole.info["preprocessing"])
    extractor = extraction.load(made)
    imported = image_folder.read(photos / "dataset")
    assert extractor.extraction == made
    np.testing.assert_allclose(list(extractor.files(imported.paths()[:5])), whole.inputs[:5], rtol=1e-5, atol=1e-5)
    pixels = np.stack([images.fit(images.decode(path), made.images) for path in imported.paths()[:3]])
    np.testing.assert_allclose(extractor(pixels), whole.inputs[:3], rtol=1e-5, atol=1e-5)

    # Stopped after two parts; what is there is not made again.
    asked = []
    files = extraction.Extractor.files

    def stop(self, paths, **kwargs):
        asked.append(len(paths))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return files(self, paths, **kwargs)

    monkeypatch.setattr(extraction.Extractor, "files", stop)
    with pytest.raises(KeyboardInterrupt):
        extract.main(command(photos, tmp_path / "stopped"))
    with pytest.raises(errors.UserError, match="has not ended: run the same line"):
        data.load("features", dir=tmp_path / "stopped")
    (tmp_path / "stopped" / "parts" / "00001.npz").write_bytes(b"half of i")  # a part that is damaged is made again
    assert extract.main(command(photos, tmp_path / "stopped")) == 0
    assert asked == [7, 7, 7, 7, 7, 7, 2]
    stopped = data.load("features", dir=tmp_path / "stopped")
    np.testing.assert_array_equal(stopped.inputs, whole.inputs)
    assert stopped.info == whole.info

    capsys.readouterr()
    assert extract.main(command(photos, tmp_path / "stopped")) == 0
    assert "is finished" in capsys.readouterr().out
    assert len(asked) == 7
    image = photos / "photos" / "blue" / "1.png"
    content = image.read_bytes()
    image.write_bytes((photos / "photos" / "blue" / "2.png").read_bytes())
    try:
        with pytest.raises(errors.UserError, match=r"is finished, but images in .* have changed since"):
            extract.main(command(photos, tmp_path / "stopped"))
    finally:
        image.write_bytes(content)
    with pytest.raises(errors.UserError, match=r"another extraction \(images differ\): choose another --out"):
        extract.main(command(photos, tmp_path / "stopped", "--config.images.filter=bilinear"))


@pytest.mark.parametrize(("side", "grid"), [(4, 2), (7, 3), (5, 5), (3, 1)])
def test_a_cell_is_the_mean_of_its_places(side, grid):
    places = np.random.default_rng(0).standard_normal((2, side * side, 3)).astype(np.float32)
    square = places.reshape(2, side, side, 3)
    edges = [(i * side // grid, -(-(i + 1) * side // grid)) for i in range(grid)]
    wanted = [square[:, top:bottom, left:right].mean(axis=(1, 2)) for top, bottom in edges for left, right in edges]
    np.testing.assert_allclose(extraction.cells(places, grid), np.stack(wanted, axis=1), atol=1e-6)
    with pytest.raises(errors.UserError, match=f"grid={side + 1}: the encoder has {side * side} places"):
        extraction.cells(places, side + 1)


@pytest.mark.long
def test_cells_of_images_are_features_that_new_images_get_too(photos, tmp_path, capsys):
    assert extract.main(command(photos, tmp_path / "cells", "--config.grid=2")) == 0
    assert "30 images x 4 x 192" in capsys.readouterr().out
    found = data.load("features", dir=tmp_path / "cells")
    assert found.inputs.shape == (30, 4, 192)
    made = extraction.Extraction.from_json(found.info["preprocessing"])
    paths = image_folder.read(photos / "dataset").paths()[:3]
    np.testing.assert_allclose(list(extraction.load(made).files(paths)), found.inputs[:3], rtol=1e-5, atol=1e-5)
    with pytest.raises(errors.UserError, match="grid=3: the encoder has 4 places of an image, 2 x 2: at most 2"):
        extract.main(command(photos, tmp_path / "more", "--config.grid=3"))


def test_parts_of_images_that_changed_are_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(features, "_PART", 4)
    paths = [tmp_path / f"{i}.bin" for i in range(10)]
    for i, path in enumerate(paths):
        path.write_bytes(bytes([i]))
    asked = []

    def collect(most: int):
        def extract(some):
            asked.append(some[0].name)
            if len(asked) > most:
                raise KeyboardInterrupt
            return [None if path == paths[3] else np.float32([path.read_bytes()[0]]) for path in some]

        return features.collect(tmp_path, paths, extract, lambda count: None)

    with pytest.raises(KeyboardInterrupt):
        collect(2)
    paths[5].write_bytes(b"\xff")
    found, kept = collect(100)
    assert asked == ["0.bin", "4.bin", "8.bin", "4.bin", "8.bin"]
    assert found[:, 0].tolist() == [0, 1, 2, 4, 255, 6, 7, 8, 9]
    assert features.collected_sha256(tmp_path) == features.sha256([p for p, keep in zip(paths, kept) if keep])

    def touching(some):
        paths[9].write_bytes(b"new")
        return [np.float32([1])] * len(some)

    paths[8].write_bytes(b"other")
    with pytest.raises(errors.UserError, match="changed while it was read"):
        features.collect(tmp_path, paths, touching, lambda count: None)


def test_a_damaged_image_stops_or_is_left_out(photos, tmp_path, capsys):
    path = photos / "photos" / "red" / "2.png"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    try:
        with pytest.raises(errors.UserError, match=r"red/2\.png: not a readable image"):
            extract.main(command(photos, tmp_path / "strict"))
        assert extract.main(command(photos, tmp_path / "lenient", "--skip_unreadable")) == 0
    finally:
        path.write_bytes(content)
    assert "left out" in capsys.readouterr().err
    found = data.load("features", dir=tmp_path / "lenient")
    assert len(found.inputs) == len(found.labels) == len(found.info["image_files"]) == 29
    assert "red/2.png" not in found.info["image_files"]
    assert sorted(np.concatenate(list(found.splits.values()))) == list(range(29))


def test_weights_that_changed_since_are_refused(photos, tmp_path):
    config = extraction_recipes.base("vit_tiny")
    for key, text in command_line.split_overrides(command(photos, tmp_path))[1].items():
        command_line.override(config, key, text)
    made = extraction_recipes.make_extraction(config)
    known = extraction.load(made).extraction
    assert extraction.Extraction.from_json(json.loads(json.dumps(known.to_json()))) == known
    other = tmp_path / "tiny.npz"
    other.write_bytes((photos / "tiny.npz").read_bytes() + b" ")
    moved = {**known.to_json(), "weights": str(other)}
    with pytest.raises(errors.UserError, match="no longer the file of weights"):
        extraction.load(extraction.Extraction.from_json(moved))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("--config", None), "extract needs --config=FILE"),
        (("--out", None), "extract needs --out=FEATURES"),
        (("--config.data.dir", None), "config.data.dir= is not a folder"),
        (("--config.data.dir", "nowhere"), "no dataset in 'nowhere'"),
        (("--config.encoder.weights", "absent.npz"), "no weights file 'absent.npz'"),
        (("--config.encoder.weights", "w.pt"), "a .safetensors, .npz or .pth file is wanted"),
        (("--config", f"{RECIPES / 'vit.py'}:tini"), "did you mean 'tiny'"),
        (("--config", f"{RECIPES / 'vit.py'}:small"), "of another encoder: 18 of another shape: "),
        (("--config", f"{RECIPES / 'resnet.py'}:5"), "unknown depth '5'"),
        (("--config", f"{RECIPES / 'resnet.py'}:18"), "unknown config key 'encoder.depth'"),
        (
            ("--config", f"{RECIPES.parent / 'ale.py'}"),
            "trains a method: extract takes extract/mobilenet_v2",
        ),
        (("--config.images.size", "33"), "multiples of 16, such as 32, not 33 x 33"),
        (("--config.images.fit", "streach"), "config.images.fit=streach is not stretch or crop"),
        (("--config.encoder.name", "resnet18"), "config.encoder.name is chosen by the recipe"),
        (("--config.encoder.dept", "1"), "did you mean 'encoder.depth'"),
        (("--config.encoder.dtype", "float64"), "config.encoder.dtype=float64 is not float32 or bfloat16"),
        (("--config.images.crop_fraction", "1.5"), "config.images.crop_fraction=1.5 is not a number in (0, 1]"),
    ],
)
def test_what_a_user_gets_wrong_is_one_line(photos, tmp_path, capsys, monkeypatch, change, says):
    monkeypatch.chdir(tmp_path)
    name, value = change
    argv = [word for word in command(photos, "out") if word.partition("=")[0] != name]
    argv += [f"{name}={value}"] if value is not None else []
    assert __main__.main(["extract", *argv]) == 2
    printed = capsys.readouterr().err
    assert len(printed.splitlines()) == 1
    assert says in printed
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.py")), ids=lambda path: path.stem)
def test_recipes(path):
    module = command_line.load_module(str(path))
    assert f"--config=configs/extract/{path.name}" in module.__doc__
    config = module.get_config()
    config.data.dir = "somewhere"
    extraction_recipes.check(config)
    assert extraction_recipes.make_extraction(config).encoder == config.encoder.name
    with pytest.raises(errors.UserError, match=r"choices|a name that `zsl-jax extract --help` lists"):
        module.get_config("nonsense")
    assert set(config.encoder) - {"name", "weights"} <= set(config_lib.SECTIONS["encoder"])


def test_a_method_on_pixels_starts_from_the_weights_of_a_file(photos):
    config = config_lib.base("label_embedding", "image_folder", encoder="vit_tiny")
    config.encoder.update({"depth": 1, "weights": str(photos / "tiny.npz")})
    config.optimizer.encoder_rate = 0.0  # frozen
    config.data.update({"dir": str(photos / "dataset"), "size": 32})
    config_lib.check(config)
    task = data.test_task(data.load(**config.data))
    method = problems.make_method(config)
    state = states.start_state(states.Training(method, task, jax.random.key(0), 8, parallel.make_mesh()))
    with np.load(photos / "tiny.npz") as held:
        np.testing.assert_array_equal(
            base.split(state)[1][0]["params"]["blocks_0"]["mlp"]["fc1"]["kernel"], held["blocks.0.mlp.fc1.weight"].T
        )
    assert "encoder" not in state.params


def test_features_that_are_not_there(tmp_path):
    with pytest.raises(errors.UserError, match="no features in it"):
        data.load("features", dir=tmp_path)
    with pytest.raises(errors.UserError, match="needs what `extract` wrote"):
        data.load("features")
