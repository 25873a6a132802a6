"""Properties that every pure function of the library has; a test module calls these on its own functions."""

import inspect
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np


def is_float(x) -> bool:
    return jnp.issubdtype(jnp.asarray(x).dtype, jnp.floating)


def assert_close(actual, expected, *, rtol: float = 1e-5, atol: float = 1e-6) -> None:
    jax.tree.map(
        lambda a, e: np.testing.assert_allclose(np.asarray(a), np.asarray(e), rtol=rtol, atol=atol), actual, expected
    )


def check_jit_and_vmap(fn: Callable, *arrays, rtol: float = 1e-5, atol: float = 1e-6) -> None:
    """jit(fn) = fn, and vmap(fn) over two different stacked copies of the arrays = a Python loop over them."""
    compiled = jax.jit(fn)
    assert_close(compiled(*arrays), fn(*arrays), rtol=rtol, atol=atol)
    check_vmap(compiled, *arrays, rtol=rtol, atol=atol)


def check_vmap(fn: Callable, *arrays, rtol: float = 1e-5, atol: float = 1e-6) -> None:
    """vmap(fn) over two different stacked copies of the arrays = a Python loop over them; for an fn under jit."""
    second = tuple(x[::-1] if x.ndim else x for x in map(jnp.asarray, arrays))
    stacked = tuple(jnp.stack([jnp.asarray(a), b]) for a, b in zip(arrays, second))
    loop = jax.tree.map(lambda *xs: jnp.stack(xs), fn(*arrays), fn(*second))
    assert_close(jax.jit(jax.vmap(inspect.unwrap(fn)))(*stacked), loop, rtol=rtol, atol=atol)


def check_finite_gradients(fn: Callable, *arrays) -> None:
    """The value of fn and its gradients in all floating arguments are finite."""
    argnums = tuple(i for i, x in enumerate(arrays) if is_float(x))
    value, grads = jax.value_and_grad(lambda *xs: jnp.sum(fn(*xs)), argnums=argnums)(*arrays)
    assert np.isfinite(value), value
    for argnum, grad in zip(argnums, grads):
        assert np.all(np.isfinite(grad)), f"gradient in argument {argnum}: {grad}"


def check_half_precision(fn: Callable, *arrays) -> None:
    """bfloat16 inputs give a float32 result."""
    halves = tuple(jnp.asarray(x).astype(jnp.bfloat16) if is_float(x) else x for x in arrays)
    for leaf in jax.tree.leaves(jax.eval_shape(fn, *halves)):
        assert leaf.dtype == jnp.float32, leaf.dtype
