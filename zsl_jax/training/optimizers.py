"""The optimiser of `config.optimizer`: one chain of optax transformations.

gradient -> clipped -> Adam or momentum -> + weight decay -> * learning rate(step) -> encoder slower
"""

import jax
import optax

from zsl_jax import errors

RULES = {
    "adamw": lambda momentum: optax.scale_by_adam(b1=momentum),
    "sgd": lambda momentum: optax.trace(decay=momentum),
    "lion": lambda momentum: optax.scale_by_lion(b1=momentum),
}


def make_optimizer(
    *,
    name: str = "adamw",
    learning_rate: float = 1e-3,
    warmup_steps: int = 0,
    decay_steps: int = 0,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    clip_norm: float = 0.0,
    accumulate: int = 1,
    encoder_rate: float = 1.0,
) -> optax.GradientTransformation:
    """Returns the optimiser of parameters `{"encoder": ..., "head": ...}`.

    Args:
      name: `adamw`, `sgd` or `lion`.
      learning_rate: at its highest.
      warmup_steps: over which the learning rate rises from 0.
      decay_steps: after which a half cosine has brought it to 0, warm-up included; 0 leaves it where it is.
      momentum: share of the last step in the next; b1 of Adam and Lion.
      weight_decay: decoupled from the gradient, of matrices and kernels alone, not of biases and scales.
      clip_norm: length to which a longer gradient is cut; 0 does not cut.
      accumulate: steps whose mean gradient makes one update; the schedule counts updates.
      encoder_rate: learning rate of the encoder, where that of the head is 1; 0 leaves the encoder as it is.

    Raises:
      UserError: an unknown name, or a decay shorter than the warm-up.

    >>> import jax.numpy as jnp
    >>> params = {"encoder": jnp.ones(2), "head": jnp.ones(2)}
    >>> optimizer = make_optimizer(name="sgd", learning_rate=0.5, encoder_rate=0.1)
    >>> updates, _ = optimizer.update(params, optimizer.init(params), params)
    >>> print(updates["encoder"], updates["head"])
    [-0.05 -0.05] [-0.5 -0.5]
    """
    if name not in RULES:
        raise errors.unknown("optimizer", name, RULES)
    if decay_steps and decay_steps <= warmup_steps:
        raise errors.UserError(
            f"the step size cannot decay within {decay_steps} updates after rising for warmup_steps={warmup_steps}: "
            "let it decay later (optimizer.decay_epochs), or not at all (0)"
        )
    optimizer = optax.chain(
        optax.clip_by_global_norm(clip_norm) if clip_norm else optax.identity(),
        RULES[name](momentum),
        optax.add_decayed_weights(weight_decay, mask=is_matrix) if weight_decay else optax.identity(),
        optax.scale_by_learning_rate(schedule(learning_rate, warmup_steps, decay_steps)),
        _slower_encoder(encoder_rate),
    )
    return optax.MultiSteps(optimizer, accumulate).gradient_transformation() if accumulate > 1 else optimizer


def schedule(learning_rate: float, warmup_steps: int, decay_steps: int) -> optax.Schedule:
    """Returns `step -> learning rate`: linear from 0, then constant or half a cosine down to 0.

    >>> print([round(float(schedule(1.0, 2, 4)(step)), 4) for step in range(5)])
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    if decay_steps:
        return optax.warmup_cosine_decay_schedule(
            0.0 if warmup_steps else learning_rate, learning_rate, warmup_steps, decay_steps
        )
    return (
        optax.linear_schedule(0.0, learning_rate, warmup_steps)
        if warmup_steps
        else optax.constant_schedule(learning_rate)
    )


def is_matrix(params):
    """Marks the parameters of two or more axes."""
    return jax.tree.map(lambda x: x.ndim > 1, params)


def _slower_encoder(rate: float) -> optax.GradientTransformation:
    def scaled(updates, params=None):
        del params
        return {
            part: jax.tree.map(lambda x: rate * x, update) if part == "encoder" else update
            for part, update in updates.items()
        }

    return optax.identity() if rate == 1.0 else optax.stateless(scaled)
