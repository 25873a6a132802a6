"""How fast word vectors are trained, beside gensim where it is installed, and how good both are.

    python benchmarks/bench_words.py FILE[,FILE...] [GLOVE.npz] [ROUNDS]

The files are what `zsl-jax words --texts` takes. Ours and gensim's run A, B, A, B in one process with equal knobs (100
numbers, window 5, 5 noise words, sample 0.001, words that occur 5 times or more; rates are the defaults of each);
medians, without compilation or reading. Words per second count the text before frequent words are left out, as gensim
does. With a file of public vectors, the rank correlation of cosines of pairs of words with theirs says what the vectors
are worth.
"""

import itertools
import os
import pathlib
import statistics
import sys
import time

import numpy as np
import scipy.stats

from zsl_jax import class_encoders
from zsl_jax.class_encoders import corpora, word2vec
from zsl_jax.data import text_files

EPOCHS, SAMPLE = 5, 1e-3
FREQUENT, PAIRS = 2000, 50_000


def timed(train):
    wall, processor = time.perf_counter(), time.process_time()
    vectors = train()
    return vectors, time.perf_counter() - wall, time.process_time() - processor


def peers(read: corpora.Corpus, by: str) -> dict:
    """gensim on the same words; empty where it is not installed, or has no such objective."""
    try:
        from gensim.models import Word2Vec
    except ImportError:
        return {}
    if by not in ("cbow", "skip_gram"):
        return {}
    ends = np.flatnonzero(np.diff(read.text_of)) + 1
    texts = [[read.words[token] for token in part] for part in np.split(read.tokens, ends)]
    given = {"vector_size": 100, "window": 5, "negative": 5, "sample": SAMPLE, "min_count": 1, "seed": 0}
    given |= {"alpha": 0.025, "min_alpha": 1e-4, "sg": int(by == "skip_gram")}

    def train(workers: int):
        model = Word2Vec(**given, workers=workers)
        model.build_vocab(texts)
        start = time.perf_counter(), time.process_time()
        model.train(texts, total_examples=len(texts), epochs=EPOCHS)
        spent = time.perf_counter() - start[0], time.process_time() - start[1]
        return model.wv[list(read.words)], *spent

    return {
        f"gensim, {workers} thread{'s' * (workers > 1)}": lambda n=workers: train(n) for workers in (1, os.cpu_count())
    }


def worth(read: corpora.Corpus, vectors: np.ndarray, public: str) -> str:
    """The rank correlation of cosines with those of public vectors, over pairs of frequent words."""
    known = class_encoders.load_word_vectors(public, read.words[:FREQUENT])
    rows = np.array([row for row, word in enumerate(read.words[:FREQUENT]) if word in known])
    pairs = np.random.default_rng(0).integers(len(rows), size=(2, PAIRS))
    pairs = pairs[:, pairs[0] != pairs[1]]

    def cosines(table):
        unit = table / np.linalg.norm(table, axis=1, keepdims=True)
        return np.sum(unit[pairs[0]] * unit[pairs[1]], axis=1)

    ours, theirs = cosines(vectors[rows]), cosines(np.stack([known[read.words[row]] for row in rows]))
    return f"{scipy.stats.spearmanr(ours, theirs).statistic:.3f}"


def main() -> None:
    files, public = sys.argv[1].split(","), sys.argv[2] if len(sys.argv) > 2 else ""
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    start = time.perf_counter()
    read = corpora.corpus(itertools.chain.from_iterable(text_files.read(pathlib.Path(name)) for name in files))
    print(f"read {len(read.tokens):,} words, {len(read.words):,} different: {time.perf_counter() - start:.2f} s")
    for by in word2vec.BY:
        ours = {"ours": lambda by=by: timed(lambda: word2vec.train(read, by, sample=SAMPLE, epochs=EPOCHS))}
        start = time.perf_counter()
        word2vec.train(read, by, sample=SAMPLE, epochs=EPOCHS)
        first, spent, vectors = time.perf_counter() - start, {}, {}
        for name, train in list((ours | peers(read, by)).items()) * rounds:
            vectors[name], *times = train()
            spent.setdefault(name, []).append(times)
        for name, times in spent.items():
            wall, processor = (statistics.median(column) for column in zip(*times))
            line = f"{by:12} {name:20} {len(read.tokens) * EPOCHS / wall:12,.0f} words/s {wall:7.2f} s"
            line += f" processor {processor:7.2f} s load {os.getloadavg()[0]:.1f}"
            print(line + (f" worth {worth(read, vectors[name], public)}" if public else ""))
        print(f"{by:12} compilation, about {first - statistics.median(t[0] for t in spent['ours']):.1f} s")


if __name__ == "__main__":
    main()
