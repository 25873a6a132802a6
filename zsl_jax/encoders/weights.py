"""Weights of public checkpoints, by the names that they have there.

    ResNet           torchvision   layer1.0.conv1.weight, layer1.0.bn1.running_mean, ...
    MobileNetV2      torchvision   features.1.conv.0.0.weight, ...
                     folded        000_CONV_2D_w, 000_CONV_2D_b, 001_DEPTHWISE_CONV_2D_w, ... in the order of the layers
                     timm          blocks.1.0.conv_pw.weight, ...
    ViT              timm          blocks.0.attn.qkv.weight, cls_token, patch_embed.proj.weight, ...
                     torchvision   encoder.layers.encoder_layer_0.self_attention.in_proj_weight, ...

Where there are two, `tensor_names` brings the second to the first. An encoder's modules carry these names, so that the
table follows from its variables: `_0` is written `.0`, and

    kernel [H, W, in, out] -> weight [out, in, H, W]        scale -> weight        mean -> running_mean
    kernel [in, out]       -> weight [out, in]              bias  -> bias          var  -> running_var

Folded layers (normalisation multiplied into the convolution before it) are given one that only adds their bias.
Position embeddings of a ViT for images of another size are interpolated, see `positions`.
"""

import difflib
import os
import pathlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import errors
from zsl_jax.data import arrays
from zsl_jax.encoders import batch_norm, positions, tensor_names, torch_files

SUFFIXES = (".safetensors", ".npz", ".pth")
# Belongs to a checkpoint, but not to an encoder: classifiers, and counters of torch's batch normalisation.
_NOT_OURS = re.compile(r"(fc|classifier(\.1)?|head|head_dist|heads\.head)\.(weight|bias)|.*\.num_batches_tracked")
_FOLDED = re.compile(r"(?P<index>\d{3})_(?P<kind>CONV_2D|DEPTHWISE_CONV_2D|FULLY_CONNECTED)_(?P<part>[wb])")


def load(path: str | os.PathLike, variables: Any) -> Any:
    """Returns the variables of an encoder with the values in a `.safetensors`, `.npz` or `.pth` file.

    Args:
      path: the file.
      variables: of the encoder, as `init` gives them; arrays, or shapes by `jax.eval_shape`.

    Raises:
      UserError: the file is missing or damaged, or it is not of this encoder: tensors that are missing, left over or of
        another shape are listed by name.
    """
    return assign(read(path), variables, pathlib.Path(path).name)


