"""TF-VAEGAN: a variational autoencoder as the generator, and a decoder of attributes that talks back to it."""

import jax
import jax.numpy as jnp
import optax

from zsl_jax import rules
from zsl_jax.methods import registry
from zsl_jax.methods.generative import adversarial, clswgan, gaussians, networks


@registry.method(
    attribute_weight=rules.Knob("weight of reading the attributes off the features", rules.number(0, ends="[)")),
    adversarial_weight=rules.Knob("weight of the critic's value in the generator's loss", rules.number(0, ends="[)")),
    feedback=rules.Knob("strength of the decoder's correction of the generator", rules.number(0, ends="[)")),
    penalty=clswgan.KNOBS["penalty"],
    **adversarial.KNOBS,
)
@adversarial.method
def tf_vaegan(
    *, attribute_weight: float = 0.01, adversarial_weight: float = 10.0, feedback: float = 1.0, penalty: float = 10.0
) -> adversarial.Game:
    """Latent embedding feedback: E encodes, G decodes, D criticises, and Dec reads the attributes off the features.

        G           first = G(h(z, phi)),  x = G(h(z, phi) + feedback * F(hidden layer of Dec(first)))
        critic      D(x', phi_y) - D(x, phi_y) + penalty (||grad D|| - 1)^2 + attribute_weight |Dec(x) - phi_y|_w
        generator   BCE(G(E(x), phi_y), x) + KL(E(x) || N(0, I)) - adversarial_weight D(x', phi_y)
                    + attribute_weight (|Dec(x') - phi_y|_w + |Dec(G(E(x), phi_y)) - phi_y|_w)

    |d|_w = sum_a w_a |d_a| with w = d^2 / ||d||, no gradient through w. The final classifier sees the features with the
    hidden layer and the output of Dec. Here the feedback works from the first step on, with one learning rate and one
    weight of the penalty throughout; the authors train it in a second stage and adapt the weight.

    Args:
      attribute_weight: of the decoder's loss, >= 0.
      adversarial_weight: of the critic's value in the generator's loss, >= 0.
      feedback: strength of the correction, >= 0; 0 is VAEGAN with a decoder.
      penalty: weight of the gradient penalty, >= 0.
      and the knobs of training, see `adversarial.adversarial`.

    Reference: Narayan, Gupta, Khan, Snoek, Shao, "Latent Embedding Feedback and Discriminative Features for Zero-Shot
    Classification", ECCV 2020.
    """

    def synthesize(nets, key, descriptions):
        noise = jax.random.normal(key, descriptions.shape)
        return jax.nn.sigmoid(_decoded(nets, noise, descriptions, feedback=feedback))

    def critic_loss(nets, key, batch, descriptions, fakes, classes):
        del classes
        own, metrics = clswgan.critic_losses(nets.critic["critic"], key, batch, descriptions, fakes, penalty=penalty)
        return own + attribute_weight * _reading_loss(nets, batch.inputs, descriptions), metrics

    def generator_loss(nets, key, batch, descriptions, classes):
        del classes
        code_key, fake_key = jax.random.split(key)
        pair = jnp.concatenate([batch.inputs, descriptions], axis=1)
        code = gaussians.encoded(networks.apply_layers(nets.generator["encoder"], pair))
        logits = _decoded(nets, gaussians.drawn(code_key, code), descriptions, feedback=feedback)
        reconstruction = jnp.sum(optax.losses.sigmoid_binary_cross_entropy(logits, batch.inputs), axis=1)
        divergence = gaussians.kl_to_standard(code)
        fake = synthesize(nets, fake_key, descriptions)
        reading = _reading_loss(nets, fake, descriptions) + _reading_loss(nets, jax.nn.sigmoid(logits), descriptions)
        total = (
            reconstruction
            + divergence
            - adversarial_weight * networks.critic_value(nets.critic["critic"], fake, descriptions)
            + attribute_weight * reading
        )
        return total, {"reconstruction": reconstruction, "divergence": divergence}

    return adversarial.Game(
        init=_init,
        fakes=lambda nets, key, labels, classes: synthesize(nets, key, clswgan.described(classes, labels)),
        critic_loss=critic_loss,
        generator_loss=generator_loss,
        synthesize=synthesize,
        embed=_embed,
    )


def _init(key, num_attributes: int, num_hidden: int, num_features: int, num_classes: int):
    del num_classes
    keys = jax.random.split(key, 5)
    critic = {
        "critic": networks.init_critic(keys[0], num_attributes, num_hidden, num_features),
        "decoder": networks.init_layers(keys[1], (num_features, num_hidden, num_attributes)),
    }
    generator = {
        "encoder": networks.init_layers(keys[2], (num_features + num_attributes, num_hidden, 2 * num_attributes)),
        "generator": networks.init_generator(keys[3], num_attributes, num_hidden, num_features),
        "feedback": networks.init_layers(keys[4], (num_hidden, num_hidden, num_hidden)),
    }
    return critic, generator


def _decoded(nets, z, descriptions, *, feedback) -> jax.Array:
    """Features before the sigmoid, after the feedback."""
    inner, outer = nets.generator["generator"]
    hidden = networks.leaky(networks.apply_layers([inner], jnp.concatenate([z, descriptions], axis=1)))
    first = jax.nn.sigmoid(networks.apply_layers([outer], hidden))
    correction = networks.apply_layers(nets.generator["feedback"], _read_hidden(nets, first))
    return networks.apply_layers([outer], hidden + feedback * correction)


def _read_hidden(nets, features) -> jax.Array:
    """The hidden layer of the decoder of attributes."""
    return networks.leaky(networks.apply_layers(nets.critic["decoder"][:1], features))


def _reading_loss(nets, features, descriptions) -> jax.Array:
    """`[B]`, how far the attributes that are read off the features are from the descriptions."""
    difference = networks.apply_layers(nets.critic["decoder"], features) - descriptions
    squares = jax.lax.stop_gradient(difference**2)
    length = jnp.sqrt(jnp.maximum(jnp.sum(squares, axis=1, keepdims=True), 1e-12))
    return jnp.sum(squares / length * jnp.abs(difference), axis=1)


def _embed(nets, features) -> jax.Array:
    hidden = _read_hidden(nets, features)
    read = networks.apply_layers(nets.critic["decoder"][1:], hidden)
    return jnp.concatenate([features, hidden, read], axis=1)
