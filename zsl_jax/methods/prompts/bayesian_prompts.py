"""Bayesian prompts: a distribution over the context, before a frozen text tower."""

import jax
import jax.numpy as jnp
import optax

from zsl_jax import losses
from zsl_jax.encoders import prompts
from zsl_jax.methods import base, registry
from zsl_jax.methods.prompts import coop, family
from zsl_jax.rules import Knob, number, whole


@registry.method(
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
    deviation of the tower's word vectors; mu begins at 0 and sigma at `spread`. q is the same for all images. A score
    depends on the other candidates, because of the softmax. For scoring r is drawn once, with a fixed key.

    Args:
      tower: the frozen text tower.
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
        context = coop.started(tower, key, weights, classes, length)
        width = context.shape[-1]
        log_variance = jnp.full(width, 2 * jnp.log(spread), jnp.float32)
        return {"context": context, "mean": jnp.zeros(width), "log_variance": log_variance}

    def describe(params, weights, classes, known, key):
        del known
        count = samples if key is not None else test_samples
        noise = jax.random.normal(jax.random.key(0) if key is None else key, (count, len(params["mean"])))
        residual = params["mean"][None] + jnp.exp(params["log_variance"] / 2)[None] * noise
        contexts = params["context"][None] + (prior * tower.spread * residual)[:, None]
        ids = family.names(classes)
        texts = coop.text(tower, weights, jnp.tile(contexts, (len(ids), 1, 1)), jnp.repeat(ids, count, axis=0))
        return texts.reshape(len(ids), count, -1)

    def scores(params, weights, images, described):
        logits = scale * jnp.einsum("bf,clf->lbc", images, described)
        return jax.nn.logsumexp(jax.nn.log_softmax(logits), axis=0) - jnp.log(described.shape[1])

    def penalty(params, described, hand):
        divergence = losses.standard_normal_kl(params["mean"][None], params["log_variance"][None])[0]
        return kl_weight * divergence / len(params["mean"])

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
