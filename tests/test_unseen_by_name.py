"""Unseen classes by their names, classes without images, and own features in the layout of the benchmarks."""

import shutil

import numpy as np
import pytest
import tiny_photos
import tiny_xlsa17

from zsl_jax import __main__, data, errors
from zsl_jax.data import image_folder, prepared, splits, xlsa17_writing

pytestmark = pytest.mark.long


def test_named_classes_are_unseen_and_the_others_keep_their_images():
    before = data.load("digits")
    after = data.load("digits", unseen="one, zero")
    assert [name for name, seen in zip(after.classes.names, after.classes.is_seen) if not seen] == ["zero", "one"]
    assert after.info["split"] == "2 unseen classes by name"
    rows = np.concatenate(list(after.splits.values()))
    np.testing.assert_array_equal(np.sort(rows), np.arange(1797))
    of_name = {name: after.labels == row for row, name in enumerate(after.classes.names)}
    assert set(after.splits["test_unseen"]) == set(np.flatnonzero(of_name["one"] | of_name["zero"]))
    kept = np.flatnonzero(of_name["three"])
    for split in ("train", "test_seen"):
        assert set(kept) & set(after.splits[split]) == set(kept) & set(before.splits[split])
    fresh = np.flatnonzero(of_name["five"])  # unseen before
    assert len(np.intersect1d(fresh, after.splits["test_seen"])) == round(len(fresh) / 5)


def test_names_of_a_benchmark_and_its_validation_classes(tmp_path):
    folder = tiny_xlsa17.write(tmp_path / "tiny")
    (tmp_path / "names.txt").write_text("gnu\ncat\n")
    found = data.load("xlsa17", dir=folder, unseen=str(tmp_path / "names.txt"))
    assert [name for name, seen in zip(found.classes.names, found.classes.is_seen) if not seen] == ["cat", "gnu"]
    assert found.validation_classes is None  # gnu was the only one
    assert sum(len(rows) for rows in found.splits.values()) == 24
    with pytest.raises(errors.UserError, match="missing values that the seen classes"):
        data.load("xlsa17", dir=folder, attributes="original_att", unseen="cat")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("too", r"unknown class 'too': did you mean 'two'\? \(the 10 classes begin with zero, one, two\)"),
        (",", "0 of 10 classes would be unseen"),
        (
            "zero,one,two,three,four,five,six,seven,eight",
            "9 of 10 classes would be unseen: at least 1 must be, with 2 left",
        ),
    ],
)
def test_names_that_make_no_problem_are_a_line(text, says):
    with pytest.raises(errors.UserError, match=says):
        splits.unseen_names(text, data.load("digits").classes.names)


def test_words_of_an_archive_are_those_of_the_seen_classes_that_are_named(tmp_path):
    texts = np.array(["red apple", "green apple", "sour plum", "red plum", "milk red"])
    np.savez(
        tmp_path / "a.npz",
        features=np.random.default_rng(0).random((50, 3)),
        labels=np.repeat(np.arange(5), 10),
        descriptions=texts,
        class_names=np.array(list("abcde")),
    )
    found = data.load("npz", file=tmp_path / "a.npz", semantics="descriptions", unseen="c,e")
    assert found.classes.is_seen.tolist() == [True, True, False, True, False]
    assert found.classes.embedding.shape == (5, 4)  # red, apple, green, plum: neither sour nor milk
    assert found.info["split"] == "2 unseen classes by name"


@pytest.mark.long
def test_a_run_says_which_classes_were_named(tmp_path, capsys):
    line = ("--config=eszsl:digits,smoke", "--config.unseen_classes=two,nine", "--config.plots=none")
    assert __main__.main(["train", *line, f"--workdir={tmp_path / 'run'}"]) == 0
    assert "8 seen and 2 unseen classes" in capsys.readouterr().out
    assert __main__.main(["train", *line[:1], "--config.unseen_classes=ten", f"--workdir={tmp_path / 'no'}"]) == 2
    assert "unknown class 'ten'" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


