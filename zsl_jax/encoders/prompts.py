"""A frozen text tower that prompts are learned through: names as token ids, learned vectors among them, texts out.

    [start] a photo of a  NAME  . [end]                     begin, prefix | name | suffix, end of a template
            ^^^^^^^^^^^^  ^^^^                              a method may put vectors of its own in the place of either
    [start] a photo of a  NAME, which has TEXT  . [end]     by texts: a class is a set of those

    pieces --joined--> ids [N, L], words [N, L, D] --tower--> unit vectors --tie--> [N, F], of unit length

A piece is ids with their vectors; the id -1 stands for nothing, so that names of any length share an array. Texts are
encoded a block at a time, and a block is computed again in the backward pass: memory does not grow with their number.
"""

import dataclasses
import functools
import hashlib
import json
import pathlib
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import errors, similarity
from zsl_jax.class_encoders import sentences
from zsl_jax.data import dataset, matfile
from zsl_jax.encoders import described, ties, towers

NOTHING = -1
_TOKENS = 1024  # of a block of texts
_VECTORS = 256  # that are compared with all words at a time


class Piece(NamedTuple):
    """A stretch of N texts.

    Fields:
      ids: `[N, l]` int32; -1 where there is nothing.
      words: `[N, l, D]`, the vectors there.
    """

    ids: Any
    words: Any


