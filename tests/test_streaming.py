"""Images decoded when they are needed: the same steps, scores and bits as from memory, at any point of a resume."""

import io
import json
import pathlib
import shutil
import subprocess
import sys
import time

import conftest
import jax
import numpy as np
import PIL.Image
import psutil
import pytest
import tensorflow_datasets as tfds
import tiny_photos
from test_tfds_images import write_table

from zsl_jax import __main__, data, encoders, errors, methods
from zsl_jax.data import few_shot, image_folder, images, inputs, streaming
from zsl_jax.encoders import augmentation
from zsl_jax.training import (
    blocks,
    checking,
    evaluation,
    feeding,
    loop,
    optimizers,
    parallel,
    problems,
    run,
    states,
    sweeps,
)
from zsl_jax.verbs import command_line


class Numbers:
    """Images of one pixel that show their number."""

    def __getitem__(self, row):
        return np.full((1, 1, 3), row, np.uint8)


def numbers(rows, workers=0):
    return streaming.ImageStream(Numbers(), np.asarray(rows), 1, workers)


def test_images_stand_for_an_array_and_are_read_in_order():
    pixels = numbers(range(100))
    assert pixels.shape == (100, 1, 1, 3)
    assert pixels[7][0, 0, 0] == 7
    order = np.random.default_rng(0).permutation(100)
    with streaming.Reader(pixels[order]) as reader:
        parts = [reader.take(count) for count in (1, 40, 0, 59)]
    assert np.concatenate(parts)[:, 0, 0, 0].tolist() == order.tolist()
    assert inputs.joined(pixels[order], pixels[:2]).rows.tolist() == [*order, 0, 1]
    assert [len(block) for block in inputs.blocks(pixels, 60)] == [60, 40]
    assert inputs.decoded(pixels[3:5])[:, 0, 0, 0].tolist() == [3, 4]
    for ask in (np.asarray, jax.numpy.asarray):
        with pytest.raises(errors.UserError, match="needs all 100 images in memory"):
            ask(pixels)


@pytest.mark.long
def test_worker_processes_change_nothing_and_say_what_is_wrong(tmp_path):
    for workers in (1, 2):
        with streaming.Reader(numbers(range(200), workers)) as reader:
            assert reader.take(200)[:, 0, 0, 0].tolist() == list(range(200))
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    files = image_folder.Files((str(tmp_path / "bad.jpg"),), images.Preprocessing(4, "stretch", 1.0, "bilinear"))
    broken = streaming.ImageStream(files, np.zeros(1, int), 4, 1)
    with pytest.raises(errors.UserError, match=r"bad\.jpg: not a readable image"), streaming.Reader(broken) as reader:
        reader.take(1)


def test_one_is_made_ahead_and_errors_come_when_it_is_asked_for():
    made = []

    def make():
        for i in range(3):
            made.append(i)
            yield i
        raise errors.UserError("no more")

    ahead = streaming.one_ahead(make())
    assert next(ahead) == 0
    assert next(ahead) == 1
    assert made in ([0, 1], [0, 1, 2])
    assert next(ahead) == 2
    with pytest.raises(errors.UserError, match="no more"):
        next(ahead)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six classes of five JPEGs, imported."""
    folder = tiny_photos.write(tmp_path_factory.mktemp("photos"))
    for path in sorted((folder / "photos").rglob("*.png")):
        PIL.Image.open(path).save(path.with_suffix(".jpg"), quality=90)
        path.unlink()
    command = ["data", "import", str(folder / "photos"), f"--attributes={folder / 'classes.csv'}"]
    assert __main__.main([*command, f"--out={folder / 'dataset'}"]) == 0
    return str(folder / "dataset")


@pytest.fixture(scope="module")
def cached(folder):
    return data.test_task(data.load("image_folder", dir=folder, size=16, cache="memory"))


@pytest.fixture(scope="module")
def streamed(folder):
    return data.test_task(data.load("image_folder", dir=folder, size=16, cache="stream"))


@pytest.fixture(scope="module")
def method():
    """Everything that draws from the key of a step or keeps something of it."""
    return methods.label_embedding(
        methods.Parts(
            encoder=encoders.MLP(widths=(8, 4), dropout=0.2),
            optimizer=optimizers.make_optimizer(warmup_steps=2, learning_rate=1e-2),
            augment=augmentation.make_augment(crop=1, flip=True, brightness=0.1),
            average=0.9,
        )
    )


def fit(method, task, epochs=3, mode="jit", **options):
    """The epochs' states and metrics, of 4 steps of 4 images, on 4 devices."""
    mesh = parallel.make_mesh(devices=4, mode=mode)
    training = states.Training(method, task, key=jax.random.key(0), batch_size=4, mesh=mesh, mode=mode)
    fitted = loop.fit(training, epochs=epochs, **options)
    return [jax.device_get((state, metrics)) for _, state, metrics in fitted]


