"""`python -m zsl_jax bound`: what it prints and writes, what it says of bad tables, and what an interrupt leaves."""

import itertools
import json
import pathlib

import numpy as np
import pytest
import scipy.io

from zsl_jax import __main__, bounds, errors
from zsl_jax.verbs import bound
from zsl_jax.verbs.bounding import tables

TABLE = """\
name,stripes,hooves,swims
zebra,0.8,0.9,0
horse,0,0.9,0.1
seal,0,0,1
otter,0,0,0.5
"""


@pytest.fixture
def csv(tmp_path) -> pathlib.Path:
    path = tmp_path / "animals.csv"
    path.write_text(TABLE)
    return path


def write_folder(folder: pathlib.Path, **changes) -> pathlib.Path:
    """A folder of four classes and three attributes, in percent."""
    folder.mkdir()
    names = np.array([[name] for name in ("ox", "gnu", "yak", "elk")], object)
    held = {
        "original_att": np.array([[90.0, 0, 50, 25], [0, 80, 0, 75], [10, 20, 100, 0]]),
        "allclasses_names": names,
        "test_unseen_loc": np.array([[5], [6]]),
    }
    held.update(changes)
    scipy.io.savemat(folder / "att_splits.mat", {name: value for name, value in held.items() if value is not None})
    return folder


def run(capsys, *argv) -> tuple[int, list[str]]:
    code = bound.main(list(map(str, argv)))
    return code, capsys.readouterr().out.splitlines()


ALONE = "the attribute, and the least error between the two with it alone"


def selected(lines: list[str]) -> list[str]:
    """The rows of the table of selected attributes."""
    start = next(i for i, line in enumerate(lines) if line.startswith("attributes  "))
    return list(itertools.takewhile(lambda line: line[:1].isdigit(), lines[start + 1 :]))


def test_what_is_printed_of_a_file(csv, capsys):
    code, lines = run(capsys, csv, "--select=2", "--pair=seal,otter")
    assert code == 0
    assert lines[0] == "animals.csv: 4 classes, 3 attributes"
    matrix = np.array([[0.8, 0.9, 0], [0, 0.9, 0.1], [0, 0, 1], [0, 0, 0.5]])
    value = bounds.dense(matrix).accuracy
    assert f"the best map guarantees an accuracy of {100 * value:.2f} % (exact)" in lines
    head = next(i for i, line in enumerate(lines) if line.startswith("confused"))
    assert lines[head + 1].startswith("seal, otter")
    assert "25.00 %" in lines[head + 1]
    second = max(("stripes", "hooves"), key=lambda name: bounds.dense(matrix[:, [name == "hooves", 2]]).accuracy)
    assert [line.split()[:2] for line in selected(lines)] == [["1", "swims"], ["2", second]]
    pair = next(i for i, line in enumerate(lines) if line.startswith("to tell"))
    assert lines[pair + 1].split() == ["swims", "25.00", "%"]


def test_what_is_written(csv, tmp_path, capsys):
    out = tmp_path / "out"
    code, lines = run(capsys, csv, "--attributes=stripes,swims", f"--out={out}", "--select=2")
    assert code == 0
    assert lines[-2:] == [f"wrote {out / 'bound.json'}", f"wrote {out / 'bound.png'}"]
    record = json.loads((out / "bound.json").read_text())
    assert record["attributes"] == ["stripes", "swims"]
    assert record["exact"]
    assert [row["attributes"] for row in record["selection"]] == [1, 2]
    assert record["selection"][-1]["guarantee"] == pytest.approx(record["guarantee"], abs=1e-6)
    rule = bounds.AffineRule(np.array(record["map"]["offset"]), np.array(record["map"]["slope"]))
    matrix = tables.read(str(csv), None).matrix[:, [0, 2]]
    assert bounds.guarantee(rule, matrix) == pytest.approx(record["guarantee"], abs=1e-6)
    assert (out / "bound.png").read_bytes()[:4] == b"\x89PNG"


def test_equal_classes_are_named(tmp_path, capsys):
    path = tmp_path / "twins.csv"
    path.write_text("name,a,b\nhare,1,0.5\nrabbit,1,0.5\nfox,0,1\n")
    _, lines = run(capsys, path, "--select=0")
    assert "'hare' and 'rabbit' have the same description: between them every map is at chance, 50 %" in lines
    assert "the best map guarantees an accuracy of 66.67 % (exact)" in lines
    assert not any(line.startswith("attributes  ") for line in lines)