def read(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Returns the tensors of a file by name.

    Raises:
      UserError: the file is missing, damaged or of another kind.
    """
    path = pathlib.Path(path).expanduser()
    readers = dict(zip(SUFFIXES, (_read_safetensors, _read_npz, torch_files.read)))
    if path.suffix not in readers:
        raise errors.UserError(f"weights {str(path)!r}: a .safetensors, .npz or .pth file is wanted")
    if not path.is_file():
        raise errors.UserError(f"no weights file {str(path)!r}")
    try:
        return readers[path.suffix](path)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # the readers raise what they like on a damaged file, that of Rust no Exception
        raise errors.UserError(f"weights {str(path)!r} cannot be read: {' '.join(str(error).split())}") from error


def assign(tensors: Mapping[str, np.ndarray], variables: Any, source: str) -> Any:
    """Returns the variables with the values of `tensors`, which may be traced; `source` names these in errors."""
    table = names(variables)
    tensors = tensor_names.ours(tensors)
    if tensors and all(_FOLDED.fullmatch(name) for name in tensors):
        tensors = _unfold(tensors, table, source)
    tensors = _with_positions(tensors, table, source)
    left_over = sorted(name for name in tensors.keys() - table.keys() if not _NOT_OURS.fullmatch(name))
    missing = [name for name in table if name not in tensors]
    shapes = [
        f"{name} is {list(tensors[name].shape)}, not {list(shape)}"
        for name, (_, shape, _) in table.items()
        if name in tensors and tensors[name].shape != shape
    ]
    wrong = [("missing", missing), ("left over", left_over), ("of another shape", shapes)]
    if missing or left_over or shapes:
        listed = "; ".join(f"{len(lines)} {what}: {_some(lines)}" for what, lines in wrong if lines)
        near = difflib.get_close_matches(missing[0], left_over, 1) if missing else []
        hint = f"; the nearest to {missing[0]} is {near[0]}" if near else ""
        raise errors.UserError(f"weights {source} are of another encoder: {listed}{hint}")
    for name in table:
        if fault := _fault(tensors[name]):
            raise errors.UserError(f"weights {source}: {name} {fault}")
    leaves, tree = jax.tree.flatten_with_path(variables)
    by_path = {path: convert(tensors[name]) for name, (path, _, convert) in table.items()}
    return jax.tree.unflatten(tree, [by_path[_keys(path)].astype(leaf.dtype) for path, leaf in leaves])


def names(variables: Any) -> dict[str, tuple[tuple[str, ...], tuple[int, ...], Callable[[np.ndarray], np.ndarray]]]:
    """The name table of an encoder: tensor name -> (path of the variable, shape in the file, conversion to ours).

    >>> variables = {"params": {"layer1_0": {"conv1": {"kernel": np.zeros((3, 3, 8, 16))}}}}
    >>> [(name, path, shape) for name, (path, shape, _) in names(variables).items()]
    [('layer1.0.conv1.weight', ('params', 'layer1_0', 'conv1', 'kernel'), (16, 8, 3, 3))]
    """
    table = {}
    for path, leaf in jax.tree.leaves_with_path(variables):
        keys = _keys(path)
        module = [re.sub(r"_(?=\d)", ".", key) for key in keys[1:-1]]
        last = {"kernel": "weight", "scale": "weight", "mean": "running_mean", "var": "running_var"}
        name = ".".join([*module, last.get(keys[-1], keys[-1])])
        there, here = _AXES.get((keys[-1], len(leaf.shape)), (None, None))
        shape = tuple(leaf.shape) if there is None else tuple(leaf.shape[axis] for axis in there)
        table[name] = (keys, shape, _transposed(here))
    return table


_AXES = {("kernel", 4): ((3, 2, 0, 1), (2, 3, 1, 0)), ("kernel", 2): ((1, 0), (1, 0))}


def _transposed(axes: Sequence[int] | None) -> Callable[[np.ndarray], np.ndarray]:
    return lambda tensor: tensor if axes is None else tensor.transpose(axes)


def _with_positions(tensors: Mapping[str, np.ndarray], table: Mapping, source: str) -> Mapping[str, np.ndarray]:
    """The position embeddings among `tensors` as long as `table` wants them, where that can be."""
    if "pos_embed" not in tensors or "pos_embed" not in table:
        return tensors
    _, (_, length, _), _ = table["pos_embed"]
    found, tokens = tensors["pos_embed"], sum(name in table for name in ("cls_token", "dist_token"))
    if found.ndim != 3 or found.shape[1] == length:
        return tensors
    fitting = positions.resized(found, length, tokens=tokens)
    if fitting is None:
        raise errors.UserError(
            f"weights {source} have positions of {found.shape[1] - tokens} patches, which cannot be brought to "
            f"{length - tokens}: both must be a square of patches, as of square images"
        )
    return {**tensors, "pos_embed": fitting}


def _unfold(tensors: Mapping[str, np.ndarray], table: Mapping, source: str) -> dict[str, np.ndarray]:
    """Folded layers in their order as the tensors of `table`, which lists convolutions in the order of their names."""
    layers = [name[:-2] for name in sorted(tensors) if name.endswith("_w") and "FULLY" not in name]
    convolutions = sorted((n for n, (_, shape, _) in table.items() if len(shape) == 4), key=_natural)
    if len(layers) != len(convolutions):
        raise errors.UserError(
            f"weights {source} are of another encoder: {len(layers)} folded convolutions, where this one has "
            f"{len(convolutions)}"
        )
    unfolded = {}
    norms = sorted((n.removesuffix(".running_mean") for n in table if n.endswith(".running_mean")), key=_natural)
    for layer, convolution, norm in zip(layers, convolutions, norms):
        weight = tensors[f"{layer}_w"]  # [out, H, W, in], and [1, H, W, channels] where each channel is for itself
        unfolded[convolution] = weight.transpose((3, 0, 1, 2) if "DEPTHWISE" in layer else (0, 3, 1, 2))
        if f"{layer}_b" not in tensors:
            raise errors.UserError(f"weights {source}: 1 missing: {layer}_b")
        bias = tensors[f"{layer}_b"]
        unfolded |= {
            f"{norm}.bias": bias,
            f"{norm}.running_mean": np.zeros(bias.shape, bias.dtype),
            f"{norm}.weight": np.full(bias.shape, np.sqrt(1 + batch_norm.EPSILON), bias.dtype),
            f"{norm}.running_var": np.ones(bias.shape, bias.dtype),
        }
    return unfolded


def _natural(name: str) -> list:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def _keys(path: Sequence[Any]) -> tuple[str, ...]:
    return tuple(entry.key for entry in path)


def _fault(tensor: np.ndarray) -> str | None:
    if not jnp.issubdtype(tensor.dtype, jnp.floating):
        return f"is {tensor.dtype}, not floating-point numbers"
    if isinstance(tensor, jax.core.Tracer) or np.isfinite(tensor.astype(np.float32)).all():
        return None
    return "holds a value that is not finite, or beyond float32"


def _some(lines: Sequence[str], shown: int = 4) -> str:
    return ", ".join(lines[:shown]) + (f" and {len(lines) - shown} more" if len(lines) > shown else "")


def _read_safetensors(path: pathlib.Path) -> dict[str, np.ndarray]:
    import safetensors.numpy

    return safetensors.numpy.load_file(path)


def _read_npz(path: pathlib.Path) -> dict[str, np.ndarray]:
    return arrays.read(path).arrays
