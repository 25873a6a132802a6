"""Fit a tie: the map by which the vectors of a text tower meet features of images."""

import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from absl import flags

from zsl_jax import errors
from zsl_jax.verbs import command_line

USAGE = """\
Fits a tie from the texts of a text tower to features of images, by ridge regression or contrastive steps; zero_shot
takes it.

usage: zsl-jax tie --config=zero_shot:SOURCE --config.towers.text=FOLDER --out=TIE.npz [--pairs=PAIRS.npz]
       [--by=ridge|contrastive] [--strength=S] [--steps=N] [--config.KEY=VALUE ...]

  python -m zsl_jax tie --config=zero_shot:xlsa17 --config.data.dir=FOLDER --config.towers.text=FOLDER --out=birds.npz
  python -m zsl_jax tie --config=zero_shot --config.towers.text=FOLDER --pairs=rows.npz --out=imagenet.npz

Without --pairs: from the sentences on the seen classes of a dataset to their training images; unseen classes and test
images take no part.
--pairs     an archive of `vectors [N, F]` (the rows of a classifier, or features of images) with `names [N]`, which the
            template makes sentences of, or `texts [N]`, which are taken as they are; a text may have several vectors
--by        ridge: to the mean of the vectors of each text. contrastive: from there by steps in which texts and single
            vectors find each other in a batch; a fifth of the texts is held out to choose how many
--strength  of the ridge, in units of the mean eigenvalue; without it the one that tells each text best from the others
--steps     contrastive steps at most, 600 without it
--out       the file to write"""

BY = ("ridge", "contrastive")


class Pairs(NamedTuple):
    """What a tie is fitted on.

    Fields:
      texts: `[K, D]` vectors of different texts.
      targets: `[N, F]`.
      labels: `[N]` rows of `texts`.
      about: what these are.
    """

    texts: np.ndarray
    targets: np.ndarray
    labels: np.ndarray
    about: dict[str, Any]


def main(argv: Sequence[str]) -> int:
    argv, overrides = command_line.split_overrides(argv)
    values = command_line.parse("tie", argv, _define, USAGE)
    if values is None:
        return 0
    config = command_line.required_config(values, overrides, "tie")
    if not values.out:
        raise errors.UserError("tie needs --out=TIE.npz, the file to write")
    if "towers" not in config or config.towers.tie:
        raise errors.UserError("tie fits a new one: take --config=zero_shot:SOURCE, without config.towers.tie")
    if values.strength is not None and not 0 < values.strength < np.inf:
        raise errors.UserError(f"--strength={values.strength:g} is not a number > 0")

    by = values.by or "ridge"
    if by not in BY:
        raise errors.unknown("--by", by, BY)
    if values.steps is not None and (by != "contrastive" or values.steps < 1):
        raise errors.UserError(f"--steps={values.steps}: a whole number >= 1 is wanted, with --by=contrastive")
    if values.strength is not None and by != "ridge":
        raise errors.UserError(f"--strength={values.strength:g} is of a ridge, not of --by={by}")

    from zsl_jax.encoders import ties
    from zsl_jax.training import problems

    if values.pairs:
        command_line.check_out("--out", values.out, [values.pairs])
        pairs = _pairs(pathlib.Path(values.pairs), problems.class_describer(config))
    else:
        pairs = _seen(problems.load_data(config))
    tie, said = _ridge(pairs, values.strength) if by == "ridge" else _contrastive(pairs, values.steps)
    ties.write(values.out, tie._replace(about={**pairs.about, **tie.about}))
    print(f"{len(pairs.texts)} texts, {tie.map.shape[0]} -> {tie.map.shape[1]} numbers, {said}\ntie: {values.out}")
    return 0


def _ridge(pairs: Pairs, strength: float | None):
    from zsl_jax.encoders import ties

    means = np.stack([pairs.targets[pairs.labels == row].mean(axis=0) for row in range(len(pairs.texts))])
    tie = ties.ridge(pairs.texts, means, strength=strength)
    return tie, (
        f"strength {tie.about['strength']:.3g}, error on the text left out {tie.about['left_out_error']:.3f} (1: no "
        "better than the mean)"
    )


def _contrastive(pairs: Pairs, steps: int | None):
    from zsl_jax.encoders import contrastive_tie

    tie = contrastive_tie.fit(*pairs[:3], **({} if steps is None else {"steps": steps}))
    held_out = tie.about["held_out"]
    return tie, (
        f"{tie.about['steps']} steps on {tie.about['pairs']} pairs; of {held_out['texts']} texts held out "
        f"{held_out['top1']:.3f} of the vectors find theirs, by the ridge {held_out['by_ridge']:.3f}"
    )


def _seen(source) -> Pairs:
    """The sentence vectors of the seen classes, and their training images."""
    from zsl_jax.encoders import ties

    rows = source.splits.get("train", ())
    seen = np.unique(source.labels[rows]) if len(rows) else np.zeros(0, int)
    if len(seen) < 2:
        raise errors.UserError(
            f"{source.name} has {len(seen)} classes with training images, a tie needs 2 at least (npz: "
            "config.data.num_unseen says how many classes have none)"
        )
    if np.ndim(source.inputs) != 2:
        raise errors.UserError(f"a tie leads to features [N, F], the inputs of {source.name} are {source.kind}")
    inputs, labels = np.asarray(source.inputs[rows], np.float64), source.labels[rows]
    inputs = ties.unit_rows(inputs)
    about = {
        "dataset": source.name,
        "files": dict(source.info.get("files", {})),
        "described_by": source.info["described_by"],
    }
    return Pairs(np.asarray(source.classes.embedding)[seen], inputs, np.searchsorted(seen, labels), about)


def _pairs(path: pathlib.Path, describer) -> Pairs:
    from zsl_jax.encoders import ties

    held = ties.load_pairs(path)
    texts = [(text,) for text in held.words] if held.named == "texts" else describer.sentences(held.words)
    about = {"files": {path.name: held.sha256}, "described_by": describer.said}
    different = list(dict.fromkeys(texts))
    row = {text: number for number, text in enumerate(different)}
    labels = np.array([row[text] for text in texts])
    return Pairs(describer.vectors(different), held.vectors, labels, about)


def _define(values: flags.FlagValues) -> None:
    command_line.define_config(values)
    command_line.define_string(values, "out", "file to write")
    command_line.define_string(values, "pairs", "archive of texts and vectors")
    command_line.define_string(values, "by", "ridge or contrastive")
    flags.DEFINE_integer("steps", None, "contrastive steps at most", flag_values=values)
    flags.DEFINE_float("strength", None, "of the ridge", flag_values=values)
