"""`zsl_jax.fit` on arrays is the run of `train`: what it chooses, scores, says, saves and refuses."""

import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy

import zsl_jax
from zsl_jax import __main__, data, errors, methods
from zsl_jax.data import in_memory, xlsa17
from zsl_jax.training import hashes, parallel, problems, protocols, run
from zsl_jax.verbs import command_line, table

SOURCE = toy.dataset(num_seen=8)
TRAIN = SOURCE.splits["train"]
TEST = np.concatenate([SOURCE.splits["test_unseen"], SOURCE.splits["test_seen"]])
NAMES = SOURCE.classes.names


def silent(line):
    del line


def fit(method="eszsl", rows=TRAIN, **changes):
    given = {"names": NAMES, "say": silent} | changes
    return zsl_jax.fit(method, SOURCE.inputs[rows], SOURCE.labels[rows], SOURCE.classes.embedding, **given)


@pytest.fixture(scope="module")
def fitted():
    """A model for which nothing is chosen: programs that choose take their time to compile."""
    return fit(config={"select.on": "nothing"})


@pytest.fixture(scope="module")
def chosen(tmp_path_factory):
    """A model that was chosen and scored, and what it left behind in the folder for temporary files."""
    folder, before = tmp_path_factory.mktemp("temporary"), tempfile.tempdir
    tempfile.tempdir = str(folder)
    try:
        model = fit(test=(SOURCE.inputs[TEST], SOURCE.labels[TEST]))
    finally:
        tempfile.tempdir = before
    return model, list(folder.iterdir())


@pytest.mark.long
def test_a_fit_is_the_run_of_train(chosen, tmp_path):
    model, left = chosen
    config = command_line.recipe("eszsl:in_memory", {})
    problem = problems.Problem(SOURCE, model.method, protocols.find("gzsl"), parallel.make_mesh())
    trained = run.run(config, tmp_path / "run", say=silent, problem=problem)
    for field in ("metrics", "per_class", "selection", "state_sha256", "classes_sha256"):
        assert model.record[field] == trained.record[field], field
    assert left == []


@pytest.mark.long
def test_a_fit_of_ale_on_cub127_reaches_the_record_of_train(shared_data, tmp_path):
    folder = shared_data / "xlsa17" / "CUB127"
    birds = xlsa17.load(folder)
    train, test = birds.splits["train"], np.concatenate([birds.splits["test_unseen"], birds.splits["test_seen"]])
    model = zsl_jax.fit(
        "ale",
        birds.inputs[train],
        birds.labels[train],
        birds.classes.embedding,
        names=birds.classes.names,
        validation=birds.validation_classes,
        test=(birds.inputs[test], birds.labels[test]),
        config={"train.epochs": 1, "parallel.devices": 1},
        say=silent,
    )
    given = {"data.dir": str(folder), "train.epochs": "1", "parallel.devices": "1"}
    config = command_line.recipe("ale:xlsa17", given)
    trained = run.run(config, tmp_path / "run", say=silent)
    assert trained.record["metrics"]["zsl"]["top1"] > 0.3
    for field in ("metrics", "per_class", "selection", "state_sha256", "classes_sha256"):
        assert model.record[field] == trained.record[field], field


@pytest.mark.long
def test_answers_have_the_order_and_the_names_that_were_given(fitted):
    model, inputs = fitted, SOURCE.inputs[TEST]
    expected = np.asarray(methods.score(model.method, model.state, inputs, SOURCE.classes))
    seen = SOURCE.classes.is_seen
    np.testing.assert_allclose(model.scores(inputs), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.scores(inputs, gamma=0.2), expected - 0.2 * seen, rtol=1e-4, atol=1e-5)
    assert model.predict(inputs).tolist() == [NAMES[row] for row in expected.argmax(axis=1)]
    assert model.predict(inputs, top=3)[:, 0].tolist() == model.predict(inputs).tolist()
    unseen = [NAMES[row] for row in np.flatnonzero(~seen)]
    assert set(model.predict(inputs, names=unseen)) <= set(unseen)
    among = model.predict(inputs, SOURCE.classes.embedding[~seen])
    assert [unseen[row] for row in among] == model.predict(inputs, names=unseen).tolist()


