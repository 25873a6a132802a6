"""LabelEmbed+: a network puts the learned vectors of attribute and object together, another embeds the input."""

import jax
import jax.numpy as jnp
import optax

from zsl_jax import losses, similarity
from zsl_jax.methods import base, centring, gradient, mlp, registry
from zsl_jax.methods.two_heads import SIDES, check_pairs
from zsl_jax.rules import Knob, number, whole


@registry.method(
    width=Knob("entries of a vector of an attribute, an object or a pair", whole(1)),
    temperature=Knob("of the softmax over cosines", number(0)),
    learning_rate=registry.LEARNING_RATE,
    weight_decay=registry.WEIGHT_DECAY,
)
def label_embed_plus(
    *, width: int = 128, temperature: float = 0.05, learning_rate: float = 1e-3, weight_decay: float = 1e-4
) -> base.Method:
    """A pair is embedded by a network of one hidden layer on the vectors of its parts, which are learned too.

        F(x, (a, o)) = cos(g(x), h([v_a, v_o]))
        l(x, (a, o)) = -log softmax_(a, o) F(x, .) / temperature + weight_decay sum_W ||W||^2

    g and h have one hidden layer of `width`. v starts at the word vectors of the names, mapped at random to `width`, or
    at random where there are none.

    Args:
      width: >= 1.
      temperature: > 0.
      learning_rate: of Adam, > 0.
      weight_decay: >= 0.

    Reference: the baseline of Nagarajan, Grauman, "Attributes as Operators: Factorizing Unseen Attribute-Object
    Compositions", ECCV 2018, after Misra, Gupta, Hebert, "From Red Wine to Red Tomato", CVPR 2017.
    """

    def init_params(key, like, classes):
        check_pairs("label_embed_plus", classes)
        keys = jax.random.split(key, 4)

        def start(key, vectors):
            return jnp.asarray(vectors) @ mlp.dense(key, vectors.shape[1], width, deviation=1.0)

        return {
            "vectors": {side: start(k, classes.shared[side]) for side, k in zip(SIDES, keys)},
            "images": mlp.init_layers(keys[2], (like.inputs.shape[-1], width, width)),
            "pairs": mlp.init_layers(keys[3], (2 * width, width, width)),
        }

    def embed(params, inputs):
        return similarity.l2_normalize(mlp.apply_layers(params["images"], inputs, jax.nn.relu))

    def describe(params, classes):
        rows = [params["vectors"][side][classes.parts[:, i]] for i, side in enumerate(SIDES)]
        return similarity.l2_normalize(mlp.apply_layers(params["pairs"], jnp.concatenate(rows, axis=1), jax.nn.relu))

    def loss(params, batch, classes, key):
        del key
        found = embed(params, batch.inputs) @ describe(params, classes).T
        penalty = sum(jnp.sum(x**2) for x in jax.tree.leaves(params) if x.ndim > 1)
        return losses.softmax_cross_entropy(found / temperature, batch.labels) + weight_decay * penalty

    method = gradient.by_gradient(
        init_params=init_params,
        loss=loss,
        embed=embed,
        describe=describe,
        scores=lambda params, images, described: images @ described.T,
        optimizer=optax.adam(learning_rate),
    )
    return base.viewed(method, centring.CENTRED)
