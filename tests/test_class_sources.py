"""Classes described from their names by files: word vectors, WordNet, several side by side."""

import gzip
import json

import jax
import numpy as np
import pytest

from zsl_jax import __main__, class_encoders, data, errors, methods, similarity
from zsl_jax.class_encoders import poincare, properties, wordnet
from zsl_jax.encoders import class_sources
from zsl_jax.methods import source_weights

NAMES = ("001.Polar_bear", "brown+bear", "zebra", "wild horse", "okapi")
WORDS = {"polar": [1.0, 0.0], "bear": [0.0, 1.0], "zebra": [1.0, 1.0], "horse": [2.0, 1.0]}
#      entity 0    animal 1    bear 2    horse 3    polar bear 4    zebra 5
SENSES = "bear\t2\nhorse\t3\npolar_bear\t4\nzebra\t5"
HYPERNYM = np.array([[1, 0], [2, 1], [3, 1], [4, 2], [5, 3]], np.int32)


def files(folder) -> dict[str, str]:
    vectors = np.array(list(WORDS.values()))
    np.savez(folder / "words.npz", words=np.array(list(WORDS)), vectors=vectors)
    of_bytes = {"lemmas": "entity\nanimal\nbear\nhorse\npolar_bear\nzebra", "first_sense": SENSES}
    as_bytes = {name: np.frombuffer(text.encode(), np.uint8) for name, text in of_bytes.items()}
    np.savez(folder / "wordnet.npz", hypernym=HYPERNYM, **as_bytes)
    return {"words": str(folder / "words.npz"), "wordnet": str(folder / "wordnet.npz")}


def table(names=NAMES):
    return data.ClassTable(np.eye(len(names), 7, dtype=np.float32), np.arange(len(names)) < 3, names)


def described(folder, **options):
    given = files(folder) | {"missing": "mean"} | options
    return class_sources.make(class_sources.Options(**given))


@pytest.mark.parametrize("form", ["words.npz", "bytes.npz", "words.bin", "words.txt", "words.vec"])
def test_every_form_of_word_vectors_says_the_same(form, tmp_path):
    path, wanted = tmp_path / form, np.array(list(WORDS.values()), np.float32)
    if form == "bytes.npz":
        np.savez(path, words=np.array(["Polar", *list(WORDS)]), vectors=np.int8([[2, 0], *wanted * 2]), scale=[0.5] * 5)
    elif form == "words.npz":
        np.savez(path, words=np.array(list(WORDS)), vectors=wanted)
    elif form == "words.bin":
        rows = (f"{word} ".encode() + np.float32(row).tobytes() + b"\n" for word, row in WORDS.items())
        path.write_bytes(b"4 2\n" + b"".join(rows))
    else:
        between = "\t" if form == "words.vec" else " "
        path.write_text("".join(between.join((word, *map(str, row))) + "\n" for word, row in WORDS.items()))
    found = class_encoders.load_word_vectors(path, {*WORDS, "gnu"})
    assert found.keys() == WORDS.keys()
    np.testing.assert_array_equal([found[word] for word in WORDS], wanted)


