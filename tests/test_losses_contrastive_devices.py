"""Eight devices give the losses and gradients of one: by sharded arguments, inside shard_map, and under pmap.

The batch goes through a matrix of parameters first, so that the gradient is one that has to be collected.
"""

import functools

import contract
import contrastive_cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zsl_jax import losses

pytestmark = pytest.mark.long

BATCH, DEVICES = 16, 8
REPLICATED, DIVIDED = jax.sharding.PartitionSpec(), jax.sharding.PartitionSpec("data")
WHERE = np.arange(BATCH) % 5 != 3
BAND = {"lower": 0.1, "upper": 0.05}
PARAMETERS = np.random.default_rng(1).normal(size=(3, 3)).astype(np.float32)


def statistics(name, loss, *arrays):
    """A loss with one value for the batch, as a case: each device returns the value of the whole."""
    return contrastive_cases.Case(name, lambda *a, chunk=None, **k: loss(*a, **k)[None], None, arrays, views=0)


def cases():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, BATCH, 3)).astype(np.float32)
    views = rng.normal(size=(2, BATCH, 2, 3)).astype(np.float32)[1]
    kernel = np.corrcoef(rng.normal(size=(BATCH, 4))).astype(np.float32)
    variants = ("info_nce_paired", "debiased_contrastive_at_its_floor")  # of others, by one line
    return [
        *(case for case in contrastive_cases.make(BATCH) if case.name not in variants),
        statistics("barlow_twins", losses.barlow_twins, x, y),
        statistics("vicreg", losses.vicreg, x, y),
        statistics("uniformity", losses.uniformity, x),
        statistics("decoupled_uniformity", losses.decoupled_uniformity, views),
        statistics(
            "decoupled_uniformity with a prior",
            lambda v, k, **o: losses.decoupled_uniformity(v, k, ridge=0.1, **o),
            views,
            kernel,
        ),
        statistics(
            "batch_self_calibration",
            lambda s, **o: losses.batch_self_calibration(s, np.arange(3) < 2, **o | {"where": o["where"][:, None]}),
            x,
        ),
        statistics(
            "semantic_regularized_similarity",
            lambda f, labels, centroids, **o: jnp.sum(
                losses.semantic_regularized_similarity(
                    f, labels, centroids, np.eye(4, 3), np.array([[0, 1], [1, 2], [2, 0], [0, 1]]), **BAND, **o
                )
            ),
            x,
            np.arange(BATCH) % 3,
            PARAMETERS,
        ),
    ]


CASES = cases()
SHARDED = (
    "clip_softmax",
    "sigmoid_contrastive",
    "supervised_contrastive",
    "nt_xent",
    "barlow_twins",
)
NAMES = [case.name for case in CASES]
# Many losses in one program that runs once: compiled without the passes that would make it run faster.
jit = jax.jit


def is_batch(x) -> bool:
    return np.ndim(x) > 0 and len(x) == BATCH and np.shape(x) != (BATCH, BATCH)


def loss_of(case, parameters, arrays, where, **options):
    """The mean loss of embeddings that went through the parameters; and the losses."""
    is_embedding = [is_batch(x) and np.ndim(x) > 1 for x in case.arrays]
    arrays = [x @ parameters if embeds else x for x, embeds in zip(arrays, is_embedding)]
    loss = case.loss(*arrays, where=where, **options)
    return jnp.mean(loss), loss


def knobs_of(case) -> list[int]:
    return [i for i, x in enumerate(case.arrays) if np.ndim(x) == 0]


def gradient_of(case, parameters, arrays, where, vary=lambda x: x, **options):
    """Losses, and gradients of the mean in the parameters and the scalar knobs; `vary` makes a device's own copies."""
    knobs = knobs_of(case)

    def total(parameters, scalars):
        filled = list(arrays)
        for i, scalar in zip(knobs, scalars):
            filled[i] = scalar
        return loss_of(case, parameters, filled, where, **options)

    scalars = [vary(jnp.asarray(arrays[i])) for i in knobs]
    (_, loss), gradients = jax.value_and_grad(total, argnums=(0, 1), has_aux=True)(vary(parameters), scalars)
    return loss, gradients


