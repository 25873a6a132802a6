"""The networks of the adversarial methods: two layers each, with a leaky ReLU (slope 0.2) between them.

    generator   x = relu(leaky([z, phi] U + b) V + c)        z [B, A] noise, as wide as a description
    critic      d = leaky(x U + phi U' + b) w + c

Weights start at N(0, 0.02^2), biases at 0, as in the released code of f-CLSWGAN.
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from zsl_jax import losses
from zsl_jax.methods import mlp

_SLOPE = 0.2
_DEVIATION = 0.02


# Dense layers for `apply_layers`: `(key, widths) -> layers`.
init_layers = functools.partial(mlp.init_layers, deviation=_DEVIATION)


def apply_layers(layers: Sequence[dict[str, jax.Array]], x: jax.Array) -> jax.Array:
    """Returns the output of dense layers with leaky ReLUs between them, linear in the last."""
    return mlp.apply_layers(layers, x, leaky)


def leaky(x: jax.Array) -> jax.Array:
    return jax.nn.leaky_relu(x, _SLOPE)


def init_generator(key: jax.Array, num_attributes: int, num_hidden: int, num_features: int):
    return init_layers(key, (2 * num_attributes, num_hidden, num_features))


def generate(generator, key: jax.Array, descriptions: jax.Array) -> jax.Array:
    """Returns a feature vector `[B, F]`, not negative, for each description `[B, A]`."""
    z = jax.random.normal(key, descriptions.shape)
    return jax.nn.relu(apply_layers(generator, jnp.concatenate([z, descriptions], axis=1)))


def init_critic(key: jax.Array, num_attributes: int, num_hidden: int, num_features: int) -> dict[str, jax.Array]:
    shapes = {
        "features": (num_features, num_hidden),
        "descriptions": (num_attributes, num_hidden),
        "output": (num_hidden,),
    }
    keys = jax.random.split(key, len(shapes))
    weights = {name: _DEVIATION * jax.random.normal(k, shape) for k, (name, shape) in zip(keys, shapes.items())}
    return weights | {"bias": jnp.zeros(num_hidden), "output_bias": jnp.zeros(())}


def critic_value(critic, features: jax.Array, descriptions: jax.Array) -> jax.Array:
    """Returns `[B]` the critic's value of each feature vector for its description; only differences mean something."""
    return _value(critic, features @ critic["features"] + _of_descriptions(critic, descriptions))


def critic_value_of_all(critic, features: jax.Array, descriptions: jax.Array) -> jax.Array:
    """Returns `[B, C]` the value of every feature vector `[B, F]` for every description `[C, A]`."""
    of_features, of_classes = features @ critic["features"], _of_descriptions(critic, descriptions)
    return _value(critic, of_features[:, None, :] + of_classes[None, :, :])


def estimate_and_penalty(
    critic, key: jax.Array, real: jax.Array, fake: jax.Array, descriptions: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Returns `[B]` the critic's values of real features less those of fakes, and `[B]` gradient penalties between.

    The mean of the first estimates the Wasserstein distance of the two distributions.

    The penalty is the closed form of `losses.two_layer_gradient_penalty`, at points whose hidden layer lies between
    those of the two. All that touches the weights of the features, the greatest array, is done for both terms together:
    their gradient in it is one product.

    Args:
      critic: what `init_critic` returns.
      key: PRNG key of the points.
      real, fake: `[B, F]`, row by row of the same class.
      descriptions: `[B, A]` of those classes.
    """
    points = jnp.concatenate([real, fake])
    own = _of_descriptions(critic, descriptions)
    hidden = jax.lax.stop_gradient(points @ critic["features"] + jnp.concatenate([own, own]))
    share = jax.random.uniform(key, (len(real), 1))
    between = share * hidden[: len(real)] + (1 - share) * hidden[len(real) :]
    slopes = jnp.where(between > 0, 1.0, _SLOPE) * critic["output"][None, :]
    products, gradients = _both_ways(critic["features"], points, slopes)
    values = _value(critic, products + jnp.concatenate([own, own]))
    return values[: len(real)] - values[len(real) :], losses.squared_departure(gradients)


@jax.custom_vjp
def _both_ways(weights, points, slopes):
    """Returns points @ weights and slopes @ weights.T, whose gradients in the weights are one product."""
    return points @ weights, slopes @ weights.T


def _both_ways_forward(weights, points, slopes):
    return _both_ways(weights, points, slopes), (weights, points, slopes)


def _both_ways_backward(residuals, cotangents):
    weights, points, slopes = residuals
    of_products, of_gradients = cotangents
    left, right = jnp.concatenate([points, of_gradients]), jnp.concatenate([of_products, slopes])
    return left.T @ right, of_products @ weights.T, of_gradients @ weights


_both_ways.defvjp(_both_ways_forward, _both_ways_backward)


def _of_descriptions(critic, descriptions):
    part = descriptions @ critic["descriptions"]
    return part + jnp.broadcast_to(critic["bias"], part.shape)


def _value(critic, hidden):
    return leaky(hidden) @ critic["output"] + critic["output_bias"]
