"""A folder of images and a table to predictions for new classes, by the commands of docs/own_data.md."""

import csv
import pathlib
import re
import shlex

import numpy as np
import PIL.Image
import pytest
import tiny_photos

from zsl_jax import __main__, data

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "own_data.md").read_text()
COMMANDS = [
    line.removeprefix("zsl-jax ")
    for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("zsl-jax ")
]
TINY = f"--config={ROOT}/configs/extract/vit.py:tiny {' '.join(tiny_photos.TINY)}"


def adapted(command: str) -> str:
    """The command of the page with the tiny encoder."""
    return re.sub(r"--config=extract/\S+", f"{TINY} --config.encoder.weights=tiny.npz", command)


def rows(path: pathlib.Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.long
def test_four_commands(tmp_path, monkeypatch, capsys):
    words = dict.fromkeys(tiny_photos.COLOURS, "train") | {"blue": "validation", "purple": "test", "grey": "test"}
    tiny_photos.write(tmp_path, column="split", words=words)
    tiny_photos.write_weights(tmp_path / "tiny.npz")
    (tmp_path / "new_classes.csv").write_text("class,b,g,r\npurple,0.9,0.1,0.9\norange,0.1,0.5,0.9\ngrey,0.5,0.5,0.5\n")
    (tmp_path / "new").mkdir()
    for name in ("purple", "grey"):
        for i in range(tiny_photos.PER_CLASS):
            PIL.Image.open(tmp_path / "photos" / name / f"{i}.png").convert("RGBA").save(
                tmp_path / "new" / f"{name}{i}.png"
            )
    monkeypatch.chdir(tmp_path)
    verbs = [command.split()[0] for command in COMMANDS]
    assert verbs == ["data", "extract", "train", "predict"]
    for command in COMMANDS[:3]:
        assert (
            __main__.main(
                [*shlex.split(adapted(command)), *(["--config.plots=none"] if command.startswith("train") else [])]
            )
            == 0
        )
    *shown, folder = shlex.split(COMMANDS[3])
    assert __main__.main([*shown, "--out=of_folder.csv", folder]) == 0
    assert pathlib.Path("named.png").stat().st_size > 10_000
    images = [row["input"] for row in rows(tmp_path / "of_folder.csv")]
    assert images == sorted(map(str, pathlib.Path(folder).glob("*.png")))
    assert len(images) == 10
    options = ["predict", shown[1], "--classes=new_classes.csv"]
    assert __main__.main([*options, "--out=from_images.csv", "--top=3", *images]) == 0

    # The same from the features that were extracted before: new images go the way of the old ones.
    features = data.load("features", dir="features/photos")
    by_name = dict(zip(features.info["image_files"], features.inputs))
    names = [re.sub(r"new/(\D+)(\d)", r"\1/\2", path) for path in images]
    np.save("inputs.npy", np.stack([by_name[name] for name in names]))
    assert __main__.main([*options, "--out=from_features.csv", "--top=3", "inputs.npy"]) == 0
    found, expected = rows(tmp_path / "from_images.csv"), rows(tmp_path / "from_features.csv")
    assert [row["input"] for row in found] == images
    for ours, theirs in zip(found, expected, strict=True):
        assert {ours[name] for name in ("prediction", "class_2", "class_3")} == {"purple", "orange", "grey"}
        assert ours["prediction"] == theirs["prediction"]
        np.testing.assert_allclose(float(ours["score_1"]), float(theirs["score_1"]), rtol=1e-3, atol=1e-4)

    (tmp_path / "new" / "broken.png").write_bytes(b"")
    capsys.readouterr()
    assert __main__.main([*options, "--out=none.csv", "new/broken.png"]) == 2
    assert "new/broken.png: an empty file, not an image" in capsys.readouterr().err
    assert not (tmp_path / "none.csv").exists()
    assert __main__.main([*options, "--out=two.csv", "--skip_unreadable", *images[:2], "new/broken.png"]) == 0
    assert "left out: new/broken.png" in capsys.readouterr().err
    assert [row["prediction"] for row in rows(tmp_path / "two.csv")] == [row["prediction"] for row in found[:2]]


def test_images_become_the_inputs_of_pixels(tmp_path):
    """What `predict` asks for a model that was trained on an image folder's pixels."""
    from zsl_jax.encoders import preprocessing

    folder = tiny_photos.write(tmp_path)
    command = ["data", "import", str(folder / "photos"), f"--attributes={folder / 'classes.csv'}"]
    assert __main__.main([*command, f"--out={tmp_path / 'dataset'}"]) == 0
    source = data.load("image_folder", dir=tmp_path / "dataset", size=16)
    made = preprocessing.make(source.info["preprocessing"])
    assert source.inputs.shape == (30, 16, 16, 3)
    files = [folder / "photos" / name for name in source.info["image_files"][:4]]
    whole = np.stack([np.asarray(PIL.Image.open(path)) for path in files])
    np.testing.assert_array_equal(list(made.of_files(files)), source.inputs[:4])
    np.testing.assert_array_equal(made.of_arrays(whole), source.inputs[:4])
    files[1].write_bytes(b"")
    for said in (source.info["preprocessing"], "descriptors"):
        skipped = []
        inputs = list(preprocessing.make(said).of_files(files, skip=skipped.append))
        assert [x is None for x in inputs] == [False, True, False, False]
        assert "an empty file" in str(skipped[0])
