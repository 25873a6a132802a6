"""Bayesian prompts: a distribution over the context, before a frozen text tower."""

import jax
import jax.numpy as jnp
import optax

from zsl_jax import losses
from zsl_jax.encoders import prompts
from zsl_jax.methods import base, mlp, registry
from zsl_jax.methods.prompts import cocoop, coop, family
from zsl_jax.rules import Knob, number, whole


@registry.method(
    amortised=Knob(
        "hidden units of a network that gives each image a distribution of its own; 0: one for all", whole(0)
    ),
    length=coop.LENGTH,
    samples=Knob("contexts drawn in a training step", whole(1)),
    test_samples=Knob("contexts drawn for scoring, the same for all inputs", whole(1)),
    spread=Knob("standard deviation to begin with, in units of the prior's", number(0)),
    prior=Knob("standard deviation of the prior, in units of that of the word vectors", number(0)),
    kl_weight=Knob("weight of the divergence from the prior, a mean over its dimensions", number(0, ends="[)")),
    learning_rate=registry.LEARNING_RATE,
    scale=family.SCALE,
    centre=family.CENTRE,
)
def bayesian_prompts(
    tower: prompts.PromptTower,
    *,
    amortised: int = 0,
    length: int = 0,
    samples: int = 3,
    test_samples: int = 10,
    spread: float = 0.3,
    prior: float = 1.0,
    kl_weight: float = 0.001,
    learning_rate: float = 0.01,
    scale: float = 20.0,
    centre: str = "training",
) -> base.Method:
    """Bayesian prompt learning: a residual of the context is drawn from a Gaussian that is learned.

        r ~ q = N(mu, diag(sigma^2)),   text_r(c) = tower(v_1 + s r, ..., v_n + s r, NAME, ".")
        p(y | x) = mean_r softmax_c(scale cos(x - m, text_r(c)))_y,    F(x, c) = log p(c | x)
        l(x, y) = -log p(y | x) + kl_weight KL(q || N(0, I)) / D

    The mean over draws of r stands inside the logarithm, in training and in scoring. s is `prior` times the standard
    deviation of the tower's word vectors; mu begins at 0 and sigma at `spread`. q is the same for all images, or

        q_x = N(mu(x), diag(sigma^2(x))),   (mu(x), log sigma^2(x)) = W_2 relu(W_1 x + b_1) + b_2        amortised

    for images x - m at unit length; W_2 begins at 0, and b_2 as the one q begins. Then every image has a divergence of
    its own, and texts of its own under each draw, in training and in scoring, some at a time. A score depends on the
    other candidates, because of the softmax. The noise behind r is drawn once for all images: anew in each step, and
    with a fixed key for scoring.

    Args:
      tower: the frozen text tower.
      amortised: width of the hidden layer of that network, >= 1, or 0 for one q.
      length: vectors of the context, drawn at random; 0 begins with the words of the template before the name.
      samples: draws per training step, >= 1; each encodes all training classes.
      test_samples: draws for scoring, >= 1.
      spread: > 0.
      prior: > 0.
      kl_weight: >= 0.
      learning_rate: of Adam, > 0.
      scale: > 0.
      centre: `training`, m is the mean of the training inputs, or `none`, m = 0.

    Raises:
      UserError: as `coop` does.

    Reference: Derakhshani, Sanchez, Bulat, da Costa, Snoek, Tzimiropoulos, Martinez, "Bayesian Prompt Learning for
    Image-Language Model Generalization", ICCV 2023.
    """

    def init_params(key, weights, classes):
        keys = jax.random.split(key)
        context = coop.started(tower, keys[0], weights, classes, length)
        width = context.shape[-1]
        start = {"mean": jnp.zeros(width), "log_variance": jnp.full(width, 2 * jnp.log(spread), jnp.float32)}
        if not amortised:
            return {"context": context} | start
        layers = mlp.init_layers(keys[1], (tower.image_width, amortised, 2 * width))
        bias = jnp.concatenate([start["mean"], start["log_variance"]])
        return {"context": context, "network": [*layers[:-1], {"weights": 0 * layers[-1]["weights"], "bias": bias}]}

    def posterior(params, image=None):
        """The mean and the log variance of the residual, `[D]` each; of images `[B, F]`, `[B, D]` each."""
        if not amortised:
            return params["mean"], params["log_variance"]
        return jnp.split(mlp.apply_layers(params["network"], image, jax.nn.relu), 2, axis=-1)

    def texts(params, weights, ids, noise, mean, log_variance):
        """`[C, L, F]` under L residuals of one distribution."""
        residual = mean[None] + jnp.exp(log_variance / 2)[None] * noise
        contexts = params["context"][None] + (prior * tower.spread * residual)[:, None]
        found = coop.text(tower, weights, jnp.tile(contexts, (len(ids), 1, 1)), jnp.repeat(ids, len(noise), axis=0))
        return found.reshape(len(ids), len(noise), -1)

    def describe(params, weights, classes, known, key):
        del known
        ids, shape = family.names(classes), (samples if key is not None else test_samples, params["context"].shape[-1])
        noise = jax.random.normal(jax.random.key(0) if key is None else key, shape)
        if amortised:
            return {"ids": ids, "noise": jnp.broadcast_to(noise, (len(ids), *shape))}
        return texts(params, weights, ids, noise, *posterior(params))

    def scores(params, weights, images, described):
        if not amortised:
            return predictive(scale * jnp.einsum("bf,clf->lbc", images, described))
        ids, noise = described["ids"], described["noise"][0]

        def of_image(image):
            found = texts(params, weights, ids, noise, *posterior(params, image))
            return predictive(scale * jnp.einsum("f,clf->lc", image, found))

        return cocoop.by_image(of_image, images, jnp.repeat(ids, len(noise), axis=0), len(params["context"]))

    def penalty(params, images, described, hand):
        mean, log_variance = (jnp.atleast_2d(x) for x in posterior(params, images))
        return kl_weight * losses.standard_normal_kl(mean, log_variance) / mean.shape[-1]

    return family.by_prompts(
        tower,
        init_params=init_params,
        describe=describe,
        scores=scores,
        penalty=penalty,
        optimizer=optax.adam(learning_rate),
        centre=centre,
        sees=frozenset({"other candidates"}),
    )


def predictive(logits: jax.Array) -> jax.Array:
    """Returns the logarithm of the mean over draws of the probabilities of classes, `[..., C]` for `[L, ..., C]`.

    >>> print(jnp.exp(predictive(jnp.array([[0.0, 0.0], [2.0, 0.0]]))).round(2))
    [0.69 0.31]
    """
    return jax.nn.logsumexp(jax.nn.log_softmax(logits), axis=0) - jnp.log(logits.shape[0])
