"""CoT: an expert of objects on the embedding, and one of attributes that it guides over maps of three depths."""

from typing import Any

import jax
import jax.numpy as jnp

from zsl_jax import errors, losses, similarity
from zsl_jax.encoders import convolution
from zsl_jax.methods import base, encoded, mlp, registry
from zsl_jax.methods.two_heads import SIDES, check_pairs
from zsl_jax.rules import Knob, number, whole

_SQUEEZE = 4  # channels of a map to hidden units of its gate


@registry.method(
    width=Knob("entries of a vector of an attribute, an object or a pair", whole(1)),
    temperature=Knob("of the softmax over cosines", number(0)),
    attribute_weight=Knob("of the attribute's own loss", number(0, ends="[)")),
    object_weight=Knob("of the object's own loss", number(0, ends="[)")),
    mixing=Knob("weight of the loss on pairs mixed with one of a rare attribute", number(0, ends="[)")),
    mixing_temperature=Knob("of the softmax of that loss", number(0)),
)
def cot(
    parts: encoded.Parts,
    *,
    width: int = 128,
    temperature: float = 0.05,
    attribute_weight: float = 0.6,
    object_weight: float = 0.4,
    mixing: float = 1.0,
    mixing_temperature: float = 0.1,
) -> base.Method:
    """Composition Transformer: attributes are looked for where the object is, at three depths of the encoder.

        v_o = f(x) W_o                                             the object, from the embedding
        F'_k = F_k sigmoid(MLP([v_o, mean F_k]))                   channels of map k that go with this object
        F''_k = F_k + F'_k sigmoid(conv [mean_c v_o, mean_c F'_k])      and places
        v_a = [mean F''_1, mean F''_2, mean F''_3] W_a             the attribute
        v = MLP([v_o, v_a]),   w_ao = MLP([w_o, w_a])
        F(x, (a, o)) = cos(v, w_ao) + cos(v_a, w_a) + cos(v_o, w_o)

    w_a and w_o start at the word vectors of the names, mapped at random to `width`, or at random where there are none.
    The loss is a softmax over the training pairs, one over attributes and one over objects, of cosines. With `mixing`,
    each image is mixed with another of the batch that shows the same object; its attribute is drawn with probability
    inverse to its number in the batch:

        v~ = lambda v_i + (1 - lambda) v_j,   w~ = MLP([w_o, lambda w_i + (1 - lambda) w_j]),   lambda uniform in (0, 1)
        loss: softmax of cos(v~, .) over w~ and the training pairs, w~ being right

    As in the released code, what is mixed are composed vectors, not images, and both parents stay among the wrong
    answers. Here it is done at every step instead of at half of those of the last epochs, and no batch statistics are
    kept.

    Args:
      parts: an encoder of images with stages (`convnet`, `vit_base`, `resnet50`, ...), its optimiser and augmentation.
        Of more than three stages, those at a quarter, a half and three quarters of the depth are read.
      width: >= 1.
      temperature: > 0.
      attribute_weight, object_weight: >= 0.
      mixing: >= 0.
      mixing_temperature: > 0.

    Raises:
      UserError: an encoder without stages; in `init`, classes that are no pairs.

    Reference: Kim, Lee, Park, Sohn, "Hierarchical Visual Primitive Experts for Compositional Zero-Shot Learning", ICCV
    2023.
    """

    def embed(head, embeddings):
        found = _vectors_of(head, embeddings)
        cosines = {side: similarity.cosine(found[side], head["vectors"][side]) for side in SIDES}
        return {"pair": found["pair"], **cosines}

    def scores(head, images, described):
        del head
        own = sum(images[side][:, described["parts"][:, i]] for i, side in enumerate(SIDES))
        return images["pair"] @ described["pair"].T + own

    def loss(head, embeddings, batch, classes, key):
        found, pairs = _vectors_of(head, embeddings), _of_pairs(head, classes.parts)
        own = classes.parts[batch.labels]
        value = losses.softmax_cross_entropy(found["pair"] @ pairs.T / temperature, batch.labels)
        for i, (side, weight) in enumerate(zip(SIDES, (attribute_weight, object_weight))):
            cosines = similarity.cosine(found[side], head["vectors"][side])
            value += weight * losses.softmax_cross_entropy(cosines / temperature, own[:, i])
        if not mixing:
            return value
        return value + mixing * _mixed(head, found["pair"], pairs, own, batch.where, key, mixing_temperature)

    return encoded.by_encoder(
        parts,
        init_head=lambda key, like, classes: _init_head(key, like, classes, width),
        loss=loss,
        embed=embed,
        describe=lambda head, classes: {"pair": _of_pairs(head, classes.parts), "parts": classes.parts},
        scores=scores,
        stages=True,
    )


def guided(maps: jax.Array, guide: jax.Array, gate: dict) -> jax.Array:
    """Returns `[B, C]`, the mean of maps `[B, h, w, C]` plus what a guide `[B, E]` opens in their channels and places.

    Args:
      maps: `[B, h, w, C]`.
      guide: `[B, E]`.
      gate: `channels`, layers from E + C to C, and `places`, a kernel `[3, 3, 2, 1]`.
    """
    pooled = jnp.mean(maps, axis=(1, 2))
    channels = mlp.apply_layers(gate["channels"], jnp.concatenate([guide, pooled], axis=1), jax.nn.relu)
    opened = maps * jax.nn.sigmoid(channels)[:, None, None, :]
    strength = jnp.mean(opened, axis=-1, keepdims=True)
    level = jnp.broadcast_to(jnp.mean(guide, axis=1)[:, None, None, None], strength.shape)
    places = convolution.by_matmul(jnp.concatenate([level, strength], axis=-1), gate["places"], (1, 1), "SAME")
    return pooled + jnp.mean(opened * jax.nn.sigmoid(places), axis=(1, 2))


