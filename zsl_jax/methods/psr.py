"""PSR: class descriptions mapped to features and back, so that the relations between classes survive the way."""

import jax
import jax.numpy as jnp
import optax

from zsl_jax import losses, rules, similarity
from zsl_jax.methods import base, gradient, mlp, registry


@registry.method(
    num_hidden=registry.NUM_HIDDEN,
    threshold=rules.Knob("cosine of descriptions from which on classes are similar", rules.number(-1, 1, ends="[]")),
    relation_weight=rules.Knob("weight of the relations between classes in the loss", rules.number(0, ends="[)")),
    reconstruction_weight=rules.Knob("weight of mapping descriptions back in the loss", rules.number(0, ends="[)")),
    learning_rate=registry.LEARNING_RATE,
    weight_decay=registry.WEIGHT_DECAY,
)
def psr(
    *,
    num_hidden: int = 512,
    threshold: float = 0.5,
    relation_weight: float = 0.1,
    reconstruction_weight: float = 0.1,
    learning_rate: float = 1e-3,
    weight_decay: float = 1e-3,
) -> base.Method:
    """Preserving Semantic Relations: an encoder f of descriptions into features and a decoder g back.

        l(x, y) = ||f(phi_y) - x||^2 + r mean_{c != y} relation(cos(f(phi_c), x), cos(phi_c, phi_y))
                  + q (||g(f(phi_y)) - phi_y||^2 + ||g(x) - phi_y||^2) + d sum_W ||W||^2
        F(x, c) = cos(x, f(phi_c))

    `losses.semantic_relation` asks classes whose descriptions have a cosine of at least the threshold to be at least
    that similar to each other's images, and all other classes to be at most that similar. The target is the cosine of
    the descriptions as given, so centring them changes what is asked.

    Args:
      num_hidden: width of the hidden layer of f and of g, >= 1.
      threshold: cosine of descriptions from which on two classes count as similar, in [-1, 1].
      relation_weight: r >= 0.
      reconstruction_weight: q >= 0.
      learning_rate: of Adam, > 0.
      weight_decay: d >= 0.

    Reference: Annadani, Biswas, "Preserving Semantic Relations for Zero-Shot Learning", CVPR 2018.
    """

    def init_params(key, like, classes):
        num_features, num_attributes = like.inputs.shape[-1], classes.embedding.shape[-1]
        encoder_key, decoder_key = jax.random.split(key)
        return {
            "encoder": mlp.init_layers(encoder_key, (num_attributes, num_hidden, num_features)),
            "decoder": mlp.init_layers(decoder_key, (num_features, num_hidden, num_attributes)),
        }

    def describe(params, classes):
        return _map(params["encoder"], classes.embedding)

    def loss(params, batch, classes, key):
        del key
        descriptions = jnp.asarray(classes.embedding)
        prototypes, own = describe(params, classes), descriptions[batch.labels]
        relations = similarity.cosine(descriptions, descriptions)[batch.labels]
        is_other = batch.labels[:, None] != jnp.arange(len(descriptions))[None, :]
        related = losses.semantic_relation(
            similarity.cosine(batch.inputs, prototypes), relations, threshold=threshold, where=is_other
        )
        return (
            _squared(prototypes[batch.labels] - batch.inputs)
            + relation_weight * jnp.sum(related, axis=1) / max(len(descriptions) - 1, 1)
            + reconstruction_weight * _squared(_map(params["decoder"], prototypes)[batch.labels] - own)
            + reconstruction_weight * _squared(_map(params["decoder"], batch.inputs) - own)
            + weight_decay * sum(jnp.sum(layer["weights"] ** 2) for layers in params.values() for layer in layers)
        )

    return gradient.by_gradient(
        init_params=init_params,
        loss=loss,
        describe=describe,
        scores=lambda params, images, described: similarity.cosine(images, described),
        optimizer=optax.adam(learning_rate),
    )


def _map(layers, x):
    return mlp.apply_layers(layers, jnp.asarray(x), jax.nn.relu)


def _squared(x):
    return jnp.sum(x * x, axis=-1)
