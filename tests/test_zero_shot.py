"""Classes by their names alone: sentences, a tower, a tie, and the errors on the way."""

import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_tower

from zsl_jax import __main__, data, errors, methods
from zsl_jax.class_encoders import sentences
from zsl_jax.encoders import contrastive_tie, described, stages, ties, towers
from zsl_jax.verbs import command_line

NAMES = ("001.red_star", "blue-dot", "green+ring")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_tower.write(tmp_path_factory.mktemp("tower"))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_name_is_there_once(tmp_path):
    (tmp_path / "texts.json").write_text('{"horse": ["It runs."], "horse": ["It is tall."]}')
    with pytest.raises(errors.UserError, match="no JSON file of class texts: 'horse' is there twice"):
        sentences.load_texts(tmp_path / "texts.json")


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def test_sentences_are_made_of_names_texts_attributes_and_nothing():
    assert sentences.from_names(NAMES, "a {}.|two {}s") == [
        (f"a {name}.", f"two {name}s") for name in ("red star", "blue dot", "green ring")
    ]
    texts = {"Red Stars": ["It is red.", "It shines."], "blue_dot": ["It is blue."]}
    assert sentences.from_texts(NAMES[:2], texts, "{}: {text}") == [
        ("red star: It is red.", "red star: It shines."),
        ("blue dot: It is blue.",),
    ]
    with pytest.raises(errors.UserError, match=r"no texts of 'green\+ring'"):
        sentences.from_texts(NAMES, texts)
    assert sentences.from_texts(NAMES, texts, missing="names")[2] == ("a photo of a green ring.",)
    # Names that differ in signs alone, or in the form of Unicode; braces within a text are its own.
    held = {"C++": ["It is old."], "C": ["It has {}."], "cafe\u0301": ["It is open."]}
    assert sentences.from_texts(["C", "C++", "caf\u00e9"], held) == [("It has {}.",), ("It is old.",), ("It is open.",)]
    for names, of in ((["lens"], {"len": ["x"], "Len.": ["y"]}), (["len", "lens"], {"LEN": ["x"]})):
        with pytest.raises(errors.UserError, match=r"may be those of .*write its name there as it is here"):
            sentences.from_texts(names, of)
    # The third attribute is largest everywhere, and says nothing of a class.
    matrix = np.array([[0.1, 0.5, 0.9], [0.4, 0.2, 0.9], [0.1, 0.2, 0.9]])
    attributes = ("has_wing_color::blue", "has_tail_shape::forked_tail", "round")
    found = sentences.from_attributes(NAMES, matrix, attributes, "{} with {text}", most=1)
    assert found[:2] == [("red star with forked tail",), ("blue dot with blue wing color",)]
    with pytest.raises(errors.UserError, match="3 columns of the class table, not 2"):
        sentences.from_attributes(NAMES, matrix, attributes[:2])
    random = sentences.at_random(NAMES, "{} {text}", count=3)
    assert [text.removeprefix("red star") for text in random[0]] == [
        text.removeprefix("blue dot") for text in random[1]
    ]
    assert random != sentences.at_random(NAMES, "{} {text}", count=3, seed=1)


def test_a_class_is_the_mean_of_unit_vectors_of_its_sentences(folder, monkeypatch):
    tower = towers.load_text_tower(folder)
    describe = described.Describer(tower, described.Options(template="a {}.|a photo of a {}.", width=6))
    found = describe(NAMES)
    for row, name in enumerate(("red star", "blue dot", "green ring")):
        vectors = unit(tower.encode([f"a {name}.", f"a photo of a {name}."])[:, :6])
        np.testing.assert_allclose(found[row], unit(vectors.mean(0)), atol=1e-5)
    # Without the other classes a class is the same; what was encoded is read back.
    np.testing.assert_allclose(describe(NAMES[1:2])[0], found[1], atol=1e-5)
    monkeypatch.setattr(stages, "_keep", lambda *given: pytest.fail("encoded again"))
    assert np.array_equal(describe(NAMES), found)
    other = described.Describer(tower, described.Options(template="a {}."))
    assert other.said["sha256"] != describe.said["sha256"]