@pytest.mark.long
def test_reasons_add_up_to_the_margin(fitted):
    found = fitted.explain(SOURCE.inputs[TEST][:2], count=3)
    assert [one.name for one in found] == ["row 0", "row 1"]
    reasons = found[0].reasons
    assert reasons.margin == pytest.approx(
        sum(reasons.attributes.values()) + reasons.others + reasons.calibration, rel=1e-3
    )


@pytest.mark.long
def test_a_saved_model_is_a_workdir(chosen, tmp_path, capsys):
    model, _ = chosen
    model.save(tmp_path / "run")
    again = zsl_jax.load(tmp_path / "run")
    np.testing.assert_array_equal(again.scores(SOURCE.inputs[TEST]), model.scores(SOURCE.inputs[TEST]))
    assert (again.predict(SOURCE.inputs[TEST]) == model.predict(SOURCE.inputs[TEST])).all()
    np.save(tmp_path / "x.npy", SOURCE.inputs[TEST])
    lines = (
        ["evaluate", f"--workdir={tmp_path / 'run'}"],
        ["predict", f"--workdir={tmp_path / 'run'}", str(tmp_path / "x.npy")],
        ["report", str(tmp_path / "run"), f"--out={tmp_path / 'report'}"],
    )
    for line in lines:
        assert __main__.main(line) == 0, capsys.readouterr().err
    assert "the same numbers as in" in capsys.readouterr().out
    with pytest.raises(errors.UserError, match="holds something already"):
        again.save(tmp_path / "run")


@pytest.mark.long
def test_without_a_test_nothing_is_scored_and_without_names_rows_are_predicted(tmp_path, capsys):
    model = fit(names=None, config={"select.on": "nothing"})
    assert model.record["metrics"] == {}
    rows = model.predict(SOURCE.inputs[TEST])
    assert rows.tolist() == model.scores(SOURCE.inputs[TEST]).argmax(axis=1).tolist()
    assert np.mean(rows == SOURCE.labels[TEST]) > 0.5
    model.save(tmp_path / "run")
    assert zsl_jax.load(tmp_path / "run").predict(SOURCE.inputs[TEST]).tolist() == rows.tolist()
    line = [
        "train",
        "--config=eszsl:in_memory",
        "--config.select.on=nothing",
        f"--config.data.dir={tmp_path / 'run'}",
        f"--workdir={tmp_path / 'run'}",
    ]
    assert __main__.main(line) == 0
    assert "nothing is scored without test inputs" in capsys.readouterr().out
    for verb in (["evaluate", f"--workdir={tmp_path / 'run'}"], ["report", str(tmp_path)]):
        assert __main__.main(verb) == 2
        assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.long
