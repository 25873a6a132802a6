"""Public checkpoints by the names of timm and torchvision: what they are, where they are, and the encoder they fit.

    module, variables, images = load("vit_small_patch14_dinov2.lvd142m")
    embeddings = module.apply(variables, pixels, train=False)            pixels as `images` says, [B, D]

A checkpoint is fetched once, by the package `huggingface_hub` (the extra `hub`), into its own cache. Without a network
a copy of the file serves that lies in a folder of checkpoints as `NAME.safetensors`.

Names without a dot are torchvision's (`resnet50`): the file that it publishes, `resnet50-11ad3fa6.pth`, is put into
that folder as it is, and read without torch.

The sizes are those of float32 tensors with classifier; licences, sizes of images, crops and scaling are as in the
configurations of timm 1.0.31 and torchvision 0.29, whose default weights they are. A file of torchvision's is compared
with the sha256 whose first digits its name carries, `huggingface_hub` compares what it fetches with what the hub
announces, and what was read is written into every record by its sha256.
"""

import difflib
import hashlib
import logging
import os
import pathlib
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import linen as nn

from zsl_jax import encoders, errors
from zsl_jax.data import images as images_lib
from zsl_jax.encoders import stages, weights

FILE = "model.safetensors"
TORCHVISION = "https://download.pytorch.org/models"
FOLDER = "ZSL_JAX_WEIGHTS"  # environment variable: where copies are


class Checkpoint(NamedTuple):
    """A public checkpoint.

    Fields:
      encoder: a name in `encoders.ENCODERS`.
      knobs: of it, as these weights expect them.
      images: size, crop and filter, the same.
      repository: on the hub; or `TORCHVISION`.
      licence: of the weights, as their publisher states it.
      megabytes: of the file, about.
      file: its name there.
    """

    encoder: str
    knobs: dict[str, Any]
    images: images_lib.Preprocessing
    repository: str
    licence: str
    megabytes: int
    file: str = FILE

    @property
    def sha256(self) -> str:
        """The first digits of the file's, which torchvision writes into its name; empty for the others."""
        return self.file.removesuffix(".pth").rpartition("-")[2] if self.repository == TORCHVISION else ""


def _images(crop: float, *, size: int = 224, resize: str = "bicubic") -> images_lib.Preprocessing:
    return images_lib.Preprocessing(size=size, fit="crop", crop_fraction=crop, filter=resize)


