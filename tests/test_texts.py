"""Texts without labels: class vectors that move to unlabelled inputs, and the lists that name their classes."""

import dataclasses
import importlib
import json
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy_runs
from sklearn import neighbors

from zsl_jax import data, errors, methods
from zsl_jax.data import text_rows
from zsl_jax.encoders import stages
from zsl_jax.methods import moved
from zsl_jax.training import trained

pytestmark = pytest.mark.long

# The package gives the names of these modules to their factories.
label_similarity, lbl2vec = (
    importlib.import_module(f"zsl_jax.methods.{name}") for name in ("label_similarity", "lbl2vec")
)


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def named_off(*, num_classes=5, per_class=30, width=8, seed=0) -> data.Dataset:
    """Clusters that are tight, and descriptions beside them, some nearer to another cluster than to their own."""
    rng = np.random.default_rng(seed)
    centres = unit(rng.standard_normal((num_classes, width)))
    labels = np.repeat(np.arange(num_classes, dtype=np.int32), per_class)
    inputs = centres[labels] + 0.1 * rng.standard_normal((len(labels), width))
    described = unit(centres + 0.3 * rng.standard_normal(centres.shape))
    names = tuple(f"topic {i}" for i in range(num_classes))
    table = data.ClassTable(described.astype(np.float32), np.zeros(num_classes, bool), names)
    info = {"semantics": "names", "split": "all", "files": {}}
    tested = {"test": np.arange(len(labels))}
    return data.Dataset("topics", inputs.astype(np.float32), labels, table, tested, info=info, kind="texts")


def test_a_round_shares_inputs_and_moves_classes_to_theirs():
    source = named_off(per_class=4)
    phi, x = unit(np.asarray(source.classes.embedding, np.float64)), unit(source.inputs.astype(np.float64))
    wanted = phi
    for _ in range(2):
        shares = np.exp(x @ wanted.T / 0.1)
        shares /= shares.sum(1, keepdims=True)
        wanted = unit(
            np.stack([2.0 * phi[c] + sum(shares[i, c] * x[i] for i in range(len(x))) for c in range(len(phi))])
        )
    given = {"temperature": 0.1, "prior": 0.5}  # of 4 inputs per class
    found = label_similarity.refined(source.classes.embedding, source.inputs, rounds=2, **given)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    # A class that gets no input stays where it is described.
    lonely = jnp.concatenate([jnp.eye(3), jnp.asarray([[0.0, 0.0, -1.0]])])
    found = label_similarity.refined(lonely, jnp.eye(3), rounds=5, temperature=0.01, prior=0.0)
    np.testing.assert_allclose(found, lonely, atol=1e-6)


def test_a_label_vector_is_the_mean_of_the_nearest_inputs_without_outliers():
    """With 36 of 150 inputs a class of 30 has some of its neighbours' among its own."""
    source = named_off()
    x, phi = unit(source.inputs), np.asarray(source.classes.embedding)
    like = data.Batch(source.inputs[:2], source.labels[:2], np.ones(2, bool))
    near = [x[np.argsort(-(x @ row), kind="stable")[:36]] for row in phi]
    factors = [-neighbors.LocalOutlierFactor(n_neighbors=20).fit(rows).negative_outlier_factor_ for rows in near]
    np.testing.assert_allclose(lbl2vec.local_outlier_factor(near[0], neighbours=20), factors[0], rtol=1e-3)
    assert 0 < np.sum(np.array(factors) > 1.5) < 5 * 15
    for outliers, most in ((0.0, np.inf), (1.5, 1.5)):
        method = methods.lbl2vec(share=1.2, outliers=outliers)
        start = method.init(jax.random.key(0), like, source.classes, ())
        unlabelled = data.Examples(source.inputs, np.full(len(x), -1))
        found = method.describe(method.finish(start, unlabelled, source.classes, None), source.classes)
        wanted = unit(np.stack([rows[factor <= most].mean(0) for rows, factor in zip(near, factors)]))
        np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_class_that_the_run_did_not_know_moves_as_the_others_did_on_average():
    kept = jax.tree.map(np.asarray, moved.keep(np.eye(2, 4), np.array([[1.0, 0, 1, 0], [0, 1, 1, 0]])))
    found = moved.describe(kept, np.eye(4))
    np.testing.assert_allclose(found[:2], kept["vectors"], atol=1e-6)
    shift = np.mean(kept["vectors"] - np.eye(2, 4), axis=0)
    np.testing.assert_allclose(found[2:], unit(np.eye(4)[2:] + shift[None]), atol=1e-6)


RECIPES = {"label_similarity": {"method.rounds": 5}, "lbl2vec": {}}


