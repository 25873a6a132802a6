"""Two towers that meet: an encoder of images and one of class descriptions (attributes, words), and the cosine.

    F(x, c) = s cos(P f(x), Q g(phi_c)),   the scale s is learned

    info_nce   each image chooses among all training classes
    clip       images and the descriptions of their classes choose among each other in the batch, both ways
    siglip     every pair of an image and a training class is a question of its own
    supcon     images and descriptions of one class attract each other, of whatever kind

Images of one class are no negatives of each other in any of them.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from zsl_jax import errors, losses, rules, similarity
from zsl_jax.methods import base, encoded, mlp, registry


@registry.method(
    contrast=rules.Knob("loss of the two towers", rules.one_of(("clip", "info_nce", "siglip", "supcon"))),
    width=rules.Knob("entries of the embeddings in which images and classes meet", rules.whole(1)),
    temperature=rules.Knob("divisor of the cosines at the start; it is learned", rules.number(0)),
    prefixes=rules.Knob("lengths at which the first entries alone are trained as well", rules.wholes(1)),
    score_width=rules.Knob("first entries of the embeddings that scores use; 0 for all", rules.whole(0)),
)
def two_tower(
    parts: encoded.Parts,
    class_encoder: nn.Module,
    *,
    contrast: str = "clip",
    width: int = 64,
    temperature: float = 0.1,
    prefixes: tuple[int, ...] = (),
    score_width: int = 0,
) -> base.Method:
    """Returns the method that trains both towers by a contrastive loss.

    Args:
      parts: the encoder f of the images, the optimiser and the augmentation.
      class_encoder: g, a module of `zsl_jax.encoders` on what describes a class: an MLP on attributes `[C, A]`, a text
        encoder on tokens `[C, L]`.
      contrast: `clip`, `info_nce`, `siglip` or `supcon`.
      width: D of the space where they meet.
      temperature: 1 / s at the start.
      prefixes: lengths below `width` at which the first entries of the embeddings alone should do as well
        (Matryoshka): the losses of all are summed.
      score_width: entries that scores use; 0 for all.

    Raises:
      UserError: an unknown loss, or a prefix or `score_width` beyond `width`.

    Reference: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021; Zhai,
    Mustafa, Kolesnikov, Beyer, "Sigmoid Loss for Language Image Pre-Training", ICCV 2023; Khosla et al., "Supervised
    Contrastive Learning", NeurIPS 2020; Kusupati et al., "Matryoshka Representation Learning", NeurIPS 2022.
    """
    if contrast not in _CONTRASTS:
        raise errors.unknown("contrast", contrast, _CONTRASTS)
    for name, value in [("prefixes", prefix) for prefix in prefixes] + [("score_width", score_width)]:
        if not 0 <= value <= width or (name == "prefixes" and value == 0):
            raise errors.UserError(f"method.{name}: {value} is not a length of embeddings of method.width={width}")
    dims = (*(prefix for prefix in prefixes if prefix != width), width)
    used = score_width or width

    def describe(head, classes, key=None):
        rngs = None if key is None else {"dropout": key}
        described = class_encoder.apply(
            {"params": head["classes"]}, classes.embedding, train=key is not None, rngs=rngs
        )
        return described @ head["of_classes"]

    def init_head(key, image_width, classes):
        keys = jax.random.split(key, 3)
        described, variables = class_encoder.init_with_output(keys[0], classes.embedding, train=False)
        if set(variables) != {"params"}:
            raise errors.UserError(
                "a class encoder with batch statistics cannot be trained: choose mlp or a text encoder"
            )
        return {
            "classes": variables["params"],
            "of_images": mlp.dense(keys[1], image_width, width),
            "of_classes": mlp.dense(keys[2], described.shape[-1], width),
            "log_scale": jnp.log(jnp.asarray(1.0 / temperature, jnp.float32)),
            "bias": jnp.float32(0.0),
        }

    def loss(head, embeddings, batch, classes, key):
        def at_prefix(x, y):
            return _CONTRASTS[contrast](x, y, batch, jnp.exp(head["log_scale"]), head["bias"])

        images, described = embeddings @ head["of_images"], describe(head, classes, key)
        return losses.matryoshka(at_prefix, images, described, dims=dims, normalize=True) / len(dims)

    return encoded.by_encoder(
        parts,
        init_head=init_head,
        loss=loss,
        embed=lambda head, embeddings: (embeddings @ head["of_images"])[:, :used],
        describe=lambda head, classes: describe(head, classes)[:, :used],
        scores=lambda head, images, described: jnp.exp(head["log_scale"]) * similarity.cosine(images, described),
    )


def _clip(images, classes, batch, scale, bias):
    del bias
    return losses.multi_positive_clip(images, classes[batch.labels], batch.labels, scale=scale, where=batch.where)


def _info_nce(images, classes, batch, scale, bias):
    del bias
    return losses.info_nce(images, classes, batch.labels, temperature=1 / scale)


def _siglip(images, classes, batch, scale, bias):
    logits = scale * similarity.dot(images, classes) + bias
    return len(classes) * losses.multilabel_bce(logits, jax.nn.one_hot(batch.labels, len(classes)))


def _supcon(images, classes, batch, scale, bias):
    del bias
    both = losses.supervised_contrastive(
        jnp.concatenate([images, classes[batch.labels]]),
        jnp.concatenate([batch.labels, batch.labels]),
        temperature=1 / scale,
        where=jnp.concatenate([batch.where, batch.where]),
    )
    return jnp.mean(both.reshape(2, -1), axis=0)


_CONTRASTS = {"clip": _clip, "info_nce": _info_nce, "siglip": _siglip, "supcon": _supcon}
