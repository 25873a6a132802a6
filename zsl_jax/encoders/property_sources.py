"""A source that describes classes by properties nobody annotated: a list of them, ranked by texts and by images.

    text     cos(e(sentence on the class), e(sentence on the property))                       e: a text tower
    image    cos(prototype of the class, tie(e(sentence on the property)))
    both     the ranks of the two, mixed by how concrete the property is, see `class_encoders.properties`

Each score is taken less its mean over the seen classes, so that a property that is near to everything says nothing. The
prototype of a class, in the space of image features, is the mean of those with the nearest names, such as rows of an
image classifier: the class itself where it is among them.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from zsl_jax import class_encoders, errors, similarity
from zsl_jax.class_encoders import properties as of_properties
from zsl_jax.class_encoders import sentences
from zsl_jax.data import matfile
from zsl_jax.encoders import stages, ties, towers
from zsl_jax.encoders.source_parts import Made, Options, place, seen_names

RANKINGS = ("both", "text", "image")


class Scorers(NamedTuple):
    """What ranks properties.

    Fields:
      named: K properties.
      of: `names -> [N, K]` by `text`, by `image`, or both, larger where a property fits a class better.
      concreteness: `[K]` in [0, 1], where both rank.
      rated: how many properties were rated; the concreteness of the others is told from seed words.
      files: see `Made`.
    """

    named: tuple[str, ...]
    of: dict[str, Callable[[Sequence[str]], np.ndarray]]
    concreteness: np.ndarray | None
    rated: int
    files: dict[str, str]


def scorers(options: Options) -> Scorers:
    """Returns the scores that `options.ranking` asks for.

    Raises:
      UserError: a file that is missing or of another kind, or prototypes of another space than the tie's.
    """
    tower = towers.load_text_tower(place(options.text, "text", "FOLDER"))
    path = place(options.properties, "properties", "FILE.csv")
    named, ratings = class_encoders.load_properties(path)
    files = {"text_sha256": tower.sha256, "properties_sha256": matfile.sha256(path)}

    def encoded(texts):
        return stages.applied(tower.stage(), list(texts))

    def of_classes(names):
        return encoded(text for (text,) in sentences.from_names(names, options.template))

    phrases = encoded(options.phrase.replace("{}", name) for name in named)
    found: dict[str, Callable[[Sequence[str]], np.ndarray]] = {}
    if options.ranking != "image":
        found["text"] = lambda names: np.asarray(similarity.cosine(of_classes(names), phrases))
    if options.ranking != "text":
        tie = ties.load(place(options.tie, "tie", "TIE.npz"))
        known = ties.load_pairs(place(options.prototypes, "prototypes", "FILE.npz"))
        if known.vectors.shape[1] != tie.map.shape[1]:
            raise errors.UserError(
                f"config.classes.prototypes are vectors of {known.vectors.shape[1]} numbers, and {tie.name} leads to "
                f"{tie.map.shape[1]}"
            )
        files |= {"tie_sha256": tie.sha256, "prototypes_sha256": known.sha256}
        tied, centred = tie(phrases), similarity.l2_normalize(known.vectors - known.vectors.mean(axis=0))
        known_texts = encoded(known.words) if known.named == "texts" else of_classes(known.words)
        nearest = {"nearest": options.nearest, "temperature": options.temperature}

        def by_images(names):
            prototypes = class_encoders.nearest_norms(of_classes(names), known_texts, centred, **nearest)
            return np.asarray(similarity.cosine(prototypes, tied))

        found["image"] = by_images
    share, told = None, np.isnan(ratings)
    if len(found) == 2:
        seeds = [encoded(words) for words in (of_properties.CONCRETE, of_properties.ABSTRACT)] if told.any() else None
        share = np.where(told, class_encoders.told_concreteness(encoded(named), *seeds), ratings) if seeds else ratings
    return Scorers(named, found, share, int(np.sum(~told)), files)


def properties(options: Options) -> Made:
    held = scorers(options)

    def function(names, table):
        seen = seen_names(table)
        ranks = [class_encoders.ranked(of(names) - of(seen).mean(axis=0, keepdims=True)) for of in held.of.values()]
        mixed = ranks[0] if len(ranks) == 1 else class_encoders.concreteness_mix(*ranks, held.concreteness)
        return np.asarray(mixed)

    def facts(table):
        said = {"properties": len(held.named)}
        return said if held.concreteness is None else {**said, "rated": held.rated}

    return Made(function, held.files, learned=True, facts=facts, columns=held.named)
