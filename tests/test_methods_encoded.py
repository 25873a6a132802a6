"""Methods that train an encoder: the step by hand, frozen parts, the average, two views, unseen pairs found."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import small_trainer
from flax import linen as nn

from zsl_jax import config, data, encoders, errors, methods
from zsl_jax.encoders import augmentation, vit
from zsl_jax.encoders import weights as weights_lib
from zsl_jax.methods import base, chunks, class_tower, objectives
from zsl_jax.training import encoding, loop, optimizers, parallel, problems, states

KEY = jax.random.key(0)


def test_a_class_encoder_drops_out_in_training_alone():
    class Dropping(nn.Module):
        @nn.compact
        def __call__(self, x, *, train):
            return nn.Dropout(0.5, deterministic=not train)(nn.Dense(8)(x))

    tower, classes = class_tower.of(Dropping(), 3), blocks().classes
    head = tower.init(KEY, jnp.zeros((2, 5)), classes)
    assert {name: x.shape for name, x in head.items() if name != "classes"} == {
        "of_images": (5, 3),
        "of_classes": (8, 3),
    }
    plain, once, again = (np.asarray(tower.describe(head, classes, key)) for key in (None, KEY, jax.random.key(1)))
    dense = jax.device_get(head["classes"]["Dense_0"])
    wanted = (classes.embedding @ dense["kernel"] + dense["bias"]) @ np.asarray(head["of_classes"])
    np.testing.assert_allclose(plain, wanted, atol=1e-5)
    assert np.abs(once - again).max() > 0.1
    assert np.abs(once - plain).max() > 0.1


def test_infersent_compares_an_input_and_a_class_as_loops_over_pairs_do():
    rng = np.random.default_rng(0)
    table = data.ClassTable(rng.standard_normal((3, 6)).astype(np.float32), np.ones(3, bool), ())
    encoder, class_encoder = encoders.MLP(widths=(7,)), encoders.MLP(widths=(5,))
    parts = small_trainer.small_parts(encoder=encoder)
    method = methods.infersent(parts, class_encoder, width=2, num_hidden=4)
    inputs, labels = rng.standard_normal((4, 8)).astype(np.float32), np.arange(4, dtype=np.int32) % 3
    batch = data.Batch(inputs, labels, np.ones(4, bool))
    state = jax.jit(lambda: method.init(KEY, batch, table, ()))()
    state = state._replace(params=jax.tree.map(lambda x: x + np.float32(0.1), state.params))  # so that a bias counts
    params = jax.device_get(state.params)
    head, (first, second) = params["head"], params["head"]["head"]
    encoded = np.asarray(encoder.apply({"params": params["encoder"]}, inputs, train=False))
    described = np.asarray(class_encoder.apply({"params": head["classes"]}, table.embedding, train=False))
    wanted = np.zeros((4, 3))
    for b, c in np.ndindex(4, 3):
        u, v = encoded[b] @ head["of_images"], described[c] @ head["of_classes"]
        told = [*u, *v, *(abs(x - y) for x, y in zip(u, v)), *(x * y for x, y in zip(u, v))]
        hidden = np.maximum(0, told @ first["weights"] + first["bias"])
        wanted[b, c] = (hidden @ second["weights"] + second["bias"])[0]
    np.testing.assert_allclose(base.score(method, state, inputs, table), wanted, atol=1e-5)
    _, metrics = jax.jit(method.update)(state, batch, table, KEY)
    loss = np.log(np.exp(wanted).sum(axis=1)) - wanted[np.arange(4), labels]
    np.testing.assert_allclose(metrics["loss"], loss.mean(), rtol=1e-5)


def blocks(*, per_class=24, seed=0) -> data.Dataset:
    """Images of 4x4: one of three colours above, one below; a class is a pair, two of the nine pairs are unseen."""
    rng = np.random.default_rng(seed)
    pairs = [(i, j) for i in range(3) for j in range(3)]
    labels = np.repeat(np.arange(9, dtype=np.int32), per_class)
    images = rng.integers(0, 60, (len(labels), 4, 4, 3), dtype=np.uint8)
    for image, label in zip(images, labels):
        above, below = pairs[label]
        image[:2, :, above] = rng.integers(180, 256)
        image[2:, :, below] = rng.integers(180, 256)
    attributes = np.array([[float(k in (i, 3 + j)) for k in range(6)] for i, j in pairs], np.float32)
    is_seen = np.array([pair not in ((0, 0), (1, 2)) for pair in pairs])
    test = np.arange(len(labels)) % 4 == 0
    splits = {
        "train": np.flatnonzero(is_seen[labels] & ~test),
        "test_seen": np.flatnonzero(is_seen[labels] & test),
        "test_unseen": np.flatnonzero(~is_seen[labels]),
    }
    names = tuple(f"{['red', 'green', 'blue'][i]} {['red', 'green', 'blue'][j]}" for i, j in pairs)
    return data.Dataset("blocks", images, labels, data.ClassTable(attributes, is_seen, names), splits)


@pytest.fixture(scope="module")
def task():
    return data.test_task(blocks())


def parts(**changes):
    given = {
        "encoder": encoders.MLP(widths=(12,)),
        "optimizer": optimizers.make_optimizer(learning_rate=1e-2),
        "augment": augmentation.make_augment(brightness=0.05),
    }
    return methods.Parts(**(given | changes))


FACTORIES = {
    "label_embedding softmax": lambda: methods.label_embedding(parts()),
    "label_embedding ale": lambda: methods.label_embedding(
        parts(average=0.9), loss=objectives.make("warp", margin=0.5)
    ),
    "attribute_network dap": lambda: methods.attribute_network(parts(pretrain_steps=6), rule="dap"),
    "attribute_network groups": lambda: methods.attribute_network(parts(), groups=(3, 3)),
    "attribute_network ale": lambda: methods.attribute_network(parts(), rule="ale"),
} | {
    f"two_tower {loss}": lambda loss=loss: methods.two_tower(
        parts(), encoders.MLP(widths=(12,)), loss=loss, width=8, prefixes=(4,)
    )
    for loss in ("multi_positive_clip", "info_nce", "class_sigmoid", "supervised_contrastive")
}


@pytest.mark.long
@pytest.mark.parametrize("name", FACTORIES)
def test_unseen_pairs_are_recognised_and_shuffled_descriptions_are_not(name, task):
    method, unseen = FACTORIES[name](), task.sets["test_unseen"]
    state = small_trainer.fitted(method, task, epochs=50, batch_size=32)

    def accuracy(classes):
        scores = methods.score(method, state, unseen.inputs, classes)
        return small_trainer.top1(scores, unseen.labels, first=task.num_seen)

    assert accuracy(task.unseen_classes) > 0.8
    # The two unseen classes trade their descriptions: what was right is then wrong.
    assert accuracy(task.unseen_classes[[1, 0]]) < 0.2


def compiled(method, classes):
    """`init(batch)` and `update(state, batch)`, compiled."""
    init = jax.jit(lambda batch, weights: method.init(KEY, batch, classes, weights))
    update = jax.jit(lambda state, batch: method.update(state, batch, classes, KEY))
    return lambda batch: init(batch, method.weights()), update


@pytest.mark.long
def test_a_run_that_goes_on_ends_with_the_same_bits(task):
    """Optimiser, schedule, accumulated gradients, average, dropout, augmentation and the count of warm-up steps."""
    method = methods.label_embedding(
        parts(
            encoder=encoders.MLP(widths=(8, 4), dropout=0.2),
            optimizer=optimizers.make_optimizer(warmup_steps=3, decay_steps=9, accumulate=2, weight_decay=0.1),
            augment=augmentation.make_augment(crop=1, flip=True, brightness=0.1),
            average=0.9,
            pretrain_steps=5,
        )
    )
    training = states.Training(method, task, KEY, 32, parallel.make_mesh())
    kept = {}
    for epoch, state, _ in loop.fit(training, epochs=3):
        kept[epoch] = jax.tree.map(np.array, state)
    *_, (_, resumed, _) = loop.fit(training, epochs=3, start=(1, kept[1]))
    jax.tree.map(np.testing.assert_array_equal, kept[3], jax.tree.map(np.array, resumed))
    assert not np.array_equal(kept[1].average["head"]["map"], kept[3].average["head"]["map"])


def batch_of(task, count=8, valid=6):
    return data.Batch(task.train.inputs[::3][:count], task.train.labels[::3][:count], np.arange(count) < valid)


def test_a_step_is_that_of_the_mean_loss_over_valid_rows(task):
    """Linear encoder and plain SGD: the update by hand, rows that fill up the batch left out."""
    linear = parts(encoder=encoders.MLP(widths=(5,)), optimizer=optax.sgd(0.1), augment=augmentation.make_augment())
    method = methods.label_embedding(linear)
    batch = batch_of(task)
    init, update = compiled(method, task.seen_classes)
    before = init(batch)
    after, metrics = update(before, batch)
    x = batch.inputs[:6].reshape(6, -1) / np.float32(255)
    kernel, bias = (np.asarray(before.params["encoder"]["Dense_0"][name]) for name in ("kernel", "bias"))
    head, phi = np.asarray(before.params["head"]["map"]), task.seen_classes.embedding
    scores = (x @ kernel + bias) @ head @ phi.T
    probabilities = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    one_hot = np.eye(len(phi))[batch.labels[:6]]
    np.testing.assert_allclose(metrics["loss"], -np.mean(np.log((probabilities * one_hot).sum(1))), rtol=1e-4)
    gradient = x.T @ ((probabilities - one_hot) @ phi @ head.T) / 6
    np.testing.assert_allclose(after.params["encoder"]["Dense_0"]["kernel"], kernel - 0.1 * gradient, atol=1e-5)
    assert after.step == 1


def tensors_of(batch, widths=(12,)):
    """An encoder's variables, and the same as the tensors of a checkpoint: linear layers have `[out, in]` there."""
    variables = jax.tree.map(lambda x: 2 * x, encoders.MLP(widths=widths).init(KEY, batch.inputs, train=False))
    dense = variables["params"]["Dense_0"]
    return variables, {"Dense.0.weight": np.asarray(dense["kernel"]).T, "Dense.0.bias": np.asarray(dense["bias"])}