def equal(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


def window_of(steps, monkeypatch):
    monkeypatch.setattr(feeding, "_WINDOW_BYTES", steps * 4 * 16 * 16 * 3)


@pytest.mark.parametrize("mode", ["jit", *(pytest.param(m, marks=pytest.mark.long) for m in ("shard_map", "pmap"))])
def test_a_streamed_run_ends_in_the_same_bits(mode, cached, streamed, method, monkeypatch):
    """With windows of 3 steps where an epoch has 4, and the orders of one epoch at a time."""
    assert isinstance(streamed.train.inputs, streaming.ImageStream)
    assert states.steps_per_epoch(len(streamed.train.labels), 4) == 4
    expected = fit(method, cached, mode=mode)
    window_of(3, monkeypatch)
    monkeypatch.setattr(feeding, "_ROWS_AT_ONCE", 1)
    traces = []
    counting = method._replace(update=lambda *args: traces.append(1) or method.update(*args))
    equal(fit(counting, streamed, mode=mode), expected)
    assert len(traces) == 1
    assert np.ptp([metrics["loss"] for _, metrics in expected]) > 1e-2


@pytest.mark.long
def test_a_streamed_run_goes_on_to_the_same_bits_from_wherever_it_stopped(streamed, method, monkeypatch):
    window_of(3, monkeypatch)
    straight = fit(method, streamed)
    for stretches in (1, 3, 4):
        asked = iter(range(100))
        with pytest.raises(loop.Stopped) as stopped:
            fit(method, streamed, should_stop=lambda: next(asked) == stretches)  # noqa: B023
        stop = stopped.value
        rest = fit(method, streamed, start=(stop.epoch, jax.device_get(stop.state)), within=stop.within)
        equal(rest[-1], straight[-1])


def test_a_stream_is_scored_in_the_same_blocks(cached, streamed, method, monkeypatch):
    monkeypatch.setattr(blocks, "_BLOCK", 8)
    state, mesh = fit(method, cached, epochs=1)[-1][0], parallel.make_mesh(devices=4)
    scored = [evaluation.make_evaluate(method, task, mesh)(state) for task in (cached, streamed)]
    assert len(scored[0].rows["gzsl"].own) > 8
    equal(*scored)
    equal(evaluation.make_evaluate(method, streamed, mesh)(state), scored[0])  # a stream is read again


def config(folder, cache):
    recipe = command_line.load_recipe(f"{conftest.ROOT / 'configs/softmax_pixels.py'}:image_folder,smoke")
    recipe.data.update({"dir": folder, "size": 16, "cache": cache})
    recipe.train.update({"epochs": 3, "batch_size": 8})
    recipe.encoder = {"name": "mlp", "widths": (8,), "dropout": 0.0, "weights": ""}
    return recipe


@pytest.mark.long
def test_a_run_may_go_on_from_memory_where_it_stopped_in_a_stream(folder, tmp_path):
    """Choice, training and scores; it is stopped inside the second phase."""
    lines = []
    expected = run.run(config(folder, "memory"), tmp_path / "memory", say=lines.append)
    asked, chosen = iter(range(100)), tmp_path / "stream" / "selection.json"
    with pytest.raises(errors.Stopped, match=r"of 4 of train"):
        run.run(
            config(folder, "stream"),
            tmp_path / "stream",
            say=lambda line: None,
            should_stop=lambda: chosen.exists() and next(asked) == 2,
        )
    found = run.run(config(folder, "memory"), tmp_path / "stream", say=lambda line: None)
    assert found.record["metrics"] == expected.record["metrics"]
    equal(found.evaluated, expected.evaluated)
    logged = [
        [json.loads(line)["loss"] for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("memory", "stream")
    ]
    assert logged[0] == logged[1]
    assert lines[0].startswith("encoder mlp: ")


def test_a_stream_whose_images_were_changed_is_other_data(folder, tmp_path):
    def made_of(folder):
        return problems.make_problem(config(folder, "stream")).made_of()

    before, imported = made_of(folder), image_folder.read(folder)
    changed = tmp_path / "photos"
    shutil.copytree(imported.images_dir, changed)
    described = json.loads((pathlib.Path(folder) / "dataset.json").read_text()) | {"images_dir": str(changed)}
    (tmp_path / "dataset.json").write_text(json.dumps(described))
    assert made_of(str(tmp_path)) == before  # a copy is the same data
    path = changed / imported.images[0]
    PIL.Image.open(path).rotate(90).save(path, quality=70)
    after = made_of(str(tmp_path))
    assert [name for name in before if after[name] != before[name]] == ["images"]


@pytest.mark.long
def test_a_streamed_run_is_drawn_as_one_from_memory(folder, tmp_path):
    from zsl_jax.verbs import figures

    drawn = []
    for cache in ("memory", "stream"):
        result = run.run(config(folder, cache), tmp_path / cache, say=lambda line: None)
        drawn.append(figures.draw(result, tmp_path / cache))
    assert drawn[0] == drawn[1]
    assert {"story.png", "retrieval.png", "embeddings.png"} <= set(drawn[1])


@pytest.mark.long
def test_a_run_whose_workers_are_killed_with_it_goes_on_to_the_same_record(folder, tmp_path):
    expected = run.run(config(folder, "memory"), tmp_path / "memory", say=lambda line: None)
    recipe = tmp_path / "recipe.py"
    recipe.write_text(f"""
import sys
def get_config(argument=None):
    sys.path[:0] = [{str(conftest.ROOT / "tests")!r}]
    import test_streaming
    made = test_streaming.config({folder!r}, "stream")
    made.data.workers = 1
    made.train.checkpoint_every = 1
    return made
""")
    line = [sys.executable, "-m", "zsl_jax", "train", f"--config={recipe}", f"--workdir={tmp_path / 'killed'}"]
    first = subprocess.Popen(line, cwd=conftest.ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    log = tmp_path / "killed" / "metrics.jsonl"
    while first.poll() is None and not (log.exists() and log.read_text()):
        time.sleep(0.05)
    workers = psutil.Process(first.pid).children(recursive=True)
    first.kill()
    first.communicate()
    assert not (tmp_path / "killed" / "record.json").exists()
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert workers
    assert not alive
    done = subprocess.run(line, cwd=conftest.ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "killed" / "record.json").read_text())
    assert record["metrics"] == expected.record["metrics"]


def test_what_an_encoder_cannot_take_is_said_before_anything_is_written(folder, tmp_path):
    wanting = config(folder, "stream")
    wanting.data.size = 24
    wanting.encoder = {"name": "vit_tiny", "depth": 1, "weights": ""}
    with pytest.raises(errors.UserError, match=r"sides are multiples of 16, such as 32, not 24 x 24"):
        run.run(wanting, tmp_path / "run")
    wanting.data.size = 32
    other = tiny_photos.write_weights(tmp_path / "vit.npz")
    wanting.encoder = {"name": "convnet", "weights": str(other)}
    with pytest.raises(errors.UserError, match=r"weights vit\.npz are of another encoder: .* missing: .*left over"):
        run.run(wanting, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_looks_at_all_images_at_once_needs_them_in_memory(folder, streamed):
    wanting = config(folder, "stream")
    wanting.optimizer.decay_epochs = 0
    problem = problems.make_problem(wanting)
    greedy = problem.method._replace(finish=lambda state, train, classes, key: jax.numpy.mean(train.inputs))
    with pytest.raises(errors.UserError, match=r"needs all \d+ images in memory.*data\.cache=memory"):
        checking.check(problem._replace(method=greedy), wanting)
    with pytest.raises(errors.UserError, match=r"a sweep .*data\.cache=memory"):
        sweeps.selection_tasks(config(folder, "stream"))
    shots = few_shot.few_shot(streamed, 1)
    assert len(shots.train.inputs) == len(streamed.train.inputs) + len(streamed.unseen_classes)


def test_a_broken_image_is_named_before_the_run_or_left_out(folder, tmp_path):
    """By its first bytes at once, by its end when it is decoded."""
    broken = tmp_path / "broken"
    shutil.copytree(pathlib.Path(folder).parent, broken)
    described = json.loads((broken / "dataset" / "dataset.json").read_text())
    described["images_dir"] = str(broken / "photos")
    (broken / "dataset" / "dataset.json").write_text(json.dumps(described))
    image = broken / "photos" / described["images"][described["splits"]["train"][0]]
    whole = image.read_bytes()
    options = {"dir": str(broken / "dataset"), "size": 16, "cache": "stream"}
    image.write_bytes(whole[:-40])
    loaded = data.load("image_folder", **options)
    with pytest.raises(errors.UserError, match=rf"{image.name}: not a readable image"):
        list(inputs.blocks(loaded.inputs, 10))
    kept = data.load("image_folder", skip_unreadable=True, **options)
    assert len(kept.inputs) == len(kept.labels) == len(loaded.labels) - 1
    np.testing.assert_array_equal(
        np.concatenate(list(inputs.blocks(kept.inputs, 10))),
        data.load("image_folder", skip_unreadable=True, **(options | {"cache": "memory"})).inputs,
    )
    image.write_bytes(b"")
    for cache in ("memory", "stream"):
        with pytest.raises(errors.UserError, match=rf"{image.name}: an empty file"):
            data.load("image_folder", **(options | {"cache": cache}))
    for name in described["images"]:
        if name.startswith("red/"):
            (broken / "photos" / name).write_bytes(b"")
    with pytest.raises(errors.UserError, match="class 'red' has no readable image left to train on"):
        data.load("image_folder", skip_unreadable=True, **options)


class Tiles(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Forty grey squares of ten classes, each of a grey of its own."""

    VERSION = tfds.core.Version("1.0.0")
    pkg_dir_path = conftest.ROOT / "tests"

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "label": tfds.features.ClassLabel(names=[str(i) for i in range(10)]),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for i in range(40):
            file = io.BytesIO()
            PIL.Image.fromarray(np.full((8, 8, 3), 6 * i, np.uint8)).save(file, "PNG")
            yield i, {"image": io.BytesIO(file.getvalue()), "label": i % 10}


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.long)])
def test_images_of_tfds_are_those_in_memory(workers, tmp_path):
    Tiles(data_dir=tmp_path, file_format="array_record").download_and_prepare()
    options = {"builder": "tiles", "attributes": write_table(tmp_path / "classes.csv"), "split": "train", "size": 8}
    options |= {"dir": str(tmp_path), "workers": workers}
    cached, streamed = (data.load("tfds_images", cache=cache, **options) for cache in ("memory", "stream"))
    order = np.random.default_rng(0).permutation(40)
    found = np.concatenate(list(inputs.blocks(streamed.inputs[order], 16)))
    np.testing.assert_array_equal(found, cached.inputs[order])
    assert len(np.unique(found)) == 40
    np.testing.assert_array_equal(streamed.labels, cached.labels)
    equal(dict(streamed.splits), dict(cached.splits))


@pytest.mark.long
@pytest.mark.parametrize("workers", [0, 2])
def test_real_images_come_as_they_are_loaded(workers, shared_data):
    folder = shared_data / "cub127_images"
    paths = [str(folder / name) for name in images.find(folder)[::20]]
    preprocessing = images.Preprocessing(size=64, fit="crop", crop_fraction=1.0, filter="bilinear")
    pixels = streaming.ImageStream(image_folder.Files(tuple(paths), preprocessing), np.arange(len(paths)), 64, workers)
    order = np.random.default_rng(0).permutation(len(paths))
    found = np.concatenate(list(inputs.blocks(pixels[order], 50)))
    assert len(found) > 300
    np.testing.assert_array_equal(found, np.stack(list(images.load(paths, preprocessing)))[order])


def test_large_data_is_streamed_and_a_wrong_word_is_named():
    at_most = streaming.MOST_BYTES // (64 * 64 * 3)
    assert not streaming.is_streamed("auto", at_most, 64)
    assert streaming.is_streamed("auto", at_most + 1, 64)
    assert not streaming.is_streamed("memory", at_most + 1, 64)
    assert streaming.is_streamed("stream", 1, 64)
    with pytest.raises(errors.UserError, match="did you mean 'stream'"):
        streaming.is_streamed("streams", 1, 64)
