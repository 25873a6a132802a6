"""CIZSL: a generator that must also make believable features of classes that do not exist, and be sure of none."""

import jax
import jax.numpy as jnp

from zsl_jax import losses, rules, similarity
from zsl_jax.methods import registry
from zsl_jax.methods.generative import adversarial, classifier, clswgan, networks


@registry.method(
    creativity_weight=rules.Knob(
        "weight of being sure of no seen class, for classes that do not exist", rules.number(0, ends="[)")
    ),
    **clswgan.KNOBS,
    **adversarial.KNOBS,
)
@adversarial.method
def cizsl(*, creativity_weight: float = 0.1, class_weight: float = 0.01, penalty: float = 10.0) -> adversarial.Game:
    """Creativity-inspired learning on the base of f-CLSWGAN.

        generator   f-CLSWGAN's loss - D(G(z, phi_h), phi_h) + creativity_weight * SM(p(. | G(z, phi_h)) || uniform)
        phi_h       a phi_s + (1 - a) phi_t of two seen classes, a uniform in [0.2, 0.8], as long as phi_s

    A hallucinated class must look real, yet its features must be of no seen class: the Sharma-Mittal divergence of the
    seen classifier's probabilities from the uniform ones is small. Its two orders are learned, within (0.2, 0.8). The
    paper's base is another GAN, and its released code scales the divergences of a batch to [0, 1], which makes them
    depend on each other; here they are used as they are. See `losses.sharma_mittal`.

    Args:
      creativity_weight: of the divergence, >= 0; the authors chose from 1e-4 to 1.
      class_weight, penalty: as in `f_clswgan`.
      and the knobs of training, see `adversarial.adversarial`.

    Reference: Elhoseiny, Elfeki, "Creativity Inspired Zero-Shot Learning", ICCV 2019.
    """
    plain = clswgan.plain_game(class_weight=class_weight, penalty=penalty)

    def init(key, num_attributes, num_hidden, num_features, num_classes):
        critic, generator = plain.init(key, num_attributes, num_hidden, num_features, num_classes)
        return critic, {"generator": generator, "orders": jnp.zeros(2)}

    def inner(nets):
        return nets._replace(generator=nets.generator["generator"])

    def generator_loss(nets, key, batch, descriptions, classes):
        plain_key, key = jax.random.split(key)
        own, metrics = plain.generator_loss(inner(nets), plain_key, batch, descriptions, classes)
        hallucination_key, noise_key = jax.random.split(key)
        hallucinated = hallucinate(hallucination_key, descriptions, batch.where)
        fake = networks.generate(nets.generator["generator"], noise_key, hallucinated)
        probabilities = jax.nn.softmax(classifier.logits(nets.known.classifier, fake))
        alpha, beta = 0.2 + 0.6 * jax.nn.sigmoid(nets.generator["orders"])
        uniform = jnp.full(probabilities.shape[1:], 1 / probabilities.shape[1])
        divergence = losses.sharma_mittal(probabilities, uniform, alpha=alpha, beta=beta)
        value = networks.critic_value(nets.critic, fake, hallucinated)
        return own - value + creativity_weight * divergence, metrics | {"creativity_loss": divergence}

    return plain._replace(
        init=init,
        fakes=lambda nets, *given: plain.fakes(inner(nets), *given),
        generator_loss=generator_loss,
        synthesize=lambda nets, *given: plain.synthesize(inner(nets), *given),
    )


def hallucinate(key: jax.Array, descriptions: jax.Array, where: jax.Array) -> jax.Array:
    """Returns descriptions `[B, A]` of classes that do not exist: each a mixture of those of two rows.

    Args:
      key: PRNG key.
      descriptions: `[B, A]`, of the rows of a batch.
      where: `[B]` bool, the rows to take from.

    Returns:
      `[B, A]`, each as long as the first of its two.
    """
    first_key, second_key, share_key = jax.random.split(key, 3)
    weights = jnp.where(where | ~jnp.any(where), 0.0, -jnp.inf)
    first, second = (
        descriptions[jax.random.categorical(k, weights, shape=where.shape)] for k in (first_key, second_key)
    )
    share = jax.random.uniform(share_key, (len(descriptions), 1), minval=0.2, maxval=0.8)
    length = jnp.sqrt(jnp.sum(first**2, axis=1, keepdims=True))
    return length * similarity.l2_normalize(share * first + (1 - share) * second)