def test_a_ridge_leaves_one_out_as_if_it_were_fitted_without_it():
    rng = np.random.default_rng(0)
    texts, targets = rng.standard_normal((12, 20)), rng.standard_normal((12, 5))
    x = texts - texts.mean(0)
    y = unit(targets - targets.mean(0))
    left, values, _ = np.linalg.svd(x, full_matrices=False)
    shift = 0.7
    wrong = []
    for row in range(12):
        kept = np.arange(12) != row
        a, b = x[kept], y[kept]
        wrong.append(y[row] - x[row] @ np.linalg.solve(a.T @ a + shift * np.eye(20), a.T @ b))
    np.testing.assert_allclose(ties._left_out(left, values, y, shift), np.mean(np.sum(np.square(wrong), axis=1)))
    tie = ties.ridge(texts, targets, strength=shift * 20 / np.sum(values**2))
    by_hand = np.linalg.solve(x.T @ x + shift * np.eye(20), x.T @ y)
    np.testing.assert_allclose(tie.map, by_hand, atol=1e-5)
    np.testing.assert_allclose(tie(texts[:2]), unit(x[:2] @ by_hand), atol=1e-5)
    # Of targets that follow the texts, little shrinking is best; of noise, much.
    follow = ties.ridge(texts[:, :3], texts[:, :3] @ rng.standard_normal((3, 5)))
    assert follow.about["strength"] < ties.ridge(texts, targets).about["strength"]


@pytest.mark.parametrize("centre", ["training", "inputs"])
def test_the_mean_of_what_is_at_hand_is_subtracted(centre):
    method = methods.label_similarity(centre=centre)
    rng = np.random.default_rng(0)
    inputs, table = rng.standard_normal((5, 4)).astype(np.float32) + 3, np.eye(4, dtype=np.float32)
    classes = data.ClassTable(table, np.zeros(4, bool), trained=0)
    like = data.Batch(np.zeros((2, 4), np.float32), np.zeros(2, np.int32), np.ones(2, bool))
    train = data.Examples(inputs, np.full(5, -1))
    state = method.prepare(method.init(jax.random.key(0), like, classes, ()), train, classes, jax.random.key(0))
    found = methods.score(method, state, jnp.asarray(inputs), classes)
    np.testing.assert_allclose(found, unit(inputs - inputs.mean(0)) @ table.T, atol=1e-5)
    assert method.sees == ({"test inputs"} if centre == "inputs" else set())


def npz(path, **arrays):
    rng = np.random.default_rng(0)
    given = {
        "features": rng.standard_normal((6, 8)).astype(np.float16),
        "labels": np.array([0, 0, 1, 1, 3, 3]),
        "class_names": np.array([*NAMES, "red_dot"]),
    } | arrays
    np.savez(path, **{name: value for name, value in given.items() if value is not None})
    return path


def test_an_archive_of_names_may_have_classes_without_images_and_labels_that_are_names(tmp_path):
    found = data.load("npz", file=npz(tmp_path / "a.npz"), semantics="names", num_unseen=0)
    assert (len(found.classes), found.splits["test"].tolist()) == (4, [0, 1, 2, 3, 4, 5])
    assert not found.classes.is_seen.any()
    by_name = npz(tmp_path / "b.npz", labels=np.array([NAMES[0]] * 2 + [NAMES[1]] * 2 + ["red_dot"] * 2))
    other = data.load("npz", file=by_name, semantics="names", num_unseen=0)
    assert np.array_equal(other.labels, found.labels)