DAMAGED = {
    "none.txt": (None, "no file of word vectors"),
    "cut.bin": (b"2 2\nbear " + bytes(7), "ends within word 1 of 2"),
    "text.bin": (b"bear 1 0\n", "does not begin with COUNT WIDTH"),
    "list.txt": (b"gnu\nbear\n", "line 1: no numbers behind 'gnu'"),
    "commas.txt": (b"gnu,1,0\nbear,0,1\n", "line 1: no numbers behind 'gnu,1,0': .* blanks or tabs"),
    "text.npz": (b"bear 1 0\n", "is no archive of word vectors"),
    "nan.txt": (b"gnu 1 0\nbear 1 nan\n", "the vector of 'bear' holds a number that is not finite"),
    "beyond.txt": (b"bear 1e39 0\n", "the vector of 'bear' holds .* beyond float32"),
    "utf16.txt": ("bear 1 0\n".encode("utf-16"), "is not in UTF-8, by its first line UTF-16 perhaps"),
    "cut.txt.gz": (gzip.compress(b"bear 1 0\n" * 99)[:30], "cannot be read"),
    "wide.bin": (b"1 99999999999\nbear ", "announces 1 words with 99999999999 numbers each, and is shorter"),
    "digits.bin": (b"1 " + b"9" * 5000 + b"\nbear ", "does not begin with COUNT WIDTH"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_word_vectors_that_are_damaged_are_one_line(name, tmp_path):
    content, says = DAMAGED[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(errors.UserError, match=says) as raised:
        class_encoders.load_word_vectors(tmp_path / name, {"bear"})
    assert "\n" not in str(raised.value)


def test_a_name_is_described_by_its_words_and_by_what_is_above_it(tmp_path):
    mean = np.mean([[0.5, 0.5], [0, 1], [1, 1]], axis=0)  # of the seen classes, for a class of which nothing is known
    found = described(tmp_path, source="words")
    np.testing.assert_allclose(found(NAMES, table()), [[0.5, 0.5], [0, 1], [1, 1], [2, 1], mean])
    assert found.notes(NAMES) == {"brown+bear": "brown", "wild horse": "wild", "okapi": "okapi"}
    # Columns: what is at or above a polar bear, a bear and a zebra; a horse is above the zebra.
    above = [[1, 1, 1, 0, 1, 0], [1, 1, 1, 0, 0, 0], [1, 1, 0, 1, 0, 1], [1, 1, 0, 1, 0, 0]]
    by_tree = described(tmp_path, source="wordnet")(NAMES, table())
    np.testing.assert_allclose(by_tree, [*above, np.mean(above[:3], axis=0)])
    both = described(tmp_path, source="words+wordnet")(NAMES, table())
    assert both.shape == (5, 8)
    np.testing.assert_allclose(np.sum(both**2, axis=1), 2, rtol=1e-6)


def test_another_list_of_unseen_classes_moves_no_description_of_the_seen(tmp_path):
    others = (*NAMES[:3], "horse", "bear")
    for source in ("words", "wordnet"):
        for measure in wordnet.MEASURES:
            found = described(tmp_path, source=source, measure=measure)
            np.testing.assert_array_equal(found(NAMES, table())[:3], found(others, table(others))[:3])


def test_similarities_in_a_tree_are_their_formulas():
    nouns = wordnet.Nouns({}, HYPERNYM, 6)
    rows, anchors = [4, 5, 3], [2, 5]
    path = wordnet.embedding(nouns, rows, anchors=anchors, measure="path")
    np.testing.assert_allclose(path, [[1 / 2, 1 / 5], [1 / 4, 1], [1 / 3, 1 / 2]])
    says = {0: 0.0, 1: 1 - np.log(5) / np.log(6), 2: 1 - np.log(2) / np.log(6), 4: 1.0, 5: 1.0}
    says[3] = says[2]
    lin = wordnet.embedding(nouns, rows, anchors=anchors, measure="lin")
    lowest = {(4, 2): 2, (4, 5): 1, (5, 2): 1, (5, 5): 5, (3, 2): 1, (3, 5): 3}
    wanted = [[2 * says[lowest[a, b]] / (says[a] + says[b]) for b in anchors] for a in rows]
    np.testing.assert_allclose(lin, wanted, rtol=1e-5)
    resnik = wordnet.embedding(nouns, rows, anchors=anchors, measure="resnik")
    np.testing.assert_allclose(resnik, [[says[lowest[a, b]] for b in anchors] for a in rows], rtol=1e-5)
    # A cycle ends the walk and nothing else.
    loop = wordnet.Nouns({}, np.array([[1, 0], [0, 1]]), 2)
    assert wordnet.distances(loop, [1])[1].tolist() == [[1, 0]]


WRONG = {
    "no file": ({"source": "words", "words": ""}, "needs a file: --config.classes.words=FILE"),
    "a file that is not there": ({"source": "wordnet", "wordnet": "nowhere.npz"}, "there is no such file"),
    "unknown words": ({"source": "words", "missing": "error"}, "no vector for any word of 'okapi'"),
    "no noun": ({"source": "wordnet", "missing": "error"}, "no noun for 'okapi': --config.classes.missing=mean"),
    "another archive": ({"source": "wordnet", "wordnet": "WORDS"}, "no archive of WordNet nouns"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_source_that_does_not_know_a_class_is_one_line(case, tmp_path):
    options, says = WRONG[case]
    given = {name: files(tmp_path)["words"] if value == "WORDS" else value for name, value in options.items()}
    with pytest.raises(errors.UserError, match=says) as raised:
        described(tmp_path, **given)(NAMES, table())
    assert "\n" not in str(raised.value)


def test_a_permuted_table_keeps_its_rows_and_says_so(tmp_path):
    info = {"semantics": "att", "split": "", "files": {}}
    source = data.Dataset("toy", np.zeros((5, 2)), np.arange(5), table(), {}, info=info)
    found = class_sources.dataset_of(source, None, permuted=True)
    rows = np.argmax(found.classes.embedding, axis=1)
    assert sorted(rows) == list(range(5))
    assert not np.any(rows == np.arange(5))
    assert found.info["semantics"] == "att, permuted"
    by_words = class_sources.dataset_of(source, described(tmp_path, source="words"), permuted=True)
    assert (by_words.info["semantics"], by_words.info["described_by"]["learned"]) == ("words, permuted", True)


@pytest.mark.long
def test_any_recipe_takes_a_source_and_predict_takes_names(tmp_path, capsys):
    """As a user calls them: features follow the word vectors, so that an unseen horse is found by its name."""
    rng, labels = np.random.default_rng(0), np.repeat(np.arange(5), 12)
    vectors = {"polar": [3, 0, 1], "bear": [1, 2, 0], "zebra": [0, 1, 3], "okapi": [0, 3, 1], "gnu": [2, 2, 0]}
    vectors |= {"horse": [2, 1, 2], "brown": [0, 2, 2], "wild": [2, 1, 2]}
    (tmp_path / "words.txt").write_text("".join(f"{w} {' '.join(map(str, v))}\n" for w, v in vectors.items()))
    words = {word: np.array(vector, np.float32) for word, vector in vectors.items()}
    centres = class_encoders.word_embedding(NAMES, words) @ rng.standard_normal((3, 6))
    features = (centres[labels] + 0.1 * rng.standard_normal((60, 6))).astype(np.float32)
    archive = {"features": features, "labels": labels, "class_names": np.array(NAMES)}
    np.savez(tmp_path / "data.npz", **archive, iconic_features=np.eye(5, 6, dtype=np.float32))
    line = ["train", "--config=eszsl:npz", f"--config.data.file={tmp_path / 'data.npz'}", "--config.plots=none"]
    line += ["--config.data.semantics=iconic", "--config.data.num_unseen=2", f"--workdir={tmp_path / 'run'}"]
    chosen = ["--config.classes.source=words", f"--config.classes.words={tmp_path / 'words.txt'}"]
    assert __main__.main([*line, "--config.select.on=nothing", *chosen]) == 0
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert (record["setting"], record["dataset"]["semantics"]) == ("pretrained", "words")
    assert record["metrics"]["zsl"]["top1"] > 0.7  # one in two by chance
    assert str(tmp_path / "words.txt") not in json.dumps(record["dataset"])
    np.save(tmp_path / "new.npy", features[labels == 3])
    capsys.readouterr()
    names = ["--names", "wild_horse", "bear", "gnu"]
    assert __main__.main(["predict", f"--workdir={tmp_path / 'run'}", *names, str(tmp_path / "new.npy")]) == 0
    answers = [line.split(",")[1] for line in capsys.readouterr().out.splitlines()[1:]]
    assert answers.count("wild_horse") >= 10
    # Two sources whose weights are learned are named in the same way.
    parents = {"001.Polar_bear": "x", "zebra": "x", "brown+bear": "y", "okapi": "y", "wild horse": "x", "gnu": "y"}
    (tmp_path / "tree.csv").write_text("child,parent\n" + "".join(f"{c},{p}\n" for c, p in parents.items()))
    both = [f"--config.classes.tree={tmp_path / 'tree.csv'}", "--config.classes.weights=learned"]
    line[-1], chosen[0] = f"--workdir={tmp_path / 'both'}", "--config.classes.source=words+tree"
    assert __main__.main([*line, "--config.select.on=nothing", *chosen, *both]) == 0
    weights = json.loads((tmp_path / "both" / "record.json").read_text())["source_weights"]
    assert sum(weights.values()) == pytest.approx(1)
    assert f"weights of sources: tree {weights['tree']:.2f}, words" in capsys.readouterr().out
    names = ["--names", "wild horse", "gnu"]
    assert __main__.main(["predict", f"--workdir={tmp_path / 'both'}", *names, str(tmp_path / "new.npy")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 13


def test_weights_of_sources_are_those_that_the_mean_images_of_training_classes_agree_with():
    rng, labels = np.random.default_rng(0), np.append(np.tile(np.arange(12), 5), [-1, -1])
    sources = {name: rng.standard_normal((12, 4)).astype(np.float32) for name in ("words", "attributes")}
    inputs = (sources["words"][labels] + rng.standard_normal((62, 4))).astype(np.float32)
    method = source_weights.weighted(methods.eszsl())
    table = data.ClassTable(sources, np.ones(12, bool), tuple("abcdefghijkl"))
    like = data.Batch(inputs[:2], labels[:2], np.ones(2, bool))
    state = method.init(jax.random.key(0), like, table, ())
    state = method.prepare(state, data.Examples(inputs, labels), table, jax.random.key(1))
    unit = inputs / np.linalg.norm(inputs, axis=1, keepdims=True)
    means = np.stack([unit[labels == row].mean(0) for row in range(12)])
    wanted = class_encoders.aligned_weights([sources["attributes"], sources["words"]], means)
    found = source_weights.of(state)
    np.testing.assert_allclose([found["attributes"], found["words"]], wanted, atol=1e-6)
    assert found["words"] > 0.8


def more_files(folder) -> dict[str, str]:
    texts = {"polar bear": ["It is white.", "It swims."], "Brown Bear": "It is brown.", "zebras": ["It is striped."]}
    texts |= {"wild horse": ["It runs, striped or brown.", "Purple hooves."]}
    (folder / "texts.json").write_text(json.dumps(texts))
    tree = [
        ("001.Polar_bear", "bear"),
        ("brown+bear", "bear"),
        ("bear", "animal"),
        ("zebra", "equid"),
        ("equid", "animal"),
    ]
    tree += [("wild horse", "equid"), ("animal", "")]
    concepts = {"snow": "White, cold.", "grass": ["A brown field.", "Striped shadows."], "sea": "A fish swims."}
    (folder / "concepts.json").write_text(json.dumps(concepts))
    (folder / "tree.csv").write_text("child,parent\n" + "".join(f"{child},{parent}\n" for child, parent in tree))
    return files(folder) | {name: str(next(folder.glob(f"{name}.*"))) for name in ("texts", "tree", "concepts")}


def more(folder, source, **options):
    return class_sources.make(
        class_sources.Options(**(more_files(folder) | {"missing": "mean", "source": source} | options))
    )


def test_texts_on_classes_are_weighed_by_the_words_of_the_seen_ones(tmp_path):
    found = more(tmp_path, "tf_idf")(NAMES, table())
    wanted = class_encoders.tf_idf(["It is white. It swims.", "It is brown.", "It is striped."])
    np.testing.assert_allclose(found[:3], wanted, atol=1e-6)
    # brown, striped, swims, white: a word that no seen class has counts for nothing.
    np.testing.assert_allclose(found[3], [0.5**0.5, 0.5**0.5, 0, 0], atol=1e-6)
    np.testing.assert_allclose(found[4], wanted.mean(axis=0), atol=1e-6)
    with pytest.raises(errors.UserError, match=r"texts.json has no texts of 'okapi': --config"):
        more(tmp_path, "tf_idf", missing="error")(NAMES, table())


def test_texts_on_classes_are_near_to_the_articles_that_use_their_words(tmp_path):
    # White and swims of the polar bear, brown, striped: words of an article of 3, 5 and 3 words, all as rare.
    found = more(tmp_path, "esa")(NAMES, table())
    lengths = np.sqrt([3, 5, 3])
    wanted = [[1 / np.sqrt(2), 0, 1 / np.sqrt(2)], [0, 1, 0], [0, 1, 0], [0, np.sqrt(2), 0]] / lengths
    np.testing.assert_allclose(found, [*wanted, np.mean(wanted[:3], axis=0)], atol=1e-6)
    assert more(tmp_path, "esa", num_concepts=1)(NAMES, table()).shape == (5, 1)
    # By their names, among the glosses of WordNet.
    with np.load(tmp_path / "wordnet.npz") as archive:
        told = "all there is\nit lives\na heavy animal\na fast animal\na bear of the snow\na striped horse"
        np.savez(tmp_path / "glosses.npz", **archive, glosses=np.frombuffer(told.encode(), np.uint8))
    by_name = more(tmp_path, "esa", concepts="", texts="", wordnet=str(tmp_path / "glosses.npz"))(NAMES, table())
    # The articles on bear, polar bear and zebra are kept; that on the polar bear says bear twice.
    assert np.argmax(by_name[:4], axis=1).tolist() == [1, 1, 2, 2]
    with pytest.raises(errors.UserError, match=r"no concept of concepts.json has a word of 'okapi': --config"):
        more(tmp_path, "esa", missing="error")(NAMES, table())


@pytest.mark.parametrize("by", ["ridge", "nearest"])
def test_attributes_of_an_unseen_class_are_told_from_its_words_and_the_seen_classes(by, tmp_path):
    rng = np.random.default_rng(0)
    seen = data.ClassTable(rng.random((5, 4), np.float32), np.arange(5) < 3, NAMES)
    source = more(tmp_path, "norms", norms=by, nearest=2, temperature=0.2, strength=0.5)
    found, vectors = source(NAMES, seen), more(tmp_path, "words")(NAMES, seen).astype(np.float64)
    np.testing.assert_array_equal(found[:3], seen.embedding[:3])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    rows, cosines = seen.embedding[:3].astype(np.float64), unit[3:] @ unit[:3].T
    if by == "nearest":
        shares = np.where(cosines > np.min(cosines, axis=1, keepdims=True), np.exp(cosines / 0.2), 0)
        wanted = shares / shares.sum(axis=1, keepdims=True) @ rows
    else:
        x = unit[:3] - unit[:3].mean(axis=0)
        shift = 0.5 * np.sum(x**2) / 2
        solved = np.linalg.solve(x.T @ x + shift * np.eye(2), x.T @ (rows - rows.mean(axis=0)))
        wanted = rows.mean(axis=0) + (unit[3:] - unit[:3].mean(axis=0)) @ solved
    np.testing.assert_allclose(found[3:], wanted, atol=1e-5)
    # A class by its name, and the record: the columns keep their names.
    np.testing.assert_allclose(source(["wild horse", "zebra"], seen), found[[3, 2]], atol=1e-6)
    info = {"semantics": "att", "split": "", "files": {}, "attributes": ("a", "b", "c", "d")}
    toy = data.Dataset("toy", np.zeros((5, 2)), np.arange(5), seen, {}, info=info)
    made = class_sources.dataset_of(toy, source)
    assert made.info["attributes"] == ("a", "b", "c", "d")
    said = made.info["described_by"]
    assert (said["annotated"], said["told"], said["told_by"], said["learned"]) == (3, 2, by, True)


PROPERTIES = "property,concreteness\nstriped,0.25\nof the sea,\nbig,1\n"
SEEDS = (properties.CONCRETE, properties.ABSTRACT)


def property_options(folder, **options):
    """Words for a tower, a tie to three numbers, and prototypes of three classes."""
    rng = np.random.default_rng(0)
    words = ["striped", "sea", "big", "polar", "bear", "zebra", "horse", *SEEDS[0], *SEEDS[1]]
    np.savez(folder / "tower.npz", words=np.array(words), vectors=rng.standard_normal((len(words), 4)))
    np.savez(folder / "tie.npz", map=rng.standard_normal((4, 3)), text_mean=rng.standard_normal(4))
    np.savez(folder / "rows.npz", vectors=rng.standard_normal((3, 3)), names=np.array(["zebra", "bear", "horse"]))
    (folder / "list.csv").write_text(PROPERTIES)
    given = {"text": "tower.npz", "properties": "list.csv", "tie": "tie.npz", "prototypes": "rows.npz"}
    given = {name: str(folder / value) for name, value in given.items()}
    plain = {"source": "properties", "template": "{}", "phrase": "{}", "nearest": 2}
    return class_sources.Options(**given | plain | options)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("ranking", ["both", "text", "image"])
def test_properties_are_ranked_by_texts_and_images_less_what_the_seen_classes_share(ranking, tmp_path):
    options = property_options(tmp_path, ranking=ranking)
    held = {name: np.load(getattr(options, name)) for name in ("text", "tie", "prototypes")}
    of_word = dict(zip(held["text"]["words"], held["text"]["vectors"]))

    def encoded(texts):
        return unit(np.stack([np.mean([of_word[w] for w in text.split() if w in of_word], axis=0) for text in texts]))

    texts, names = encoded(["striped", "of the sea", "big"]), NAMES[:4]
    classes = encoded(["polar bear", "brown bear", "zebra", "wild horse"])
    cosines = classes @ encoded(["zebra", "bear", "horse"]).T
    shares = np.where(cosines > cosines.min(axis=1, keepdims=True), np.exp(cosines / 0.1), 0)
    rows = unit(held["prototypes"]["vectors"] - held["prototypes"]["vectors"].mean(axis=0))
    prototypes = unit(shares / shares.sum(axis=1, keepdims=True) @ rows)
    scores = {
        "text": classes @ texts.T,
        "image": prototypes @ unit((texts - held["tie"]["text_mean"]) @ held["tie"]["map"]).T,
    }
    ranks = {}
    for name, score in scores.items():
        score = score - score[:3].mean(axis=0)
        ranks[name] = np.array([[sum(a < b for a in row) / 2 for b in row] for row in score])
    along = [np.mean(x @ encoded(SEEDS[0]).T, 1) - np.mean(x @ encoded(SEEDS[1]).T, 1) for x in map(encoded, SEEDS)]
    sea = np.mean(texts[1] @ encoded(SEEDS[0]).T) - np.mean(texts[1] @ encoded(SEEDS[1]).T)
    told = np.clip((sea - along[1].mean()) / (along[0].mean() - along[1].mean()), 0, 1)
    share = {"text": 0, "image": 1, "both": np.array([0.25, told, 1])}[ranking]
    source, given = class_sources.make(options), table(names)
    np.testing.assert_allclose(source(names, given), (1 - share) * ranks["text"] + share * ranks["image"], atol=1e-4)
    # What a dataset has of it: columns with names, and a record that says who rated.
    info = {"semantics": "att", "split": "", "files": {}, "attribute_names": ["a"] * 7}
    toy = data.Dataset("toy", np.zeros((4, 2)), np.arange(4), given, {}, info=info)
    info = class_sources.dataset_of(toy, source).info
    assert (info["attributes"], "attribute_names" in info) == (["striped", "of the sea", "big"], False)
    assert info["described_by"].get("rated") == (2 if ranking == "both" else None)
    assert (info["described_by"]["learned"], str(tmp_path) in json.dumps(info)) == (True, False)


NOT_PROPERTIES = {
    "no header": ("striped\nbig\n", "a header with property"),
    "one": ("property\nbig\n", "names 1 properties"),
    "twice": ("property\nbig\nbig\n", "line 3: 'big' is there twice"),
    "from 1 to 5": ("property,concreteness\nbig,4.2\nred,5\n", r"line 2: concreteness '4.2' of 'big' .* \(x - 1\) / 4"),
    "words": ("property,concreteness\nbig,very\nred,1\n", "line 2: concreteness 'very'"),
    "nothing": ("property,concreteness\nbig,1\n,1\n", "line 3: no property"),
    "utf-16": ("property\nbig\nred\n".encode("utf-16"), "a CSV file with a column property is wanted"),
}


@pytest.mark.parametrize("case", NOT_PROPERTIES)
def test_a_list_of_properties_that_is_none_is_one_line(case, tmp_path):
    content, says = NOT_PROPERTIES[case]
    options = property_options(tmp_path)
    (tmp_path / "list.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(errors.UserError, match=says) as raised:
        class_sources.make(options)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"tie": ""}, r"needs a file: --config\.classes\.tie=TIE\.npz"),
        ({"prototypes": "OTHER"}, "prototypes are vectors of 2 numbers, and tie.npz leads to 3"),
    ],
)
def test_images_need_a_tie_and_prototypes_of_its_space(options, says, tmp_path):
    np.savez(tmp_path / "other.npz", vectors=np.eye(2), names=np.array(["zebra", "bear"]))
    given = {name: str(tmp_path / "other.npz") if value == "OTHER" else value for name, value in options.items()}
    with pytest.raises(errors.UserError, match=says):
        class_sources.make(property_options(tmp_path, **given))


def test_norms_need_attributes_of_seen_classes(tmp_path):
    for given, says in (
        (
            data.ClassTable(np.arange(5, dtype=np.int32), np.arange(5) < 3, NAMES),
            "which the classes of this dataset lack",
        ),
        (data.ClassTable(np.eye(5, dtype=np.float32), np.zeros(5, bool), NAMES), "needs seen classes"),
    ):
        with pytest.raises(errors.UserError, match=says):
            more(tmp_path, "norms")(NAMES, given)


def test_a_table_of_children_and_parents_is_a_hierarchy(tmp_path):
    found = more(tmp_path, "tree")(NAMES, table())
    # polar bear, bear, brown bear, animal, zebra, equid: in the order of the file, those of the seen classes.
    above = [[1, 1, 0, 1, 0, 0], [0, 1, 1, 1, 0, 0], [0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 0, 1]]
    np.testing.assert_allclose(found, [*above, np.mean(above[:3], axis=0)])
    with pytest.raises(errors.UserError, match=r"tree.csv has no row for 'okapi'"):
        more(tmp_path, "tree", missing="error")(NAMES, table())
    (tmp_path / "loop.csv").write_text("child,parent\nzebra,animal\nanimal,zebra\n")
    with pytest.raises(errors.UserError, match=r"loop.csv: parents hold a cycle"):
        more(tmp_path, "tree", tree=str(tmp_path / "loop.csv"))


def test_words_are_pulled_to_what_is_above_them(tmp_path):
    plain, found = (more(tmp_path, source)(NAMES, table()) for source in ("words", "retrofitted"))
    # A polar bear has bear above it, animal and entity have no vector: two rows that pull at each other, in turn.
    own, bear = np.array([0.5, 0.5]), np.array([0.0, 1.0])
    one, other = own, bear
    for _ in range(10):
        one = (own + other) / 2
        other = (bear + one) / 2
    np.testing.assert_allclose(found[0], one, atol=1e-6)
    # A brown bear is one step below bear; a bear's own ancestors have no vectors, and okapi is no noun there.
    np.testing.assert_allclose(found[1], plain[1], atol=1e-6)
    np.testing.assert_allclose(found[2], ((2 * plain[2] + np.array([2, 1])) / 3), atol=1e-3)
    np.testing.assert_allclose(found[4], plain[4], atol=1e-6)


def test_sources_side_by_side_have_weights(tmp_path):
    alone = [more(tmp_path, source)(NAMES, table()) for source in ("words", "tree")]
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in alone]
    both = more(tmp_path, "words+tree", weights="4,0.25")
    np.testing.assert_allclose(both(NAMES, table()), np.hstack([2 * unit[0], 0.5 * unit[1]]), atol=1e-5)
    assert both.sha256 != more(tmp_path, "words+tree").sha256
    with pytest.raises(errors.UserError, match=r"weights=1: 2 sources, words\+tree, need as many"):
        more(tmp_path, "words+tree", weights="1")
    apart = more(tmp_path, "words+tree", weights="learned")(NAMES, table())
    np.testing.assert_array_equal(apart["tree"], alone[1])
    with pytest.raises(errors.UserError, match=r"weights=learned: words is one source, nothing to weight"):
        more(tmp_path, "words", weights="learned")
    method = source_weights.weighted(methods.eszsl())
    images = data.Batch(np.zeros((2, 4, 4, 3), np.uint8), np.zeros(2, np.int32), np.ones(2, bool))
    with pytest.raises(errors.UserError, match=r"weights=learned compares classes by features, and inputs are no vec"):
        method.init(jax.random.key(0), images, data.ClassTable(apart, np.ones(5, bool), NAMES), ())


def binary_tree(depth: int) -> np.ndarray:
    count = 2 ** (depth + 1) - 1
    return np.asarray(class_encoders.ancestors((np.arange(count) - 1) // 2), bool) & ~np.eye(count, dtype=bool)


@pytest.mark.long
def test_points_of_a_planted_tree_have_their_ancestors_nearest_and_the_root_inside():
    above = binary_tree(4)
    points = poincare.fit(above, dimensions=5, steps=2000)
    length = np.linalg.norm(points, axis=1)
    assert length.max() < 1
    assert length[0] < length[1:].min()
    distances = -np.asarray(similarity.poincare(points, points))
    precision = []
    for row in range(1, len(above)):
        order = [other for other in np.argsort(distances[row]) if other != row]
        hit = above[row][order]
        precision.append((np.cumsum(hit) / np.arange(1, len(hit) + 1))[hit].mean())
    assert np.mean(precision) > 0.9
    # A leaf that was not there is placed beside its ancestors, and by itself.
    wanted = above[[20, 25]] | (np.arange(len(above)) == np.array([[9], [12]]))
    placed = poincare.placed(points, wanted)
    for point, ancestors in zip(placed, wanted):
        near = -np.asarray(similarity.poincare(point[None], points))[0]
        assert near[ancestors].mean() < near[~ancestors].mean() - 1
    np.testing.assert_allclose(poincare.placed(points, wanted[1:])[0], placed[1], atol=1e-4)
    with pytest.raises(ValueError, match="with a node above another"):
        poincare.fit(np.zeros((3, 3), bool))


def test_a_first_step_of_the_points_is_riemannian():
    points, gradient = np.array([[0.6, 0.0], [0.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 4.0]])
    moved = poincare._moved(points, gradient, 0.1)
    np.testing.assert_allclose(moved, [[0.6 - 0.1 * 0.64**2 / 4, 0], [0, -0.1]], atol=1e-6)


@pytest.mark.long
def test_another_list_of_unseen_classes_moves_no_other_class(tmp_path):
    others = (*NAMES[:3], "bear", "wild horse")
    for source in ("tf_idf", "tree", "retrofitted", "poincare", "esa", "norms", "properties"):
        by_properties = source == "properties"
        of = class_sources.make(property_options(tmp_path)) if by_properties else more(tmp_path, source)
        one, other = of(NAMES, table()), of(others, table(others))
        np.testing.assert_allclose(one[:4], other[[0, 1, 2, 4]], atol=1e-5)
    by_wordnet = more(tmp_path, "poincare", tree="")
    assert by_wordnet(NAMES, table()).shape == (5, 10)
