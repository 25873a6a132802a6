"""Predictions and exports of every kind of run: pixels through an encoder, a text tower, a classifier of made features.

What is scored by `predict` and by an exported file is what the method scores, for any number of inputs and for classes
that nobody has trained on.
"""

import dataclasses
import inspect
import json
import zipfile
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
import pytest
import toy
import toy_runs

from zsl_jax import class_encoders, data, encoders, errors, methods
from zsl_jax.data import class_tables, input_files
from zsl_jax.training import candidates, exporting, predicting, trained

pytestmark = pytest.mark.long

SHAPES, COLOURS = ("star", "moon", "heart"), ("red", "blue", "cyan", "grey")


class Kind(NamedTuple):
    """A method, what it is trained on, and the classes that are new to it."""

    method: str
    source: Callable[[], data.Dataset]
    new: Callable[[trained.Trained], data.ClassTable]
    changes: dict = {}  # noqa: RUF012


def pixels() -> data.Dataset:
    """An image of 8 x 8 pixels for each row of the toy's inputs."""
    made = toy.dataset(num_seen=8)
    images = 128 + 25 * np.stack([np.resize(row, (8, 8, 3)) for row in made.inputs])
    return dataclasses.replace(made, inputs=images.clip(0, 255).astype(np.uint8))


def words() -> data.Dataset:
    """Classes that are described by the words of their names."""
    made = toy.dataset(num_seen=9)
    names = tuple(f"{colour} {shape}" for colour in COLOURS for shape in SHAPES)
    table = dataclasses.replace(made.classes, embedding=class_encoders.tokens(names, length=4), names=names)
    info = {**made.info, "described_by": {"by": "tokens", "length": 4}}
    return dataclasses.replace(made, classes=table, info=info)


def described(model: trained.Trained) -> data.ClassTable:
    """Two classes of the run under new names, and one that lies between them."""
    table = model.classes[np.array([2, 9])]
    embedding = np.concatenate([table.embedding, table.embedding.mean(axis=0, keepdims=True)])
    return data.ClassTable(embedding, np.zeros(3, bool), ("okapi", "quagga", "zorse"))


def named(model: trained.Trained) -> data.ClassTable:
    return candidates.named(model, ["grey star", "small green heart", "red moon"])


KINDS = {
    "pixels": Kind("label_embedding", pixels, described, {"normalize.inputs": "none"}),
    "names": Kind("two_tower", words, named, {"normalize.classes": "none"}),
    "made-up features": Kind("f_clswgan", lambda: toy.dataset(num_seen=8), described),
    "all candidates": Kind("minimax", lambda: toy.dataset(num_seen=8), described),
}


# What fits on the candidates takes its time.
SLOW = ("made-up features", "all candidates", "names")


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=pytest.mark.long if name in SLOW else ()) for name in KINDS]
)
def run_of(request, tmp_path_factory):
    """The kind, its dataset and its finished run, read back."""
    kind, folder = KINDS[request.param], tmp_path_factory.mktemp("kind")
    made = toy_runs.recipe(kind.method, **kind.changes)
    if kind.method == "two_tower":
        made = toy_runs.recipe(kind.method, class_encoder="bag", **kind.changes)
    source = kind.source()
    toy_runs.train(folder / "run", made, source)
    return kind, source, trained.load(folder / "run")


def calibrated(model, classes, inputs):
    score = jax.jit(methods.score, static_argnums=0)
    scores = np.asarray(score(model.method, model.state, inputs, jax.tree.map(np.asarray, classes)))
    return scores - model.gamma * np.asarray(classes.is_seen)


