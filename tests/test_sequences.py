"""Texts word by word: encoders that read them are encoders of a recipe, from the command line to a prediction."""

import json

import jax
import numpy as np
import pytest
import small_tower

from zsl_jax import __main__, encoders, errors
from zsl_jax.methods import base
from zsl_jax.training import problems, trained
from zsl_jax.verbs import command_line

NAMES = ("rain", "song", "film", "meal", "ring", "book", "game")
UNSEEN = NAMES[5:]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Texts of two words, of which the one behind `not` is of another class, so that their mean says nothing."""
    folder = tmp_path_factory.mktemp("sequences")
    rng = np.random.default_rng(0)
    meaning = dict(zip(NAMES, np.linalg.qr(rng.standard_normal((8, 8)))[0])) | {"not": np.ones(8)}
    (folder / "words.txt").write_text("".join(f"{word} {' '.join(map(str, x))}\n" for word, x in meaning.items()))
    (folder / "texts").mkdir()
    for part, names, others in (("train", NAMES[:5], NAMES[:5]), ("test", UNSEEN, UNSEEN)):
        rows = []
        for name in names:
            for _ in range(40):
                other = rng.choice([x for x in others if x != name])
                rows.append(f"{name}\t{name} not {other}\n" if rng.random() < 0.5 else f"{name}\tnot {other} {name}\n")
        (folder / "texts" / f"{part}.txt").write_text("".join(rows))
    small_tower.write(folder / "tower")
    return folder


def line(folder, encoder, tower="words.txt", recipe="zsl_kg", **keys):
    given = {
        "data.file": folder / "texts",
        "towers.text": folder / tower,
        "encoder.name": encoder,
        "class_encoder.name": "mlp",
        "classes.source": "dataset",
        "plots": "none",
        **keys,
    }
    return [f"--config={recipe}:texts", *(f"--config.{key}={value}" for key, value in given.items())]


def problem_of(line):
    return problems.make_problem(command_line.recipe("zsl_kg:texts", command_line.split_overrides(line[1:])[1]))


@pytest.mark.parametrize("name", encoders.READS)
def test_every_encoder_of_texts_is_one_of_a_recipe(files, name):
    """Data and shapes are made; nothing is compiled."""
    of_layers = encoders.READS[name] == "layers"
    found = problem_of(line(files, name, "tower" if of_layers else "words.txt"))
    inputs = found.dataset.inputs
    assert (inputs.shape[1:], inputs.dtype) == (((2, 12), np.float32) if of_layers else ((32,), np.int32))
    # The table of words is handed over beside the state, which is saved without it.
    assert [x.shape for x in jax.tree.leaves(found.method.weights())] == ([] if of_layers else [(9, 8)])


@pytest.mark.parametrize(
    ("name", "tower", "says"),
    [
        ("bilstm_max", "tower", "reads word vectors, and tower is a text tower"),
        ("scalar_mix", "words.txt", "mixes the layers of a text tower, and words.txt is a file of word vectors"),
    ],
)
def test_a_tower_that_an_encoder_cannot_read_is_one_line(files, name, tower, says):
    with pytest.raises(errors.UserError, match=says) as raised:
        problem_of(line(files, name, tower))
    assert "\n" not in str(raised.value)


def test_a_checkpoint_beside_given_word_vectors_is_refused(files):
    """It would not be read, and nobody would know."""
    with pytest.raises(errors.UserError, match=r"encoder\.weights=old\.npz: this encoder begins at random, on"):
        problem_of(line(files, "bilstm_max", **{"encoder.weights": "old.npz"}))


@pytest.mark.long
@pytest.mark.parametrize(
    ("recipe", "encoder", "size"),
    [("zsl_kg", "bilstm_attention", "11.82 k"), ("infersent", "bilstm_max", "37.38 k")],
)
def test_the_order_of_words_is_read_where_their_mean_says_nothing(recipe, encoder, size, files, tmp_path, capsys):
    keys = {"train.epochs": 15, "train.batch_size": 16, "optimizer.learning_rate": 0.02, "select.on": "nothing"}
    keys |= {"towers.words": 4, "encoder.dropout": 0.0}
    assert __main__.main(["train", *line(files, encoder, recipe=recipe, **keys), f"--workdir={tmp_path / 'run'}"]) == 0
    # The words of the table are not among the parameters.
    assert f"encoder {encoder}: {size} parameters\n" in capsys.readouterr().out
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert record["metrics"]["gzsl"]["seen"] > 0.9  # by the words alone .5
    assert record["dataset"]["inputs"]["stages"][0]["words"] == 4
    model = trained.load(tmp_path / "run")
    assert [x.shape for x in jax.tree.leaves(base.split(model.state)[1])] == [(9, 8)]
    texts = ["not song film", "film not song", "rain not meal"]
    assert list(model.predict(texts, names=["film", "rain", "song", "meal"])) == ["film", "film", "rain"]
