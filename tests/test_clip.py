"""CLIP and SigLIP are the arithmetic of their papers under every naming of their weights; so is their tokenizer."""

import itertools
import json
import re
import sys

import clip_oracle as oracle
import jax
import jax.numpy as jnp
import make_clip_tokens as clip_tokens
import numpy as np
import numpy_layers
import PIL.Image
import pytest
import safetensors.numpy
import tiny_photos

from zsl_jax import __main__, errors
from zsl_jax.data import image_folder
from zsl_jax.encoders import clip_files, clip_tokenizer, image_towers, preprocessing, towers
from zsl_jax.training import problems
from zsl_jax.verbs import command_line
from zsl_jax.verbs import data as data_verb

pytestmark = pytest.mark.long

MERGES = ["l o", "lo w</w>", "e r</w>", "ð Ł", "r e", "re d</w>", "n a", "n e"]
END = oracle.VOCABULARY - 1


def written(folder, tensors, config=None):
    folder.mkdir(exist_ok=True)
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    if config:
        (folder / "config.json").write_text(json.dumps(config))
    return folder


def vectors(model, images, ids):
    run = {half: jax.jit(getattr(model, half).apply) for half in ("image", "text")}
    return run["image"](model.variables("image"), images), run["text"](model.variables("text"), ids)


@pytest.fixture(scope="module")
def examples():
    rng = np.random.default_rng(1)
    ids = rng.integers(0, END - 1, (2, oracle.CONTEXT)).astype(np.int32)
    ids[0, 4], ids[1, 9] = END, END
    return rng.integers(0, 256, (2, oracle.SIDE, oracle.SIDE, 3), dtype=np.uint8), ids


@pytest.mark.long
def test_both_towers_of_clip_in_both_namings(tmp_path, examples):
    images, ids = examples
    rng = np.random.default_rng(0)
    tensors = oracle.vit_tensors(rng) | oracle.text_tensors(rng)
    wanted_images = [oracle.image_vector(tensors, image / 255) for image in images]
    wanted_texts = [oracle.text_vector(tensors, row, END) for row in ids]
    config = {"model_type": "clip", "text_config": {"eos_token_id": END}, "vision_config": {}}
    openai = written(tmp_path / "openai", tensors)
    theirs = written(tmp_path / "theirs", oracle.hugging_face(tensors), config)
    for folder, knobs in ((openai, {}), (theirs, {"scan": True, "remat": True})):
        model = clip_files.load(folder, **knobs)
        found = vectors(model, images, ids)
        np.testing.assert_allclose(found[0], wanted_images, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(found[1], wanted_texts, rtol=1e-4, atol=1e-4)
        assert (model.scale, model.bias) == (pytest.approx(np.exp(tensors["logit_scale"])), 0.0)
    # In bfloat16 the products are coarser, and every normalisation is still float32.
    coarse = vectors(clip_files.load(openai, dtype="bfloat16"), images, ids)[0]
    assert np.max(np.abs(np.asarray(coarse, np.float32) - wanted_images)) > 1e-4
    unit = [
        x / np.linalg.norm(x, axis=1, keepdims=True) for x in (np.asarray(coarse, np.float32), np.array(wanted_images))
    ]
    assert np.sum(unit[0] * unit[1], axis=1).min() > 0.99


@pytest.mark.parametrize("quick", [False, True])
def test_activation_and_heads_are_those_of_the_config_of_open_clip(quick, tmp_path, examples):
    images, ids = examples
    rng = np.random.default_rng(0)
    tensors = oracle.vit_tensors(rng) | oracle.text_tensors(rng)
    said = {"embed_dim": oracle.E, "vision_cfg": {"head_width": 32}, "text_cfg": {"heads": 4}}
    folder = tmp_path / "open_clip"
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": said | ({"quick_gelu": True} if quick else {})})
    )
    safetensors.numpy.save_file(tensors, folder / "open_clip_model.safetensors")
    found = vectors(clip_files.load(folder), images, ids)
    act = oracle.quick_gelu if quick else numpy_layers.gelu
    wanted = [oracle.image_vector(tensors, image / 255, act=act, heads=2) for image in images]
    np.testing.assert_allclose(found[0], wanted, rtol=1e-4, atol=1e-4)
    wanted = [oracle.text_vector(tensors, row, END, act=act, heads=4) for row in ids]
    np.testing.assert_allclose(found[1], wanted, rtol=1e-4, atol=1e-4)


