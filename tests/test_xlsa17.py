"""A folder becomes the dataset that its files describe, or one line that says what is wrong with it."""

import functools

import numpy as np
import pytest
import scipy.io
import scipy.sparse
import tiny_xlsa17

from zsl_jax import errors
from zsl_jax.data import dataset, matfile, recorded, tasks, xlsa17


@functools.cache
def cub127(folder, semantics: str = "att") -> dataset.Dataset:
    return xlsa17.load(folder / "xlsa17" / "CUB127", semantics=semantics)


def error_line(folder, **options) -> str:
    with pytest.raises(errors.UserError) as caught:
        xlsa17.load(folder, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_becomes_the_dataset_of_its_files(tmp_path):
    held = tiny_xlsa17.variables()
    data = xlsa17.load(tiny_xlsa17.write(tmp_path / "tiny", held))
    np.testing.assert_array_equal(data.inputs, held["features"].T)
    assert data.inputs.dtype == np.float32
    assert data.inputs.flags.c_contiguous
    np.testing.assert_array_equal(data.labels, held["labels"][:, 0] - 1)
    assert data.labels.dtype == np.int32
    np.testing.assert_array_equal(data.classes.embedding, held["att"].T.astype(np.float32))
    assert data.classes.names == tuple(tiny_xlsa17.NAMES)
    assert data.classes.is_seen.tolist() == [True] * 4 + [False] * 2
    for split, name in (("train", "trainval_loc"), ("test_seen", "test_seen_loc"), ("test_unseen", "test_unseen_loc")):
        np.testing.assert_array_equal(data.splits[split], held[name][:, 0].astype(int) - 1)
    assert data.validation_classes.tolist() == [3]
    assert data.images is None
    assert data.name == "tiny"
    assert data.info["image_files"] == tuple(held["image_files"])
    assert {name: data.info[name] for name in ("semantics", "split", "benchmark", "validation")} == {
        "semantics": "att",
        "split": "PS",
        "benchmark": None,
        "validation": "val_loc",
    }
    assert data.info["files"].keys() == {"res101.mat", "att_splits.mat"}


def test_original_attributes_with_missing_values_and_validation_by_name(tmp_path):
    held = tiny_xlsa17.variables()
    held["original_att"] = np.array([[-1.0, 10, 20, 60, 99, 99], [7, 7, 7, 7, -1, 7], [-1, -1, -1, -1, 5, 80]])
    held = {k: v for k, v in held.items() if k not in ("att", "train_loc", "val_loc")}
    folder = tiny_xlsa17.write(tmp_path, held)
    (folder / "valclasses1.txt").write_text("gnu\r\ncat \nemu\nunicorn\n\n")
    data = xlsa17.load(folder, attributes="original_att")
    # the mean over the seen classes that know the attribute; 0 where none does
    np.testing.assert_array_equal(
        data.classes.embedding.T, [[30.0, 10, 20, 60, 99, 99], [7, 7, 7, 7, 7, 7], [0, 0, 0, 0, 5, 80]]
    )
    assert data.validation_classes.tolist() == [0, 3]
    assert data.info["validation"] == "valclasses1.txt"
    assert "valclasses1.txt" in data.info["files"]


@pytest.mark.long
def test_other_semantics_take_splits_and_classes_from_att_splits(tmp_path):
    folder = tiny_xlsa17.write(tmp_path)
    held = tiny_xlsa17.variables()
    att = np.random.default_rng(1).standard_normal((9, 6))
    names = tiny_xlsa17.NAMES
    tiny_xlsa17.save(folder / "sent_splits.mat", {"att": att, "allclasses_names": names})
    data = xlsa17.load(folder, semantics="sent")
    np.testing.assert_array_equal(data.classes.embedding, att.T.astype(np.float32))
    np.testing.assert_array_equal(data.splits["train"], held["trainval_loc"][:, 0].astype(int) - 1)
    assert data.info["semantics"] == "sent"
    assert data.info["files"].keys() == {"res101.mat", "att_splits.mat", "sent_splits.mat"}

    tiny_xlsa17.save(folder / "perm_splits.mat", {"att": att, "allclasses_names": names[::-1]})
    expected = "perm_splits.mat: class 1 is 'owl', where att_splits.mat has 'cat'; one order is wanted"
    assert expected in error_line(folder, semantics="perm")
    five = {"att": att[:, :5], "allclasses_names": names[:5], "trainval_loc": held["trainval_loc"][::-1]}
    tiny_xlsa17.save(folder / "five_splits.mat", five)
    assert xlsa17.read(folder, semantics="five").problems[:2] == (
        "five_splits.mat: 5 classes in allclasses_names, where att_splits.mat has 6",
        "five_splits.mat: its trainval_loc is not that of att_splits.mat",
    )
    assert "did you mean 'sent'? (choices: att, five, perm, sent)" in error_line(folder, semantics="sents")
    assert "did you mean 'original_att'?" in error_line(folder, attributes="original")


def test_a_missing_folder_and_missing_files(tmp_path):
    assert "no folder" in error_line(tmp_path / "none")
    assert "--config.data.dir=FOLDER" in error_line("")
    (tmp_path / "file").write_text("")
    assert "no folder" in error_line(tmp_path / "file")
    folder = tiny_xlsa17.write(tmp_path)
    (folder / "res101.mat").unlink()
    line = error_line(folder)
    assert "res101.mat is missing" in line
    assert "xlsa17.zip" in line


@pytest.mark.long
def test_a_missing_variable_and_a_damaged_file(tmp_path):
    held = tiny_xlsa17.variables()
    del held["test_seen_loc"]
    folder = tiny_xlsa17.write(tmp_path, held)
    assert "att_splits.mat: no variable 'test_seen_loc' among allclasses_names, att, original_att" in error_line(folder)
    data = (folder / "res101.mat").read_bytes()
    (folder / "res101.mat").write_bytes(data[: len(data) // 2])
    line = error_line(folder)
    assert f"{folder}: res101.mat: not a readable .mat file" in line
    assert "1 of 2 problems" in line


def test_a_file_whose_sha256_is_recorded_is_compared(tmp_path):
    held = tiny_xlsa17.variables()
    folder = tiny_xlsa17.write(tmp_path / "tiny", held)
    path = folder / "res101.mat"
    record = folder / "res101.mat.sha256"
    record.write_text(f"{matfile.sha256(path)}  res101.mat\n")
    assert recorded.words(path, matfile.sha256(path)).endswith(", as recorded")
    assert xlsa17.read(folder).problems == ()
    held["features"][0, 0] += 1e-3
    tiny_xlsa17.write(folder, held)
    (line,) = xlsa17.read(folder).problems[:1]
    assert "where res101.mat.sha256 records" in line
    record.write_text("")
    with pytest.raises(errors.UserError, match="records nothing"):
        recorded.check(path, matfile.sha256(path))


@pytest.mark.long
def test_a_sparse_matrix_and_names_in_another_encoding_or_form(tmp_path):
    held = tiny_xlsa17.variables()
    held["allclasses_names"][0] = "e\u0301el"
    del held["val_loc"], held["image_files"]
    folder = tiny_xlsa17.write(tmp_path / "tiny", held)
    (folder / "valclasses1.txt").write_text("\u00e9el\r\n")
    found = xlsa17.load(folder)
    assert found.classes.names[0] == "\u00e9el"
    assert found.validation_classes.tolist() == [0]
    (folder / "valclasses1.txt").write_bytes("\u00e9el\n".encode("latin-1"))
    assert xlsa17.read(folder).problems == ("valclasses1.txt: not UTF-8; save it so",)
    (folder / "valclasses1.txt").write_text("eel\n")
    assert "none of its lines is a class of allclasses_names, as 'eel'" in xlsa17.read(folder).problems[0]
    (folder / "valclasses1.txt").unlink()
    held["features"] = scipy.sparse.csc_matrix(held["features"])
    tiny_xlsa17.write(folder, held)
    assert xlsa17.read(folder).problems == ("res101.mat: features is a sparse matrix; save it as a full one",)


def test_a_problem_in_the_arrays_is_raised(tmp_path):
    held = tiny_xlsa17.variables()
    held["features"][1, 2] = np.nan
    line = error_line(tiny_xlsa17.write(tmp_path, held))
    assert line == f"{tmp_path}: features: 1 value NaN, Inf or beyond float32, the first in image 3"


def test_counts_tell_the_published_benchmarks(shared_data):
    for name, sizes in {"SUN": 717, "CUB": 200, "AWA1": 50, "AWA2": 50, "APY": 32}.items():
        held = scipy.io.loadmat(shared_data / "xlsa17" / name / "att_splits.mat", spmatrix=False)
        assert len(held["allclasses_names"]) == sizes
        assert xlsa17.benchmark(held) == name
    held["test_seen_loc"] = held["test_seen_loc"][1:]
    assert xlsa17.benchmark(held) is None


@pytest.mark.parametrize("name", list(xlsa17.PROPOSED_SPLITS))
def test_real_folders_lack_their_features_and_nothing_else(name, shared_data):
    folder = xlsa17.read(shared_data / "xlsa17" / name)
    assert [line.split(";")[0] for line in folder.problems] == ["res101.mat is missing"]


def test_the_published_sizes_add_up():
    for (_, trainval, test_seen, _), zsl, gzsl in xlsa17.PROPOSED_SPLITS.values():
        assert sum(gzsl) == trainval
        assert sum(zsl) == trainval + test_seen


def test_cub127(shared_data):
    data = cub127(shared_data)
    assert data.inputs.shape == (7456, 2304)
    assert data.classes.embedding.shape == (127, 312)
    assert data.classes.is_seen.sum() == 94
    np.testing.assert_allclose(np.linalg.norm(data.classes.embedding, axis=1), 1, rtol=1e-5)
    rows = np.concatenate(list(data.splits.values()))
    assert len(rows) == len(np.unique(rows)) == 7456
    seen = np.flatnonzero(data.classes.is_seen)
    assert set(data.labels[data.splits["test_seen"]]) <= set(seen)
    assert not set(data.labels[data.splits["test_unseen"]]) & set(seen)
    assert len(data.validation_classes) == 30
    assert set(data.validation_classes) < set(seen)
    folders = [file.split("/")[0] for file in data.info["image_files"]]
    assert folders == [data.classes.names[label] for label in data.labels]


@pytest.mark.long
def test_cub127_sentences_differ_in_the_class_table_alone(shared_data):
    att, sent = cub127(shared_data), cub127(shared_data, "sent")
    assert sent.classes.embedding.shape == (127, 1024)
    assert sent.classes.names == att.classes.names
    np.testing.assert_array_equal(sent.inputs, att.inputs)
    np.testing.assert_array_equal(sent.splits["train"], att.splits["train"])
    np.testing.assert_array_equal(sent.validation_classes, att.validation_classes)


def test_cub127_validates_on_seen_training_images_alone(shared_data):
    data = cub127(shared_data)
    task = tasks.validation_task(tasks.training_part(data))
    assert len(task.unseen_classes) == 30
    assert len(task.seen_classes) == 64
    used = np.concatenate([task.train.inputs, *(examples.inputs for examples in task.sets.values())])
    training = {row.tobytes() for row in data.inputs[data.splits["train"]]}
    assert len(used) == len(training) == len(data.splits["train"])
    assert {row.tobytes() for row in used} == training