_FITS = {
    "resnet18.a1_in1k": ("resnet18", {}, _images(0.95), "apache-2.0", 47),
    "resnet18.tv_in1k": ("resnet18", {}, _images(0.875, resize="bilinear"), "bsd-3-clause", 47),
    "resnet34.a1_in1k": ("resnet34", {}, _images(0.95), "apache-2.0", 87),
    "resnet50.a1_in1k": ("resnet50", {}, _images(0.95), "apache-2.0", 102),
    "resnet50.tv_in1k": ("resnet50", {}, _images(0.875, resize="bilinear"), "bsd-3-clause", 102),
    "resnet50d.ra2_in1k": ("resnet50d", {}, _images(0.875), "apache-2.0", 103),
    "resnet101.a1h_in1k": ("resnet101", {}, _images(0.95), "apache-2.0", 179),
    "resnet101.tv_in1k": ("resnet101", {}, _images(0.875, resize="bilinear"), "bsd-3-clause", 179),
    "mobilenetv2_100.ra_in1k": ("mobilenet_v2", {}, _images(0.875), "apache-2.0", 14),
    "vit_tiny_patch16_224.augreg_in21k_ft_in1k": ("vit_tiny", {}, _images(0.9), "apache-2.0", 23),
    "vit_small_patch16_224.augreg_in21k_ft_in1k": ("vit_small", {}, _images(0.9), "apache-2.0", 88),
    "vit_base_patch16_224.augreg_in21k_ft_in1k": ("vit_base", {}, _images(0.9), "apache-2.0", 346),
    "deit_tiny_patch16_224.fb_in1k": ("vit_tiny", {"scaling": "imagenet"}, _images(0.9), "apache-2.0", 23),
    "deit_small_patch16_224.fb_in1k": ("vit_small", {"scaling": "imagenet"}, _images(0.9), "apache-2.0", 88),
    "deit_base_patch16_224.fb_in1k": ("vit_base", {"scaling": "imagenet"}, _images(0.9), "apache-2.0", 346),
    "deit_tiny_distilled_patch16_224.fb_in1k": (
        "vit_tiny",
        {"variant": "distilled", "scaling": "imagenet"},
        _images(0.9),
        "apache-2.0",
        24,
    ),
    "deit_small_distilled_patch16_224.fb_in1k": (
        "vit_small",
        {"variant": "distilled", "scaling": "imagenet"},
        _images(0.9),
        "apache-2.0",
        90,
    ),
    "deit_base_distilled_patch16_224.fb_in1k": (
        "vit_base",
        {"variant": "distilled", "scaling": "imagenet"},
        _images(0.9),
        "apache-2.0",
        349,
    ),
    "vit_small_patch14_dinov2.lvd142m": (
        "vit_small",
        {"variant": "dinov2", "patch": 14, "scaling": "imagenet"},
        _images(1.0, size=518),
        "apache-2.0",
        88,
    ),
    "vit_base_patch14_dinov2.lvd142m": (
        "vit_base",
        {"variant": "dinov2", "patch": 14, "scaling": "imagenet"},
        _images(1.0, size=518),
        "apache-2.0",
        346,
    ),
    "vit_base_patch16_clip_224.laion2b": (
        "vit_base",
        {"variant": "clip", "scaling": "clip"},
        _images(1.0),
        "apache-2.0",
        345,
    ),
    "vit_base_patch16_clip_quickgelu_224.openai": (
        "vit_base",
        {"variant": "clip_quickgelu", "scaling": "clip"},
        _images(0.9),
        "apache-2.0",
        345,
    ),
    "vit_base_patch32_clip_quickgelu_224.openai": (
        "vit_base",
        {"variant": "clip_quickgelu", "patch": 32, "scaling": "clip"},
        _images(0.9),
        "apache-2.0",
        351,
    ),
    "vit_base_patch16_siglip_224.webli": ("vit_base", {"variant": "siglip"}, _images(0.9), "apache-2.0", 372),
}
_RESIZED = 224 / 232  # of torchvision's second recipe
_TORCHVISION = {
    "resnet18": ("resnet18", {}, _images(0.875, resize="bilinear"), 47, "f37072fd"),
    "resnet34": ("resnet34", {}, _images(0.875, resize="bilinear"), 87, "b627a593"),
    "resnet50": ("resnet50", {}, _images(_RESIZED, resize="bilinear"), 103, "11ad3fa6"),
    "resnet101": ("resnet101", {}, _images(_RESIZED, resize="bilinear"), 179, "cd907fc2"),
    "mobilenet_v2": ("mobilenet_v2", {}, _images(_RESIZED, resize="bilinear"), 14, "7ebf99e0"),
    "vit_b_16": ("vit_base", {"scaling": "imagenet"}, _images(0.875, resize="bilinear"), 346, "c867db91"),
    "vit_b_32": ("vit_base", {"patch": 32, "scaling": "imagenet"}, _images(0.875, resize="bilinear"), 353, "d86f8d99"),
}
# Those that lie on the hub under another name than their own.
_REPOSITORIES = {
    "vit_base_patch16_clip_quickgelu_224.openai": "timm/vit_base_patch16_clip_224.openai",
    "vit_base_patch32_clip_quickgelu_224.openai": "timm/vit_base_patch32_clip_224.openai",
}
CHECKPOINTS = {
    name: Checkpoint(encoder, knobs, images, _REPOSITORIES.get(name, f"timm/{name}"), licence, megabytes)
    for name, (encoder, knobs, images, licence, megabytes) in _FITS.items()
} | {
    name: Checkpoint(encoder, knobs, images, TORCHVISION, "bsd-3-clause", megabytes, f"{name}-{digits}.pth")
    for name, (encoder, knobs, images, megabytes, digits) in _TORCHVISION.items()
}


def describe() -> str:
    """Returns a line for every checkpoint: name, encoder, size, licence and, of torchvision's, the file."""
    lines = []
    for name, known in CHECKPOINTS.items():
        line = f"  {name:<44} {known.encoder:<13} {known.megabytes:>4} MB  {known.licence}"
        lines.append(f"{line:<84}  {known.file}" if known.sha256 else line)
    return "\n".join(lines)