BAD = {
    "no names": ({"class_names": None}, {}, "has no class_names, which zero-shot from names needs"),
    "no row": ({"labels": np.array([0, 0, 1, 1, 3, 4])}, {}, "label 4 is no row of 4 class_names, 0 to 3"),
    "below 0": ({"labels": np.array([0, 0, 1, 1, 3, -1])}, {}, "from -1 to 3"),
    "no such name": ({"labels": np.array(["red_dott"] * 6)}, {}, "unknown label 'red_dott': did you mean 'red_dot'"),
    "another space": ({"features": np.ones((6, 9))}, {}, r"columns=0:8 takes the first 8"),
    "no tower": ({}, {"towers.text": ""}, "names need a text tower"),
    "no tie": ({}, {"towers.tie": ""}, "or a tie must bring them together"),
    "no template": ({}, {"towers.template": "a photo"}, r"texts with \{\} or \{text\} in each"),
    "no text in it": ({}, {"towers.by": "random", "towers.template": "a {}"}, r"has no \{text\}"),
    "no texts": ({}, {"towers.by": "texts"}, "towers.texts=FILE.json"),
    "no attributes": ({}, {"towers.by": "attributes"}, "has no attributes to make sentences of"),
    "several texts": (
        {},
        {"towers.each": "2"},
        "label_similarity takes one vector of a class: towers.each=2 should be 0",
    ),
    "too wide": ({}, {"towers.width": "13"}, "width=13 is beyond the 12 numbers of the tower"),
    "another tower": ({}, {"towers.width": "6"}, "takes text vectors of 12 numbers, the text tower gives 6"),
    "nothing to centre": ({}, {"method.centre": "training"}, "has no training input to take the mean of"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_fit_is_one_line_and_nothing_is_written(case, folder, tmp_path, capsys):
    arrays, changes, words = BAD[case]
    tie = tmp_path / "tie.npz"
    np.savez(tie, map=np.ones((12, 8)), text_mean=np.zeros(12))
    given = {"data.file": npz(tmp_path / "a.npz", **arrays), "towers.text": folder, "towers.tie": tie} | changes
    line = [f"--config.{key}={value}" for key, value in given.items()]
    assert __main__.main(["train", "--config=zero_shot:npz", *line, f"--workdir={tmp_path / 'run'}"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert re.search(words, said), said
    assert not (tmp_path / "run").exists()


def test_a_file_that_is_no_tie_is_one_line(tmp_path):
    np.savez(tmp_path / "a.npz", map=np.ones((2, 3)))
    np.savez(tmp_path / "b.npz", map=np.ones((2, 3)), text_mean=np.ones(3))
    for name, words in (("a", "has no text_mean, only map"), ("b", r"map \(2, 3\) and text_mean \(3,\)")):
        with pytest.raises(errors.UserError, match=words):
            ties.load(tmp_path / f"{name}.npz")
    for about in ("[1]", "[" * 100_000):
        np.savez(tmp_path / "c.npz", map=np.ones((2, 3)), text_mean=np.ones(2), about=np.array(about))
        with pytest.raises(errors.UserError, match="about is no JSON text"):
            ties.load(tmp_path / "c.npz")
    with pytest.raises(errors.UserError, match="needs texts that differ"):
        ties.ridge(np.ones((3, 2)), np.eye(3))
    with pytest.raises(errors.UserError, match="needs vectors that differ"):
        ties.ridge(np.eye(3), np.ones((3, 2)))
    with pytest.raises(errors.UserError, match=r"strength .* tells no text from the others"):
        ties.ridge(np.random.default_rng(0).random((6, 8)), np.eye(6), strength=1e-320)
    with pytest.raises(errors.UserError, match="sends a text to 0"):
        ties.Tie(np.zeros((2, 3), np.float32), np.zeros(2, np.float32), {})(np.eye(2))


def test_a_tie_is_the_same_at_any_scale():
    texts, targets = np.random.default_rng(0).standard_normal((2, 9, 4))
    made = ties.ridge(texts, targets)
    for scale in (1e30, 1e-30):
        other = ties.ridge(texts, targets * scale)
        assert other.about == pytest.approx(made.about)
        scaled = made._replace(map=made.map * np.float32(scale))
        np.testing.assert_allclose(scaled(texts), made(texts), rtol=1e-5)


def noisy_pairs(seed: int = 0):
    """Texts, vectors of 12 numbers that follow them, and 12 that vary within a text more than between texts."""
    rng = np.random.default_rng(seed)
    texts, labels = rng.standard_normal((60, 8)), np.repeat(np.arange(60), 6)
    truth = rng.standard_normal((8, 24))
    noise = np.where(np.arange(24) < 12, 0.5, 12.0)
    return texts, (texts @ truth)[labels] + noise * rng.standard_normal((len(labels), 24)), labels


@pytest.mark.long
def test_contrastive_steps_leave_out_what_tells_no_text_from_another():
    texts, targets, labels = noisy_pairs()
    tie = contrastive_tie.fit(texts, targets, labels, steps=200, learning_rate=0.03)
    means = np.stack([targets[labels == row].mean(axis=0) for row in range(60)])
    by_ridge = ties.ridge(texts, means)
    told = tie.about["held_out"]
    assert told["top1"] > told["by_ridge"] + 0.1
    assert tie.about["steps"] > 0
    share = [np.sum(found.map[:, 12:] ** 2) / np.sum(found.map**2) for found in (by_ridge, tie)]
    assert share[1] < 0.8 * share[0]
    # The same seed gives the same tie; another batch, another.
    again = contrastive_tie.fit(texts, targets, labels, steps=200, learning_rate=0.03)
    np.testing.assert_array_equal(tie.map, again.map)
    assert (
        np.abs(contrastive_tie.fit(texts, targets, labels, steps=200, learning_rate=0.03, seed=1).map - tie.map).max()
        > 0
    )


def test_vectors_of_the_texts_held_out_take_no_part_in_the_trial():
    texts, targets, labels = noisy_pairs()
    rows = np.flatnonzero(labels < 50)
    changed = np.where((labels < 50)[:, None], targets, 1e3)
    key, sizes = jax.random.key(0), {"every": 2, "looks": 2, "learning_rate": 0.03, "scale": 10.0, "batch_size": 16}
    found = [contrastive_tie._trained(texts, given, labels, rows, key, **sizes) for given in (targets, changed)]
    for one, other in zip(*found):
        np.testing.assert_array_equal(one.map, other.map)


def test_texts_that_say_nothing_are_not_told_where_they_are_held_out():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(40), 4)
    targets = rng.standard_normal((40, 12))[labels] + 0.05 * rng.standard_normal((160, 12))
    held_out = contrastive_tie.fit(rng.standard_normal((40, 60)), targets, labels, steps=40).about["held_out"]
    assert (held_out["texts"], held_out["top1"] < 0.6) == (8, True)  # with them at hand, all are told


def test_a_tie_is_fitted_from_pairs_in_which_a_text_has_several_vectors(folder, tmp_path, capsys):
    words = [f"{a} {b}" for a in ("red", "blue", "green") for b in ("star", "dot", "ring")]
    vectors = np.random.default_rng(0).standard_normal((9, 5))
    pairs = {"texts": np.repeat(words, 4), "vectors": np.repeat(vectors, 4, axis=0)}
    np.savez(tmp_path / "pairs.npz", **pairs)
    np.savez(tmp_path / "once.npz", texts=words, vectors=vectors)
    line = ["tie", "--config=zero_shot", f"--config.towers.text={folder}"]
    for name, more in (("pairs", []), ("once", []), ("steps", ["--by=contrastive", "--steps=20"])):
        given = [
            f"--pairs={tmp_path / ('once' if name == 'once' else 'pairs')}.npz",
            f"--out={tmp_path / name}_tie.npz",
        ]
        assert __main__.main([*line, *given, *more]) == 0
    fitted = {name: ties.load(tmp_path / f"{name}_tie.npz") for name in ("pairs", "once", "steps")}
    # Repeated texts are one: the error on the pair left out is that of a text that was left out.
    np.testing.assert_allclose(fitted["pairs"].map, fitted["once"].map, atol=1e-5)
    assert fitted["pairs"].about["strength"] == fitted["once"].about["strength"]
    about = fitted["steps"].about
    assert (about["by"], about["texts"], about["pairs"], about["held_out"]["texts"]) == ("contrastive", 9, 36, 2)
    capsys.readouterr()
    pairs = [f"--pairs={tmp_path / 'pairs.npz'}", f"--out={tmp_path / 'x.npz'}"]
    wrong = {"--by=contrastiv": "did you mean 'contrastive'", "--steps=5": "with --by=contrastive"}
    for more, words in wrong.items():
        assert __main__.main([*line, *pairs, more]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert words in said
    assert __main__.main([*line, *pairs, "--by=contrastive", "--strength=1"]) == 2
    np.savez(tmp_path / "few.npz", texts=["red", "blue", "green"], vectors=vectors[:3])
    assert __main__.main([*line, f"--pairs={tmp_path / 'few.npz'}", pairs[1], "--by=contrastive"]) == 2
    assert "at least 4 texts" in capsys.readouterr().err
    assert not (tmp_path / "x.npz").exists()


def test_the_recipe_takes_every_source_and_texts_need_no_tie():
    for source in ("npz", "xlsa17", "features", "texts"):
        made = command_line.recipe(f"zero_shot:{source}", {})
        assert (made.protocol, made.method.name, made.towers.by) == ("transfer", "label_similarity", "names")
        assert made.method.centre == ("none" if source == "texts" else "inputs")


@pytest.mark.long
def test_names_alone_and_a_tie_of_the_seen_classes_on_real_images(shared_data, tmp_path, capsys):
    """The verbs as a user calls them: groceries by names, birds by a tie that was fitted on other birds."""
    tower = f"--config.towers.text={shared_data / 'minilm'}"
    line = ["train", "--config=zero_shot:npz", f"--config.data.file={shared_data / 'grocery81_mobilenetv2.npz'}", tower]
    tie = f"--config.towers.tie={shared_data / 'minilm' / 'lit_map_imagenet.npz'}"
    assert __main__.main([*line, tie, f"--workdir={tmp_path / 'groceries'}"]) == 0
    record = json.loads((tmp_path / "groceries" / "record.json").read_text())
    assert record["metrics"]["transfer"]["top1"] > 0.1  # chance is .012
    assert record["sees"] == ["other data", "test inputs"]
    assert str(shared_data) not in json.dumps(record)
    archive = np.load(shared_data / "grocery81_mobilenetv2.npz")
    rows = [np.flatnonzero(archive["labels"] == label)[0] for label in (0, 2)]
    np.save(tmp_path / "new.npy", archive["features"][rows])
    capsys.readouterr()
    named = [
        "predict",
        f"--workdir={tmp_path / 'groceries'}",
        "--names",
        "apple",
        "sour cream",
        str(tmp_path / "new.npy"),
    ]
    assert __main__.main(named) == 0
    assert [row.split(",")[1] for row in capsys.readouterr().out.splitlines()[1:]] == ["apple", "apple"]
    birds = ["--config=zero_shot:xlsa17", f"--config.data.dir={shared_data / 'xlsa17' / 'CUB127'}", tower]
    assert __main__.main(["tie", *birds, f"--out={tmp_path / 'birds.npz'}"]) == 0
    rest = ["protocol=gzsl", "select.metric=harmonic", "method.centre=training", "plots=none"]
    rest += [f"towers.tie={tmp_path / 'birds.npz'}"]
    workdir = tmp_path / "birds"
    assert __main__.main(["train", *birds, *(f"--config.{key}" for key in rest), f"--workdir={workdir}"]) == 0
    record = json.loads((workdir / "record.json").read_text())
    assert record["setting"] == "pretrained"
    assert record["metrics"]["zsl"]["top1"] > 0.2  # chance is .03