@pytest.mark.long
def test_predict_says_what_the_method_scores(run_of):
    """In blocks of 5 and 2, among the run's own classes and among new ones."""
    kind, source, model = run_of
    inputs = source.inputs[source.splits["test_unseen"][:7]]
    blocks = [input_files.Block(list("abcde"), inputs[:5]), input_files.Block(list("fg"), inputs[5:])]
    for classes in (model.classes, kind.new(model)):
        expected = calibrated(model, classes, inputs)
        found = list(predicting.predict(model, classes, blocks, top=2))
        assert [prediction.name for prediction in found] == list("abcdefg")
        scores = np.array([[candidate.score for candidate in prediction.candidates] for prediction in found])
        np.testing.assert_allclose(scores, -np.sort(-expected, axis=1)[:, :2], rtol=2e-3, atol=2e-3)
        clear = np.diff(np.sort(expected, axis=1)[:, -2:], axis=1)[:, 0] > 0.01
        best = [prediction.candidates[0].name for prediction in found]
        assert [n for n, c in zip(best, clear) if c] == [
            classes.names[row] for row, c in zip(expected.argmax(axis=1), clear) if c
        ]


def test_an_exported_file_scores_any_number_of_inputs(run_of, tmp_path):
    kind, source, model = run_of
    inputs = source.inputs[source.splits["test_unseen"][:9]]
    for number, classes in enumerate((model.classes, kind.new(model))):
        about = exporting.export(model, classes, tmp_path / f"{number}.zip")
        with zipfile.ZipFile(tmp_path / f"{number}.zip") as archive:
            assert json.loads(archive.read("about.json")) == json.loads(json.dumps(about))
            score = jax.export.deserialize(bytearray(archive.read("scores.stablehlo")))
            archive.extractall(tmp_path / str(number))
        assert about["classes"] == list(classes.names)
        there = class_tables.read(tmp_path / str(number)).classes
        jax.tree.map(np.testing.assert_array_equal, there.embedding, np.asarray(classes.embedding))
        expected = calibrated(model, classes, inputs)
        for count in (1, 4, 9):
            np.testing.assert_allclose(score.call(inputs[:count]), expected[:count], rtol=2e-3, atol=2e-3)


KNOBS = {"vit_tiny": {"depth": 1}, "transformer": {"depth": 1}}


@pytest.mark.parametrize("name", ["convnet", "mlp", "mobilenet_v2", "resnet18", *KNOBS, "bag", "text_cnn"])
@pytest.mark.parametrize("local", [False, True])
def test_an_encoder_takes_a_number_of_inputs_that_is_a_symbol(name, local):
    """As `export` hands it; nothing is compiled."""
    encoder = encoders.factory(name)(**KNOBS.get(name, {}))
    if local and "local" not in inspect.signature(encoder.__call__).parameters:
        pytest.skip("one embedding per input")
    kind = ((6,), np.int32) if name in ("transformer", "bag", "text_cnn") else ((32, 32, 3), np.uint8)
    one = jax.ShapeDtypeStruct((1, *kind[0]), kind[1])
    variables = jax.eval_shape(lambda x: encoder.init(jax.random.key(0), x, train=False), one)
    options = {"train": False, **({"local": True} if local else {})}
    (count,) = jax.export.symbolic_shape("b")
    many = jax.ShapeDtypeStruct((count, *kind[0]), kind[1])
    found = jax.eval_shape(lambda v, x: encoder.apply(v, x, **options), variables, many)
    assert all(leaf.shape[0] == count for leaf in jax.tree.leaves(found))


def test_a_class_is_named_where_names_say_what_it_is(run_of):
    kind, _, model = run_of
    if kind.method != "two_tower":
        with pytest.raises(errors.UserError, match=r"by att, which a name does not say: .*--classes=TABLE\.csv"):
            candidates.named(model, ["okapi"])
        return
    table = candidates.named(model, ["red star", "green moon"])
    assert table.names == ("red star", "green moon")
    assert table.is_seen.tolist() == ["red star" in model.classes[: model.classes.num_trained].names, False]
    np.testing.assert_array_equal(table.embedding, class_encoders.tokens(["red star", "green moon"], length=4))