@functools.cache
def on_one_device():
    return jit(lambda arrays: [gradient_of(case, PARAMETERS, xs, WHERE) for case, xs in zip(CASES, arrays)])(
        [case.arrays for case in CASES]
    )


@functools.cache
def mesh():
    return jax.make_mesh((DEVICES,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))


def specs(case):
    return tuple(DIVIDED if is_batch(x) else REPLICATED for x in case.arrays)


@functools.cache
def with_sharded_arguments():
    """One of each way to walk the pairs; what else there is differs in what it does to their sums."""
    cases = [case for case in CASES if case.name in SHARDED]
    shardings = [tuple(jax.sharding.NamedSharding(mesh(), spec) for spec in specs(case)) for case in cases]
    step = jit(
        lambda arrays: {c.name: gradient_of(c, PARAMETERS, xs, WHERE, chunk=4) for c, xs in zip(cases, arrays)},
        in_shardings=(shardings,),
    )
    return step([case.arrays for case in cases])


def per_device(arrays, where):
    """What a device runs on its own rows: it differentiates its own mean in its own copies, and means over devices."""

    def vary(x):
        return x + 0 * jax.lax.axis_index("data").astype(x.dtype)

    results = []
    for case, xs in zip(CASES, arrays):
        loss, gradients = gradient_of(case, PARAMETERS, xs, where, vary, axis_name="data", chunk=2)
        results.append((loss, jax.lax.pmean(gradients, "data")))
    return results


@functools.cache
def inside_shard_map():
    step = jax.shard_map(
        per_device,
        mesh=mesh(),
        in_specs=([specs(case) for case in CASES], DIVIDED),
        out_specs=[(DIVIDED, REPLICATED) for _ in CASES],
    )
    return jit(step)([case.arrays for case in CASES], WHERE)


def rows_in_order(case, loss):
    """From each device's `[first views, second views]` to those of the whole batch."""
    if case.views == 2:
        return np.asarray(loss).reshape(DEVICES, 2, -1).swapaxes(0, 1).ravel()
    return np.asarray(loss)


