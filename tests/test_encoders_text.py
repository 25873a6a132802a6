"""Encoders of text: each is its formula in numpy, padding changes nothing, an empty text is finite."""

import jax
import jax.numpy as jnp
import numpy as np
import numpy_layers
import pytest

from zsl_jax import class_encoders, encoders, errors
from zsl_jax.encoders import text

SMALL = {
    "bag": {"widths": (6, 4), "vocabulary": 32, "embedding_width": 5, "ngrams": 2},
    "text_cnn": {"width": 4, "vocabulary": 32, "embedding_width": 5, "windows": (1, 2), "channels": 3},
    "transformer": {"width": 4, "vocabulary": 32, "depth": 1, "heads": 2, "positions": 8},
    "bilstm_attention": {"hidden_width": 2, "attention_width": 3, "vocabulary": 32, "embedding_width": 5},
    "bilstm_max": {"hidden_width": 2, "vocabulary": 32, "embedding_width": 5},
    "attentive_gru": {"hidden_width": 2, "attention_width": 3, "vocabulary": 32, "embedding_width": 5},
    "winner_take_all": {"width": 4, "winners": 2, "vocabulary": 32, "embedding_width": 5},
}
TOKENS = np.array([[1000, 5, 9, 0], [5, 0, 0, 0], [0, 0, 0, 0]], np.int32)


@pytest.fixture(scope="module", params=sorted(SMALL))
def applied(request):
    """The encoder as a function of tokens, compiled for each shape."""
    encoder = encoders.factory(request.param)(**SMALL[request.param])
    variables = jax.jit(lambda: encoder.init(jax.random.key(0), TOKENS, train=False))()
    return jax.jit(lambda tokens: encoder.apply(variables, tokens, train=False))


def test_padding_changes_nothing_and_words_do(applied):
    embeddings = applied(TOKENS)
    assert embeddings.shape == (3, 4)
    assert np.all(np.isfinite(embeddings))  # also that of the text without a word
    longer = np.pad(TOKENS, ((0, 0), (0, 3)))
    np.testing.assert_allclose(applied(longer), embeddings, atol=1e-5)
    assert not np.allclose(embeddings[0], embeddings[1])
    other_word = TOKENS.copy()
    other_word[1, 0] = 6
    changed = applied(other_word)
    np.testing.assert_allclose(changed[0], embeddings[0], atol=1e-6)
    assert not np.allclose(changed[1], embeddings[1])


def attended(states, params):
    return numpy_layers.dense(np.tanh(numpy_layers.dense(states, params["attention"])), params["weights"])


def of_lstm(words, params):
    return numpy_layers.both_ways(numpy_layers.lstm, words, params)


def of_gru(words, params):
    states = numpy_layers.both_ways(numpy_layers.gru, words, params)
    return (numpy_layers.softmax(attended(states, params)) * states).sum(0)


def code(words, params):
    answers = np.maximum(numpy_layers.dense(words, params["Dense_0"]), 0)
    return np.where(answers >= np.sort(answers, axis=1)[:, -2:-1], answers, 0).max(0)


# A text's words [L, D] and parameters to its embedding.
FORMULAS = {
    "bilstm_attention": lambda x, p: (numpy_layers.softmax(attended(of_lstm(x, p), p)) * of_lstm(x, p)).sum(0),
    "bilstm_max": lambda x, p: of_lstm(x, p).max(0),
    "attentive_gru": of_gru,
    "winner_take_all": code,
}


def given(name):
    """An encoder on a table of words that is given, its variables, tokens of three texts, and the table."""
    rng = np.random.default_rng(0)
    table = np.concatenate([np.zeros((1, 5)), rng.standard_normal((7, 5))]).astype(np.float32)
    tokens = np.array([[3, 5, 1, 0, 0], [7, 0, 0, 0, 0], [1, 2, 3, 4, 6]], np.int32)
    encoder = encoders.factory(name)(**SMALL.get(name, {}))
    variables = jax.jit(lambda: text.with_words(encoder, jax.random.key(0), tokens, table))()
    moved = jax.tree.map(lambda p: p + 0.3 * rng.standard_normal(p.shape).astype(np.float32), variables["params"])
    return encoder, {**variables, "params": moved}, tokens, table


@pytest.mark.parametrize("name", FORMULAS)
def test_an_encoder_of_given_words_is_its_formula(name):
    encoder, variables, tokens, table = given(name)
    params = jax.tree.map(np.asarray, variables["params"])
    found = jax.jit(lambda: encoder.apply(variables, tokens, train=False))()
    wanted = [FORMULAS[name](table[row[row > 0]].astype(np.float64), params) for row in tokens]
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert "Embed_0" not in params  # nothing is learned in the place of what is given