def test_of_two_files_the_one_that_fits_the_config_is_read(tmp_path):
    rng = np.random.default_rng(0)
    tensors = oracle.vit_tensors(rng) | oracle.text_tensors(rng)
    theirs = oracle.hugging_face(tensors) | {"logit_scale": np.array(2.0, np.float32)}
    folder = written(tmp_path / "both", theirs)
    safetensors.numpy.save_file(tensors, folder / "open_clip_model.safetensors")
    with pytest.raises(errors.UserError, match=r"needs one .*: model.safetensors, open_clip_model.safetensors"):
        clip_files.load(folder)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": {"embed_dim": oracle.E}}))
    assert clip_files.load(folder).file.name == "open_clip_model.safetensors"
    (folder / "config.json").write_text(json.dumps({"model_type": "clip"}))
    model = clip_files.load(folder)
    assert (model.file.name, model.scale) == ("model.safetensors", pytest.approx(np.exp(2.0)))


def test_both_towers_of_siglip(tmp_path, examples):
    images, ids = examples
    tensors = oracle.siglip_tensors(np.random.default_rng(0))
    folder = written(tmp_path / "siglip", oracle.hugging_face(tensors), {"model_type": "siglip"})
    model = clip_files.load(folder)
    found = vectors(model, images, ids)
    wanted = [oracle.siglip_vectors(tensors, image / 255, row) for image, row in zip(images, ids)]
    np.testing.assert_allclose(found[0], [pair[0] for pair in wanted], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found[1], [pair[1] for pair in wanted], rtol=1e-4, atol=1e-4)
    assert (model.bias, model.image.size.image_size) == (pytest.approx(tensors["logit_bias"][0]), oracle.SIDE)


@pytest.mark.long
def test_the_resnet_of_clip(tmp_path):
    rng = np.random.default_rng(0)
    tensors = oracle.resnet_tensors(rng) | oracle.text_tensors(rng)
    image = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    model = clip_files.load(written(tmp_path / "resnet", tensors))
    found = jax.jit(model.image.apply)(model.variables("image"), image[None])
    wanted = oracle.resnet_vector(tensors, image / 255)
    np.testing.assert_allclose(found[0], wanted, rtol=1e-3, atol=1e-3 * np.abs(wanted).max())