@pytest.mark.parametrize("freeze", [True, False])
def test_an_encoder_starts_from_given_tensors(task, freeze):
    """Frozen, it is no parameter and stays as it was; else it is one like any other."""
    batch = batch_of(task)
    variables, tensors = tensors_of(batch)
    method = methods.label_embedding(parts(freeze=freeze, weights=lambda: tensors, average=0.5))
    init, update = compiled(method, task.seen_classes)
    state = init(batch)
    after, _ = update(state, batch)
    assert not np.array_equal(after.params["head"]["map"], state.params["head"]["map"])
    moving, frozen = base.split(after)
    if freeze:
        assert set(state.params) == {"head"}
        jax.tree.map(np.testing.assert_array_equal, frozen, (variables,))
        sizes = {x.shape for x in jax.tree.leaves(moving)}
        assert variables["params"]["Dense_0"]["kernel"].shape not in sizes
    else:
        assert frozen == ()
        jax.tree.map(np.testing.assert_array_equal, state.params["encoder"], variables["params"])
        before, now = (s.params["encoder"]["Dense_0"]["kernel"] for s in (state, after))
        assert not np.array_equal(before, now)


def test_a_frozen_encoder_learns_by_its_memory(task):
    """Its own weights stay, and no optimiser knows of them."""
    batch, variant = batch_of(task), vit.VARIANTS["plain"]
    plain = vit.ViT(8, 1, 2, 2, "token", variant, "symmetric", jnp.dtype("float32"), remat=False)
    variables = jax.jit(lambda: plain.init(KEY, batch.inputs, train=False))()
    rng = np.random.default_rng(0)
    shapes = {name: shape for name, (_, shape, _) in weights_lib.names(variables).items()}
    tensors = {name: 0.3 * rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    losses = {}
    for memory in (0, 4):
        method = methods.label_embedding(
            parts(freeze=True, weights=lambda: tensors, encoder=plain.copy(memory=memory), augment=lambda key, x: x)
        )
        init, update = compiled(method, task.seen_classes)
        first = state = init(batch)
        for _ in range(30):
            state, metrics = update(state, batch)
        assert set(state.params) == {"head", *(["memory"] if memory else [])}
        jax.tree.map(np.testing.assert_array_equal, base.split(state)[1], base.split(first)[1])
        assert [x.shape for x in jax.tree.leaves(base.split(state)[1])] == [x.shape for x in jax.tree.leaves(variables)]
        losses[memory] = metrics["loss"]
    assert losses[4] < 0.95 * losses[0]


def test_given_tensors_are_an_argument_of_the_program(task):
    """Traced, they become no constant: the frozen part is made of the argument alone."""
    batch = batch_of(task)
    variables, tensors = tensors_of(batch)
    method = methods.label_embedding(parts(freeze=True, weights=lambda: tensors))
    start = jax.jit(lambda weights: method.init(KEY, batch, task.seen_classes, weights))
    _, (frozen,) = base.split(start(jax.tree.map(lambda x: 3 * x, tensors)))
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, 3 * b), frozen, variables)


