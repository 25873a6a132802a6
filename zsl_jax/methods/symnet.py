"""SymNet: attaching an attribute that an input has changes nothing, and neither does detaching one that it lacks."""

import jax
import jax.numpy as jnp
import optax

from zsl_jax import losses
from zsl_jax.methods import base, centring, gradient, mlp, registry
from zsl_jax.methods.two_heads import SIDES, check_pairs
from zsl_jax.rules import Knob, number, whole

_WEIGHT = number(0, ends="[)")


@registry.method(
    width=Knob("entries of an embedded input and of the vector of an attribute", whole(1)),
    temperature=Knob("of the softmax over the moving distances of the attributes", number(0)),
    symmetry=Knob("weight of the moves that should change nothing", _WEIGHT),
    group=Knob("weight of closure, invertibility and commutativity", _WEIGHT),
    triplet=Knob("weight of the hinge between the moving distances of two attributes", _WEIGHT),
    margin=Knob("of that hinge, a distance", number(0)),
    learning_rate=registry.LEARNING_RATE,
    weight_decay=registry.WEIGHT_DECAY,
)
def symnet(
    *,
    width: int = 64,
    temperature: float = 0.3,
    symmetry: float = 0.05,
    group: float = 0.01,
    triplet: float = 0.03,
    margin: float = 0.5,
    learning_rate: float = 3e-3,
    weight_decay: float = 0.0,
) -> base.Method:
    """An attribute is a pair of moves, to attach and to detach it; an input has those that move it as they should.

        f = x W,   T+(f, a) = f + MLP+([f sigmoid(v_a G+), v_a]),   T-(f, a) = f + MLP-([f sigmoid(v_a G-), v_a])
        d+_a = ||f - T+(f, a)||,   d-_a = ||f - T-(f, a)||
        F(x, (a, o)) = log softmax_a((d-_a - d+_a) / temperature) + log softmax_o(f U + u)

    To attach what is there moves nothing (d+ small), to detach it does (d- large). The loss is -F of the right pair,
    and with a the attribute of the input and b another one, drawn for each input and step,

        + symmetry (d+_a + d-_b)
        + group (||T-(T+(f, a), a) - T-(f, a)|| + ||T+(T-(f, b), b) - T+(f, b)||           closure
                 + ||T+(T-(f, a), a) - f|| + ||T-(T+(f, b), b) - f||                  invertibility
                 + ||T+(T-(f, a), b) - T-(T+(f, b), a)||)                             commutativity
        + triplet (max(0, margin + d+_a - d+_b) + max(0, margin + d-_b - d-_a))
        + weight_decay sum_W ||W||^2

    v starts at the word vectors of the names of the attributes, mapped at random to `width`, or at random where there
    are none. The published networks are not residual and keep batch statistics; here a move begins near the input and
    nothing is kept.

    Args:
      width: >= 1.
      temperature: > 0.
      symmetry, group, triplet: >= 0.
      margin: > 0.
      learning_rate: of Adam, > 0.
      weight_decay: >= 0.

    Reference: Li, Xu, Mao, Lu, "Symmetry and Group in Attribute-Object Compositions", CVPR 2020.
    """

    def init_params(key, like, classes):
        check_pairs("symnet", classes)
        keys = jax.random.split(key, 7)
        words, number_of_objects = jnp.asarray(classes.shared[SIDES[0]]), len(classes.shared[SIDES[1]])

        def move(gate, layers):
            return {"gate": mlp.dense(gate, width, width), "layers": mlp.init_layers(layers, (2 * width, width, width))}

        return {
            "images": mlp.dense(keys[0], like.inputs.shape[-1], width, deviation=1.0),
            "attributes": words @ mlp.dense(keys[1], words.shape[1], width, deviation=1.0),
            "objects": mlp.init_layers(keys[2], (width, number_of_objects))[0],
            "attach": move(keys[3], keys[4]),
            "detach": move(keys[5], keys[6]),
        }

    def distances(params, rows):
        """Returns `[2, B, A]`, how far each attribute moves each input when it is attached, and detached."""

        def of_attribute(vector):
            return jnp.stack([_distance(rows, moved(params[side], rows, vector)) for side in ("attach", "detach")])

        return jnp.moveaxis(jax.lax.map(of_attribute, params["attributes"]), 0, -1)

    def log_probabilities(params, rows, apart):
        likely = jax.nn.log_softmax((apart[1] - apart[0]) / temperature)
        objects = mlp.apply_layers([params["objects"]], rows, jax.nn.relu)
        return {SIDES[0]: likely, SIDES[1]: jax.nn.log_softmax(objects)}

    def embed(params, inputs):
        rows = inputs @ params["images"]
        return log_probabilities(params, rows, distances(params, rows))

    def loss(params, batch, classes, key):
        rows, own = batch.inputs @ params["images"], classes.parts[batch.labels]
        apart, count = distances(params, rows), len(params["attributes"])
        other = (own[:, 0] + jax.random.randint(key, own[:, 0].shape, 1, max(count, 2))) % count
        found = log_probabilities(params, rows, apart)
        value = -sum(_taken(found[side], own[:, i]) for i, side in enumerate(SIDES))
        (attached, detached), (attached_b, detached_b) = (
            (_taken(apart[0], which), _taken(apart[1], which)) for which in (own[:, 0], other)
        )
        value += symmetry * (attached + detached_b)
        value += group * axioms(params, rows, *(params["attributes"][which] for which in (own[:, 0], other)))
        value += triplet * (jax.nn.relu(margin + attached - attached_b) + jax.nn.relu(margin + detached_b - detached))
        return value + weight_decay * sum(jnp.sum(x**2) for x in jax.tree.leaves(params) if x.ndim > 1)

    method = gradient.by_gradient(
        init_params=init_params,
        loss=loss,
        embed=embed,
        describe=lambda params, classes: classes.parts,
        scores=lambda params, images, parts: images[SIDES[0]][:, parts[:, 0]] + images[SIDES[1]][:, parts[:, 1]],
        optimizer=optax.adam(learning_rate),
        divides=False,
    )
    return base.viewed(method, centring.CENTRED)


