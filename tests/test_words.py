"""Word vectors trained on texts: their objectives, what they recover, the verb, and the files that texts come from."""

import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zsl_jax import __main__, class_encoders
from zsl_jax.class_encoders import corpora, word2vec, word_objectives
from zsl_jax.data import text_files
from zsl_jax.encoders import word_tower

LETTERS = "abcdef"
ROWS, COLUMNS = 6, 4


def planted(*, shuffled: bool, texts: int = 2000) -> list[str]:
    """A word for each row and column of a table, always beside words of its row and words of its column."""
    rng = np.random.default_rng(0)
    found = []
    for row, column in zip(rng.integers(ROWS, size=texts), rng.integers(COLUMNS, size=texts)):
        beside = [f"row{LETTERS[row]}{LETTERS[k]}" for k in rng.integers(5, size=3)]
        beside += [f"column{LETTERS[column]}{LETTERS[k]}" for k in rng.integers(5, size=3)]
        found.append(rng.permutation([f"cell{LETTERS[row]}{LETTERS[column]}", *beside]))
    found = np.stack(found)
    if shuffled:
        found = rng.permutation(found.ravel()).reshape(found.shape)
    return [" ".join(words) for words in found]


def analogies(words, vectors) -> float:
    """How often `cell(r, c) - cell(r, d) + cell(s, d)` is nearest to `cell(s, c)`, of all other words."""
    at, unit = (
        {word: n for n, word in enumerate(words)},
        vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
    )
    hits = []
    for (r, s), (c, d) in itertools.product(
        itertools.permutations(LETTERS[:ROWS], 2), itertools.permutations(LETTERS[:COLUMNS], 2)
    ):
        one, two, three, wanted = (at[f"cell{row}{column}"] for row, column in (r + c, r + d, s + d, s + c))
        scores = unit @ (unit[one] - unit[two] + unit[three])
        scores[[one, two, three]] = -np.inf
        hits.append(np.argmax(scores) == wanted)
    return float(np.mean(hits))


@pytest.mark.long
@pytest.mark.parametrize("by", word2vec.BY)
def test_planted_analogies_are_recovered_and_fall_to_chance_where_words_are_shuffled(by):
    found = {}
    for shuffled in (False, True):
        read = class_encoders.corpus(planted(shuffled=shuffled), min_count=1)
        knobs = {"dimensions": 24, "sample": 0, "epochs": 12}
        vectors = class_encoders.word_vectors(read, by, **knobs)
        found[shuffled] = analogies(read.words, vectors)
    assert found[False] > 0.85  # of 360
    lengths = np.linalg.norm(vectors, axis=1)
    assert np.allclose(lengths, 1, atol=1e-5) == (by == "contrastive")
    assert found[True] < 0.1  # 1 in 71 by chance


def toy_batch(**changes) -> word_objectives.Batch:
    """Two blocks of 4 words with a margin of 3; the first has two texts, and a word that is no centre."""
    rng = np.random.default_rng(1)
    given = {
        "words": jnp.asarray(rng.integers(7, size=(2, 10)), jnp.int32),
        "text_of": jnp.array([[-1, -1, 0, 0, 0, 1, 1, 1, 1, 1], [2, 2, 2, 2, 2, 2, 2, 2, -1, -1]]),
        "is_centre": jnp.array([[True, True, False, True], [True] * 4]),
        "reach": jnp.array([[1, 3, 2, 3], [3, 2, 1, 3]]),
        "draws": jnp.asarray(rng.integers(2**32, size=(2, 4)), jnp.uint32),
        "noise": jnp.asarray(rng.integers(7, size=5), jnp.int32),
        "negatives": 2,
        "num_words": 7,
        "buckets": 11,
        "temperature": 0.5,
    }
    return word_objectives.Batch(**(given | changes))


def by_loops(by: str, batch: word_objectives.Batch, v: np.ndarray, u: np.ndarray) -> float:
    """The sums of the formulas, a pair at a time."""

    def cost(x):
        return np.log1p(np.exp(-x))

    words, text_of, noise = np.asarray(batch.words), np.asarray(batch.text_of), np.asarray(batch.noise)
    share, total, pairs = batch.negatives / len(noise), 0.0, []
    for g, i in itertools.product(range(2), range(4)):
        centre, reach = words[g, 3 + i], int(batch.reach[g, i])
        if not batch.is_centre[g, i]:
            continue
        near = [j for j in range(10) if 0 < abs(j - 3 - i) <= reach and text_of[g, j] == text_of[g, 3 + i]]
        if by == "skip_gram":
            for j in near:
                total += cost(u[words[g, j]] @ v[centre])
                total += share * sum(cost(-u[n] @ v[centre]) for n in noise if n != words[g, j])
        elif by == "contrastive":
            beside = 3 + i + (1 if int(batch.draws[g, i]) >= 2**31 else -1) * reach
            if text_of[g, beside] == text_of[g, 3 + i]:
                pairs.append((centre, words[g, beside]))
        elif near:
            rows = [words[g, j] for j in near]
            if by == "sent2vec":
                follows = [(int(words[g, j]), int(words[g, j + 1])) for j in near if j + 1 in near]
                rows += [7 + bucket(*both) for both in follows]
            mean = np.mean(v[rows], axis=0)
            total += cost(u[centre] @ mean) + share * sum(cost(-u[n] @ mean) for n in noise if n != centre)
    for centre, beside in pairs:
        others = [beside, *(other for _, other in pairs if other != beside)]
        cosines = [v[centre] @ u[o] / np.linalg.norm(v[centre]) / np.linalg.norm(u[o]) for o in others]
        total += np.log(np.sum(np.exp(np.array(cosines) / 0.5))) - cosines[0] / 0.5
    return total