@dataclasses.dataclass(frozen=True, eq=False)
class PromptTower:
    """A text tower with the template of its prompts, and the tie behind it, if any.

    Args:
      tower: of texts.
      tie: from texts to features; None where both towers share a space.
      template: one sentence with one `{}`; by texts with one `{text}` behind it.
      options: how classes are described: by their names, or by texts of a file.

    Raises:
      UserError: a template of another form, another way to describe classes, or no file of texts.
    """

    tower: towers.TextTower
    tie: ties.Tie | None
    template: str
    options: described.Options

    def __post_init__(self):
        if self.options.by == "names" and self.options.each:
            raise errors.UserError("towers.each is of texts, and a name is one: it should be 0")
        if self.options.by not in ("names", "texts") or self.options.width:
            raise errors.UserError(
                "a prompt is learned around the names of the classes, or what a file says of them: "
                f"towers.by={self.options.by}, towers.width={self.options.width} should be names or texts, 0"
            )
        if not isinstance(self.tower, towers.TextTower):
            raise errors.UserError(
                f"{self.tower.name} holds word vectors: a prompt is learned through the folder of a text tower"
            )
        if self.options.class_prefix:
            raise errors.UserError(
                f"towers.class_prefix={self.options.class_prefix!r}: a prompt has its prefix in config.towers.template"
            )
        wanted = [sentences.NAME, *([sentences.TEXT] if self._texts is not None else [])]
        if re.findall(r"{(?:text)?}", self.template) != wanted or "|" in self.template:
            raise errors.UserError(
                f"config.towers.template={self.template!r}: a prompt is learned from one sentence with one "
                f"{', then one '.join(wanted)}"
            )

    @functools.cached_property
    def _texts(self) -> dict[str, tuple[str, ...]] | None:
        """The texts of the classes by their names; None where these are described by their names alone."""
        if self.options.by == "names":
            return None
        return sentences.load_texts(described.needed(self.options.texts, "texts", "FILE.json"))

    @property
    def _parts(self) -> tuple[str, str, str]:
        """The template before a name, what stands for a class, and the template behind that."""
        before, rest = self.template.split(sentences.NAME)
        between, text, after = rest.rpartition(sentences.TEXT)
        return before, sentences.NAME + between + text, after

    @functools.cached_property
    def fixed(self) -> dict[str, np.ndarray]:
        """The ids `[l]` of what surrounds a name: `begin`, `prefix`, `suffix`, `end`."""
        before, _, after = self._parts
        whole, bare = (self.tower.tokenizer.encode("a", add_special_tokens=x).ids for x in (True, False))
        place = next((i for i in range(len(whole)) if whole[i : i + len(bare)] == bare), 0)
        found = {
            "begin": whole[:place],
            "prefix": self._ids(before),
            "suffix": self._ids(after),
            "end": whole[place + len(bare) :],
        }
        return {name: np.array(ids, np.int32) for name, ids in found.items()}

    @functools.cached_property
    def said(self) -> dict[str, Any]:
        """What a record says of the descriptions."""
        said = {"by": "text_tower", "tower": self.tower.name, "sentences": "prompts", "template": self.template}
        if self._texts is not None:
            held = matfile.sha256(pathlib.Path(self.options.texts).expanduser())
            said |= {"files": {"texts": held}, "missing": self.options.missing, "each": self.options.each}
        if self.tie is not None:
            said["tie"] = {"name": self.tie.name, "sha256": self.tie.sha256, "about": self.tie.about}
        made_of = json.dumps([self.tower.sha256, said], sort_keys=True)
        return {**said, "sha256": hashlib.sha256(made_of.encode()).hexdigest()}

    @property
    def semantics(self) -> str:
        return f"{self.options.by}, as tokens"

    @functools.cached_property
    def _weights(self) -> dict[str, Any]:
        tie = {} if self.tie is None else {"map": self.tie.map, "mean": self.tie.text_mean}
        return {"tower": jax.tree.map(np.asarray, self.tower.variables), "tie": tie}

    def weights(self) -> dict[str, Any]:
        """Returns what is frozen, as arrays of the host; see `Method.weights`."""
        return self._weights

    def __call__(self, names: Sequence[str], source: dataset.Dataset | None = None) -> np.ndarray:
        """Returns the token ids of names, `[C, l]`, filled up with -1; by texts `[C, T, l]`, a name with each text.

        Raises:
          UserError: a name of no token, two names of the same tokens, one that the tower cannot read to its end, or a
            class without texts.
        """
        del source
        rows = [self._ids(sentences.readable(name)) for name in names]
        first: dict[tuple, str] = {}
        for name, row in zip(names, rows):
            if not row:
                raise errors.UserError(f"class {name!r} has a name that is no token of the text tower: give it words")
            if tuple(row) in first:
                raise errors.UserError(
                    f"classes {first[tuple(row)]!r} and {name!r} have the same name to the text tower: give one another"
                )
            first[tuple(row)] = name
        if self._texts is None:
            return self._filled_up(rows)
        missing = {"missing": self.options.missing, "bare": sentences.NAME}
        found = sentences.from_texts(names, self._texts, self._parts[1], **missing)
        found = [some[: self.options.each or None] for some in found]
        most = max(map(len, found))
        ids = self._filled_up([self._ids(text) for some in found for text in (*some, *[""] * (most - len(some)))])
        return ids.reshape(len(names), most, -1)

    def _filled_up(self, rows: list[list[int]]) -> np.ndarray:
        longest = max(map(len, rows))
        self.check_length(longest)
        return np.array([row + [NOTHING] * (longest - len(row)) for row in rows], np.int32)

    def table(self, source: dataset.Dataset) -> dataset.ClassTable:
        """Returns the class table of a dataset with token ids in the place of descriptions.

        Of pairs the ids are those of attributes and objects, in `shared`, and a pair is described by its parts.
        """
        if source.parts is None:
            return dataclasses.replace(source.classes, embedding=self(source.classes.names))
        if self._texts is not None:
            raise errors.UserError(
                "towers.by=texts is of classes, and these are pairs: towers.by=names has their parts"
            )
        table, tokens = source.classes, dict(zip(("attribute_tokens", "object_tokens"), map(self, source.parts)))
        self.check_length(sum(ids.shape[1] for ids in tokens.values()))
        parts = np.asarray(table.parts, np.int32)
        return dataclasses.replace(table, embedding=parts, parts=parts, shared={**table.shared, **tokens})

    def check_length(self, tokens: int, *, context: int | None = None) -> None:
        """Raises a UserError where a name of so many tokens, with what surrounds it, is longer than the tower reads.

        Args:
          tokens: of the name.
          context: learned vectors that stand in the place of the prefix.
        """
        length = {name: len(ids) for name, ids in self.fixed.items()}
        if context is not None:
            length["prefix"] = context
        if (total := tokens + sum(length.values())) > self.tower.most:
            raise errors.UserError(
                f"a prompt of {total} tokens ({length['prefix']} before a name of up to {tokens}) is longer than the "
                f"{self.tower.most} that {self.tower.name} reads: choose a shorter context"
            )

    def words(self, weights, ids: jax.Array) -> jax.Array:
        """Returns the vectors of token ids, `[..., D]`; those of -1 are of no meaning."""
        return jnp.asarray(self._table(weights["tower"]))[jnp.maximum(ids, 0)]

    @functools.cached_property
    def spread(self) -> float:
        """The standard deviation of the entries of the tower's word vectors."""
        return float(np.std(self._table(self.weights()["tower"])))

    @property
    def image_width(self) -> int:
        """F, the width of a text behind the tie."""
        return self.tower.width if self.tie is None else self.tie.map.shape[1]

    def piece(self, weights, ids: jax.Array) -> Piece:
        """Returns a stretch of texts that is not learned, for `ids [N, l]`."""
        return Piece(ids, self.words(weights, ids))

    def learned(self, words: jax.Array, count: int) -> Piece:
        """Returns a stretch of learned vectors: `words [l, D]`, the same in `count` texts, or `[count, l, D]`."""
        words = jnp.broadcast_to(words, (count, *words.shape[-2:]))
        return Piece(jnp.full(words.shape[:2], self.tower.fill, jnp.int32), words)

    def encode(self, weights, *pieces: Piece | str) -> jax.Array:
        """Returns `[N, F]`, of unit length, for texts of some pieces; a text stands for that part of the template.

        Between the start and the end of a text of the tower, which are added.
        """
        count = next(len(piece.ids) for piece in pieces if not isinstance(piece, str))

        def as_piece(piece):
            if not isinstance(piece, str):
                return piece
            return self.piece(weights, jnp.broadcast_to(self.fixed[piece], (count, len(self.fixed[piece]))))

        joined = jax.tree.map(lambda *x: jnp.concatenate(x, axis=1), *map(as_piece, ("begin", *pieces, "end")))
        length = joined.ids.shape[1]
        order = jnp.argsort(joined.ids < 0, axis=1, stable=True)
        ids = jnp.take_along_axis(joined.ids, order, axis=1)
        words = jnp.take_along_axis(joined.words, order[:, :, None], axis=1)
        if len(self.tower.lengths) == 1:  # a tower that reads the last place of its longest text
            missing = self.tower.most - length
            ids = jnp.pad(ids, ((0, 0), (0, missing)), constant_values=NOTHING)
            words = jnp.pad(words, ((0, 0), (0, missing), (0, 0)))
        mask, ids = ids >= 0, jnp.where(ids < 0, self.tower.fill, ids)
        if len(self.tower.lengths) == 1:
            words = jnp.where(mask[:, :, None], words, self.words(weights, ids))
        return self._in_blocks(weights, ids, mask, words)

    def _in_blocks(self, weights, ids, mask, words):
        """The texts through the tower, some at a time."""
        count, size = len(ids), max(1, _TOKENS // ids.shape[1])
        if count <= size:
            return self._encoded(weights, ids, mask, words)
        missing = -count % size
        blocks = jax.tree.map(
            lambda x: jnp.concatenate([x, jnp.repeat(x[:1], missing, axis=0)]).reshape(-1, size, *x.shape[1:]),
            (ids, mask, words),
        )
        encoded = jax.lax.map(jax.checkpoint(lambda block: self._encoded(weights, *block)), blocks)
        return encoded.reshape(-1, encoded.shape[-1])[:count]

    def _encoded(self, weights, ids, mask, words):
        made = self.tower.module.apply(weights["tower"], ids, mask, words).astype(jnp.float32)
        made, tie = similarity.l2_normalize(made), weights["tie"]
        return similarity.l2_normalize((made - tie["mean"][None]) @ tie["map"]) if tie else made

    def _table(self, variables):
        return functools.reduce(lambda tree, name: tree[name], self.tower.table, variables)

    def _ids(self, text: str) -> list[int]:
        return list(self.tower.tokenizer.encode(text, add_special_tokens=False).ids) if text.strip() else []


def nearest_words(tower: towers.TextTower, vectors: np.ndarray, *, count: int = 5) -> list[list[tuple[str, float]]]:
    """Returns the words whose vectors are nearest to learned ones, with their cosines, the nearest first.

    Args:
      tower: whose tokens are meant.
      vectors: `[N, D]`.
      count: words of each.
    """
    table = functools.reduce(lambda tree, name: tree[name], tower.table, tower.variables)
    table = table[: tower.tokenizer.get_vocab_size()]  # the rest are rows that no text reads
    found = []
    for block in np.array_split(vectors, -(-len(vectors) // _VECTORS)):
        scores = np.asarray(similarity.cosine(block, table))
        best = np.argsort(-scores, axis=1)[:, :count]
        found += [[(tower.tokenizer.id_to_token(int(i)), float(row[i])) for i in of] for row, of in zip(scores, best)]
    return found
