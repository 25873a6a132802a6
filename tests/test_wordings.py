"""Sentences as class texts: what they say, that a step draws one of a class, and that other words find it too."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_tower

from zsl_jax import __main__, data, encoders
from zsl_jax.data import shapes, shapes_wording
from zsl_jax.methods import class_tower
from zsl_jax.training import problems
from zsl_jax.verbs import command_line

KEY = jax.random.key(0)


def words(texts):
    return {word for text in texts for word in text.replace(",", "").split()}


def test_wordings_say_the_same_in_other_sentences_or_words():
    dataset = shapes.load(num_per_class=2, semantics="sentences")
    names = dataset.classes.names
    found = {key: [shapes_wording.sentences(name, key) for name in names] for key in shapes_wording.WORDINGS}
    for some in found.values():
        flat = [text for texts in some for text in texts]
        assert len(set(flat)) == len(flat)
        assert max(len(text.split()) for text in flat) <= 16
    trained = words(text for some in found["training"] for text in some)
    for name, reworded, synonyms in zip(names, found["reworded"], found["synonyms"]):
        said = {word for attribute in name.split() for word in shapes_wording.WORDS[attribute]}
        assert len(words(reworded) & said & trained) == 8  # both words of each attribute
        assert len(words(synonyms) & said) == 4
        assert not words(synonyms) & said & trained
    assert not set(found["training"][0]) & set(found["reworded"][0])
    embedding = dataset.classes.embedding
    assert (embedding["texts"].shape, embedding["is_text"].all()) == ((64, 16, 16), True)
    fewer = shapes.read([some[:3] for some in found["training"]])
    np.testing.assert_array_equal(fewer["texts"][:, :3], embedding["texts"][:, :3])
    assert fewer["is_text"].sum(axis=1).tolist() == [3] * 64


@pytest.fixture(scope="module")
def tower():
    """A class tower on three classes of up to four texts, its head, and the table."""
    texts = jax.random.normal(KEY, (3, 4, 6))
    is_text = np.array([[True, True, True, True], [True, False, True, False], [True, False, False, False]])
    classes = data.ClassTable({"texts": texts, "is_text": is_text}, np.ones(3, bool))
    made = class_tower.of(encoders.factory("mlp")(widths=(8, 5)), 7)
    return made, made.init(KEY, jnp.zeros((1, 9)), classes), classes


def test_a_class_is_scored_by_the_mean_of_its_texts_unit_vectors(tower):
    made, head, classes = tower
    found = np.asarray(made.describe(head, classes))
    table = classes.embedding
    for row in range(3):
        kept = np.asarray(table["texts"])[row][table["is_text"][row]]
        alone = data.ClassTable(jnp.asarray(kept), np.ones(len(kept), bool))  # a matrix: one text a class
        vectors = np.asarray(made.describe(head, alone))
        mean = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).sum(axis=0)
        np.testing.assert_allclose(found[row], mean / np.linalg.norm(mean), atol=1e-5)
    np.testing.assert_allclose(made.describe(head, classes[np.array([1])])[0], found[1], atol=1e-5)


def test_a_step_draws_one_text_of_each_class_and_none_that_is_no_text(tower):
    made, head, classes = tower
    table = classes.embedding
    each = np.stack(
        [made.each(head, jnp.asarray(table["texts"])[:, place]) @ head["of_classes"] for place in range(4)], axis=1
    )
    drawn = [np.asarray(made.describe(head, classes, key)) for key in jax.random.split(KEY, 40)]
    found = [set(), set(), set()]
    for step in drawn:
        for row, vector in enumerate(step):
            near = np.abs(each[row] - vector).max(axis=1) < 1e-5
            assert near.sum() == 1
            found[row].add(int(np.argmax(near)))
    assert found == [{0, 1, 2, 3}, {0, 2}, {0}]


@pytest.mark.parametrize(("recipe", "shape"), [("clip_words", (64, 4)), ("clip_sentences", (64, 16, 16))])
def test_names_and_sentences_of_the_shapes_need_no_text_tower(recipe, shape):
    found = problems.load_data(command_line.recipe(recipe, {"data.num_per_class": "2"})).classes.embedding
    assert (found["texts"] if isinstance(found, dict) else found).shape == shape


@pytest.mark.long
def test_unseen_classes_are_found_by_their_sentences_and_behind_a_locked_tower(tmp_path, capsys):
    quick = [
        *("--config.data.num_per_class=20", "--config.train.epochs=5", "--config.select.on=nothing"),
        *("--config.plots=none", "--config.encoder.widths=(32,64)", "--config.select.every=5"),
        *("--config.optimizer.decay_epochs=5", "--config.optimizer.average=0.9"),
    ]
    assert __main__.main(["train", "--config=clip_sentences", *quick, f"--workdir={tmp_path / 'words'}"]) == 0
    record = json.loads((tmp_path / "words" / "record.json").read_text())
    assert record["metrics"]["zsl"]["top1"] > 0.15  # chance .06
    np.save(tmp_path / "images.npy", shapes.load(num_per_class=2, inputs="pixels").inputs[:1])
    asked = ["predict", f"--workdir={tmp_path / 'words'}", "--names", "a big scarlet disc, plain", "a navy hoop"]
    capsys.readouterr()
    assert __main__.main([*asked, str(tmp_path / "images.npy")]) == 0
    assert capsys.readouterr().out.splitlines()[1].split(",")[1]
    texts = tmp_path / "texts.json"
    names = shapes.load(num_per_class=2).classes.names
    texts.write_text(json.dumps({name: shapes_wording.sentences(name)[:5] for name in names}))
    folder = small_tower.write(tmp_path / "tower")
    given = [f"--config.towers.text={folder}", f"--config.towers.texts={texts}", f"--workdir={tmp_path / 'locked'}"]
    assert __main__.main(["train", "--config=locked_text", *quick, "--config.train.epochs=1", *given]) == 0
    locked = json.loads((tmp_path / "locked" / "record.json").read_text())
    assert (locked["setting"], locked["dataset"]["described_by"]["each"]) == ("pretrained", 16)