def test_a_class_without_images_is_a_candidate(tmp_path, capsys):
    words = dict.fromkeys(tiny_photos.COLOURS, "train") | {"grey": "test", "yellow": "test"}
    folder = tiny_photos.write(tmp_path, column="split", words=words)
    for path in (folder / "photos" / "grey").iterdir():
        path.unlink()
    (folder / "photos" / "grey").rmdir()
    command = ["data", "import", str(folder / "photos"), f"--attributes={folder / 'classes.csv'}"]
    assert __main__.main([*command, f"--out={tmp_path / 'out'}"]) == 0
    assert "no images   grey: candidates all the same" in capsys.readouterr().out
    imported = image_folder.read(tmp_path / "out")
    assert imported.class_names == tuple(tiny_photos.COLOURS)
    assert len(imported.keep(np.arange(len(imported.images)) != 0).class_names) == 6
    found = data.load("image_folder", dir=tmp_path / "out", size=16)
    assert (len(found.classes), len(found.splits["test_unseen"])) == (6, 5)
    assert __main__.main([*command, "--unseen=purple,yellow,grey", f"--out={tmp_path / 'named'}"]) == 0
    assert image_folder.read(tmp_path / "named").is_seen == (True, True, True, False, False, False)
    capsys.readouterr()
    assert __main__.main([*command, "--unseen=purple,yelow", f"--out={tmp_path / 'no'}"]) == 2
    assert "unknown class 'yelow': did you mean 'yellow'?" in capsys.readouterr().err
    assert __main__.main([*command, "--unseen=purple", f"--out={tmp_path / 'no'}"]) == 2
    assert "class 'grey' has no images, and is not among the unseen classes" in capsys.readouterr().err


def test_all_images_train_where_no_unseen_class_has_one(tmp_path, capsys):
    folder = tiny_photos.write(tmp_path)
    shutil.rmtree(folder / "photos" / "grey")
    command = ["data", "import", str(folder / "photos"), f"--attributes={folder / 'classes.csv'}"]
    assert __main__.main([*command, f"--out={tmp_path / 'no'}"]) == 2
    assert "class 'grey' has no folder, as an unseen class need not: --unseen='grey'" in capsys.readouterr().out
    assert __main__.main([*command, "--unseen=grey", f"--out={tmp_path / 'out'}"]) == 0
    assert "no test     no unseen class has an image: all images train" in capsys.readouterr().out
    imported = image_folder.read(tmp_path / "out")
    assert [len(rows) for rows in imported.splits.values()] == [25, 0, 0]
    assert len(imported.keep(np.arange(25) != 0).images) == 24
    written = imported.dataset(np.ones((25, 3), np.float32), preprocessing={})
    found = prepared.load_prepared(prepared.write(written, tmp_path / "features"))
    assert {name: rows.tolist() for name, rows in found.splits.items()} == {
        "train": list(range(25)),
        "test_seen": [],
        "test_unseen": [],
    }


def test_exported_features_are_a_benchmark(tmp_path, capsys):
    source = data.load("xlsa17", dir=tiny_xlsa17.write(tmp_path / "tiny"), attributes="original_att")
    held = {"features": source.inputs, "labels": source.labels, "attributes": source.classes.embedding}
    np.savez(tmp_path / "own.npz", **held, class_names=np.array(source.classes.names))
    line = [
        "data",
        "export",
        str(tmp_path / "own.npz"),
        "--layout=xlsa17",
        "--unseen=owl,cat",
        "--semantics=attributes",
    ]
    assert __main__.main([*line, f"--out={tmp_path / 'out'}"]) == 0
    assert __main__.main(["data", "check", str(tmp_path / "out")]) == 0
    assert "verdict     sound" in capsys.readouterr().out
    expected = data.load("npz", file=tmp_path / "own.npz", semantics="attributes", unseen="owl,cat")
    found = data.load("xlsa17", dir=tmp_path / "out", attributes="original_att")
    for one, other in (
        (found.inputs, expected.inputs),
        (found.labels, expected.labels),
        (found.classes.embedding, expected.classes.embedding),
        (found.classes.is_seen, expected.classes.is_seen),
        *((found.splits[name], expected.splits[name]) for name in ("train", "test_seen", "test_unseen")),
    ):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(np.linalg.norm(data.load("xlsa17", dir=tmp_path / "out").classes.embedding, axis=1), 1)
    for argv, says in (
        ([*line, f"--out={tmp_path / 'out'}"], "holds res101.mat already"),
        (line, "needs --out=FOLDER"),
        (["data", "export", str(tmp_path), "--out=x"], "an .npz archive of features, the folder that"),
        ([*line[:3], "--layout=xlsa", "--out=x"], "unknown layout 'xlsa': did you mean 'xlsa17'?"),
    ):
        assert __main__.main(argv) == 2
        err = capsys.readouterr().err
        assert says in err
        assert err.count("\n") == 1


def test_validation_classes_of_an_export_hold_no_seen_test_image(tmp_path):
    source = data.load("xlsa17", dir=tiny_xlsa17.write(tmp_path / "tiny"))
    counts = xlsa17_writing.write(source, tmp_path / "out")
    assert (counts["train_loc"], counts["val_loc"]) == (9, 3)
    found = data.load("xlsa17", dir=tmp_path / "out")
    np.testing.assert_array_equal(found.validation_classes, source.validation_classes)
    assert found.info["image_files"] == source.info["image_files"]