@pytest.mark.long
def test_error_rates_lower_the_guarantee(csv, tmp_path, capsys):
    rates = tmp_path / "rates.csv"
    rates.write_text("name,swims,stripes,hooves\notter,0.1,0,0\nzebra,0,0.2,0.1\nseal,0,0,\nhorse,0.1,0,0.1\n")
    found = []
    for arguments in ([], ["--error_rate=0.05"], [f"--error_rate={rates}"], ["--error_rate=1"]):
        code, _ = run(capsys, csv, "--select=0", f"--out={tmp_path / 'out'}", *arguments)
        assert code == 0
        found.append(json.loads((tmp_path / "out" / "bound.json").read_text())["guarantee"])
    assert found[0] > found[1] > found[3]
    assert found[0] > found[2] > found[3]
    assert found[3] == pytest.approx(0.25, abs=1e-6)


def test_the_attribute_to_annotate_next(csv, capsys):
    """Seal and otter with hooves annotated: stripes say nothing, swims leaves (1 - .5) / 2."""
    _, lines = run(capsys, csv, "--attributes=hooves", "--pair=seal,otter", "--select=0")
    head = "the attribute to annotate next, and the least error between the two then (now 50.00 %)"
    assert lines[-3:] == [f"to tell 'seal' from 'otter': {head}", "swims     25.00 %", "stripes   50.00 %"]
    _, lines = run(capsys, csv, "--attributes=hooves", "--select=0")  # the pair that is alike in most images
    assert "to tell 'zebra' from 'horse': " + head in lines


DETECTIONS = """\
image,swims,hooves,stripes
horse,0.3,0.9,0
horse,0.1,0.7,0.2
otter,0.6,0,0
"""


def test_detections_of_validation_classes_say_how_detectors_err(csv, tmp_path, capsys):
    detections = tmp_path / "detections.csv"
    detections.write_text(DETECTIONS)
    out = tmp_path / "out"
    code, lines = run(
        capsys,
        csv,
        "--classes=zebra,seal",
        f"--detections={detections}",
        "--select=0",
        "--pair=zebra,seal",
        f"--out={out}",
    )
    assert code == 0
    record = json.loads((out / "bound.json").read_text())
    # stripes: horse 0.1 off 0; hooves: 0.8 off 0.9; swims: 0.2 off 0.1 and 0.6 off 0.5
    np.testing.assert_allclose(record["error_rates"], [0.05, 0.05, 0.1], atol=1e-6)
    matrix = np.array([[0.8, 0.9, 0], [0, 0, 1]])
    expected = bounds.worst_case(matrix, error_rates=np.array([0.05, 0.05, 0.1]))[0]
    assert record["guarantee"] == pytest.approx(expected, abs=1e-6)
    assert f"detectors are off by 6.67 % on average over the attributes, at most ({detections})" in lines


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        (DETECTIONS, ["--classes=zebra,otter"], "'otter' is one of the candidates"),
        (DETECTIONS.replace("otter", "oter"), [], "did you mean 'otter'"),
        (DETECTIONS.replace("hooves", "hoofs"), [], "no attribute 'hooves' in it"),
        (DETECTIONS.replace("0.6", "6"), [], "'swims' in image 3 is 6; probabilities"),
        (DETECTIONS.replace("0.6", ""), [], "'swims' in image 3 is nan; probabilities"),
        (DETECTIONS, ["--error_rate=0.1"], "--error_rate or --detections .* not both"),
        (None, [], "no such file"),
    ],
)
def test_bad_detections(csv, tmp_path, text, more, message):
    path = tmp_path / "detections.csv"
    if text:
        path.write_text(text)
    more = more if more and more[0].startswith("--classes") else ["--classes=zebra,seal", *more]
    with pytest.raises(errors.UserError, match=message):
        bound.main([str(csv), f"--detections={path}", *more])


