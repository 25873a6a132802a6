"""CADA-VAE: autoencoders of features and of descriptions share the latent space in which classes are told apart."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from zsl_jax import rules
from zsl_jax.methods import base, mlp, registry
from zsl_jax.methods.generative import adversarial, gaussians, imagined, scaling

# Widths of the hidden layers: encoder and decoder of features, encoder and decoder of descriptions.
_WIDTHS = {"features": (1560, 1660), "descriptions": (1450, 665)}
# Epochs from and to which the weights of the terms grow.
_KL_EPOCHS, _CROSS_EPOCHS, _DISTANCE_EPOCHS = (0, 93), (21, 75), (6, 22)


class CadaState(NamedTuple):
    """Parameters of the four networks, the optimiser's memory, the images seen so far and those of an epoch."""

    params: Any
    memory: Any
    images: jax.Array
    images_per_epoch: jax.Array


@registry.method(
    num_latent=rules.Knob("width of the latent space", rules.whole(1)),
    kl_weight=rules.Knob("weight of the divergence of the latents from a standard normal", rules.number(0, ends="[)")),
    cross_weight=rules.Knob("weight of reconstructing one modality from the other", rules.number(0, ends="[)")),
    distance_weight=rules.Knob(
        "weight of the distance between the latents of the two modalities", rules.number(0, ends="[)")
    ),
    learning_rate=registry.LEARNING_RATE,
    num_synthetic=adversarial.KNOBS["num_synthetic"],
    num_real=rules.Knob("examples drawn of each seen class", rules.whole(1)),
    classifier_epochs=adversarial.KNOBS["classifier_epochs"],
    zsl_classifier=imagined.ZSL_CLASSIFIER,
)
def cada_vae(
    *,
    num_latent: int = 64,
    kl_weight: float = 0.25,
    cross_weight: float = 2.37,
    distance_weight: float = 8.13,
    learning_rate: float = 1.5e-4,
    num_synthetic: int = 400,
    num_real: int = 200,
    classifier_epochs: int = 25,
    zsl_classifier: str = "columns",
) -> base.Method:
    """Cross- and distribution-aligned variational autoencoders, and a softmax on their latents.

        loss   |x - D_x(z_x)|_1 + |phi - D_a(z_a)|_1 + kl (KL_x + KL_a)
               + cross (|x - D_x(z_a)|_1 + |phi - D_a(z_x)|_1)
               + distance sqrt(||mu_x - mu_a||^2 + ||sigma_x - sigma_a||^2)

    with z_x = mu_x + sigma_x e of the encoder of features, z_a of that of descriptions, KL to N(0, I), and the last
    term the 2-Wasserstein distance of the two Gaussians. The weights grow linearly to their values: kl over the epochs
    0 to 93, cross over 21 to 75, distance over 6 to 22. The classifier is trained on latents of real images for seen
    classes and of descriptions for unseen ones; an image is scored at its mean.

    Args:
      num_latent: width of z, >= 1.
      kl_weight, cross_weight, distance_weight: of the terms, >= 0, at the end of their growth.
      learning_rate: of Adam in its AMSGrad form, > 0.
      num_synthetic: latents of each unseen class, >= 1.
      num_real: latents of each seen class, >= 1.
      classifier_epochs: of the final classifier, >= 1.
      zsl_classifier: `columns`, unseen classes among themselves are scored by the final classifier of all classes; or
        `own`, as in released code, by one of their synthetic latents alone.

    Reference: Schonfeld, Ebrahimi, Sinha, Darrell, Akata, "Generalized Zero- and Few-Shot Learning via Aligned
    Variational Autoencoders", CVPR 2019.
    """
    optimizer = optax.amsgrad(learning_rate)
    ending = imagined.make_ending(
        synthesize=lambda params, key, descriptions: gaussians.drawn(
            key, encoded(params, "descriptions", descriptions)
        ),
        embed=lambda params, x: encoded(params, "features", x).mean,
        represent=lambda params, key, x: gaussians.drawn(key, encoded(params, "features", x)),
        num_synthetic=num_synthetic,
        num_real=num_real,
        classifier_epochs=classifier_epochs,
        zsl_classifier=zsl_classifier,
    )

    def init(key, like, classes, weights):
        del weights
        params, widths = {}, {"features": like.inputs.shape[-1], "descriptions": classes.embedding.shape[-1]}
        for name, width in widths.items():
            key, encoder_key, decoder_key = jax.random.split(key, 3)
            encoder, decoder = _WIDTHS[name]
            params[name] = {
                "encoder": mlp.init_layers(encoder_key, (width, encoder, 2 * num_latent)),
                "decoder": mlp.init_layers(decoder_key, (num_latent, decoder, width)),
            }
        return CadaState(params, optimizer.init(params), jnp.zeros(()), jnp.ones(()))

    def prepare(state, train, classes, key):
        del classes, key
        return state._replace(images_per_epoch=jnp.asarray(len(train.labels), jnp.float32))

    def update(state, batch, classes, key):
        descriptions = jnp.asarray(classes.embedding, jnp.float32)[batch.labels]
        epoch = state.images / state.images_per_epoch

        def mean_loss(params):
            terms = aligned(params, key, batch.inputs, descriptions)
            terms = {name: base.mean(values, batch.where) for name, values in terms.items()}
            weights = {
                "reconstruction": 1.0,
                "divergence": kl_weight * _grown(epoch, *_KL_EPOCHS),
                "cross_reconstruction": cross_weight * _grown(epoch, *_CROSS_EPOCHS),
                "distance": distance_weight * _grown(epoch, *_DISTANCE_EPOCHS),
            }
            return sum(weights[name] * value for name, value in terms.items()), terms

        (value, terms), gradient = jax.value_and_grad(mean_loss, has_aux=True)(state.params)
        updates, memory = optimizer.update(gradient, state.memory, state.params)
        state = state._replace(
            params=optax.apply_updates(state.params, updates),
            memory=memory,
            images=state.images + jnp.sum(batch.where),
        )
        return state, {"loss": value, "gradient_norm": optax.tree.norm(gradient), **terms}

    return scaling.in_range(
        base.Method(
            init=init,
            prepare=prepare,
            update=update,
            finish=lambda state, train, classes, key: ending.finish(state.params, train, classes, key),
            embed=ending.embed,
            describe=ending.describe,
            scores=ending.scores,
            sees=imagined.SEES,
        )
    )