@pytest.mark.parametrize(
    ("name", "layers", "width", "patch", "millions"),
    [("B/32", 12, 768, 32, 151), ("B/16", 12, 768, 16, 150), ("L/14", 24, 1024, 14, 428)],
)
def test_the_published_sizes_have_their_number_of_weights(name, layers, width, patch, millions):
    from zsl_jax.encoders import clip, transformer

    projection = 512 if width == 768 else 768
    vision = transformer.Shape(width, layers, width // 64, 4 * width, "quick_gelu", 1e-5)
    text = transformer.Shape(projection, 12, projection // 64, 4 * projection, "quick_gelu", 1e-5)
    image_tower = clip.ImageTower(clip.VisionSize(vision, 224, patch, projection))
    text_tower = clip.TextTower(clip.TextSize(text, 49408, 77, projection))
    shapes = [
        jax.eval_shape(lambda: image_tower.init(jax.random.key(0), jnp.zeros((1, 224, 224, 3)))),
        jax.eval_shape(lambda: text_tower.init(jax.random.key(0), jnp.zeros((1, 77), jnp.int32))),
    ]
    assert round(sum(x.size for x in jax.tree.leaves(shapes)) / 1e6) == millions, name


def pieces(word, merges):
    """Byte pairs of a word by the paper's loop: the merge that was learned first, until none is left."""
    parts = [*word[:-1], f"{word[-1]}</w>"]
    while pairs := [pair for pair in itertools.pairwise(parts) if pair in merges]:
        first = min(pairs, key=merges.index)
        joined, i = [], 0
        while i < len(parts):
            if tuple(parts[i : i + 2]) == first:
                joined.append("".join(first))
                i += 2
            else:
                joined.append(parts[i])
                i += 1
        parts = joined
    return parts


def test_the_tokenizer_is_byte_pair_encoding_in_every_form_of_its_vocabulary(tmp_path):
    merges = [tuple(line.split()) for line in MERGES]
    vocabulary = clip_tokenizer.vocabulary_of(merges)
    forms = {name: tmp_path / name for name in ("openai", "pair", "whole")}
    for folder in forms.values():
        folder.mkdir()
    lines = "\n".join(["#version: 0.2", *MERGES])
    (forms["openai"] / "bpe_simple_vocab_16e6.txt").write_text(lines)
    (forms["pair"] / "vocab.json").write_text(json.dumps(vocabulary))
    (forms["pair"] / "merges.txt").write_text(lines)
    clip_tokenizer.made(vocabulary, merges).save(str(forms["whole"] / "tokenizer.json"))
    printed = {chr(i): word for i, word in zip([*range(33, 127), *range(161, 173), *range(174, 256)], vocabulary)}
    others = [byte for byte in range(256) if chr(byte) not in printed]
    signs = {ord(char): char for char in printed} | {byte: chr(256 + i) for i, byte in enumerate(others)}
    table = {
        "Lower  LOW\tlow": ["lower", "low", "low"],
        "it's 12.5": ["it", "'s", "1", "2", ".", "5"],
        "re\u0301d caf\u00e9": ["r\u00e9d", "caf\u00e9"],
        "red\U0001f99c\U0001f308!": ["red", "\U0001f99c\U0001f308!"],
        "\u65e5\u672c": ["\u65e5\u672c"],
        "low" * 9: ["low" * 9],
        "\u00bd\u0663 a_b": ["\u00bd", "\u0663", "a", "_", "b"],
    }
    for folder in forms.values():
        tokenizer, _ = clip_tokenizer.load(folder)
        for text, words in table.items():
            if folder.name == "openai" and not text.isascii():
                continue  # these need the package ftfy, see below
            as_signs = ["".join(signs[byte] for byte in word.encode()) for word in words]
            wanted = [vocabulary[piece] for word in as_signs for piece in pieces(word, merges)]
            ids = tokenizer.encode(text).ids
            assert ids == [len(vocabulary) - 2, *wanted, len(vocabulary) - 1], (folder.name, text)


TOKENS = json.loads(clip_tokens.TOKENS.read_text())
MADE = {512 + line: "".join(pair.split()) for line, pair in TOKENS["merges"]}
ENDS = dict(zip(TOKENS["ends"], (clip_tokenizer.START, clip_tokenizer.END)))


def names_of(ids):
    """Tokens by the numbers of OpenAI's vocabulary: bytes, bytes that end a word, merges."""
    signs = list(clip_tokenizer.vocabulary_of([]))[:512]
    return [signs[number] if number < 512 else (MADE | ENDS)[number] for number in ids]


def test_hard_texts_in_the_vocabulary_of_hugging_face_have_the_ids_of_transformers():
    merges = [tuple(pair.split()) for _, pair in TOKENS["merges"]]
    signs = list(clip_tokenizer.vocabulary_of([]))[:512]
    tokenizer = clip_tokenizer.made({name: i for i, name in (dict(enumerate(signs)) | MADE | ENDS).items()}, merges)
    tokenizer.enable_truncation(TOKENS["context"])
    for case in TOKENS["texts"]:
        assert tokenizer.encode(case["text"]).ids == case["transformers"], case["text"]


def openai_tokenizer(folder):
    lines = "\n".join(["#version: 0.2", *(pair for _, pair in TOKENS["merges"])])
    (folder / "bpe_simple_vocab_16e6.txt").write_text(lines)
    tokenizer, _ = clip_tokenizer.load(folder)
    tokenizer.enable_truncation(TOKENS["context"])
    return tokenizer


def test_hard_texts_in_the_vocabulary_of_openai_have_the_tokens_of_open_clip(tmp_path):
    pytest.importorskip("ftfy", reason="ftfy is not installed")
    tokenizer = openai_tokenizer(tmp_path)
    texts = [case["text"] for case in TOKENS["texts"]]
    for case, found in zip(TOKENS["texts"], tokenizer.encode_batch(texts)):
        assert found.tokens == tokenizer.encode(case["text"]).tokens == names_of(case["open_clip"]), case["text"]


def test_plain_texts_need_no_ftfy_and_others_say_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ftfy", None)
    tokenizer, plain = openai_tokenizer(tmp_path), 0
    for case in TOKENS["texts"]:
        if re.fullmatch(r"[ -%'-~\s]*", case["text"], re.ASCII):  # ASCII without an ampersand
            assert tokenizer.encode(case["text"]).tokens == names_of(case["open_clip"]), case["text"]
            plain += 1
    assert plain > 5
    for text in ("caf\u00e9", "fish &amp; chips"):
        with pytest.raises(errors.UserError, match=r"package ftfy has mended: pip install 'zsl-jax\[towers\]'"):
            tokenizer.encode(text)


def test_the_packages_of_today_give_the_stored_tokens():
    for package in ("open_clip", "transformers"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    assert clip_tokens.made() == TOKENS


def small(folder, **changes):
    """A CLIP whose vocabulary is the bytes alone."""
    rng = np.random.default_rng(0)
    tensors = oracle.vit_tensors(rng) | oracle.text_tensors(rng)
    merges = MERGES[: changes.pop("merges", len(MERGES))]
    vocabulary = clip_tokenizer.vocabulary_of([tuple(line.split()) for line in merges])
    count = 512 + 2 + len(MERGES)
    tensors["token_embedding.weight"] = rng.standard_normal((count, oracle.WIDTH)).astype(np.float32)
    tensors = {name: tensor for name, tensor in (tensors | changes).items() if tensor is not None}
    written(folder, tensors)
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("\n".join(merges))
    return folder


def test_a_text_tower_of_clip_encodes_texts_of_any_length(tmp_path):
    tower = towers.load_text_tower(small(tmp_path / "clip"))
    found = tower.encode(["low", "red low", "low " * 50])
    assert found.shape == (3, oracle.E)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    # Alone or among others; what is beyond the context is cut, and the end stays.
    np.testing.assert_allclose(tower.encode(["low " * 8]), found[2:], atol=1e-5)
    assert tower.tokenizer.encode("low " * 50).ids[-1] == 512 + 1 + len(MERGES)


BAD = {
    "another vocabulary": ({"merges": 3}, r"is of another model: 517 words and <\|endoftext\|> = 516"),
    "a text tower alone": (dict.fromkeys(oracle.vit_tensors(np.random.default_rng(0))), "has no image tower"),
    "missing": ({"ln_final.bias": None}, "1 missing: text_model.final_layer_norm.bias"),
    "left over": ({"classifier.weight": np.ones(2, np.float32)}, "1 left over: classifier.weight"),
    "empty": ({"logit_scale": np.zeros(0, np.float32)}, "logit_scale is empty"),
    "one axis for two": ({"positional_embedding": np.ones(3, np.float32)}, "are of no CLIP or SigLIP"),
    "integers": ({"ln_final.bias": np.ones(oracle.WIDTH, np.int32)}, "is int32, not floating-point numbers"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_folder_that_does_not_fit_is_one_line(case, tmp_path):
    changes, words = BAD[case]
    with pytest.raises(errors.UserError) as raised:
        towers.load_text_tower(small(tmp_path / "clip", **changes))
    assert re.search(words, str(raised.value)), raised.value
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([], "are of no CLIP or SigLIP"),
        ({"num_attention_heads": "x"}, "num_attention_heads of text_model is 'x', not a whole number >= 1"),
        ({"num_attention_heads": 5}, "text_model has a width of .*, not a multiple of 5 heads"),
        ({"layer_norm_eps": -1}, "layer_norm_eps of text_model is -1, not a number"),
        ({"eos_token_id": []}, r"eos_token_id of text_model is \[\]"),
    ],
)
def test_a_config_of_clip_that_cannot_be_is_one_line(said, words, tmp_path):
    folder = small(tmp_path / "clip")
    (folder / "config.json").write_text(json.dumps({"model_type": "clip", "text_config": said}))
    with pytest.raises(errors.UserError, match=words) as raised:
        clip_files.load(folder)
    assert "\n" not in str(raised.value)


def test_half_precision_is_read_as_what_it_stands_for(tmp_path):
    rng = np.random.default_rng(0)
    tensors = oracle.vit_tensors(rng) | oracle.text_tensors(rng)
    model = clip_files.load(written(tmp_path / "half", {name: t.astype(np.float16) for name, t in tensors.items()}))
    kernel = model.variables("image")["params"]["visual_projection"]["kernel"]
    assert kernel.dtype == jnp.float32
    np.testing.assert_allclose(kernel, tensors["visual.proj"].astype(np.float16).astype(np.float32))


@pytest.mark.long
def test_a_folder_of_clip_names_images_and_classes_and_what_predict_makes_of_an_image_is_the_same(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    scale = np.array(3.0, np.float32)
    folder, model = tiny_photos.write(tmp_path / "own"), small(tmp_path / "clip", logit_scale=scale)
    command = ["import", str(folder / "photos"), f"--attributes={folder / 'classes.csv'}", "--unseen=0.34"]
    data_verb.main([*command, f"--out={folder / 'dataset'}"])
    given = {"data.dir": folder / "dataset", "towers.text": model, "towers.image": model}
    config = command_line.recipe("zero_shot:image_folder", {name: str(value) for name, value in given.items()})
    found = problems.load_data(config)
    imported = image_folder.read(folder / "dataset")
    shape = (len(imported.images), oracle.E)
    assert (found.inputs.shape, found.classes.embedding.shape) == (shape, (len(found.classes), oracle.E))
    made = preprocessing.make(found.info["preprocessing"])
    np.testing.assert_allclose(list(made.of_files(imported.paths()[:2])), found.inputs[:2], atol=1e-5)
    tower = towers.load_text_tower(model)
    name = f"a photo of a {found.classes.names[0]}."
    np.testing.assert_allclose(found.classes.embedding[0], tower.encode([name])[0], atol=1e-5)
    # Probabilities are those of CLIP: a softmax of its scale times the cosines.
    line = ["train", "--config=zero_shot:image_folder", *(f"--config.{name}={value}" for name, value in given.items())]
    assert __main__.main([*line, f"--workdir={tmp_path / 'run'}", "--config.plots=none"]) == 0
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert record["selection"]["temperature"] == pytest.approx(np.exp(-3.0), rel=1e-6)
    picture, names = str(imported.paths()[0]), list(found.classes.names)
    asked = ["predict", f"--workdir={tmp_path / 'run'}", "--probabilities", f"--top={len(names)}", "--format=jsonl"]
    capsys.readouterr()
    assert __main__.main([*asked, picture]) == 0
    answers = json.loads(capsys.readouterr().out)["candidates"]
    unit = [x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (found.inputs[0], found.classes.embedding)]
    logits = np.exp(3.0) * unit[1] @ unit[0]
    wanted = dict(zip(names, np.exp(logits) / np.exp(logits).sum()))
    said = {answer["class"]: answer["probability"] for answer in answers}
    assert said == pytest.approx(wanted, abs=1e-3)
    assert list(said) == sorted(names, key=wanted.get, reverse=True)
    coarse = problems.load_data(
        command_line.recipe(
            "zero_shot:image_folder",
            {name: str(value) for name, value in given.items()} | {"towers.dtype": "bfloat16", "towers.scan": "True"},
        )
    )
    assert coarse.info["preprocessing"]["knobs"] == {"dtype": "bfloat16", "scan": True}
    for mine, theirs in ((coarse.inputs, found.inputs), (coarse.classes.embedding, found.classes.embedding)):
        difference = np.abs(mine - theirs).max()
        assert 1e-5 < difference < 0.1 * np.abs(theirs).max()  # not those that were kept, and near them
    again = list(preprocessing.make(coarse.info["preprocessing"]).of_files(imported.paths()[:2]))
    np.testing.assert_allclose(again, coarse.inputs[:2], atol=1e-5)
    scenes = {"data.num_couples": "4", "data.num_per_class": "5", "towers.text": str(model), "towers.image": str(model)}
    asked = problems.load_data(command_line.recipe("zero_shot:scenes", scenes))
    assert (asked.inputs.shape, asked.classes.embedding.shape) == ((40, oracle.E), (8, oracle.E))
    PIL.Image.fromarray(asked.images[7]).save(tmp_path / "scene.png")
    made = preprocessing.make(asked.info["preprocessing"])
    np.testing.assert_allclose(list(made.of_files([tmp_path / "scene.png"])), asked.inputs[7:8], atol=1e-5)
    with pytest.raises(errors.UserError, match=r"encodes images, and the inputs of scenes are none"):
        problems.load_data(command_line.recipe("zero_shot:scenes", scenes | {"data.inputs": "features"}))
    with pytest.raises(errors.UserError, match=r"of image_folder, pairs and scenes, not those of digits"):
        problems.load_data(
            command_line.recipe("zero_shot:digits", {"towers.text": str(model), "towers.image": str(model)})
        )
    with pytest.raises(errors.UserError, match=r"no folder of a CLIP model and no \.npz"):
        image_towers.described(tmp_path / "nothing")
