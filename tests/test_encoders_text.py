"""Encoders of text: padding changes nothing, an empty text is finite, the masked mean is a loop's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zsl_jax import class_encoders, encoders, errors
from zsl_jax.encoders import text

SMALL = {
    "bag": {"widths": (6, 4), "vocabulary": 32, "embedding_width": 5, "ngrams": 2},
    "text_cnn": {"width": 4, "vocabulary": 32, "embedding_width": 5, "windows": (1, 2), "channels": 3},
    "transformer": {"width": 4, "vocabulary": 32, "depth": 1, "heads": 2, "positions": 8},
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


@pytest.mark.long
def test_gradients_are_finite_for_a_text_without_a_word():
    encoder = encoders.TextTransformer(**SMALL["transformer"])
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