@pytest.mark.long
def test_a_folder_is_scaled_and_its_unseen_classes_are_found(tmp_path):
    folder = write_folder(tmp_path / "beasts")
    (folder / "testclasses.txt").write_text("gnu\nelk\n")
    table = tables.read(str(folder), None)
    assert table.classes == ("gnu", "elk")
    assert table.attributes == ("1", "2", "3")
    np.testing.assert_allclose(table.matrix, [[0, 0.8, 0.2], [0.25, 0.75, 0]])
    assert tables.read(str(folder), "seen").classes == ("ox", "yak")
    (folder / "testclasses.txt").unlink()
    scipy.io.savemat(folder / "res101.mat", {"labels": np.array([[1], [1], [2], [3], [3], [4]])})
    assert tables.read(str(folder), "unseen").classes == ("yak", "elk")


def test_fractions_stay_and_a_missing_value_may_be_anything(tmp_path, capsys):
    values = np.array([[0.9, 0.1], [0.3, 0.3]])
    folder = write_folder(tmp_path / "halves", original_att=values, allclasses_names=np.array([["a"], ["b"]], object))
    np.testing.assert_allclose(tables.read(str(folder), "all").matrix, values.T)
    percent = np.array([[-1.0, 10], [30, 90]])
    folder = write_folder(tmp_path / "gap", original_att=percent, allclasses_names=np.array([["a"], ["b"]], object))
    _, lines = run(capsys, folder, "--classes=all", "--select=2")
    assert "1 values are missing and may be anything" in lines
    assert "the best map guarantees an accuracy of 80.00 % (exact)" in lines  # (1 + |0.3 - 0.9|) / 2
    assert [line.split()[:2] for line in selected(lines)] == [["1", "2"]]
    assert lines[-2:] == ["to tell 'a' from 'b': " + ALONE, "2   20.00 %"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,a,b\nx,0.5,1.5\ny,0,1\n", "attribute 'b' of 'x' is 1.5; probabilities in \\[0, 1\\]"),
        ("name,a,b\nx,0,\ny,0,1\n", "'x' has no attributes: all its values are 0 or missing"),
        ("name,a,b\nx,0.5,many\ny,0,1\n", "line 2: found 'many', not a number"),
        ("name,a,b\nx,0.5\ny,0,1\n", "line 2: 1 values for 2 attributes"),
        ("name,a,a\nx,0.5,1\ny,0,1\n", "attribute 'a' is there twice"),
        ("name,a,b\nx,0.5,1\nx,0,1\n", "class 'x' is there twice"),
        ("name,a,b\nx,0.5,1\n", "1 classes; there is nothing to confuse"),
        ("name\n", "a header with attribute names"),
    ],
)
def test_a_bad_file(tmp_path, text, message):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(errors.UserError, match=message):
        bound.main([str(path), f"--out={tmp_path / 'out'}"])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["nowhere"], "nowhere: no such folder or file"),
        (["CSV", "--classes=unseen"], "has no seen and unseen classes"),
        (["CSV", "--classes=unsen"], "did you mean 'unseen'"),
        (["CSV", "--attributes=4"], "the table has 3 attributes"),
        (["CSV", "--attributes=stripe"], "did you mean 'stripes'"),
        (["CSV", "--attributes=stripes,stripes"], "different names"),
        (["CSV", "--classes=zebra,seals"], "did you mean 'seal'"),
        (["CSV", "--classes=zebra"], "1 classes; there is nothing to confuse"),
        (["CSV", "--pair=zebra"], "two classes are wanted"),
        (["CSV", "--pair=zebra,hors"], "did you mean 'horse'"),
        (["CSV", "--error_rate=2"], "a rate in \\[0, 1\\]"),
        (["CSV", "--error_rate=nowhere.csv"], "neither a number nor a CSV file"),
        (["CSV", "--time_limit=0"], "seconds above 0"),
        (["CSV", "--select=-1"], "or 0 for none"),
        (["CSV", "--selct=2"], "did you mean '--select'"),
        (["CSV", "--select=two"], "bound: .*two"),
        (["CSV", "CSV"], "one folder or file, not 2"),
        (["CSV", "--out=CSV"], "this is a file"),
    ],
)
def test_bad_arguments(csv, argv, message):
    with pytest.raises(errors.UserError, match=message):
        bound.main([argument.replace("CSV", str(csv)) for argument in argv])