def aligned(params, key: jax.Array, features: jax.Array, descriptions: jax.Array) -> dict[str, jax.Array]:
    """Returns the terms of the loss, each `[B]`, without their weights."""
    given = {"features": features, "descriptions": descriptions}
    found = {name: encoded(params, name, x) for name, x in given.items()}
    latents = {name: gaussians.drawn(k, found[name]) for name, k in zip(given, jax.random.split(key))}

    def error(name, latent):
        return jnp.sum(jnp.abs(given[name] - mlp.apply_layers(params[name]["decoder"], latent, jax.nn.relu)), axis=1)

    return {
        "reconstruction": error("features", latents["features"]) + error("descriptions", latents["descriptions"]),
        "divergence": sum(map(gaussians.kl_to_standard, found.values())),
        "cross_reconstruction": error("features", latents["descriptions"]) + error("descriptions", latents["features"]),
        "distance": gaussians.wasserstein_distance(found["features"], found["descriptions"]),
    }


def encoded(params, name: str, x: jax.Array) -> gaussians.Gaussian:
    """Returns the latents `[B, latent]` of features or descriptions."""
    return gaussians.encoded(mlp.apply_layers(params[name]["encoder"], x, jax.nn.relu))


def _grown(epoch: jax.Array, first: int, last: int) -> jax.Array:
    return jnp.clip((epoch - first) / (last - first), 0.0, 1.0)