def test_tensors_of_another_encoder_are_named(task):
    batch = batch_of(task)
    _, tensors = tensors_of(batch)
    method = methods.label_embedding(parts(weights=lambda: tensors | {"extra": np.zeros(3)}))
    with pytest.raises(errors.UserError, match="1 left over: extra"):
        method.init(KEY, batch, task.seen_classes, method.weights())


def test_the_average_is_what_scores(task):
    batch = batch_of(task)
    method = methods.label_embedding(parts(average=0.9))
    init, update = compiled(method, task.seen_classes)
    state = first = init(batch)
    expected = np.asarray(first.params["head"]["map"])
    for step in range(3):
        state, _ = update(state, batch)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * np.asarray(state.params["head"]["map"])
    np.testing.assert_allclose(state.average["head"]["map"], expected, rtol=1e-5)

    def scores(state):
        return methods.score(method, state, batch.inputs, task.classes)

    np.testing.assert_array_equal(scores(state), scores(state._replace(params=first.params)))
    assert not np.allclose(scores(state), scores(state._replace(average=state.params)))


@pytest.mark.long
def test_the_first_steps_only_compare_views(task):
    """They move encoder and projection, see no label, and the supervised head stays; then it is the other way round."""
    batch = batch_of(task)
    method = methods.label_embedding(parts(optimizer=optax.sgd(0.1), pretrain_steps=1))
    init, update = compiled(method, task.seen_classes)
    start = init(batch)
    first, _ = update(start, batch)
    other_labels, _ = update(start, batch._replace(labels=batch.labels[::-1]))
    jax.tree.map(np.testing.assert_array_equal, first.params, other_labels.params)
    np.testing.assert_array_equal(first.params["head"]["map"], start.params["head"]["map"])
    assert not np.array_equal(first.params["head"]["contrast"], start.params["head"]["contrast"])
    second, _ = update(first, batch)
    np.testing.assert_array_equal(second.params["head"]["contrast"], first.params["head"]["contrast"])
    assert not np.array_equal(second.params["head"]["map"], first.params["head"]["map"])