def test_bad_folders(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    above = tmp_path / "above"
    above.mkdir()
    write_folder(above / "BEASTS")
    for folder, which, message in (
        (empty, None, r"empty: no att_splits\.mat in it$"),
        (above, None, r"above: no att_splits\.mat in it; its folders BEASTS have one"),
        (above / "BEASTS" / "att_splits.mat", None, r"a CSV file or a folder is wanted; its folder is .*BEASTS"),
        (write_folder(tmp_path / "no_table", original_att=None), None, "no variable 'original_att' among"),
        (write_folder(tmp_path / "short", original_att=np.ones((3, 2))), None, "needs a column for each of 4 classes"),
        (write_folder(tmp_path / "silent"), None, r"no testclasses\.txt or res101\.mat says"),
        (write_folder(tmp_path / "negative", original_att=np.full((3, 4), -0.5)), "all", "is -0.5; probabilities"),
    ):
        with pytest.raises(errors.UserError, match=message):
            tables.read(str(folder), which)
    strange = write_folder(tmp_path / "strange")
    (strange / "testclasses.txt").write_text("gnu\nunicorn\n")
    with pytest.raises(errors.UserError, match=r"'unicorn' is no class of att_splits\.mat"):
        tables.read(str(strange), None)


@pytest.mark.parametrize("wrong", ["name,stripes\nzebra,0.1\n", TABLE.replace("0.9", "9")])
def test_error_rates_that_do_not_fit(csv, tmp_path, wrong):
    rates = tmp_path / "rates.csv"
    rates.write_text(wrong)
    with pytest.raises(errors.UserError, match=r"no attribute 'hooves' in it|'hooves' for 'zebra' is 9"):
        bound.main([str(csv), f"--error_rate={rates}"])


def test_an_interrupt_leaves_the_best_interval(csv, tmp_path, capsys, monkeypatch):
    narrow = bounds.narrow

    def interrupted(*args, **kwargs):
        yield next(narrow(*args, **kwargs))
        raise KeyboardInterrupt

    monkeypatch.setattr(bounds, "narrow", interrupted)
    code, lines = run(capsys, csv, f"--out={tmp_path / 'out'}")
    assert code == 130
    assert "the best map guarantees an accuracy between 25.00 % and 100.00 %" in lines
    assert "interrupted: this is as far as it came" in lines
    record = json.loads((tmp_path / "out" / "bound.json").read_text())
    assert record["interrupted"]
    assert not record["exact"]
    assert record["selection"] == []


def test_an_interrupt_leaves_the_attributes_selected_so_far(csv, capsys, monkeypatch):
    greedy = bounds.greedy

    def interrupted(*args, **kwargs):
        yield next(greedy(*args, **kwargs))
        raise KeyboardInterrupt

    monkeypatch.setattr(bounds, "greedy", interrupted)
    code, lines = run(capsys, csv)
    assert code == 130
    assert [line.split()[1] for line in selected(lines)] == ["swims"]


def test_an_interrupt_before_anything_is_known_is_one_line(capsys, monkeypatch):
    def interrupted(argv):
        raise KeyboardInterrupt

    monkeypatch.setattr(bound, "main", interrupted)
    assert __main__.main(["bound", "somewhere"]) == 130
    assert capsys.readouterr().err == "zsl-jax: interrupted\n"


def test_help_and_nothing(capsys):
    assert bound.main(["--help"]) == 0
    assert "example: python -m zsl_jax bound" in capsys.readouterr().out
    assert bound.main([]) == 2
    assert "usage" in capsys.readouterr().err
    assert __main__.main(["bound", "nowhere"]) == 2
    assert capsys.readouterr().err == (
        "zsl-jax: nowhere: no such folder or file; "
        "a folder with att_splits.mat, a CSV file or a finished run is wanted\n"
    )


@pytest.mark.long
def test_real_folders_are_read(shared_data):
    for name, count, unseen, attributes in (("SUN", 717, 72, 102), ("AWA1", 50, 10, 85)):
        table = tables.read(str(shared_data / "xlsa17" / name), "all")
        assert table.matrix.shape == (count, attributes)
        assert table.unknown.sum() == (4 if name == "AWA1" else 0)
        assert len(tables.read(str(shared_data / "xlsa17" / name), None).classes) == unseen
