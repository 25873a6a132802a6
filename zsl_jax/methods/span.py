"""Training in the span of the training classes' descriptions, where a linear map of descriptions can move at all.

The gradient of W in x^T W phi_c is a sum of x phi_c^T over training classes, so its rows lie in the span of their
descriptions. With Q an orthonormal basis of that span, W = W' Q^T, and W' has at most as many columns as there are
training classes: on CUB 150 for 312. Gradient descent takes the same path; Adam takes another, because it scales
coordinates one by one.
"""

import dataclasses
from typing import Any, NamedTuple

import jax.numpy as jnp

from zsl_jax.methods import base


class SpanState(NamedTuple):
    """The orthonormal basis Q `[A, min(A, C)]` of the training classes' descriptions, and the method's state on it."""

    basis: Any
    inner: Any


def in_class_span(method: base.Method) -> base.Method:
    """Returns the method on class descriptions phi Q, their coordinates in the span of the training classes'."""

    def project(state, classes):
        return dataclasses.replace(classes, embedding=classes.embedding @ state.basis)

    def init(key, batch, classes):
        basis, _ = jnp.linalg.qr(jnp.asarray(classes.embedding).T)
        empty = SpanState(basis, None)
        return SpanState(basis, method.init(key, batch, project(empty, classes)))

    def update(state, batch, classes, key):
        inner, metrics = method.update(state.inner, batch, project(state, classes), key)
        return state._replace(inner=inner), metrics

    return method._replace(
        init=init,
        prepare=lambda state, train, classes, key: state._replace(
            inner=method.prepare(state.inner, train, project(state, classes), key)
        ),
        update=update,
        finish=lambda state, train, classes, key: state._replace(
            inner=method.finish(state.inner, train, project(state, classes), key)
        ),
        adapt=lambda state, inputs, classes: state._replace(
            inner=method.adapt(state.inner, inputs, project(state, classes))
        ),
        scores=lambda state, inputs, classes: method.scores(state.inner, inputs, project(state, classes)),
    )
