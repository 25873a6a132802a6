"""A batch encoded in chunks: the gradient of the whole batch, the memory of a chunk, on any number of devices."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import small_trainer
import topology
import toy
from flax import linen as nn

from zsl_jax import config, data, encoders, errors, methods
from zsl_jax.encoders import augmentation
from zsl_jax.methods import chunks, class_tower
from zsl_jax.training import encoding, loop, parallel, states

KEY = small_trainer.KEY
BATCH, CHUNK = 10, 4  # three chunks, of which two rows come a second time to fill up the last ones


def rows_of(count=BATCH, shape=(8, 8, 3), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def batch_of(count=BATCH, num_classes=6):
    labels = np.arange(count, dtype=np.int32) % num_classes
    return data.Batch(rows_of(count), labels, np.arange(count) < max(count - 2, 1))


@pytest.fixture(scope="module")
def classes():
    embedding = np.random.default_rng(1).standard_normal((6, 5)).astype(np.float32)
    return data.ClassTable(embedding, np.ones(6, bool))


def taken(tree, rows):
    return jax.tree.map(lambda x: x[rows], tree)


def one_by_one(function, keys, rows, size):
    """What `by_chunk` says, in a loop that keeps all activations, and chunks found by counting."""
    length = len(jax.tree.leaves(rows)[0])
    if not 0 < size < length:
        return function(keys, rows)
    count = -(-length // size)
    split = jax.tree.map(lambda key: jax.random.split(key, count), keys)
    made, rest = {}, []
    for number in range(count):
        mine = np.array([place % length for place in range(number, count * size, count)])
        values, aside = function(taken(split, number), taken(rows, mine))
        rest.append(aside)
        for i, row in enumerate(mine):
            made.setdefault(row, taken(values, i))
    values = jax.tree.map(lambda *xs: jnp.stack(xs), *(made[row] for row in range(length)))
    return values, jax.tree.map(lambda *xs: sum(xs) / count, *rest)


@pytest.mark.parametrize("size", [1, 3, 4, 5, 9])
def test_values_and_gradients_are_those_of_a_loop_that_keeps_everything(size):
    rows = {"x": np.random.default_rng(0).standard_normal((BATCH, 3)).astype(np.float32), "i": np.arange(BATCH)}

    def loss(by_chunk, weights):
        def function(keys, rows):
            drops = jax.random.bernoulli(keys[0], 0.5, rows["x"].shape)
            y = jnp.tanh(jnp.where(drops, 0.0, rows["x"]) @ weights) + rows["i"][:, None]
            return {"y": y}, jnp.mean(y)

        found, rest = by_chunk(function, (KEY,), rows, size)
        return jnp.sum(jax.nn.logsumexp(found["y"] @ found["y"].T, axis=1)) + rest, found["y"]

    weights = np.random.default_rng(1).standard_normal((3, 2)).astype(np.float32)
    found, expected = (
        jax.jit(jax.value_and_grad(functools.partial(loss, each), has_aux=True))(weights)
        for each in (chunks.by_chunk, one_by_one)
    )
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-5), found, expected)


@pytest.mark.parametrize("size", [0, BATCH, BATCH + 1])
def test_a_batch_in_one_chunk_is_what_it_was(size):
    found = chunks.by_chunk(lambda keys, x: (keys, x), "key", np.arange(BATCH), size)
    assert found[0] == "key"
    np.testing.assert_array_equal(found[1], np.arange(BATCH))


class Dropping(nn.Module):
    """A layer, dropout and another layer."""

    @nn.compact
    def __call__(self, x, *, train):
        x = nn.relu(nn.Dense(16)(x.reshape(len(x), -1).astype(jnp.float32) / 255))
        return nn.Dense(8)(nn.Dropout(0.5, deterministic=not train)(x))


ENCODERS = {
    "mlp": encoders.MLP(widths=(16, 8)),
    "convnet": encoders.ConvNet(widths=(8, 12), merges=(2, 2)),
    "vit": encoders.factory("vit_tiny")(patch=4).clone(width=16, depth=1, num_heads=2),
    "dropping": Dropping(),
}
TOWER = encoders.MLP(widths=(8,))
METHODS = {
    "two_tower": lambda parts: methods.two_tower(parts, TOWER, width=6),
    "two_tower, prefixes": lambda parts: methods.two_tower(parts, TOWER, width=6, prefixes=(3,), loss="clip_softmax"),
    "two_tower, a queue": lambda parts: methods.two_tower(
        parts, TOWER, width=6, loss="supervised_contrastive", negatives="queue"
    ),
    "two_tower, mgda": lambda parts: methods.two_tower(
        parts, TOWER, width=6, loss="info_nce+0.5*alignment", balance="mgda"
    ),
    "label_embedding": methods.label_embedding,
    "attribute_network": methods.attribute_network,
    "zsl_kg": lambda parts: methods.zsl_kg(parts, TOWER, width=4),
    "infersent": lambda parts: methods.infersent(parts, TOWER, width=4, num_hidden=5),
}


def parts_of(encoder="mlp", **changes):
    # A step of plain SGD at 1 is the gradient itself.
    return small_trainer.small_parts(encoder=ENCODERS.get(encoder, encoder), optimizer=optax.sgd(1.0), **changes)


def step(method, classes, batch=None, key=KEY):
    batch = batch_of() if batch is None else batch
    before = method.init(KEY, small_trainer.zeros_like(batch), classes, ())
    after, metrics = jax.jit(method.update)(before, batch, classes, key)
    before, after = (getattr(state, "inner", state) for state in (before, after))
    gradient = jax.tree.map(lambda x, y: x - y, before.params, after.params)
    return gradient, after, metrics


def assert_near(found, expected):
    # Chunks are added up one after the other: float32 sums in another order, of entries up to 10.
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=2e-5), found, expected)


@pytest.mark.parametrize(
    ("encoder", "name"),
    [
        *(("mlp", name) for name in METHODS),
        *(pytest.param(name, "two_tower", marks=pytest.mark.long) for name in ("convnet", "vit")),
    ],
)
@pytest.mark.long
def test_the_gradient_is_that_of_the_whole_batch(encoder, name, classes):
    whole, in_chunks = (step(METHODS[name](parts_of(encoder, chunk=size)), classes) for size in (0, CHUNK))
    assert_near(in_chunks, whole)
    moved = jax.tree.map(lambda x: np.abs(x).max(), in_chunks[0])
    assert min(jax.tree.leaves(moved["encoder"])) > 1e-3
    # A mean over small batches is another gradient: the loss compares rows.
    if name == "two_tower":
        alone = step(METHODS[name](parts_of(encoder)), classes, jax.tree.map(lambda x: x[::3], batch_of()))
        first = jax.tree.leaves(in_chunks[0])[0]
        assert np.abs(first - jax.tree.leaves(alone[0])[0]).max() > 1e-3


@pytest.mark.long
@pytest.mark.parametrize("pretrain_steps", [0, 1])
def test_random_numbers_are_those_of_each_chunk(pretrain_steps, classes, monkeypatch):
    """Dropout and augmentation, also of two views: the loop that keeps everything has the same keys."""
    given = {"augment": augmentation.make_augment(brightness=0.5), "pretrain_steps": pretrain_steps}

    def made(**changes):
        return METHODS["two_tower"](parts_of("dropping", **given, **changes))

    found, other = (step(made(chunk=CHUNK), classes, key=key) for key in (KEY, jax.random.key(1)))
    whole = step(made(), classes)
    monkeypatch.setattr(chunks, "by_chunk", one_by_one)
    assert_near(found, step(made(chunk=CHUNK), classes))
    for different in (other, whole):
        with pytest.raises(AssertionError):
            assert_near(found[0], different[0])


def test_chunks_draw_numbers_of_their_own():
    same = np.repeat(rows_of(1), BATCH, axis=0)

    def function(key, rows):
        return Dropping().apply(variables, rows, train=True, rngs={"dropout": key}), ()

    variables = Dropping().init(KEY, same, train=False)
    values = np.asarray(chunks.by_chunk(function, KEY, same, 5)[0])
    assert len(np.unique(values.round(5), axis=0)) == BATCH


class Normalising(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        x = nn.Dense(8)(x.reshape(len(x), -1).astype(jnp.float32) / 255)
        return nn.BatchNorm(use_running_average=not train, momentum=0.9)(x)


def test_batch_norm_is_that_of_each_chunk_and_its_averages_move_once(classes, monkeypatch):
    def made():
        return METHODS["label_embedding"](parts_of(Normalising(), chunk=5))

    method = made()
    gradient, after, _ = found = step(method, classes)
    dense = method.init(KEY, batch_of(), classes, ()).params["encoder"]["Dense_0"]
    x = rows_of().reshape(BATCH, -1) / np.float32(255) @ np.asarray(dense["kernel"])
    of_chunks = np.stack([x[0::2], x[1::2]])
    stats = after.fixed["batch_stats"]["BatchNorm_0"]
    np.testing.assert_allclose(stats["mean"], 0.1 * of_chunks.mean(1).mean(0), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(stats["var"], 0.9 + 0.1 * of_chunks.var(1).mean(0), rtol=1e-3)
    assert np.abs(gradient["encoder"]["Dense_0"]["kernel"]).max() > 1e-4
    monkeypatch.setattr(chunks, "by_chunk", one_by_one)
    assert_near(found, step(made(), classes))


def test_a_frozen_encoder_with_batch_norm_takes_no_statistics(classes):
    whole, in_chunks = (
        step(METHODS["label_embedding"](parts_of(Normalising(), freeze=True, chunk=size)), classes) for size in (0, 4)
    )
    assert_near(in_chunks, whole)
    jax.tree.map(np.testing.assert_array_equal, in_chunks[1].fixed, whole[1].fixed)


def test_classes_are_encoded_in_chunks_and_graphs_whole(classes, monkeypatch):
    sizes = []

    def spy(function, keys, rows, size):
        sizes.append(size)
        return one_by_one(function, keys, rows, size)

    monkeypatch.setattr(chunks, "by_chunk", spy)
    towers = {size: class_tower.of(TOWER, 3, size) for size in (0, 4)}
    head = towers[0].init(KEY, jnp.zeros((1, 8)), classes)
    found = {size: tower.describe(head, classes, KEY) for size, tower in towers.items()}
    assert_near(found[4], found[0])
    towers[4].describe(head, classes)
    assert sizes[-3:] == [0, 4, 0], "where classes are scored, the trainer cuts the table"


def compiled(method, classes, count, mesh=None):
    """The step on a batch of that many images, divided over a mesh."""
    small = batch_of(2)
    state = jax.eval_shape(lambda: method.init(KEY, small_trainer.zeros_like(small), classes, ()))
    spec = mesh and jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))
    batch = jax.tree.map(lambda x: jax.ShapeDtypeStruct((count, *x.shape[1:]), x.dtype, sharding=spec), small)
    return jax.jit(method.update).lower(state, batch, classes, KEY).compile()


@pytest.mark.long
def test_memory_is_that_of_a_chunk(classes):
    """What grows with the batch are embeddings, 32 bytes per image, beside activations of 5 KiB per image and more."""

    def temporaries(count, size):
        method = METHODS["label_embedding"](parts_of("convnet", chunk=size))
        return compiled(method, classes, count).memory_analysis().temp_size_in_bytes

    whole, in_chunks = ([temporaries(count, size) for count in (512, 2048)] for size in (0, 64))
    assert whole[1] > 3.5 * whole[0]
    assert in_chunks[1] - in_chunks[0] < 0.02 * (whole[1] - whole[0])
    assert in_chunks[1] < whole[1] / 10


def test_each_device_encodes_its_share_of_every_chunk(classes):
    method = METHODS["label_embedding"](parts_of("convnet", chunk=512))
    alone = compiled(method, classes, 2048)
    shared = compiled(method, classes, 2048, parallel.make_mesh())
    sizes = [program.memory_analysis().temp_size_in_bytes for program in (alone, shared)]
    assert sizes[1] < sizes[0] / 4
    images = [line for line in shared.as_text().splitlines() if "all-gather" in line and "u8[" in line]
    assert not images, "images are not sent to other devices"


@pytest.mark.parametrize("mode", [pytest.param(mode, marks=pytest.mark.long) for mode in parallel.MODES])
def test_eight_devices_in_any_mode_give_the_numbers_of_one_without_chunks(mode):
    task = data.test_task(toy.dataset(per_class=16))

    def trained(mode, devices, size):
        method = METHODS["two_tower"](parts_of(chunk=size)._replace(optimizer=optax.sgd(0.1)))
        mesh = parallel.make_mesh(mode=mode, devices=devices)
        training = states.Training(method, task, KEY, 32, mesh, mode=mode)
        with topology.counted_compilations() as compilations:
            _, after, metrics = zip(*loop.fit(training, epochs=3))
        losses = np.concatenate([epoch["loss"] for epoch in metrics])
        return jax.device_get(after[-1]).params, losses, compilations.count

    params, losses, _ = trained("jit", 1, 0)
    found = trained(mode, 8, 8)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5), found[:2], (params, losses))
    assert found[2] == 1, "compiled once"
    assert losses[-1] < losses[0] - 0.1


def test_a_config_says_the_chunk_and_an_older_one_has_none():
    recipe = config.base("two_tower", "shapes")
    assert recipe.optimizer.chunk == 0
    recipe.optimizer.chunk = 256
    assert encoding.make_parts(recipe)["parts"].chunk == 256
    values = recipe.to_dict()
    del values["optimizer"]["chunk"]
    assert config.from_json(values).optimizer.chunk == 0
    recipe.optimizer.chunk = -1
    with pytest.raises(errors.UserError, match=r"config\.optimizer\.chunk=-1"):
        config.check(recipe)