def test_chunks_are_rows():
    x = jnp.arange(14.0).reshape(7, 2)
    np.testing.assert_array_equal(chunks.in_chunks(lambda rows: rows * 2, x, 3), 2 * x)


@pytest.mark.long
def test_a_prefix_scores_alone(task):
    batch, tower = batch_of(task), encoders.MLP(widths=(6,))
    whole, short = (methods.two_tower(parts(), tower, width=8, prefixes=(3,), score_width=w) for w in (0, 3))
    state = compiled(whole, task.seen_classes)[0](batch)
    scores = methods.score(short, state, batch.inputs, task.classes)
    cut = {**state.params["head"]}
    for side in ("of_images", "of_classes"):
        cut[side] = cut[side].at[:, 3:].set(0.0)
    params = {**state.params, "head": cut}
    of_cut = methods.score(whole, state._replace(params=params), batch.inputs, task.classes)
    np.testing.assert_allclose(scores, of_cut, atol=1e-5)


@pytest.mark.long
def test_words_describe_classes_and_other_words_are_scored(task):
    from zsl_jax import class_encoders

    table = dataclasses.replace(task.classes, embedding=class_encoders.tokens(task.classes.names, length=3))
    method = methods.two_tower(parts(), encoders.BagOfWords(widths=(4,), vocabulary=64, embedding_width=4), width=4)
    batch = batch_of(task)
    init, update = compiled(method, table[: task.num_seen])
    after, metrics = update(init(batch), batch)
    assert np.isfinite(metrics["loss"])
    made_up = data.ClassTable(class_encoders.tokens(["purple middle"], length=3), np.array([False]), ("purple middle",))
    assert methods.score(method, after, batch.inputs, made_up).shape == (8, 1)


