"""CMT: images mapped into the space of class descriptions by a small network, and a novelty detector in front of it."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from zsl_jax import rules, similarity
from zsl_jax.methods import base, gradient, mlp, registry


@registry.method(
    num_hidden=registry.NUM_HIDDEN, learning_rate=registry.LEARNING_RATE, weight_decay=registry.WEIGHT_DECAY
)
def cmt(*, num_hidden: int = 512, learning_rate: float = 1e-3, weight_decay: float = 1e-4) -> base.Method:
    """Cross-Modal Transfer: regression of class descriptions by a two-layer network, scored by distance.

        l(x, y) = ||f(x) - phi_y||^2 + d sum_W ||W||^2,   f(x) = tanh(x W_1 + b_1) W_2 + b_2
        F(x, c) = -||f(x) - phi_c||^2

    Args:
      num_hidden: width of the hidden layer, >= 1.
      learning_rate: of Adam, > 0.
      weight_decay: d >= 0.

    Reference: Socher, Ganjoo, Manning, Ng, "Zero-Shot Learning Through Cross-Modal Transfer", NeurIPS 2013.
    """

    def init_params(key, like, classes):
        return mlp.init_layers(key, (like.inputs.shape[-1], num_hidden, classes.embedding.shape[-1]))

    def loss(layers, batch, classes, key):
        del key
        residual = _semantic(layers, batch.inputs) - jnp.asarray(classes.embedding)[batch.labels]
        return jnp.sum(residual**2, axis=-1) + weight_decay * sum(jnp.sum(layer["weights"] ** 2) for layer in layers)

    return gradient.by_gradient(
        init_params=init_params,
        loss=loss,
        embed=_semantic,
        scores=lambda layers, images, described: similarity.negative_squared_euclidean(images, described),
        optimizer=optax.adam(learning_rate),
    )


class Novelty(NamedTuple):
    """For each seen class a Gaussian in the space of descriptions: mean `[S, A]`, variance `[S]`.

    `threshold` is the negative log-density from which on an image counts as new.
    """

    means: Any
    variances: Any
    threshold: Any


@registry.method(
    novel_share=rules.Knob("share of the training images that would count as new", rules.number(0, 1)),
    num_hidden=registry.NUM_HIDDEN,
    learning_rate=registry.LEARNING_RATE,
    weight_decay=registry.WEIGHT_DECAY,
)
def cmt_novelty(
    *, novel_share: float = 0.2, num_hidden: int = 512, learning_rate: float = 1e-3, weight_decay: float = 1e-4
) -> base.Method:
    """CMT with novelty detection: an image far from all seen classes is given to unseen ones, any other to seen ones.

        n(x) = min_s ||f(x) - mu_s||^2 / (2 v_s) + A / 2 log v_s
        F(x, c) = 1 / (1 + ||f(x) - phi_c||^2) - 1[x is new and c is seen] - 1[x is not new and c is unseen]

    After training, an isotropic Gaussian is fitted to the mapped training images of each seen class. An image is new
    where its best density is below that of a given share of the training images. The first term, a monotone form of
    CMT's score, lies in (0, 1], so that a penalty of 1 decides between seen and unseen.

    Args:
      novel_share: share of the training images that would count as new, in (0, 1); test images lie farther out, so that
        more of them count as new.
      num_hidden: width of the hidden layer, >= 1.
      learning_rate: of Adam, > 0.
      weight_decay: >= 0.

    Reference: Socher, Ganjoo, Manning, Ng, "Zero-Shot Learning Through Cross-Modal Transfer", NeurIPS 2013.
    """
    plain = cmt(num_hidden=num_hidden, learning_rate=learning_rate, weight_decay=weight_decay)

    def start(key, like, classes):
        del key, like
        count, width = classes.embedding.shape
        return Novelty(jnp.zeros((count, width)), jnp.ones(count), jnp.zeros(()))

    remembering = base.viewed(plain, base.View(start=start))

    def finish(state, train, classes, key):
        state = remembering.finish(state, train, classes, key)
        num_classes = len(state.kept.means)
        mapped = remembering.embed(state, train.inputs)
        count = jnp.maximum(jax.ops.segment_sum(jnp.ones(len(mapped)), train.labels, num_classes), 1)
        means = jax.ops.segment_sum(mapped, train.labels, num_classes) / count[:, None]
        spread = jnp.mean((mapped - means[train.labels]) ** 2, axis=1)
        # Classes with few images borrow from the rest; a class of one image would have no width at all.
        shared = jnp.mean(spread)
        variances = (jax.ops.segment_sum(spread, train.labels, num_classes) + shared) / (count + 1)
        kept = state.kept._replace(means=means, variances=jnp.maximum(variances, jnp.finfo(jnp.float32).tiny))
        return state._replace(kept=kept._replace(threshold=jnp.quantile(_novelty(kept, mapped), 1 - novel_share)))

    def embed(state, inputs):
        mapped = remembering.embed(state, inputs)
        return {"vector": mapped, "is_new": _novelty(state.kept, mapped) > state.kept.threshold}

    def scores(state, images, described):
        del state
        squared = -similarity.negative_squared_euclidean(images["vector"], described["embedding"])
        is_wrong_side = images["is_new"][:, None] == described["is_seen"][None, :]
        return 1 / (1 + squared) - is_wrong_side

    return remembering._replace(
        finish=finish,
        embed=embed,
        describe=lambda state, classes: {
            "embedding": jnp.asarray(classes.embedding),
            "is_seen": jnp.asarray(classes.is_seen),
        },
        scores=scores,
    )


def _semantic(layers, inputs):
    return mlp.apply_layers(layers, inputs, jnp.tanh)


def _novelty(seen: Novelty, mapped):
    """`[B]` smallest negative log-density (without its constant) under the Gaussians of the seen classes."""
    squared = -similarity.negative_squared_euclidean(mapped, seen.means)
    width = seen.means.shape[1]
    log_variances = jnp.broadcast_to(jnp.log(seen.variances), squared.shape)
    return jnp.min(squared / (2 * jnp.exp(log_variances)) + width / 2 * log_variances, axis=1)