def bucket(first: int, second: int) -> int:
    multiplier = 0x9E3779B1
    return (((first * multiplier + second) * multiplier) % 2**32 >> 8) % 11


@pytest.mark.parametrize("by", word2vec.BY)
def test_an_objective_is_its_formula_and_its_rows_move_by_its_gradient(by):
    rng, batch = np.random.default_rng(2), toy_batch()
    v, u = rng.standard_normal((18, 3)), rng.standard_normal((7, 3))
    tables = word2vec.Tables(jnp.asarray(v, jnp.float32), jnp.asarray(u, jnp.float32))
    pulls = word2vec.Tables(jnp.full(18, 4.0), jnp.zeros(7))
    moved, loss = jax.jit(lambda t: word2vec._moved(t, word_objectives.OBJECTIVES[by].step(batch), 0.1, pulls))(tables)
    np.testing.assert_allclose(loss, by_loops(by, batch, v, u), rtol=1e-5)
    # A row that a step reads several times moves by the sum, at its own rate.
    for table, at, rate in ((0, (3, 1), 0.1 / 1.1), (0, (int(batch.words[0, 4]), 0), 0.1 / 1.1), (1, (5, 2), 0.1)):
        change = np.zeros((2, 18, 3))
        change[table][at] = 1e-4
        slope = by_loops(by, batch, v + change[0], u + change[1][:7]) - by_loops(
            by, batch, v - change[0], u - change[1][:7]
        )
        np.testing.assert_allclose((moved[table] - tables[table])[at], -rate * slope / 2e-4, atol=1e-4)


def test_frequent_words_are_left_out_and_windows_close_over_the_gaps():
    read = corpora.corpus(["a b a c", "a d a e"], min_count=1)
    plan, text_of = word2vec._plan(read, "cbow", word2vec.settings("cbow", window=2))
    keep = jnp.asarray([0.0, *[1.0] * 4])  # of a, the most frequent
    tokens, texts, is_centre = word2vec._thinned(jax.random.key(0), read.tokens, jnp.asarray(text_of), keep, plan)
    assert [read.words[token] for token in tokens[2:6]] == list("bcde")
    assert texts[:7].tolist() == [-1, -1, 0, 0, 1, 1, -1]
    assert is_centre[:5].tolist() == [True] * 4 + [False]
    plan, text_of = word2vec._plan(read, "sent2vec", word2vec.settings("sent2vec"))
    tokens, _, is_centre = word2vec._thinned(jax.random.key(0), read.tokens, jnp.asarray(text_of), keep, plan)
    assert [read.words[token] for token in tokens[3:11]] == list("abacadae")
    assert is_centre[:9].tolist() == [False, True] * 4 + [False]
    # A third of the text at sample=0.1: sqrt(0.3) + 0.3 of them stay.
    np.testing.assert_allclose(word2vec._kept_share(np.array([1 / 3, 0.01]), 0.1), [np.sqrt(0.3) + 0.3, 1])


def test_noise_words_are_drawn_by_counts_to_the_power_of_three_quarters():
    counts = np.array([1000, 100, 1])
    drawn = np.searchsorted(word2vec._cumulative(counts**0.75), np.random.default_rng(0).integers(2**32, size=200_000))
    np.testing.assert_allclose(np.bincount(drawn) / 200_000, counts**0.75 / np.sum(counts**0.75), atol=3e-3)