def test_a_method_of_ones_own_sees_what_it_is_given(fitted, tmp_path):
    method = methods.normalized(methods.eszsl(unit="variance", class_ridge=1.0))
    model = fit(method, config={"train.epochs": 1, "train.batch_size": 512, "select.on": "nothing"})
    np.testing.assert_allclose(model.scores(SOURCE.inputs[:5]), fitted.scores(SOURCE.inputs[:5]), rtol=1e-4, atol=1e-5)
    with pytest.raises(errors.UserError, match="enter its factory with"):
        model.save(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_where_nothing_is_chosen_the_config_stands():
    two = np.flatnonzero(np.isin(SOURCE.labels, np.flatnonzero(SOURCE.classes.is_seen)[:2]))
    with pytest.raises(errors.UserError, match="validation needs at least 2 seen classes"):
        fit(rows=two)
    model = fit(rows=two, config={"select.on": "nothing"})
    assert (model.gamma, model.temperature, model.record["selection"]["on"]) == (0.0, 1.0, "nothing")
    assert model.record["dataset"]["counts"]["seen_classes"] == 2


@pytest.mark.long
def test_a_knob_with_several_values_is_chosen_on_validation_classes():
    lines, values = [], (1e-3, 1e3)
    model = fit(feature_ridge=values, say=lines.append)
    alone = [fit(feature_ridge=value) for value in values]
    reached = [one.record["selection"]["history"][0]["harmonic"] for one in alone]
    assert reached[0] != reached[1]
    best = int(np.argmax(reached))
    assert model.config.method.feature_ridge == values[best]
    assert any(line.startswith(f"chosen among 2 settings: feature_ridge {values[best]} ") for line in lines)
    assert model.record["state_sha256"] == alone[best].record["state_sha256"]


FORMS = {
    "float16": lambda x: x.astype(np.float16),
    "float64": lambda x: x.astype(np.float64),
    "jax": jnp.asarray,
    "bfloat16": lambda x: jnp.asarray(x, jnp.bfloat16),
    "lists": lambda x: x.tolist(),
}


@pytest.mark.parametrize("form", FORMS)
def test_any_array_of_numbers_is_taken(form):
    given = [FORMS[form](x) for x in (SOURCE.inputs, SOURCE.classes.embedding)]
    for labels in (SOURCE.labels.astype(np.uint8), jnp.asarray(SOURCE.labels), SOURCE.labels.astype(float)):
        made = in_memory.make(given[0], labels, given[1])
        assert (made.inputs.dtype, made.classes.embedding.dtype, made.labels.dtype) == ("float32", "float32", "int32")
        np.testing.assert_allclose(made.inputs, SOURCE.inputs, rtol=1e-2, atol=1e-2)
        np.testing.assert_array_equal(made.labels, SOURCE.labels)


def test_trees_images_and_tables_are_taken_and_come_back_from_a_file(tmp_path):
    inputs = {"vector": np.eye(6), "image": np.ones((6, 4, 4, 3), np.uint8)}
    table = data.ClassTable({"words": np.ones((3, 5), int)}, np.ones(3, bool), ("a", "b", "c"), shared=np.ones((2, 2)))
    made = in_memory.make(inputs, [0, 0, 1, 1, 0, 1], table, validation=["b"])
    assert (made.inputs["image"].dtype, made.inputs["vector"].dtype) == ("uint8", "float32")
    np.savez(tmp_path / in_memory.FILE, **in_memory.arrays_of(made))
    assert hashes.data_sha256(in_memory.load(tmp_path)) == hashes.data_sha256(made)
    assert in_memory.load(tmp_path).validation_classes.tolist() == [1]


NAN = np.where(np.arange(4)[:, None] == 2, np.nan, np.eye(4))
WRONG = {
    "lengths": ({"labels": [0, 1, 2]}, "labels has the shape [3], where inputs has 4 rows"),
    "outside": ({"labels": [0, 1, 2, 9]}, "labels: entry 3 is 9, where classes has the rows 0 to 3"),
    "negative": ({"labels": [0, 1, -1, 2]}, "labels: entry 2 is -1"),
    "halves": ({"labels": [0, 1, 0.5, 2]}, "labels: entry 2 is 0.5, not a whole number"),
    "words": ({"labels": list("abcd")}, "labels: <U1, not whole numbers"),
    "names": ({"names": ["a", "b"]}, "names has 2 names for 4 classes"),
    "twice": ({"names": list("abca")}, "names: 'a' named twice"),
    "one text": ({"names": "abcd"}, "names is one text, 'abcd': a list of them is wanted"),
    "no name": ({"names": ["a", None, "c", "d"]}, "names: entry 1 is None, no text in UTF-8"),
    "masked": ({"inputs": np.ma.masked_less(np.eye(4), 0.5)}, "inputs has masked values: leave these rows out"),
    "masked labels": ({"labels": np.ma.masked_equal([0, 0, 1, 2], 2)}, "labels has masked values"),
    "a mask": ({"validation": [True, False, True, False]}, "validation is true or false of each class: rows or names"),
    "validation text": ({"validation": "ab"}, "validation is one text, 'ab'"),
    "pairs": ({"config": [("seed", 3)]}, "config is list: a dict of keys and values is wanted"),
    "columns": ({"attributes": list("abc")}, "attributes has 3 names for 4 columns of classes"),
    "nan": ({"inputs": NAN}, "inputs: row 2 holds a value that is not finite"),
    "nan class": ({"classes": NAN}, "classes: row 2 holds a value that is not finite"),
    "zeros": ({"inputs": np.diag([1, 0, 1, 1])}, "inputs: row 1 is all zeros"),
    "flat": ({"inputs": np.arange(4.0)}, "inputs has the shape [4]: an array with a row for each is wanted"),
    "nothing": ({"inputs": np.zeros((0, 3)), "labels": []}, "inputs has the shape [0, 3]: there is nothing in it"),
    "all seen": ({"labels": [0, 1, 2, 3]}, "each of the 4 classes has a label, so that none is unseen"),
    "validation": ({"validation": [3]}, "validation: 3 is no class that a label names"),
    "test": ({"test": (np.eye(3), [0, 1, 2])}, "inputs of test are"),
    "method": ({"method": "esz"}, "unknown method 'esz': did you mean 'eszsl'?"),
    "no method": ({"method": 3}, "method is int: the name of a method or a methods.Method is wanted"),
    "knob": ({"feature_rigde": 1.0}, "unknown knob of eszsl 'feature_rigde': did you mean 'feature_ridge'?"),
    "knob of a method": (
        {"method": methods.eszsl(), "feature_ridge": 1.0},
        "feature_ridge goes with a method by its name",
    ),
    "value": ({"feature_ridge": -1.0}, "config.method.feature_ridge=-1.0 is not a number in"),
    "key": ({"config": {"trian.epochs": 3}}, "unknown config key 'trian.epochs': did you mean 'train.epochs'?"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_one_line(case):
    given = {"method": "eszsl", "inputs": np.eye(4), "labels": [0, 0, 1, 2], "classes": np.eye(4)}
    changes, words = WRONG[case]
    with pytest.raises(errors.UserError) as error:
        zsl_jax.fit(**(given | changes))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_wrong_with_a_question_is_one_line(fitted):
    model = fitted
    for given, words in (
        (([[1.0]],), "are 1 numbers per input, 10 numbers are wanted"),
        ((SOURCE.inputs, [[1.0]]), "classes are described by arrays (1,) per class, (8,) are wanted"),
        ((SOURCE.inputs, None, ["class 0", "clas 1"]), "unknown class 'clas 1': did you mean 'class 1'?"),
        ((np.full((2, 10), np.nan),), "inputs: row 0 holds a value that is not finite"),
        ((SOURCE.inputs, None, ["class 0", "class 0"]), "names: 'class 0' named twice"),
        ((SOURCE.inputs, None, "class 0"), "names is one text"),
        ((SOURCE.inputs, None, None, "x"), "gamma='x' is not a finite number"),
        ((SOURCE.inputs, None, None, np.ones(3)), "is not a finite number"),
    ):
        with pytest.raises(errors.UserError) as error:
            model.predict(*given[:3], gamma=(*given, None)[3] if len(given) > 3 else None)
        assert words in str(error.value)
    with pytest.raises(errors.UserError, match="top=12 is not a whole number from 1 to the 11 classes"):
        model.predict(SOURCE.inputs, top=12)


def test_names_come_back_whatever_form_they_are_given_in(tmp_path):
    names = [" horse ", "e\u0301", b"gnu", 3, *NAMES[4:]]
    model = fit(names=names, config={"select.on": "nothing"})
    model.save(tmp_path / "run")
    assert zsl_jax.load(tmp_path / "run").predict(SOURCE.inputs[:1], names=["\u00e9"], top=np.int64(1)) == ["\u00e9"]
    assert set(model.classes.names) == {"horse", "\u00e9", "gnu", "3", *NAMES[4:]}


@pytest.mark.long
def test_what_no_test_input_measures_is_left_out():
    rows = SOURCE.splits["test_unseen"]
    model = fit(config={"select.on": "nothing"}, test=(SOURCE.inputs[rows], SOURCE.labels[rows]))
    found = model.record["metrics"]["gzsl"]
    assert not {"seen", "harmonic", "ausuc"} & {*found, *found["calibrated"]}
    assert found["unseen"] > 0
    assert table.render(model.record).count("unmeasured") == 5
    with pytest.raises(errors.UserError, match="has no test input of a base class"):
        fit(
            config={"select.on": "nothing", "protocol": "base_to_new"},
            test=(SOURCE.inputs[rows], SOURCE.labels[rows]),
        )


def test_settings_of_jax_are_left_as_they_were(fitted):
    before = jax.config.jax_default_matmul_precision, jax.config.jax_compilation_cache_dir
    fitted.predict(SOURCE.inputs[:2])
    assert (jax.config.jax_default_matmul_precision, jax.config.jax_compilation_cache_dir) == before
    with jax.default_matmul_precision("bfloat16"):
        fitted.scores(SOURCE.inputs[:2])
        assert jax.config.jax_default_matmul_precision == "bfloat16"
