"""f-CLSWGAN: a generator of features whose fakes a classifier of the seen classes must recognise."""

import jax
import jax.numpy as jnp

from zsl_jax import rules
from zsl_jax.methods import registry
from zsl_jax.methods.generative import adversarial, classifier, networks

KNOBS = {
    "class_weight": rules.Knob("weight of a classifier's loss on the generated features", rules.number(0, ends="[)")),
    "penalty": rules.Knob("weight of the gradient penalty of the critic", rules.number(0, ends="[)")),
}


@registry.method(**KNOBS, **adversarial.KNOBS)
@adversarial.method
def f_clswgan(*, class_weight: float = 0.01, penalty: float = 10.0) -> adversarial.Game:
    """Feature-generating network: WGAN-GP on features, with the loss of a softmax trained on real ones.

        critic      D(G(z, phi_y), phi_y) - D(x, phi_y) + penalty (||grad D|| - 1)^2
        generator   -D(G(z, phi_y), phi_y) + class_weight * -log p(y | G(z, phi_y))

    Args:
      class_weight: of the classifier's loss on the fakes, >= 0.
      penalty: weight of the gradient penalty, >= 0.
      and the knobs of training, see `adversarial.adversarial`.

    Reference: Xian, Lorenz, Schiele, Akata, "Feature Generating Networks for Zero-Shot Learning", CVPR 2018.
    """
    return plain_game(class_weight=class_weight, penalty=penalty)


def plain_game(*, class_weight: float, penalty: float) -> adversarial.Game:
    """Returns the game of f-CLSWGAN, which other methods add to."""

    def init(key, num_attributes, num_hidden, num_features, num_classes):
        del num_classes
        critic_key, generator_key = jax.random.split(key)
        return (
            networks.init_critic(critic_key, num_attributes, num_hidden, num_features),
            networks.init_generator(generator_key, num_attributes, num_hidden, num_features),
        )

    def fakes(nets, key, labels, classes):
        return networks.generate(nets.generator, key, described(classes, labels))

    def critic_loss(nets, key, batch, descriptions, fakes, classes):
        del classes
        return critic_losses(nets.critic, key, batch, descriptions, fakes, penalty=penalty)

    def generator_loss(nets, key, batch, descriptions, classes):
        del classes
        fake = networks.generate(nets.generator, key, descriptions)
        return generator_losses(nets.critic, nets.known, fake, batch.labels, descriptions, class_weight=class_weight)

    def synthesize(nets, key, descriptions):
        return networks.generate(nets.generator, key, descriptions)

    return adversarial.Game(init, fakes, critic_loss, generator_loss, synthesize)


def described(classes, labels):
    """Returns the descriptions `[B, A]` of some rows of a class table."""
    return jnp.asarray(classes.embedding, jnp.float32)[labels]


def critic_losses(critic, key, batch, descriptions, fake, *, penalty):
    """Returns the critic's losses `[B]` and its metrics: the estimate of the Wasserstein distance, and the penalty."""
    estimate, slopes = networks.estimate_and_penalty(critic, key, batch.inputs, fake, descriptions)
    return penalty * slopes - estimate, {"critic_estimate": estimate, "gradient_penalty": slopes}


def generator_losses(critic, known, fake, labels, descriptions, *, class_weight):
    """Returns the generator's losses `[B]` and its metrics: the classifier's loss on the fakes."""
    class_loss = classifier.cross_entropy(known.classifier, fake, labels)
    return class_weight * class_loss - networks.critic_value(critic, fake, descriptions), {"class_loss": class_loss}