def test_the_seed_says_every_draw(monkeypatch):
    start = word2vec._start
    monkeypatch.setattr(word2vec, "_start", lambda key, *sizes: start(jax.random.key(0), *sizes))  # draws alone differ
    read = corpora.corpus(planted(shuffled=False, texts=100), min_count=1)
    knobs = {"by": "sent2vec", "dimensions": 4, "epochs": 2, "buckets": 50}
    one, same, other = (word2vec.train(read, **knobs, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-4


def test_every_kind_of_file_gives_its_texts(tmp_path):
    written = {
        "a.txt": "a red bird\n\nit swims",
        "a.csv": 'Text,label\n"red, blue",x\n\nit swims,y\n',
        "a.tsv": "label\ttext\nx\tred bird\n",
        "a.jsonl": '{"text": "red bird", "label": 1}\n\n',
        "a.json": json.dumps({"bird": ["red bird", "it swims"], "fox": "runs"}),
    }
    for name, content in written.items():
        (tmp_path / name).write_text(content, encoding="utf-8-sig")
    found = {name: [text.strip() for text in text_files.read(tmp_path / name)] for name in written}
    assert found == {
        "a.txt": ["a red bird", "", "it swims"],
        "a.csv": ["red, blue", "it swims"],
        "a.tsv": ["red bird"],
        "a.jsonl": ["red bird"],
        "a.json": ["red bird", "it swims", "runs"],
    }
    arrays = {"lemmas": "polar_bear,ice_bear\nfox", "glosses": "a white bear\na red animal"}
    np.savez(tmp_path / "a.npz", **{name: np.frombuffer(text.encode(), np.uint8) for name, text in arrays.items()})
    assert list(text_files.read(tmp_path / "a.npz")) == ["polar bear ice bear: a white bear", "fox: a red animal"]


WRONG = {
    "no texts": ([], "words needs --texts=FILE"),
    "no file": (["--texts=TMP/none.txt"], "no file of texts"),
    "another kind": (["--texts=TMP/a.pdf"], "a.pdf is no file of texts by its name: .txt"),
    "empty": (["--texts=TMP/empty.txt"], "2 texts hold no word"),
    "one word": (["--texts=TMP/one.txt"], "1 of 1 different words occur 5 times or more"),
    "rare words": (
        ["--texts=TMP/birds.txt", "--min_count=99"],
        "0 of 4 different words occur 99 times or more (the most frequent, 'a', occurs 9 times)",
    ),
    "single words": (["--texts=TMP/single.txt", "--min_count=1"], "every text has one known word"),
    "window": (["--texts=TMP/birds.txt", "--window=4"], "window=4: the longest text has 4 known words"),
    "no window": (["--texts=TMP/birds.txt", "--by=sent2vec", "--window=4"], "window=4 is a knob of cbow and skip_gram"),
    "objective": (["--texts=TMP/birds.txt", "--by=skipgram"], "did you mean 'skip_gram'?"),
    "value": (["--texts=TMP/birds.txt", "--epochs=0"], "epochs=0 is not a whole number >= 1"),
    "header": (["--texts=TMP/table.csv"], "a header with text is wanted, not 'label, words'"),
    "line": (["--texts=TMP/lines.jsonl"], "line 2: an object with text is wanted"),
    "encoding": (["--texts=TMP/latin.txt"], "is not in UTF-8 (byte 3), perhaps Latin-1"),
    "out": (["--texts=TMP/birds.txt", "--out=TMP/words.txt"], "words needs --out=VECTORS.npz"),
    "folder": (["--texts=TMP/birds.txt", "--out=TMP/none/words.npz", "--window=2"], "cannot write to"),
    "diverges": (
        ["--texts=TMP/birds.txt", "--by=sent2vec", "--sample=0", "--rate=1e30"],
        "is not finite: take a rate below 1e+30",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_learned_from_is_one_line(case, tmp_path, capsys):
    written = {
        "a.pdf": "a",
        "empty.txt": "\n 12 !\n",
        "one.txt": "bird bird bird bird bird",
        "birds.txt": "a red bird sings\n" * 9,
        "single.txt": "bird\nfox\n",
        "table.csv": "label,words\n1,bird\n",
        "lines.jsonl": '{"text": "bird"}\n{"words": "bird"}\n',
    }
    for name, content in written.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "latin.txt").write_bytes("caf\u00e9 bird".encode("latin-1"))
    line, says = WRONG[case]
    given = [word.replace("TMP", str(tmp_path)) for word in (f"--out={tmp_path / 'words.npz'}", *line)]
    assert __main__.main(["words", *given]) in (1, 2)
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
    assert not list(tmp_path.glob("*.npz"))


def test_the_verb_writes_vectors_that_describe_classes_and_encode_texts(tmp_path, capsys):
    (tmp_path / "cells.txt").write_text("\n".join(planted(shuffled=False, texts=300)))
    (tmp_path / "more.json").write_text(json.dumps({"fox": ["Fox, fox: fox fox fox bird", "bird bird bird bird"]}))
    out = tmp_path / "words.npz"
    line = [f"--texts={tmp_path / 'cells.txt'},{tmp_path / 'more.json'}", f"--out={out}", "--by=cbow", "--epochs=2"]
    assert __main__.main(["words", *line, "--dimensions=6"]) == 0
    assert "75 different words, 2,106 in 302 texts; cbow, 6 numbers each" in capsys.readouterr().out
    found = class_encoders.load_word_vectors(out, {"fox", "bird", "cellaa", "gnu"})
    assert found.keys() == {"fox", "bird", "cellaa"}
    assert word_tower.load(out).encode(["a fox and a bird"]).shape == (1, 6)
    with np.load(out) as archive:
        about = json.loads(str(archive["about"]))
    assert (about["by"], about["epochs"], sorted(about["files"])) == ("cbow", 2, ["cells.txt", "more.json"])
    # Those of the same seed are the same file, whatever was there before.
    before = out.read_bytes()
    assert __main__.main(["words", *line, "--dimensions=6"]) == 0
    assert class_encoders.load_word_vectors(out, {"fox"})["fox"].tolist() == found["fox"].tolist()
    assert len(out.read_bytes()) == len(before)
