"""CE-GZSL: a generator beside an embedding of features in which classes are told apart by contrast."""

import jax
import jax.numpy as jnp

from zsl_jax import losses, similarity
from zsl_jax.methods import base
from zsl_jax.methods.generative import adversarial, clswgan, networks


def ce_gzsl(
    *,
    instance_weight: float = 1e-3,
    comparison_weight: float = 1e-3,
    temperature: float = 0.1,
    num_embedding: int = 2048,
    num_projection: int = 512,
    num_compared: int = 512,
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
    """Contrastive embedding: the generator of WGAN-GP, an embedding h of features, and two contrastive losses on it.

        h = relu(E(x)),  z = P(h) / ||P(h)||
        instance     supervised contrastive loss of z over the batch
        comparison   -log softmax_c(F(h, phi_c) / temperature) of the own class, over the seen classes
        critic       WGAN-GP + instance(real) + comparison(real)
        generator    -D(G(z, phi_y), phi_y) + instance_weight * instance(fake) + comparison_weight * comparison(fake)

    The final classifier sees h. F has one hidden layer of leaky ReLUs on the concatenation of h and phi_c, as wide as
    `num_compared` (2048 in the paper, where the batch and the classes make it the greater part of the work).

    Args:
      instance_weight: of the instance-level loss on the fakes, >= 0.
      comparison_weight: of the class-level loss on the fakes, >= 0.
      temperature: of both, > 0.
      num_embedding: width of h, >= 1.
      num_projection: width of z, >= 1.
      num_compared: width of the hidden layer of F, >= 1.
      penalty: weight of the gradient penalty, >= 0.
      num_hidden, critic_steps, learning_rate, description_scale, average, num_synthetic, num_synthetic_seen,
        classifier_epochs: see `adversarial.adversarial`.

    Reference: Han, Fu, Chen, Yang, "Contrastive Embedding for Generalized Zero-Shot Learning", CVPR 2021.
    """
    plain = clswgan.plain_game(class_weight=0.0, penalty=penalty)

    def init(key, num_attributes, num_hidden, num_features, num_classes):
        keys = jax.random.split(key, 4)
        critic, generator = plain.init(keys[0], num_attributes, num_hidden, num_features, num_classes)
        beside = {
            "embedding": networks.init_layers(keys[1], (num_features, num_embedding)),
            "projection": networks.init_layers(keys[2], (num_embedding, num_projection)),
            "comparison": networks.init_critic(keys[3], num_attributes, num_compared, num_embedding),
        }
        return beside | {"critic": critic}, generator

    def embed(nets, features):
        return jax.nn.relu(networks.apply_layers(nets.critic["embedding"], features))

    def contrasts(nets, features, labels, classes, where):
        """The two losses `[B]` of some features."""
        h = embed(nets, features)
        z = similarity.l2_normalize(networks.apply_layers(nets.critic["projection"], h))
        instance = losses.supervised_contrastive(z, labels, temperature=temperature, where=where)
        logits = networks.realness_of_all(nets.critic["comparison"], h, jnp.asarray(classes.embedding, jnp.float32))
        return instance, losses.softmax_cross_entropy(logits / temperature, labels)

    def critic_loss(nets, key, batch, descriptions, fakes, classes):
        own, metrics = clswgan.against(nets.critic["critic"], key, batch, descriptions, fakes, penalty=penalty)
        instance, comparison = contrasts(nets, batch.inputs, batch.labels, classes, batch.where)
        return own + instance + comparison, metrics | {"instance_loss": instance, "comparison_loss": comparison}

    def generator_loss(nets, key, batch, descriptions, classes):
        fake = networks.generate(nets.generator, key, descriptions)
        instance, comparison = contrasts(nets, fake, batch.labels, classes, batch.where)
        deceived = networks.realness(nets.critic["critic"], fake, descriptions)
        return instance_weight * instance + comparison_weight * comparison - deceived, {"fake_comparison": comparison}

    return adversarial.adversarial(
        plain._replace(init=init, critic_loss=critic_loss, generator_loss=generator_loss, embed=embed),
        num_hidden=num_hidden,
        critic_steps=critic_steps,
        learning_rate=learning_rate,
        description_scale=description_scale,
        average=average,
        num_synthetic=num_synthetic,
        num_synthetic_seen=num_synthetic_seen,
        classifier_epochs=classifier_epochs,
    )
