"""f-CLSWGAN: a generator of features whose fakes a classifier of the seen classes must recognise."""

import jax
import jax.numpy as jnp

from zsl_jax.methods import base
from zsl_jax.methods.generative import adversarial, classifier, networks


def f_clswgan(
    *,
    class_weight: float = 0.01,
    penalty: float = 10.0,
    num_hidden: int = 4096,
    critic_steps: int = 5,
    learning_rate: float = 1e-4,
    description_scale: float = 1.0,
    average: float = 0.0,
    num_synthetic: int = 300,
    num_synthetic_seen: int = 0,
    classifier_epochs: int = 25,
) -> base.Method:
    """Feature-generating network: WGAN-GP on features, with the loss of a softmax trained on real ones.

        critic      D(G(z, phi_y), phi_y) - D(x, phi_y) + penalty (||grad D|| - 1)^2
        generator   -D(G(z, phi_y), phi_y) + class_weight * -log p(y | G(z, phi_y))

    Args:
      class_weight: of the classifier's loss on the fakes, >= 0.
      penalty: weight of the gradient penalty, >= 0.
      num_hidden, critic_steps, learning_rate, description_scale, average, num_synthetic, num_synthetic_seen,
        classifier_epochs: see `adversarial.adversarial`.

    Reference: Xian, Lorenz, Schiele, Akata, "Feature Generating Networks for Zero-Shot Learning", CVPR 2018.
    """
    return adversarial.adversarial(
        plain_game(class_weight=class_weight, penalty=penalty),
        num_hidden=num_hidden,
        critic_steps=critic_steps,
        learning_rate=learning_rate,
        description_scale=description_scale,
        average=average,
        num_synthetic=num_synthetic,
        num_synthetic_seen=num_synthetic_seen,
        classifier_epochs=classifier_epochs,
    )


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
        return against(nets.critic, key, batch, descriptions, fakes, penalty=penalty)

    def generator_loss(nets, key, batch, descriptions, classes):
        del classes
        fake = networks.generate(nets.generator, key, descriptions)
        return deceiving(nets.critic, nets.known, fake, batch.labels, descriptions, class_weight=class_weight)

    def synthesize(nets, key, descriptions):
        return networks.generate(nets.generator, key, descriptions)

    return adversarial.Game(init, fakes, critic_loss, generator_loss, synthesize)


def described(classes, labels):
    """Returns the descriptions `[B, A]` of some rows of a class table."""
    return jnp.asarray(classes.embedding, jnp.float32)[labels]


def against(critic, key, batch, descriptions, fake, *, penalty):
    """Returns the critic's losses `[B]` and its metrics: the estimate of the Wasserstein distance, and the penalty."""
    estimate, slopes = networks.contest(critic, key, batch.inputs, fake, descriptions)
    return penalty * slopes - estimate, {"critic_estimate": estimate, "gradient_penalty": slopes}


def deceiving(critic, known, fake, labels, descriptions, *, class_weight):
    """Returns the generator's losses `[B]` and its metrics: the classifier's loss on the fakes."""
    class_loss = classifier.cross_entropy(known.classifier, fake, labels)
    return class_weight * class_loss - networks.realness(critic, fake, descriptions), {"class_loss": class_loss}