def test_a_config_becomes_the_parts_that_it_names():
    recipe = config.base("two_tower", "shapes", class_encoder="transformer")
    recipe.optimizer.encoder_rate = 0.0
    recipe.optimizer.average = 0.5
    config.check(recipe)
    found = encoding.make_parts(recipe)
    assert isinstance(found["parts"].encoder, encoders.ConvNet)
    assert isinstance(found["class_encoder"], encoders.TextTransformer)
    assert found["parts"].freeze
    assert found["parts"].average == 0.5
    assert config.base("label_embedding", "xlsa17").encoder.name == "mlp"
    assert encoding.make_parts(config.base("ale", "shapes")) == {}


def step_sizes(optimizer, count):
    """By how much the head moves against a gradient of one, step by step."""
    params = {"encoder": jnp.zeros(()), "head": jnp.zeros(())}

    def step(memory, _):
        updates, memory = optimizer.update(jax.tree.map(jnp.ones_like, params), memory, params)
        return memory, -updates["head"]

    return jax.lax.scan(step, optimizer.init(params), length=count)[1]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_step_size_has_decayed_when_the_epochs_of_the_training_at_hand_are_over(accumulate):
    recipe = config.base("label_embedding", "digits")
    recipe.optimizer.update({"name": "sgd", "momentum": 0.0, "learning_rate": 1.0, "accumulate": accumulate})
    recipe.optimizer.decay_epochs = 3
    for steps_per_epoch in (4, 8):
        optimizer = encoding.make_parts(recipe, steps_per_epoch=steps_per_epoch)["parts"].optimizer
        sizes = step_sizes(optimizer, 3 * steps_per_epoch + accumulate)
        sizes = sizes[accumulate - 1 :: accumulate].tolist()
        assert (sizes[0], sizes[-1]) == (1, 0)
        assert min(sizes[:-1]) > 0


def test_each_training_of_a_run_decays_over_its_own_steps(monkeypatch):
    recipe = config.base("label_embedding", "digits,smoke")
    recipe.optimizer.decay_epochs = 2
    problem = problems.make_problem(recipe)
    asked, made = [], problems.make_method
    monkeypatch.setattr(problems, "make_method", lambda *a, **k: asked.append(k["steps_per_epoch"]) or made(*a, **k))
    problems._method.cache_clear()
    choosing, final = problem.protocol.tasks(problem.dataset, recipe)
    tasks = (choosing[0], final)
    found = [problem.method_for(task, recipe) for task in tasks]
    assert asked == [-(-len(task.train.labels) // recipe.train.batch_size) for task in tasks]
    assert asked[0] < asked[1]
    # The same again: nothing is made anew.
    assert [problem.method_for(task, recipe) for task in tasks] == found
    assert len(asked) == 2


def test_the_size_of_each_encoder_of_a_config_is_a_line(task):
    recipe = config.base("two_tower", "shapes", encoder="mlp")
    found = encoding.sizes(recipe, blocks())
    assert [line.split(":")[0] for line in found] == ["encoder mlp", "class encoder mlp"]
    assert re.fullmatch(r".*: \d+\.\d\d k parameters, \d+\.\d\d kFLOP per image of 4 x 4", found[0])
    assert found[1].endswith("per input of 6")
    assert encoding.sizes(config.base("ale", "shapes"), blocks()) == []


def test_groups_that_do_not_add_up_are_named(task):
    method = methods.attribute_network(parts(), groups=(4, 3))
    with pytest.raises(errors.UserError, match=r"groups=\(4, 3\) add up to 7, not to the 6 attributes"):
        jax.eval_shape(lambda: method.init(KEY, batch_of(task), task.seen_classes, ()))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: methods.label_embedding(parts(), loss="wrap"), "unknown loss 'wrap': did you mean 'warp'"),
        (lambda: methods.attribute_network(parts(), rule="dapp"), "unknown rule 'dapp': did you mean 'dap'"),
        (lambda: methods.two_tower(parts(), encoders.MLP(), loss="clip_soft"), "did you mean 'clip_softmax'"),
        (lambda: methods.two_tower(parts(), encoders.MLP(), width=8, prefixes=(9,)), "prefixes: 9 is not a length"),
        (lambda: methods.two_tower(parts(), encoders.MLP(), width=8, score_width=9), "score_width: 9 is not a length"),
    ],
)
def test_what_cannot_be_is_named(make, message):
    with pytest.raises(errors.UserError, match=message):
        make()
