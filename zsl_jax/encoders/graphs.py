"""Encoders of the nodes of a graph that classes are: two layers over the neighbours of neighbours, padded.

    {"rows" [C], "features" [V, F], "nodes" [V, K], "where" [V, K], "steps" [V, K]}  ->  [C, D]

    node     W x_v                                                    the features of the node itself
    gcn      act(W mean_u h_u + b)                                    over its neighbours u, v among them
    gat      act(sum_u softmax_u(LeakyReLU(a . [W h_v, W h_u])) W h_u + b)
    sgc      W mean mean x + b                                        means alone, one layer at the end
    dgp      act(W sum_u softmax_u(w[steps from v to u]) h_u + b)     neighbours weighted by how far they are
    trgcn    act(W mean_u transformer(P h)_u + b)                     neighbours read each other first

`nodes`, `where` and `steps` are those of `class_encoders.graphs.neighborhoods`; the first neighbour is the node itself.
Weights belong to no node: a node that comes later is encoded by its edges and its features, without another training.
`dgp` follows Kampffmeyer et al. but for its neighbours, which random walks find in both directions.

Reference: Nayak, Bach, "Zero-Shot Learning with Common Sense Knowledge Graphs", TMLR 2022 (TrGCN); Kipf, Welling,
"Semi-Supervised Classification with Graph Convolutional Networks", ICLR 2017; Velickovic et al., "Graph Attention
Networks", ICLR 2018; Wu et al., "Simplifying Graph Convolutional Networks", ICML 2019; Kampffmeyer et al., "Rethinking
Knowledge Graph Propagation for Zero-Shot Learning", CVPR 2019.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from flax import linen as nn

from zsl_jax import errors

PARTS = ("features", "nodes", "where", "steps")
LAYERS = ("node", "gcn", "gat", "sgc", "dgp", "trgcn")
_STEPS = 8  # of the weights of dgp; neighbours further away share the last


class GraphEncoder(nn.Module):
    """Two layers of one kind, LeakyReLU between them.

    Args:
      layer: one of `LAYERS`.
      width: D.
      hidden_width: of the first layer.
      dropout: share of the entries of what a layer reads that a training step leaves out.

    Raises:
      UserError: inputs that are no nodes of a graph.

    >>> import jax, jax.numpy as jnp
    >>> nodes = jnp.array([[0, 1], [1, 0], [2, 2]])
    >>> graph = {"features": jnp.eye(3, 4), "nodes": nodes, "where": jnp.array([[1, 1], [1, 1], [1, 0]], bool)}
    >>> inputs = {"rows": jnp.array([2, 0]), **graph, "steps": jnp.array([[0, 1], [0, 1], [0, 0]])}
    >>> GraphEncoder("gcn", width=5).init_with_output(jax.random.key(0), inputs, train=False)[0].shape
    (2, 5)
    """

    layer: str
    width: int = 64
    hidden_width: int = 64
    dropout: float = 0.0

    @nn.compact
    def __call__(self, inputs: Mapping[str, jax.Array], *, train: bool) -> jax.Array:
        if not isinstance(inputs, Mapping) or "nodes" not in inputs:
            raise errors.UserError(
                f"the encoder {self.layer} takes nodes of a graph: --config.classes.source=graph with "
                "--config.classes.graph=FOLDER"
            )
        rows = inputs["rows"]
        if self.layer == "node":
            return self._dense(self.width, "out")(self._dropped(inputs["features"][rows], train))
        around = inputs["nodes"][rows]  # [C, K]
        first = self._layer(inputs, around, inputs["features"][inputs["nodes"][around]], train, "first")
        hidden = first if self.layer == "sgc" else nn.leaky_relu(first)
        return self._layer(inputs, rows, hidden, train, "second")

    def _layer(self, inputs, rows, h, train: bool, name: str) -> jax.Array:
        """From the neighbours `h [..., K, F]` of nodes `rows [...]` to `[..., F']`."""
        where, is_last = inputs["where"][rows], name == "second"
        width = self.width if is_last else self.hidden_width
        h = self._dropped(h, train)
        if self.layer == "sgc":
            mean = _mean(h, where)
            return self._dense(width, name)(mean) if is_last else mean
        if self.layer == "gcn":
            return self._dense(width, name)(_mean(h, where))
        if self.layer == "dgp":
            far = self.param(f"{name}_steps", nn.initializers.zeros, (_STEPS,))
            share = _softmax(far[jnp.minimum(inputs["steps"][rows], _STEPS - 1)], where)
            return self._dense(width, name)(jnp.sum(share[..., None] * h, axis=-2))
        if self.layer == "gat":
            seen = nn.Dense(width, use_bias=False, name=f"{name}_values")(h)
            ask, answer = (
                nn.Dense(1, use_bias=False, name=f"{name}_{side}")(seen)[..., 0] for side in ("ask", "answer")
            )
            share = _softmax(nn.leaky_relu(ask[..., :1] + answer, 0.2), where)
            bias = self.param(f"{name}_bias", nn.initializers.zeros, (width,))
            total = jnp.sum(share[..., None] * seen, axis=-2)
            return total + jnp.broadcast_to(bias, total.shape)
        return self._dense(width, name)(_mean(self._read(h, where, train, name), where))

    def _read(self, h, where, train: bool, name: str) -> jax.Array:
        """One transformer layer without places over the neighbours, of half the width, one head."""
        width = max(1, h.shape[-1] // 2)
        h = nn.Dense(width, use_bias=False, name=f"{name}_project")(h)
        query, key, value = (nn.Dense(width, name=f"{name}_{part}")(h) for part in ("query", "key", "value"))
        logits = jnp.einsum("...qd,...kd->...qk", query, key) / jnp.sqrt(jnp.float32(width))
        attended = _softmax(logits, where[..., None, :]) @ value
        h = nn.LayerNorm(name=f"{name}_attended")(
            h + nn.Dense(width, name=f"{name}_output")(self._dropped(attended, train))
        )
        forward = nn.Dense(width, name=f"{name}_down")(nn.relu(nn.Dense(width, name=f"{name}_up")(h)))
        return nn.LayerNorm(name=f"{name}_forward")(h + self._dropped(forward, train))

    def _dense(self, width: int, name: str) -> nn.Dense:
        return nn.Dense(width, name=name)

    def _dropped(self, x, train: bool):
        return nn.Dropout(self.dropout, deterministic=not train)(x)


def _factory(layer: str) -> Callable[..., GraphEncoder]:
    def make(*, width: int = 64, hidden_width: int = 64, dropout: float = 0.5) -> GraphEncoder:
        return GraphEncoder(layer, width, hidden_width, dropout)

    make.__name__ = layer
    make.__doc__ = f"Returns the `GraphEncoder` of layers `{layer}`."
    return make


node, gcn, gat, sgc, dgp, trgcn = map(_factory, LAYERS)


def _mean(h: jax.Array, where: jax.Array) -> jax.Array:
    total = jnp.sum(jnp.where(where[..., None], h, 0.0), axis=-2)
    return total / jnp.maximum(jnp.sum(where, axis=-1, keepdims=True), 1)


def _softmax(logits: jax.Array, where: jax.Array) -> jax.Array:
    return jax.nn.softmax(jnp.where(where, logits, -jnp.inf), axis=-1)
