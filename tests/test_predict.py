"""From a finished run to answers: the scores of the run, among the classes of a table, in lines."""

import csv
import io
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest

from zsl_jax import __main__, data, errors, methods, whole_files
from zsl_jax.data import class_files, input_files
from zsl_jax.training import asking, candidates, predicting, trained


@pytest.fixture(scope="module")
def finished(digits_run, tmp_path_factory):
    workdir, result, _ = digits_run
    folder = tmp_path_factory.mktemp("predict")
    (folder / "run").symlink_to(workdir)
    digits = data.load("digits")
    rows = digits.splits["test_unseen"][:20]
    np.save(folder / "features.npy", digits.inputs[rows])
    np.save(folder / "images.npy", digits.images[rows])
    return folder, result, trained.load(folder / "run"), digits.inputs[rows]


def call(capsys, *argv):
    code = __main__.main(["predict", *map(str, argv)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def calibrated_scores(model, inputs):
    described = trained.described(model, model.classes)
    given = inputs, described, model.classes.is_seen, model.gamma
    return np.asarray(trained.calibrated_scores(model.method, model.state, *given))


@pytest.mark.long
def test_the_model_read_back_is_the_one_of_the_run(finished):
    _, result, model, _ = finished
    task = result.task
    assert model.classes.names == task.classes.names
    np.testing.assert_array_equal(model.classes.embedding, task.classes.embedding)
    scores = methods.score(model.method, model.state, task.sets["test_unseen"].inputs, model.classes)
    np.testing.assert_allclose(scores, result.evaluated.rows["zsl"].scores, rtol=1e-5, atol=1e-5)


@pytest.mark.long
def test_predictions_are_the_calibrated_ones_of_the_record(finished):
    """The accuracy of the calibrated record, out of the blocks of `predict`."""
    _, result, model, _ = finished
    task, found = result.task, {}
    for name in ("unseen", "seen"):
        part = task.sets[f"test_{name}"]
        block = input_files.Block(list(map(str, part.labels)), part.inputs)
        predictions = list(predicting.predict(model, model.classes, [block]))
        names = np.array([prediction.candidates[0].name for prediction in predictions])
        right = names == np.array(task.classes.names)[part.labels]
        found[name] = np.mean([right[part.labels == label].mean() for label in np.unique(part.labels)])
    calibrated = result.record["metrics"]["gzsl"]["calibrated"]
    assert found["unseen"] == pytest.approx(calibrated["unseen"], abs=0.005)
    assert found["seen"] == pytest.approx(calibrated["seen"], abs=0.005)


def test_csv_has_a_line_an_input(finished, capsys):
    folder, _, model, inputs = finished
    code, out, err = call(capsys, f"--workdir={folder / 'run'}", "--top=3", "--probabilities", folder / "features.npy")
    assert (code, err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == 20
    scores = calibrated_scores(model, inputs)
    probabilities = np.exp(scores / model.temperature)
    probabilities /= probabilities.sum(1, keepdims=True)
    for b, row in enumerate(rows):
        order = np.argsort(-scores[b])
        assert "class_1" not in row
        for rank in (1, 2, 3):
            column = order[rank - 1]
            assert row[f"class_{rank}" if rank > 1 else "prediction"] == model.classes.names[column]
            assert float(row[f"score_{rank}"]) == pytest.approx(scores[b, column], rel=1e-4)
            assert float(row[f"probability_{rank}"]) == pytest.approx(probabilities[b, column], rel=1e-3)


def test_images_are_brought_into_the_form_of_the_training_inputs(finished, capsys):
    folder, *_ = finished
    _, of_features, _ = call(capsys, f"--workdir={folder / 'run'}", folder / "features.npy")
    _, of_images, _ = call(capsys, f"--workdir={folder / 'run'}", folder / "images.npy")
    assert of_images.replace("images.npy", "features.npy") == of_features


def test_images_are_read_from_their_files(finished, tmp_path, capsys):
    folder, *_ = finished
    images = np.load(folder / "images.npy")
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for path, image in zip(paths, images):
        PIL.Image.fromarray(image).save(path)
    _, out, err = call(capsys, f"--workdir={folder / 'run'}", *paths, folder / "images.npy")
    assert err == ""
    rows = list(csv.reader(io.StringIO(out)))[1:]
    assert [row[0] for row in rows[:3]] == list(map(str, paths))
    assert [row[1:2] for row in rows[:3]] == [row[1:2] for row in rows[3:6]]
    # The blocks have other shapes, so other programs, whose sums may be in another order.
    scores = np.array([row[2:] for row in rows], object)
    for one, other in zip(scores[:3], scores[3:6]):
        for a, b in zip(one, other):
            assert a == b or float(a) == pytest.approx(float(b), rel=1e-4, abs=1e-5)


def test_a_folder_stands_for_the_images_in_it_and_a_figure_shows_them(finished, tmp_path, capsys):
    folder, *_ = finished
    images, photos = np.load(folder / "images.npy"), tmp_path / "photos"
    paths = [photos / "b.png", photos / "inner" / "a.png", photos / ".hidden.png"]
    paths[1].parent.mkdir(parents=True)
    for path, image in zip(paths, images):
        PIL.Image.fromarray(image).save(path)
    (photos / "notes.txt").write_text("no image")
    there = f"--workdir={folder / 'run'}"
    _, expected, _ = call(capsys, there, *paths[:2])
    code, out, err = call(capsys, there, f"--figure={tmp_path / 'named.png'}", photos)
    assert (code, out) == (0, expected)
    assert err == f"written: {tmp_path / 'named.png'}\n"
    with PIL.Image.open(tmp_path / "named.png") as drawn:
        assert drawn.size[0] > 400
    assert list(asking.shown([folder / "images.npy"], 3)) == [f"{folder / 'images.npy'}:{i}" for i in range(3)]
    for wrong, words in (
        ([tmp_path / "none"], "no image in this folder"),
        (["--figure=a.jpeg", photos], "a file that ends in .png, .pdf, .svg is wanted"),
        ([f"--figure={tmp_path / 'x.png'}", folder / "features.npy"], "none of the inputs is one"),
    ):
        (tmp_path / "none").mkdir(exist_ok=True)
        code, out, err = call(capsys, there, *wrong)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert words in err


@pytest.mark.parametrize("damage", ["image", "table", "rows"])
def test_all_inputs_are_checked_before_the_first_answer(damage, finished, tmp_path, capsys):
    folder, _, _, rows = finished
    PIL.Image.fromarray(np.load(folder / "images.npy")[0]).save(tmp_path / "a.png")
    last = {"image": tmp_path / "z.png", "table": tmp_path / "z.csv", "rows": tmp_path / "z.npy"}[damage]
    last.write_text("no image" if damage == "image" else "1,2,3\n4,5\n")
    if damage == "rows":
        np.save(last, np.concatenate([rows, np.full_like(rows[:1], np.nan)]))
    code, out, err = call(capsys, f"--workdir={folder / 'run'}", folder / "features.npy", tmp_path / "a.png", last)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert str(last) in err


def test_a_class_that_did_not_exist_in_training_is_recognised_by_its_row(finished, tmp_path, capsys):
    folder, _, model, inputs = finished
    renamed = list(model.classes.names)
    renamed[renamed.index("one")] = "new sign"
    table = data.ClassTable(model.classes.embedding, np.zeros(10, bool), tuple(renamed))[::-1]
    lines = io.StringIO()
    writer = csv.writer(lines)
    writer.writerow(["class", *model.attributes[::-1]])
    for name, row in zip(table.names, table.embedding):
        writer.writerow([name, *row[::-1]])
    (tmp_path / "classes.csv").write_text(lines.getvalue())
    code, out, _ = call(
        capsys, f"--workdir={folder / 'run'}", f"--classes={tmp_path / 'classes.csv'}", folder / "features.npy"
    )
    assert code == 0
    scores = calibrated_scores(model, inputs)
    expected = [renamed[row] for row in np.argmax(scores, axis=1)]
    assert [row["prediction"] for row in csv.DictReader(io.StringIO(out))] == expected
    described = class_files.read(tmp_path / "classes.csv", model.attributes)
    assert [
        n for n, seen in zip(described.classes.names, candidates.completed(model, described).is_seen) if not seen
    ] == [
        "seven",
        "five",
        "new sign",
    ]


def test_reasons_add_up_to_the_difference_of_the_scores(finished, capsys):
    folder, *_ = finished
    line = f"--workdir={folder / 'run'}", "--format=jsonl", "--explain", "--top=2", folder / "features.npy"
    code, out, _ = call(capsys, *line)
    assert code == 0
    answers = list(map(json.loads, out.splitlines()))
    assert len(answers) == 20
    for answer in answers:
        best, following = answer["candidates"]
        because = answer["because"]
        assert because["runner_up"] == following["class"]
        assert because["margin"] == pytest.approx(best["score"] - following["score"], abs=1e-5)
        total = sum(because["attributes"].values()) + because["others"] + because["calibration"]
        assert total == pytest.approx(because["margin"], abs=1e-5)
        assert len(because["attributes"]) <= 5
    assert any(answer["because"]["calibration"] for answer in answers)


def test_abstaining_leaves_the_answer_empty(finished, capsys):
    folder, _, model, _ = finished
    line = f"--workdir={folder / 'run'}", "--probabilities", folder / "features.npy"
    rows = list(csv.DictReader(io.StringIO(call(capsys, *line)[1])))
    # Between two of them, because the printed ones are rounded.
    middle = sum(sorted(float(row["probability_1"]) for row in rows)[9:11]) / 2
    kept = list(csv.DictReader(io.StringIO(call(capsys, *line, f"--abstain_below={middle}")[1])))
    answered = [row["prediction"] != "" for row in kept]
    assert answered == [float(row["probability_1"]) >= middle for row in rows]
    assert 0 < sum(answered) < 20
    assert [row["class_1"] for row in kept] == [row["prediction"] for row in rows]
    assert model.temperature > 0


def test_a_file_is_written_whole_or_not_at_all(finished, tmp_path, capsys):
    folder, *_ = finished
    out = tmp_path / "answers.csv"
    code, printed, _ = call(capsys, f"--workdir={folder / 'run'}", f"--out={out}", folder / "features.npy")
    assert code == 0
    assert f"written: {out}" in printed
    assert len(out.read_text().splitlines()) == 21
    other = tmp_path / "other.csv"
    code, _, err = call(capsys, f"--workdir={folder / 'run'}", f"--out={other}", folder / "features.npy", "nowhere.npy")
    assert code == 2
    assert "no file 'nowhere.npy'" in err
    assert [path.name for path in tmp_path.iterdir()] == ["answers.csv"]


@pytest.mark.long
def test_an_exported_file_scores_in_a_process_that_knows_jax_alone(finished, tmp_path, capsys):
    folder, _, model, inputs = finished
    file = tmp_path / "ale.zip"
    assert __main__.main(["export", f"--workdir={folder / 'run'}", f"--out={file}"]) == 0
    assert f"written: {file}" in capsys.readouterr().out
    program = (
        "import json, sys, zipfile, jax.export, numpy as np\n"
        f"with zipfile.ZipFile({str(file)!r}) as archive:\n"
        "    about = json.loads(archive.read('about.json'))\n"
        "    score = jax.export.deserialize(bytearray(archive.read('scores.stablehlo')))\n"
        f"inputs = np.load({str(folder / 'features.npy')!r})\n"
        f"np.save({str(tmp_path / 'scores.npy')!r}, score.call(inputs))\n"
        "assert score.call(inputs[:3]).shape == (3, len(about['classes']))\n"
        "assert about['format'] == 1\n"
        "print(about['classes'][0])\n"
        "assert not {'zsl_jax', 'flax', 'optax'} & set(sys.modules)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("XLA_FLAGS", "PYTHONPATH")}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == model.classes.names[0]
    np.testing.assert_allclose(np.load(tmp_path / "scores.npy"), calibrated_scores(model, inputs), rtol=1e-4, atol=1e-5)


def test_mistakes_of_export_are_one_line(finished, capsys):
    folder, *_ = finished
    run_there = f"--workdir={folder / 'run'}"
    for argv, words in (([run_there], "export needs --out=FILE"), ([run_there, "--out=no/such/a.zip"], "cannot write")):
        assert __main__.main(["export", *argv]) == 2
        err = capsys.readouterr().err
        assert words in err
        assert err.count("\n") == 1


def test_csv_inputs_with_and_without_a_header(finished, capsys):
    folder, _, _, rows = finished
    lines = [",".join(f"{value:.9g}" for value in row) for row in rows]
    expected = call(capsys, f"--workdir={folder / 'run'}", folder / "features.npy")[1].replace("features.npy", "f.csv")
    header = ",".join(f"x{i}" for i in range(rows.shape[1]))
    for first, flags in (([], []), ([header], []), ([lines[0]], ["--header=yes"])):
        (folder / "f.csv").write_text("\n".join([*first, *lines]) + "\n")
        code, out, err = call(capsys, f"--workdir={folder / 'run'}", *flags, folder / "f.csv")
        assert (code, out) == (0, expected)
        assert ("line 1 is a header" in err) == (first == [header])


WRONG = {
    "no workdir": ([], "predict needs --workdir=DIR"),
    "no run": (["--workdir=nowhere", "x.npy"], "holds no finished run"),
    "no inputs": (["--workdir=RUN"], "predict needs files or folders of inputs"),
    "top": (["--workdir=RUN", "--top=0", "x.npy"], "--top=0 is not a whole number >= 1"),
    "threshold": (["--workdir=RUN", "--abstain_below=2", "x.npy"], "--abstain_below=2 is not a probability in [0, 1]"),
    "gamma": (["--workdir=RUN", "--gamma=nan", "x.npy"], "--gamma=nan is not a finite number"),
    "header": (["--workdir=RUN", "--header=true", "x.npy"], "unknown header 'true': (choices: auto, no, yes)"),
    "zeros": (["--workdir=RUN", "FOLDER/zeros.npy"], "zeros.npy:1: all its numbers are 0"),
    "format": (["--workdir=RUN", "--format=json", "x.npy"], "unknown format 'json': did you mean 'jsonl'?"),
    "flag": (["--workdir=RUN", "--clases=t.csv", "x.npy"], "did you mean '--classes'?"),
    "table": (["--workdir=RUN", "--classes=nowhere.csv", "x.npy"], "no class table 'nowhere.csv'"),
    "names": (["--workdir=RUN", "--names=FOLDER/latin.txt", "x.npy"], "latin.txt is not in UTF-8 (byte 3)"),
    "written over": (
        ["--workdir=RUN", "FOLDER/zeros.npy", "--out=FOLDER/zeros.npy"],
        "zeros.npy is a file to read: writing would take its place",
    ),
    "width": (["--workdir=RUN", "FOLDER/narrow.npy"], "are 3 numbers per input, 718 numbers are wanted"),
}


@pytest.mark.parametrize("case", WRONG)
def test_mistakes_are_one_line(case, finished, capsys):
    folder, *_ = finished
    np.save(folder / "narrow.npy", np.zeros((2, 3), np.float32))
    np.save(folder / "zeros.npy", np.eye(718, dtype=np.float32)[:1].repeat(2, axis=0) * [[1], [0]])
    (folder / "latin.txt").write_bytes("caf\u00e9".encode("latin-1"))
    argv, words = WRONG[case]
    argv = [word.replace("RUN", str(folder / "run")).replace("FOLDER", str(folder)) for word in argv]
    code, out, err = call(capsys, *argv)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert words in err


def arrays(**changed):
    table = np.random.default_rng(0).random((2, 18), np.float32)
    return {"embedding": table, "names": np.array(["a", "b"]), "is_seen": np.array([True, False])} | changed


NO_TABLES = {
    "a description that is all zeros": (arrays(embedding=np.eye(2, 18) * [[1], [0]]), "of 'b' is all zeros"),
    "not finite": (arrays(embedding=np.full((2, 18), np.nan)), "row 0 holds a value that is not finite"),
    "complex": (arrays(embedding=np.ones((2, 18), complex)), "complex128, not numbers"),
    "narrow": (arrays(embedding=np.ones((2, 3))), r"by other arrays than this run: \(3,\), not \(18,\)"),
    "pairs": (arrays(parts=np.zeros((2, 2), int)), "by other arrays than this run"),
    "a flag": (arrays(is_seen=np.array([1, 2])), "is_seen is not true or false of each class"),
    "words for flags": (arrays(is_seen=np.array(["yes", "no"])), "is_seen is not true or false of each class"),
    "no text": (arrays(names=np.array([b"caf\xe9", b"b"])), "its names are no text in UTF-8"),
    "twice": (arrays(names=np.array(["e\u0301", "\u00e9"])), "named twice"),
    "nothing to see": (arrays(names=np.array(["\u200b", "b"])), "class 0 has no name"),
    "a line end": (arrays(names=np.array(["a\u2028b", "b"])), "a line break or another control character"),
}


@pytest.mark.parametrize("case", NO_TABLES)
def test_a_table_that_the_run_cannot_use_is_refused(case, finished, tmp_path):
    model, path = trained.load(finished[0] / "run"), tmp_path / "classes.npz"
    np.savez(path, **arrays(names=np.array([b"caf\xc3\xa9", b"b"])))
    assert candidates.read(model, path).names == ("caf\u00e9", "b")
    held, words = NO_TABLES[case]
    np.savez(path, **held)
    with pytest.raises(errors.UserError, match=rf"classes.npz.*{words}"):
        candidates.read(model, path)


def test_a_device_is_written_to_and_a_link_stays(tmp_path):
    with whole_files.replacing(pathlib.Path("/dev/null")) as part:
        part.write_text("gone")
    assert pathlib.Path("/dev/null").is_char_device()
    (tmp_path / "link").symlink_to("file")
    with whole_files.replacing(tmp_path / "link") as part:
        part.write_text("new")
    assert ((tmp_path / "link").is_symlink(), (tmp_path / "file").read_text()) == (True, "new")


def test_a_run_of_an_older_version_is_refused(finished, tmp_path):
    folder, *_ = finished
    for name in ("config.json", "record.json"):
        (tmp_path / name).write_text((folder / "run" / name).read_text())
    with pytest.raises(errors.UserError, match="keeps no class table"):
        trained.load(tmp_path)