def load(name: str) -> tuple[nn.Module, Any, images_lib.Preprocessing]:
    """Returns the encoder of a public checkpoint, its variables, and how images are brought to what it takes.

    Args:
      name: in `CHECKPOINTS`.

    Raises:
      UserError: an unknown name, or a checkpoint that is neither here nor can be fetched.
    """
    checkpoint = named(name)
    module = encoders.factory(checkpoint.encoder)(**checkpoint.knobs)
    size = checkpoint.images.size
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), np.zeros((1, size, size, 3), np.uint8), train=False))
    return module, weights.load(path(name), shapes), checkpoint.images


def named(name: str) -> Checkpoint:
    """Returns what is known of a checkpoint.

    Raises:
      UserError: an unknown name.

    >>> named("resnet50d.ra2_in1k").licence
    'apache-2.0'
    """
    if name not in CHECKPOINTS:
        begun = [known for known in CHECKPOINTS if name and known.startswith(name)]
        near = begun[:1] or difflib.get_close_matches(name, CHECKPOINTS, n=1)
        raise errors.unlisted(
            "weights",
            name,
            near,
            f"a {', '.join(weights.SUFFIXES[:-1])} or {weights.SUFFIXES[-1]} file is wanted, or a name that "
            "`zsl-jax extract --help` lists",
        )
    return CHECKPOINTS[name]


def read(text: str) -> dict[str, np.ndarray]:
    """Returns the tensors of a checkpoint or of a file, by name; raises as `path` and `weights.read` do."""
    return weights.read(path(text))


def path(text: str) -> pathlib.Path:
    """Returns the file of a checkpoint by its name, fetched where it is not here; a path is returned as it is.

    Raises:
      UserError: an unknown name, a checkpoint that is neither here nor can be fetched, or a file that is not the one
        whose name it has.
    """
    place = pathlib.Path(text).expanduser()
    if place.is_file() or (text not in CHECKPOINTS and place.suffix in weights.SUFFIXES):
        return _checked(place)
    known = named(text)
    copy = folder() / (known.file if known.sha256 else f"{text}.safetensors")
    return _checked(copy) if copy.is_file() else _fetched(text, copy)


def _checked(place: pathlib.Path) -> pathlib.Path:
    """The file; raises where it has the name of one of torchvision's, and another content."""
    digits = next((known.sha256 for known in CHECKPOINTS.values() if known.sha256 and known.file == place.name), "")
    if digits and place.is_file():
        with place.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if not found.startswith(digits):
            raise errors.UserError(
                f"{place} is not what torchvision publishes under this name: its sha256 begins with {found[:8]}, not "
                f"{digits}: fetch {TORCHVISION}/{place.name} again"
            )
    return place


def folder() -> pathlib.Path:
    """Returns where copies of checkpoints are looked for: `$ZSL_JAX_WEIGHTS`, or else a folder of the user's cache."""
    return pathlib.Path(os.environ.get(FOLDER) or stages.cache("weights")).expanduser()


def _fetched(name: str, copy: pathlib.Path) -> pathlib.Path:
    checkpoint = CHECKPOINTS[name]
    if checkpoint.sha256:
        raise errors.UserError(
            f"weights {name} are torchvision's, and not on this machine: put {TORCHVISION}/{checkpoint.file} (about "
            f"{checkpoint.megabytes} MB) there as {copy}"
        )
    by_hand = f"put {FILE} of {checkpoint.repository} (about {checkpoint.megabytes} MB) there as {copy}"
    try:
        import huggingface_hub
    except ImportError as error:
        raise errors.UserError(
            f"weights {name} are fetched by a package: pip install 'zsl-jax[hub]'; or {by_hand}"
        ) from error
    download = huggingface_hub.hf_hub_download  # its module is imported here, and sets the level of its log
    log = logging.getLogger("huggingface_hub")
    level = log.level
    log.setLevel(logging.ERROR)  # without a network it warns of each of its tries
    try:
        return pathlib.Path(download(checkpoint.repository, FILE))
    except Exception as error:  # whatever its client of HTTP raises where there is no network, or no such file
        raise errors.UserError(
            f"weights {name} are not on this machine, and could not be fetched ({type(error).__name__}): {by_hand}"
        ) from error
    finally:
        log.setLevel(level)
