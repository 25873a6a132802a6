"""Train word vectors on texts of your own."""

import pathlib
import sys
from collections.abc import Iterable, Iterator, Sequence

import tqdm
from absl import flags

from zsl_jax import class_encoders, errors
from zsl_jax.class_encoders import corpora, word2vec
from zsl_jax.data import matfile, text_files
from zsl_jax.verbs import command_line


def _knobs() -> str:
    lines = []
    for name, knob in word2vec.KNOBS.items():
        values = [f"{by} {found[name]:g}" for by, found in word2vec.DEFAULTS.items() if name in found]
        same = {value.split()[1] for value in values}
        shown = same.pop() if len(same) == 1 and len(values) == len(word2vec.DEFAULTS) else ", ".join(values)
        lines.append(f"  --{name:<12} {knob.says} ({shown})")
    return "\n".join(lines)


USAGE = f"""\
Trains word vectors on texts of your own: CBOW, skip-gram, sent2vec, or by contrast within a batch. The file describes
classes (config.classes.words), and texts in the place of a text tower (config.towers.text).

usage: zsl-jax words --texts=FILE[,FILE...] --out=VECTORS.npz [--by={"|".join(word2vec.BY)}] [--min_count=5]
       [--KNOB=VALUE ...]

  zsl-jax words --texts=news.csv --out=words.npz
  python -m zsl_jax words --texts=articles.txt,birds.json --out=words.npz --by=sent2vec --dimensions=300 --epochs=10
  zsl-jax train --config=eszsl:xlsa17 --config.data.dir=FOLDER --config.classes.source=words \\
      --config.classes.words=words.npz --config.classes.missing=mean --workdir=runs/words

--texts      files of texts, commas between them: .txt (one text per line), .csv and .tsv (a column text), .jsonl
             (one object with a text per line), .json (texts by name), .npz (nouns of WordNet with their glosses)
--out        the file to write
--by         what is told: cbow, a word from the mean of those near it; skip_gram, those near it from a word; sent2vec,
             a word from the other words of its text and their pairs; contrastive, one word near it among a batch
--min_count  rarer words are left out (5)

Knobs, with their defaults:
{_knobs()}"""


def main(argv: Sequence[str]) -> int:
    values = command_line.parse("words", argv, _define, USAGE)
    if values is None:
        return 0
    if not values.texts:
        raise errors.UserError("words needs --texts=FILE, e.g. --texts=news.csv")
    if not values.out or pathlib.Path(values.out).suffix != ".npz":
        raise errors.UserError(f"words needs --out=VECTORS.npz, the file to write, not {values.out or 'none'}")
    if values.min_count < 1:
        raise errors.UserError(f"--min_count={values.min_count} is not a whole number >= 1")
    by = values.by or "skip_gram"
    given = {name: values[name].value for name in word2vec.KNOBS if values[name].value is not None}
    chosen = word2vec.settings(by, **given)

    files = [pathlib.Path(name).expanduser() for name in values.texts.split(",") if name]
    command_line.check_out("--out", values.out, files)
    digests = {path.name: matfile.sha256(path) for path in files if path.is_file()}
    read = corpora.corpus(_shown(_texts(files)), min_count=values.min_count)
    print(
        f"{len(read.words):,} different words, {len(read.tokens):,} in {len(set(read.text_of.tolist())):,} texts; "
        f"{by}, {chosen['dimensions']} numbers each"
    )
    vectors, losses = _trained(read, by, chosen)
    about = {"by": by, **chosen, "min_count": values.min_count, "files": digests, "tokens": len(read.tokens)}
    class_encoders.save_word_vectors(values.out, read.words, vectors, about=about)
    print(f"loss per word {losses[0]:.3f} in the first pass, {losses[-1]:.3f} in the last\nwords: {values.out}")
    return 0


def _texts(files: Iterable[pathlib.Path]) -> Iterator[str]:
    for path in files:
        yield from text_files.read(path)


def _shown(texts: Iterable[str]) -> Iterable[str]:
    return tqdm.tqdm(texts, desc="read", unit=" texts", disable=not sys.stderr.isatty())


def _trained(read: corpora.Corpus, by: str, chosen: dict[str, float]):
    losses = []
    total = chosen["epochs"] * len(read.tokens)
    with tqdm.tqdm(desc=by, unit=" words", total=total, unit_scale=True, disable=not sys.stderr.isatty()) as bar:

        def progress(number: int, loss: float) -> None:
            del number
            losses.append(loss)
            bar.update(len(read.tokens))

        vectors = word2vec.train(read, by, progress=progress, **chosen)
    return vectors, losses


def _define(values: flags.FlagValues) -> None:
    command_line.define_string(values, "texts", "files of texts")
    command_line.define_string(values, "out", "file to write")
    command_line.define_string(values, "by", "what is told")
    flags.DEFINE_integer("min_count", 5, "rarer words are left out", flag_values=values)
    for name, knob in word2vec.KNOBS.items():
        is_whole = isinstance(next(found[name] for found in word2vec.DEFAULTS.values() if name in found), int)
        define = flags.DEFINE_integer if is_whole else flags.DEFINE_float
        define(name, None, knob.says, flag_values=values)
