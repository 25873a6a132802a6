"""Encoders: flax.linen modules from inputs to embeddings `[B, D]`, by name in `ENCODERS`.

    encoder = encoders.factory("resnet50")(dtype="bfloat16")
    variables = encoder.init(key, images, train=False)                      {"params": ..., "batch_stats": ...}
    variables = encoders.weights.load("resnet50.safetensors", variables)    a public checkpoint from its file
    encoder, variables, images = encoders.load("resnet50.a1_in1k")          or all of that by its name
    embeddings = encoder.apply(variables, images, train=False)              [B, D]
    embeddings, places = encoder.apply(variables, images, train=False, local=True)      and [B, H*W, D] before pooling

A module is called as `encoder(inputs, *, train)`. Pixels are uint8 in 0..255 or float in 0..1; both are taken, see
`pixels.as_float`. The knobs of an encoder are the arguments of its factory, each with a default: they are the keys of
`config.encoder`.
"""

from collections.abc import Callable

from flax import linen as nn

from zsl_jax import errors
from zsl_jax.encoders import counts, weights
from zsl_jax.encoders.convnet import ConvNet
from zsl_jax.encoders.graphs import GraphEncoder, dgp, gat, gcn, node, sgc, trgcn
from zsl_jax.encoders.mlp import MLP
from zsl_jax.encoders.mobilenet import MobileNetV2, mobilenet_v2
from zsl_jax.encoders.recurrent import AttentiveGRU, BiLSTMAttention, BiLSTMMax
from zsl_jax.encoders.resnet import ResNet, resnet18, resnet34, resnet50, resnet50d, resnet101
from zsl_jax.encoders.scalar_mix import ScalarMix
from zsl_jax.encoders.text import BagOfWords, TextCNN, TextTransformer, deep_averaging
from zsl_jax.encoders.vit import ViT, vit_base, vit_small, vit_tiny
from zsl_jax.encoders.winner_take_all import WinnerTakeAll

ENCODERS: dict[str, Callable[..., nn.Module]] = {
    "mlp": MLP,
    "convnet": ConvNet,
    "mobilenet_v2": mobilenet_v2,
    "resnet18": resnet18,
    "resnet34": resnet34,
    "resnet50": resnet50,
    "resnet50d": resnet50d,
    "resnet101": resnet101,
    "vit_tiny": vit_tiny,
    "vit_small": vit_small,
    "vit_base": vit_base,
    "bag": BagOfWords,
    "text_cnn": TextCNN,
    "transformer": TextTransformer,
    "deep_averaging": deep_averaging,
    "bilstm_attention": BiLSTMAttention,
    "bilstm_max": BiLSTMMax,
    "attentive_gru": AttentiveGRU,
    "winner_take_all": WinnerTakeAll,
    "scalar_mix": ScalarMix,
    "node": node,
    "gcn": gcn,
    "gat": gat,
    "sgc": sgc,
    "dgp": dgp,
    "trgcn": trgcn,
}
# What an encoder of texts reads of a text, where that is not one vector: its words by their numbers `[B, L]`, or the
# layers of a text tower `[B, J, D]`.
READS = {
    "bag": "words",
    "text_cnn": "words",
    "transformer": "words",
    "deep_averaging": "words",
    "bilstm_attention": "words",
    "bilstm_max": "words",
    "attentive_gru": "words",
    "winner_take_all": "words",
    "scalar_mix": "layers",
}


def load(name: str):
    """Returns the encoder of a public checkpoint, its variables, and its preprocessing; see `pretrained.load`."""
    from zsl_jax.encoders import pretrained  # with what decodes images

    return pretrained.load(name)


def factory(name: str) -> Callable[..., nn.Module]:
    """Returns what makes the encoder of that name from its knobs.

    Raises:
      UserError: an unknown name.

    >>> factory("mlp")(widths=(8, 4)).widths
    (8, 4)
    """
    if name not in ENCODERS:
        raise errors.unknown("encoder", name, ENCODERS)
    return ENCODERS[name]


__all__ = [
    "ENCODERS",
    "MLP",
    "READS",
    "AttentiveGRU",
    "BagOfWords",
    "BiLSTMAttention",
    "BiLSTMMax",
    "ConvNet",
    "GraphEncoder",
    "MobileNetV2",
    "ResNet",
    "ScalarMix",
    "TextCNN",
    "TextTransformer",
    "ViT",
    "WinnerTakeAll",
    "counts",
    "deep_averaging",
    "dgp",
    "factory",
    "gat",
    "gcn",
    "load",
    "mobilenet_v2",
    "node",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet50d",
    "resnet101",
    "sgc",
    "trgcn",
    "vit_base",
    "vit_small",
    "vit_tiny",
    "weights",
]