def moved(move: dict, rows: jax.Array, vectors: jax.Array) -> jax.Array:
    """Returns `[B, D]`, rows `[B, D]` after an attribute was attached or detached.

    Args:
      move: `gate [E, D]` and `layers` from D + E to D.
      rows: `[B, D]`.
      vectors: of the attribute, `[E]` or one per row `[B, E]`.
    """
    vectors = jnp.broadcast_to(vectors, (rows.shape[0], vectors.shape[-1]))
    gated = rows * jax.nn.sigmoid(vectors @ move["gate"])
    return rows + mlp.apply_layers(move["layers"], jnp.concatenate([gated, vectors], axis=1), jax.nn.relu)


def axioms(params: dict, rows: jax.Array, own: jax.Array, other: jax.Array) -> jax.Array:
    """Returns `[B]`, how far the moves are from being those of a group: closure, invertibility and commutativity.

    Args:
      params: `attach` and `detach`, see `moved`.
      rows: `[B, D]`.
      own: `[B, E]`, vectors of the attribute that each row has.
      other: `[B, E]`, of one that it lacks.
    """

    def attach(rows, vectors):
        return moved(params["attach"], rows, vectors)

    def detach(rows, vectors):
        return moved(params["detach"], rows, vectors)

    without, with_other = detach(rows, own), attach(rows, other)
    closure = _distance(detach(attach(rows, own), own), without)
    closure += _distance(attach(detach(rows, other), other), with_other)
    inverse = _distance(attach(without, own), rows) + _distance(detach(with_other, other), rows)
    return closure + inverse + _distance(attach(without, other), detach(with_other, own))


def _distance(a: jax.Array, b: jax.Array) -> jax.Array:
    return losses.alignment(a, b, power=1.0)


def _taken(values: jax.Array, columns: jax.Array) -> jax.Array:
    """The entry of each row of `[B, K]` in its column."""
    return jnp.take_along_axis(values, columns[:, None], axis=1)[:, 0]
