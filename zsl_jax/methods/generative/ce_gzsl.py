"""CE-GZSL: a generator beside an embedding of features in which classes are told apart by contrast."""

import jax
import jax.numpy as jnp

from zsl_jax import losses, rules, similarity
from zsl_jax.methods import registry
from zsl_jax.methods.generative import adversarial, clswgan, networks


@registry.method(
    instance_weight=rules.Knob("weight of the contrast between generated features", rules.number(0, ends="[)")),
    comparison_weight=rules.Knob(
        "weight of the contrast between generated features and classes", rules.number(0, ends="[)")
    ),
    temperature=rules.Knob("divisor of the similarities in the two contrasts", rules.number(0)),
    num_embedding=rules.Knob("width of the embedding of the features", rules.whole(1)),
    num_projection=rules.Knob("width of the projection in which features are contrasted", rules.whole(1)),
    num_compared=rules.Knob("width of the hidden layer that compares features with classes", rules.whole(1)),
    penalty=clswgan.KNOBS["penalty"],
    **adversarial.KNOBS,
)
@adversarial.method
def ce_gzsl(
    *,
    instance_weight: float = 1e-3,
    comparison_weight: float = 1e-3,
    temperature: float = 0.1,
    num_embedding: int = 2048,
    num_projection: int = 512,
    num_compared: int = 512,
    penalty: float = 10.0,
) -> adversarial.Game:
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
      and the knobs of training, see `adversarial.adversarial`.

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
        logits = networks.critic_value_of_all(nets.critic["comparison"], h, jnp.asarray(classes.embedding, jnp.float32))
        return instance, losses.softmax_cross_entropy(logits / temperature, labels)

    def critic_loss(nets, key, batch, descriptions, fakes, classes):
        own, metrics = clswgan.critic_losses(nets.critic["critic"], key, batch, descriptions, fakes, penalty=penalty)
        instance, comparison = contrasts(nets, batch.inputs, batch.labels, classes, batch.where)
        return own + instance + comparison, metrics | {"instance_loss": instance, "comparison_loss": comparison}

    def generator_loss(nets, key, batch, descriptions, classes):
        fake = networks.generate(nets.generator, key, descriptions)
        instance, comparison = contrasts(nets, fake, batch.labels, classes, batch.where)
        value = networks.critic_value(nets.critic["critic"], fake, descriptions)
        return instance_weight * instance + comparison_weight * comparison - value, {"fake_comparison": comparison}

    return plain._replace(init=init, critic_loss=critic_loss, generator_loss=generator_loss, embed=embed)
