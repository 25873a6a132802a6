"""`data import` joins images and attributes by the names of the classes, and lists all that does not match."""

import collections
import json
import os

import numpy as np
import PIL.Image
import pytest
import tiny_photos

from zsl_jax import __main__, data, errors
from zsl_jax.data import image_folder
from zsl_jax.verbs import data as verb


def run(capsys, *argv) -> tuple[int, list[str]]:
    code = verb.main(["import", *map(str, argv)])
    return code, [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def splits_by_class(dataset: data.Dataset) -> dict[str, set[str]]:
    found = collections.defaultdict(set)
    for split, rows in dataset.splits.items():
        for row in rows:
            found[dataset.classes.names[dataset.labels[row]]].add(split)
    return dict(found)


def test_a_sound_folder_with_drawn_classes(tmp_path, capsys):
    folder = tiny_photos.write(tmp_path)
    command = (
        folder / "photos",
        f"--attributes={folder / 'classes.csv'}",
        "--unseen=0.34",
        f"--out={tmp_path / 'out'}",
    )
    code, lines = run(capsys, *command)
    assert code == 0
    assert lines == [
        "images 30: 16 train, 4 test_seen, 10 test_unseen",
        "classes 6 by seed 0: 4 seen, 2 unseen",
        "attributes 3",
        f"dataset {tmp_path / 'out'}",
    ]
    first = (tmp_path / "out" / "dataset.json").read_bytes()
    run(capsys, *command)
    assert (tmp_path / "out" / "dataset.json").read_bytes() == first
    run(capsys, *command, "--seed=3")
    assert json.loads((tmp_path / "out" / "dataset.json").read_text())["is_seen"] != json.loads(first)["is_seen"]


def test_pixels_of_the_split_in_the_table(tmp_path, capsys):
    words = dict.fromkeys(tiny_photos.COLOURS, "train") | {"blue": "validation", "grey": "test", "yellow": "test"}
    folder = tiny_photos.write(tmp_path, column="split", words=words)
    assert run(capsys, folder / "photos", f"--attributes={folder / 'classes.csv'}", f"--out={tmp_path / 'out'}")[0] == 0
    found = data.load("image_folder", dir=tmp_path / "out", size=16)
    assert found.classes.names == tuple(tiny_photos.COLOURS)
    assert found.classes.is_seen.tolist() == [True, True, True, False, True, False]
    assert [found.classes.names[row] for row in found.validation_classes] == ["blue"]
    both, unseen = {"train", "test_seen"}, {"test_unseen"}
    assert splits_by_class(found) == {name: unseen if words[name] == "test" else both for name in words}
    assert sorted(np.concatenate(list(found.splits.values()))) == list(range(30))
    assert found.inputs.shape == (30, 16, 16, 3)
    assert found.inputs.dtype == np.uint8
    np.testing.assert_allclose(found.classes.embedding[found.labels], found.inputs.mean(axis=(1, 2)) / 255, atol=0.03)
    assert data.validation_task(data.training_part(found)).unseen_classes.names == ("blue",)


def test_seen_in_the_table(tmp_path, capsys):
    words = dict.fromkeys(tiny_photos.COLOURS, "true") | {"purple": "false"}
    folder = tiny_photos.write(tmp_path, column="seen", words=words)
    run(capsys, folder / "photos", f"--attributes={folder / 'classes.csv'}", f"--out={tmp_path / 'out'}")
    imported = image_folder.read(tmp_path / "out")
    assert dict(zip(imported.class_names, imported.is_seen)) == {n: n != "purple" for n in tiny_photos.COLOURS}


def test_a_name_that_is_no_text_is_listed_and_a_seed_below_zero_refused(tmp_path, capsys):
    folder = tiny_photos.write(tmp_path)
    red = os.fsencode(folder / "photos" / "red")
    os.rename(red + b"/0.png", red + b"/\xff.png")
    command = (folder / "photos", f"--attributes={folder / 'classes.csv'}", f"--out={tmp_path / 'out'}")
    code, lines = run(capsys, *command)
    assert code == 2
    assert lines[0].endswith(r"red/\udcff.png': its name is no text in UTF-8: rename it")
    run(capsys, *command, "--skip_unreadable")
    assert len(data.load("image_folder", dir=tmp_path / "out").labels) == 29
    with pytest.raises(errors.UserError, match="--seed=-1: -1 is not a non-negative integer"):
        run(capsys, *command, "--seed=-1")


def test_everything_that_does_not_match_is_listed(tmp_path, capsys):
    folder = tiny_photos.write(tmp_path)
    photos = folder / "photos"
    (photos / "green").rename(photos / "grean")
    for path in (photos / "blue").iterdir():
        path.unlink()
    PIL.Image.new("RGB", (4, 4)).save(photos / "loose.png")
    (photos / "red" / "0.png").write_bytes(b"")
    (photos / "red" / "1.png").write_bytes(b"no image")
    command = (photos, f"--attributes={folder / 'classes.csv'}", f"--out={tmp_path / 'out'}")
    code, lines = run(capsys, *command)
    assert code == 2
    assert lines == [
        "wrong 'loose.png': in no class's folder",
        "wrong folder 'grean' is no class of the table (is it 'green'?)",
        "wrong class 'green' has no folder (is it 'grean'?)",
        "wrong class 'blue' has no image in its folder",
        "verdict 4 problems; --skip_unmatched goes on without",
        f"wrong {photos / 'red' / '0.png'}: an empty file, not an image",
        f"wrong {photos / 'red' / '1.png'}: not a readable image",
        "verdict 2 problems; --skip_unreadable goes on without",
    ]
    assert not (tmp_path / "out").exists()
    assert run(capsys, *command, "--skip_unmatched")[0] == 2
    code, lines = run(capsys, *command, "--skip_unmatched", "--skip_unreadable")
    assert code == 0
    assert sum(line.startswith("left out") for line in lines) == 6
    imported = image_folder.read(tmp_path / "out")
    assert collections.Counter(imported.labels) == {0: 3, 1: 5, 2: 5, 3: 5}
    assert imported.class_names == ("red", "yellow", "purple", "grey")


@pytest.mark.parametrize(
    ("table", "argv", "says"),
    [
        (None, (), "needs --attributes=TABLE.csv"),
        ("class,r\nred,1\nred,2\n", (), "line 3: the class 'red' is there twice"),
        ("class,r\nred,much\n", (), "line 2: r is 'much', not a number"),
        ("class,r\nred,\n", (), "line 2: r is '', not a number"),
        ("class,r\nred,1,2\n", (), "line 2: 3 cells, where the header has 2"),
        ("class,r,r\nred,1,2\n", (), "the attribute 'r' is there twice"),
        ("class,split,r\nred,tset,1\n", (), "line 2: split is 'tset', not train or validation or test"),
        ("", (), "a header (class, then the attributes) and one line per class are wanted"),
        ("colours", ("--unseen=1.5",), "--unseen=1.5 is not a share in (0, 1)"),
        ("colours", ("--unseen=0.9",), "1 seen and 5 unseen classes by seed 0: at least 3 seen ones and 1 unseen one"),
        ("colours", ("--sed=1",), "Did you mean: seed"),
        ("colours", ("more",), "takes one folder of images, not 2"),
        ("absent", (), "no class table"),
    ],
)
def test_what_a_user_gets_wrong_is_one_line(tmp_path, capsys, table, argv, says):
    folder = tiny_photos.write(tmp_path)
    if table not in (None, "colours", "absent"):
        (folder / "classes.csv").write_text(table)
    attributes = [] if table is None else [f"--attributes={folder / ('none' if table == 'absent' else 'classes.csv')}"]
    out = tmp_path / "out"
    code = __main__.main(["data", "import", str(folder / "photos"), *attributes, f"--out={out}", *argv])
    printed = capsys.readouterr().err
    assert (code, len(printed.splitlines())) == (2, 1)
    assert says in printed
    assert not out.exists()


def test_folders_without_images_and_datasets_that_are_gone(tmp_path):
    folder = tiny_photos.write(tmp_path)
    (tmp_path / "empty").mkdir()
    table = f"--attributes={folder / 'classes.csv'}"
    with pytest.raises(errors.UserError, match="no folder of images"):
        verb.main(["import", str(tmp_path / "nowhere"), table])
    with pytest.raises(errors.UserError, match="no image in"):
        verb.main(["import", str(tmp_path / "empty"), table])
    with pytest.raises(errors.UserError, match="no dataset in"):
        image_folder.read(tmp_path)
    with pytest.raises(errors.UserError, match="needs what `data import` wrote"):
        data.load("image_folder")
    verb.main(["import", str(folder / "photos"), table, f"--out={tmp_path / 'out'}"])
    (folder / "photos" / "red" / "2.png").write_bytes(b"broken")
    with pytest.raises(errors.UserError, match=r"red/2\.png: not a readable image"):
        data.load("image_folder", dir=tmp_path / "out", size=16)
    assert len(data.load("image_folder", dir=tmp_path / "out", size=16, skip_unreadable=True).inputs) == 29
    (folder / "photos").rename(folder / "moved")
    with pytest.raises(errors.UserError, match="is gone: import it again"):
        image_folder.read(tmp_path / "out")
    (tmp_path / "out" / "dataset.json").write_text("{")
    with pytest.raises(errors.UserError, match="is damaged"):
        image_folder.read(tmp_path / "out")


def test_one_name_in_two_unicode_forms_is_one_class(tmp_path, capsys):
    folder = tiny_photos.write(tmp_path)
    table = (folder / "classes.csv").read_text().replace("grey", "gr\u00e9y")
    (folder / "classes.csv").write_text(table)
    (folder / "photos" / "grey").rename(folder / "photos" / "gre\u0301y")
    (folder / "photos" / "red").rename(folder / "elsewhere")
    (folder / "photos" / "red").symlink_to(folder / "elsewhere")
    command = (folder / "photos", f"--attributes={folder / 'classes.csv'}", f"--out={tmp_path / 'out'}")
    assert run(capsys, *command)[0] == 0
    found = data.load("image_folder", dir=tmp_path / "out", size=16)
    assert "gr\u00e9y" in found.classes.names
    np.testing.assert_allclose(found.classes.embedding[found.labels], found.inputs.mean(axis=(1, 2)) / 255, atol=0.03)
    (folder / "photos" / "gr\u00e9y").mkdir()
    code, lines = run(capsys, *command)
    assert (code, lines[0]) == (
        2,
        "wrong folder 'gr\u00e9y' is there 2 times, in different Unicode forms (NFC and NFD)",
    )


def test_an_edited_dataset_is_refused_but_may_move(tmp_path, capsys):
    folder = tiny_photos.write(tmp_path)
    run(capsys, folder / "photos", f"--attributes={folder / 'classes.csv'}", f"--out={tmp_path / 'out'}")
    path = tmp_path / "out" / "dataset.json"
    values = json.loads(path.read_text())
    (folder / "photos").rename(folder / "moved")
    path.write_text(json.dumps(values | {"images_dir": str(folder / "moved")}))
    assert image_folder.read(tmp_path / "out").images_dir == str(folder / "moved")
    values["embedding"][0][0] += 0.1
    for content in (json.dumps(values), "[" * 100_000, '{"version": NaN}', "[]", "\xff"):
        path.write_bytes(content.encode("latin-1"))
        with pytest.raises(errors.UserError, match=r"is damaged.*import the folder again"):
            image_folder.read(tmp_path / "out")


def test_attributes_that_tell_no_class_apart(tmp_path):
    folder = tiny_photos.write(tmp_path)
    (folder / "classes.csv").write_text("class,a\n" + "".join(f"{name},1\n" for name in tiny_photos.COLOURS))
    with pytest.raises(errors.UserError, match="all classes have the same attributes"):
        verb.main(["import", str(folder / "photos"), f"--attributes={folder / 'classes.csv'}", f"--out={tmp_path}/out"])