def test_deep_averaging_is_the_mean_of_words_and_pairs_through_layers():
    encoder, variables, tokens, table = given("deep_averaging")
    params = jax.tree.map(np.asarray, variables["params"])
    wanted = []
    for row in tokens:
        pairs = np.asarray(text.ngram_tokens(row[None], 2))[0, len(row) :]
        learned = [params["Embed_0"]["embedding"][1 + (pair - 1) % 4095] for pair in pairs if pair]
        mean = np.mean([*table[row[row > 0]], *learned], axis=0)
        hidden = np.maximum(numpy_layers.dense(mean, params["Dense_0"]), 0)
        wanted.append(numpy_layers.dense(hidden, params["Dense_1"]))
    np.testing.assert_allclose(encoder.apply(variables, tokens, train=False), wanted, atol=1e-4)


def test_a_mixture_of_layers_is_its_formula_and_bits_have_the_gradient_of_what_is_left():
    layers = np.random.default_rng(0).standard_normal((4, 3, 2)).astype(np.float32)
    params = {"layers": jnp.array([0.5, -1.0, 2.0]), "gamma": jnp.array(1.5)}
    share = numpy_layers.softmax(np.asarray(params["layers"]))
    wanted = 1.5 * sum(share[j] * layers[:, j] for j in range(3))
    mix = encoders.ScalarMix()
    np.testing.assert_allclose(mix.apply({"params": params}, layers, train=False), wanted, atol=1e-5)
    encoder, variables, tokens, _ = given("winner_take_all")
    bits = encoder.clone(binary=True)

    def total(params, module):
        return jnp.sum(module.apply({**variables, "params": params}, tokens, train=False))

    np.testing.assert_array_equal(
        bits.apply(variables, tokens, train=False), encoder.apply(variables, tokens, train=False) > 0
    )
    gradients = [jax.grad(total)(variables["params"], module) for module in (bits, encoder)]
    jax.tree.map(np.testing.assert_array_equal, *gradients)
    assert np.abs(gradients[0]["Dense_0"]["kernel"]).max() > 0


@pytest.mark.long
@pytest.mark.parametrize("name", ["transformer", "bilstm_attention", "bilstm_max", "attentive_gru"])
def test_gradients_are_finite_for_a_text_without_a_word(name):
    encoder = encoders.factory(name)(**SMALL[name])
    variables = encoder.init(jax.random.key(0), TOKENS, train=False)
    gradients = jax.jit(jax.grad(lambda v: jnp.sum(encoder.apply(v, TOKENS, train=False) ** 2)))(variables)
    assert all(np.all(np.isfinite(g)) for g in jax.tree.leaves(gradients))


def test_masked_mean_is_a_loop():
    rng = np.random.default_rng(0)
    vectors, where = rng.standard_normal((3, 4, 2)).astype(np.float32), rng.random((3, 4)) > 0.5
    where[0] = False
    expected = [np.mean(v[w], axis=0) if w.any() else np.zeros(2) for v, w in zip(vectors, where)]
    np.testing.assert_allclose(text.masked_mean(jnp.asarray(vectors), jnp.asarray(where)), expected, atol=1e-6)


def test_ngrams_depend_on_the_order_and_stop_at_padding():
    grams = np.asarray(text.ngram_tokens(jnp.array([[3, 4, 0, 5], [4, 3, 0, 5]]), 3))
    assert grams.shape == (2, 4 + 3 + 2)
    assert grams[0, 4] != grams[1, 4]
    np.testing.assert_array_equal(grams[:, 5:], 0)


@pytest.mark.parametrize(
    ("name", "knobs", "inputs", "message"),
    [
        ("transformer", {"width": 6, "heads": 4}, np.ones((1, 3), int), "width=6 .* multiple of heads=4"),
        ("transformer", {"positions": 2}, np.ones((1, 3), int), "3 tokens is longer than .*positions=2"),
        ("bag", {}, np.ones((1, 3), np.float32), "takes tokens .* data.semantics=names"),
        ("bilstm_max", {}, np.ones((1, 3), np.float32), "bilstm_max takes tokens .* a recipe on texts gives them"),
        ("scalar_mix", {}, np.ones((1, 3), np.float32), "takes the layers of a text tower .* not float32"),
        ("winner_take_all", {"width": 4, "winners": 5}, np.ones((1, 3), int), "winners=5 .* more than its width=4"),
    ],
)
def test_what_a_text_encoder_cannot_take_is_named(name, knobs, inputs, message):
    with pytest.raises(errors.UserError, match=message):
        jax.eval_shape(lambda: encoders.factory(name)(**knobs).init(jax.random.key(0), inputs, train=False))


def test_tokens_are_words_and_an_empty_text_is_refused():
    found = class_encoders.tokens(["Small red star", "star"], length=2)
    assert found.dtype == np.int32
    assert found[1, 1] == 0
    assert len({*found.ravel().tolist()}) == 4
    with pytest.raises(errors.UserError, match=r"1 texts hold no word: '12\.'"):
        class_encoders.tokens(["star", "12."])