@pytest.mark.parametrize("name", SHARDED)
def test_sharded_arguments_change_nothing(name):
    expected = on_one_device()[NAMES.index(name)]
    contract.assert_close(with_sharded_arguments()[name], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("i", range(len(CASES)), ids=[case.name for case in CASES])
def test_shard_map_gives_the_rows_and_the_mean_gradient(i):
    loss, gradients = inside_shard_map()[i]
    expected_loss, expected_gradients = on_one_device()[i]
    expected_loss = np.repeat(expected_loss, DEVICES) if CASES[i].views == 0 else expected_loss
    contract.assert_close(rows_in_order(CASES[i], loss), expected_loss, rtol=1e-4, atol=1e-5)
    contract.assert_close(gradients, expected_gradients, rtol=1e-3, atol=1e-5)


FEW = [NAMES.index(name) for name in ("clip_softmax", "sigmoid_contrastive", "barlow_twins")]


def test_a_mean_over_devices_inside_the_gradient_needs_no_second_one():
    """Parameters that all devices share: the gradient of the `pmean` of the losses is that of the whole batch."""

    def per_device(parameters, arrays, where):
        def total(parameters, case, xs):
            return jax.lax.pmean(loss_of(case, parameters, xs, where, axis_name="data")[0], "data")

        return [jax.value_and_grad(total)(parameters, CASES[i], xs) for i, xs in zip(FEW, arrays)]

    in_specs = (REPLICATED, [specs(CASES[i]) for i in FEW], DIVIDED)
    step = jax.shard_map(per_device, mesh=mesh(), in_specs=in_specs, out_specs=REPLICATED)
    for i, (loss, gradient) in zip(FEW, jax.jit(step)(PARAMETERS, [CASES[i].arrays for i in FEW], WHERE)):
        expected_loss, (expected_gradient, _) = on_one_device()[i]
        contract.assert_close(loss, np.mean(expected_loss), rtol=1e-4)
        contract.assert_close(gradient, expected_gradient, rtol=1e-3, atol=1e-5)


def test_pmap_follows_the_same_convention():
    def per_device(arrays, where):
        results = [gradient_of(CASES[i], PARAMETERS, xs, where, axis_name="data") for i, xs in zip(FEW, arrays)]
        return [(loss, jax.lax.pmean(gradients, "data")) for loss, gradients in results]

    def divide(x):
        return x.reshape(DEVICES, -1, *x.shape[1:]) if is_batch(x) else np.full(DEVICES, x)

    arrays = [tuple(map(divide, CASES[i].arrays)) for i in FEW]
    results = jax.pmap(per_device, axis_name="data")(arrays, WHERE.reshape(DEVICES, -1))
    for i, (loss, gradients) in zip(FEW, results):
        expected_loss, expected_gradients = on_one_device()[i]
        expected_loss = np.repeat(expected_loss, DEVICES) if CASES[i].views == 0 else expected_loss
        contract.assert_close(np.ravel(loss), expected_loss, rtol=1e-4, atol=1e-5)
        contract.assert_close(jax.tree.map(lambda x: x[0], gradients), expected_gradients, rtol=1e-3, atol=1e-5)


def test_losses_of_a_square_of_scores_take_it_divided_over_its_rows():
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(BATCH, BATCH)).astype(np.float32)
    kernel = np.corrcoef(rng.normal(size=(BATCH, 4))).astype(np.float32)
    square = {
        "nce_bound": lambda s, **o: losses.nce_bound(s, **o),
        "nwj_bound": lambda s, **o: losses.nwj_bound(s, **o),
        "conditional_hard_negatives": lambda s, **o: losses.conditional_hard_negatives(s, kernel, ridge=0.1, **o),
        "conditional_positives": lambda s, **o: losses.conditional_positives(s, kernel, ridge=0.1, **o),
        "bidirectional_hinge": lambda s, where: losses.bidirectional_hinge(s, where=where[:, None] & where[None, :]),
    }

    @jit
    def everything(scores, where):
        def one(loss):
            return jax.value_and_grad(lambda s: (jnp.mean(loss(s, where=where)), loss(s, where=where)), has_aux=True)

        return {name: one(loss)(scores) for name, loss in square.items()}

    divided = jax.device_put((scores, WHERE), jax.sharding.NamedSharding(mesh(), DIVIDED))
    contract.assert_close(everything(*divided), everything(scores, WHERE), rtol=1e-4, atol=1e-5)


def test_the_work_and_the_memory_are_divided_over_sharded_arguments():
    """Each device multiplies an eighth of the pairs, and the rows are gathered once, not in every block."""

    def step(x, y):
        loss = losses.clip_softmax(x, y, scale=10.0, chunk=64)
        return jnp.mean(loss)

    batch = jax.ShapeDtypeStruct((512, 128), jnp.float32)
    sharding = jax.sharding.NamedSharding(mesh(), DIVIDED)
    gradient = jax.value_and_grad(step, argnums=(0, 1))
    whole = jax.jit(gradient).lower(batch, batch).compile()
    divided = jax.jit(gradient, in_shardings=(sharding, sharding)).lower(batch, batch).compile()
    assert divided.memory_analysis().temp_size_in_bytes < whole.memory_analysis().temp_size_in_bytes * 2
    text = divided.as_text()
    assert "f32[64,64]" in text  # a block of 64 rows against 512 / 8 columns
    assert "f32[64,512]" not in text
    assert all(part.startswith("ENTRY") for part in text.split("\n\n") if " all-gather(" in part)