@pytest.mark.parametrize("name", RECIPES)
def test_unlabelled_inputs_mend_descriptions_and_labels_take_no_part(name, tmp_path):
    changes = {"protocol": "transfer", "select.metric": "top1"}
    made = toy_runs.recipe(name, **changes, **RECIPES[name])
    source = named_off(num_classes=12, seed=2)
    shuffled = dataclasses.replace(source, labels=np.random.default_rng(0).permutation(source.labels))
    one, other = (
        toy_runs.train(tmp_path / folder, made, source).record
        for folder, source in (("one", source), ("other", shuffled))
    )
    plain = toy_runs.train(tmp_path / "plain", toy_runs.recipe("label_similarity", **changes), source).record
    by_name, refined, chance = (r["metrics"]["transfer"]["top1"] for r in (plain, one, other))
    assert refined > by_name + 0.02
    assert chance < 0.25
    assert other["state_sha256"] == one["state_sha256"]
    assert (one["setting"], plain["setting"]) == ("instance-transductive", "inductive")
    assert {"test inputs", "unseen descriptions"} == set(one["sees"])
    # Read back without the data, the run answers as it did, also among some of its classes.
    model = trained.load(tmp_path / "one")
    right = np.array(source.classes.names)[source.labels]
    assert np.mean(np.asarray(model.predict(source.inputs)) == right) == pytest.approx(refined)
    among = np.isin(source.labels, [3, 5])
    some = np.asarray(model.predict(source.inputs[among], names=source.classes.names[3:6:2]))
    assert np.mean(some == right[among]) >= refined


def test_inputs_that_are_no_vectors_are_refused():
    images = data.Batch(np.zeros((2, 4, 4)), np.zeros(2, np.int32), np.ones(2, bool))
    classes = data.ClassTable(np.zeros((3, 4, 4)), np.zeros(3, bool))
    for method, says in (
        (methods.label_similarity(rounds=3), r"rounds=3 moves class vectors .* \[4, 4\] are no vectors: choose 0"),
        (methods.lbl2vec(), r"an input is \[4, 4\]"),
    ):
        with pytest.raises(errors.UserError, match=says):
            method.init(jax.random.key(0), images, classes, ())


TEXTS = 'text,category\n"play it",play_music\nrain?,weather\nsnow?,weather\n'
LISTS = {
    "no file": (None, "no list of classes"),
    "no header": ("weather,rain\n", "the header label,name is wanted, not 'weather,rain'"),
    "a label twice": ("label,name\nweather,a\nweather,b\n", "line 3: 'weather' is there twice"),
    "a name twice": ("label,name\nweather,a\nplay music,a\n", "line 3: 'a' is there twice"),
    "no name": ("label,name\nweather,\n", "line 2: a label and its name are wanted"),
    "a label that is not listed": (
        "label,name\nweathers,rain\nplay_music,songs\n",
        "row 2 has label 'weather', and 1 more rows, which .*classes.csv lacks; the nearest there is 'weathers'",
    ),
}


@pytest.mark.parametrize("case", LISTS)
def test_a_list_of_classes_that_does_not_fit_is_one_line(case, tmp_path):
    content, says = LISTS[case]
    (tmp_path / "texts.csv").write_text(TEXTS)
    if content is not None:
        (tmp_path / "classes.csv").write_text(content)
    with pytest.raises(errors.UserError, match=says) as raised:
        data.load("texts", file=str(tmp_path / "texts.csv"), classes=str(tmp_path / "classes.csv"))
    assert "\n" not in str(raised.value)


def test_a_list_names_the_classes_and_a_sample_is_drawn_by_the_seed(tmp_path):
    file, listed = tmp_path / "texts.csv", tmp_path / "classes.csv"
    file.write_text(TEXTS)
    listed.write_text("label;name\nalarm;wake me\nweather;rain and snow\nplay music;songs\n")
    found = data.load("texts", file=str(file), classes=str(listed))
    assert found.classes.names == ("wake me", "rain and snow", "songs")
    assert found.labels.tolist() == [2, 1, 1]
    assert set(found.info["files"]) == {"texts.csv", "classes.csv"}
    drawn = [data.load("texts", file=str(file), sample=2, seed=seed).splits["test"].tolist() for seed in range(8)]
    assert all(len(rows) == 2 for rows in drawn)
    assert len(set(map(tuple, drawn))) == 3
    with pytest.raises(errors.UserError, match=r"sample=4 is more than the 3 texts"):
        data.load("texts", file=str(file), sample=4)


NO_LINES = {
    "nested": '{"text": ' + "[" * 100_000,
    "a number": '{"text": 5, "label": "x"}',
    "yes": '{"text": "a", "label": true}',
    "half a character": '{"text": "\\ud800", "label": "x"}',
}