def partners(key: jax.Array, own: jax.Array, where: jax.Array) -> jax.Array:
    """Returns `[B]` a row of the same object for each row; its attribute is drawn inverse to its number of rows.

    Args:
      key: PRNG key.
      own: `[B, 2]`, attribute and object.
      where: `[B]` bool; other rows are nobody's partner.

    >>> own = jnp.array([[0, 0], [0, 0], [0, 0], [1, 0], [0, 1]])
    >>> drawn = jax.vmap(lambda key: partners(key, own, jnp.ones(5, bool)))(jax.random.split(jax.random.key(0), 999))
    >>> round(float(jnp.mean(drawn[:, 0] == 3)), 1), int(jnp.max(jnp.abs(drawn[:, 4] - 4)))
    (0.8, 0)
    """
    same = own[:, None, :] == own[None, :, :]
    same_attribute, same_object = same[..., 0] & where[None, :], same[..., 1] & where[None, :]
    # The rows of an attribute with this object share the weight of the attribute.
    rows = jnp.sum(same_attribute, axis=1) * jnp.sum(same_attribute & same_object, axis=1)
    logits = jnp.where(same_object, -jnp.log(jnp.maximum(rows, 1))[None, :], -jnp.inf)
    logits = jnp.where(jnp.any(same_object, axis=1, keepdims=True), logits, 0.0)
    return jax.random.categorical(key, logits, axis=1)


def _init_head(key: jax.Array, like: tuple, classes: Any, width: int) -> dict[str, Any]:
    check_pairs("cot", classes)
    vector, maps = like
    keys = iter(jax.random.split(key, 16))

    def start(vectors):
        return jnp.asarray(vectors) @ mlp.dense(next(keys), vectors.shape[1], width, deviation=1.0)

    def gate(channels):
        hidden = max(1, channels // _SQUEEZE)
        kernel = 0.1 * jax.random.normal(next(keys), (3, 3, 2, 1))
        return {"channels": mlp.init_layers(next(keys), (width + channels, hidden, channels)), "places": kernel}

    channels = [x.shape[-1] for x in _three(maps)]
    return {
        "vectors": {side: start(classes.shared[side]) for side in SIDES},
        "object": mlp.dense(next(keys), vector.shape[-1], width),
        "gates": [gate(count) for count in channels],
        "attribute": mlp.dense(next(keys), sum(channels), width),
        "images": mlp.init_layers(next(keys), (2 * width, width, width)),
        "pairs": mlp.init_layers(next(keys), (2 * width, width, width)),
    }


def _vectors_of(head: dict, embeddings: tuple) -> dict[str, jax.Array]:
    """The vectors of object, attribute and pair of each image, of unit length."""
    vector, maps = embeddings
    found = vector @ head["object"]
    pooled = [guided(x, found, gate) for x, gate in zip(_three(maps), head["gates"])]
    of_attribute = jnp.concatenate(pooled, axis=1) @ head["attribute"]
    pair = mlp.apply_layers(head["images"], jnp.concatenate([found, of_attribute], axis=1), jax.nn.relu)
    return {
        "objects": similarity.l2_normalize(found),
        "attributes": similarity.l2_normalize(of_attribute),
        "pair": similarity.l2_normalize(pair),
    }


def _composed(head: dict, attributes: jax.Array, objects: jax.Array) -> jax.Array:
    pairs = jnp.concatenate([objects, attributes], axis=1)
    return similarity.l2_normalize(mlp.apply_layers(head["pairs"], pairs, jax.nn.relu))


def _of_pairs(head: dict, pairs: jax.Array) -> jax.Array:
    """The vectors `[C, width]` of pairs `[C, 2]`."""
    return _composed(head, *(head["vectors"][side][pairs[:, i]] for i, side in enumerate(SIDES)))


def _mixed(head: dict, images, pairs, own, where, key: jax.Array, temperature: Any) -> jax.Array:
    """The loss `[B]` of each image mixed with another one of its object; 0 where that has the same attribute."""
    drawn, share = jax.random.split(key)
    partner = partners(drawn, own, where)
    share = jax.random.uniform(share, (len(own), 1))
    vectors = head["vectors"]["attributes"]
    attributes = share * vectors[own[:, 0]] + (1 - share) * vectors[own[partner, 0]]
    virtual = _composed(head, attributes, head["vectors"]["objects"][own[:, 1]])
    images = similarity.l2_normalize(share * images + (1 - share) * images[partner])
    right = jnp.sum(images * virtual, axis=1, keepdims=True)
    logits = jnp.concatenate([right, images @ pairs.T], axis=1) / temperature
    value = losses.softmax_cross_entropy(logits, jnp.zeros(len(own), jnp.int32))
    return jnp.where(own[partner, 0] == own[:, 0], 0.0, value)


def _three(maps: tuple) -> tuple:
    """The maps of three depths."""
    if len(maps) < 3:
        raise errors.UserError(f"cot reads three stages of an encoder, and this has {len(maps)}: choose a deeper one")
    return maps if len(maps) == 3 else tuple(maps[round(len(maps) * part / 4) - 1] for part in (1, 2, 3))