@pytest.mark.parametrize("case", NO_LINES)
def test_a_line_of_json_without_text_and_label_is_named(case, tmp_path):
    (tmp_path / "a.jsonl").write_text(f'{{"text": "a", "label": "x"}}\n{NO_LINES[case]}\n')
    with pytest.raises(errors.UserError, match=r"a.jsonl, line 2: an object with text and label is wanted"):
        data.load("texts", file=str(tmp_path / "a.jsonl"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "text,label,category\na,1,x\nb,2,y\n"),
        ("a.jsonl", '{"text": "a", "label": 1, "category": "x"}\n{"text": "b", "label": 2, "category": "y"}\n'),
    ],
)
def test_two_columns_that_could_be_the_label_are_not_chosen_from_in_silence(name, content, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(errors.UserError, match="has category and label, each of which could be the label"):
        data.load("texts", file=str(tmp_path / name))


def test_labels_are_compared_in_one_unicode_form(tmp_path):
    (tmp_path / "a.jsonl").write_text(
        "".join(json.dumps({"text": "a", "label": label}) + "\n" for label in ("\u00e9", "e\u0301", "x"))
    )
    assert data.load("texts", file=str(tmp_path / "a.jsonl")).labels.tolist() == [0, 0, 1]


def test_texts_stay_on_disk_and_are_read_back_as_they_were(tmp_path):
    written = ["\u00fc" * 500_000, *(f"\u4e2d {i}\n{i}" for i in range(2000))]
    lines = (json.dumps({"text": text, "label": "ab"[i % 2]}) + "\n" for i, text in enumerate(written))
    (tmp_path / "a.jsonl").write_text("".join(lines))
    tracemalloc.start()
    try:
        found = data.load("texts", file=str(tmp_path / "a.jsonl"))
        taken = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert list(found.inputs) == written
    assert [found.inputs[5], *found.inputs[np.array([7, 0])]] == [written[5], written[7], written[0]]
    # Side by side in an array, each would take the room of the longest: 4 GB.
    assert taken[0] < 1e6 < taken[1] < 2e7


def test_texts_are_encoded_in_blocks_that_are_kept_one_by_one(tmp_path, monkeypatch):
    monkeypatch.setattr(stages, "BLOCK", 4)
    asked, broken = [], True

    def lengths(rows):
        if broken and "jjj" in rows:
            raise KeyboardInterrupt
        asked.append(len(rows))
        return np.array([[len(row)] for row in rows], np.float32)

    stage, rows = stages.Stage(lengths, "0", {}), text_rows.kept(letter * 3 for letter in "abcdefghijk")
    with pytest.raises(KeyboardInterrupt):
        stages.applied(stage, rows, folder=tmp_path)
    broken = False
    assert stages.applied(stage, rows, folder=tmp_path).tolist() == [[3.0]] * 11
    assert asked == [4, 4, 3]  # none of them twice


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("text,label,Text\na,x,b\n", "the column 'text' is there twice"),
        ("text,label\na,\u200b\n", "row 1 has no label"),
        ("text,label\na,x\nb,y\u2060\x01\n", "a line break or another control character is in it"),
    ],
)
def test_a_table_of_texts_with_a_hidden_fault_is_one_line(content, words, tmp_path):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(errors.UserError, match=words):
        data.load("texts", file=str(tmp_path / "a.csv"))


def write_parts(folder, **parts):
    folder.mkdir(exist_ok=True)
    for name, labels in parts.items():
        (folder / f"{name}.txt").write_text(
            "".join(f"{label}\ttext {i} of {label}\n" for i, label in enumerate(labels))
        )
    return folder


def test_files_of_a_folder_say_which_classes_are_unseen_and_held_out(tmp_path):
    folder = write_parts(tmp_path / "a", train=["x"] * 8 + ["y"] * 8, dev=["z"] * 8, test=["u", "v"] * 4)
    found = data.load("texts", file=str(folder))
    names = found.classes.names
    assert [name for name, seen in zip(names, found.classes.is_seen) if not seen] == ["u", "v"]
    assert [names[row] for row in found.validation_classes] == ["z"]
    labels = {split: {names[i] for i in found.labels[rows]} for split, rows in found.splits.items()}
    assert labels["test_unseen"] == {"u", "v"}
    assert labels["train"] == {"x", "y", "z"}
    assert sorted(np.concatenate(list(found.splits.values()))) == list(range(32))
    assert 2 <= len(found.splits["test_seen"]) <= 11
    # A test that has seen classes, too, is taken as it is.
    folder = write_parts(tmp_path / "b", train=["x"] * 4 + ["y"] * 4, test=["x", "y", "u", "u"])
    found = data.load("texts", file=str(folder))
    assert (found.splits["train"].tolist(), found.splits["test_seen"].tolist()) == (list(range(8)), [8, 9])
    assert found.validation_classes is None
    assert found.splits["test_unseen"].tolist() == [10, 11]


@pytest.mark.parametrize(
    ("parts", "options", "words"),
    [
        ({"train": ["x", "y"]}, {}, "one file test .* is wanted, there is none"),
        ({"train": ["x", "y"], "test": ["x", "y"]}, {}, "2 of 2 classes have texts in train or dev"),
        ({"train": ["x"], "test": ["u", "v"]}, {}, "1 of 3 classes have texts in train or dev"),
        ({"train": ["x", "y"], "test": ["u"]}, {"hold_out": 1}, "say which classes are unseen"),
    ],
)
def test_a_folder_that_is_no_split_is_one_line(parts, options, words, tmp_path):
    with pytest.raises(errors.UserError, match=words) as raised:
        data.load("texts", file=str(write_parts(tmp_path / "a", **parts)), **options)
    assert "\n" not in str(raised.value)
