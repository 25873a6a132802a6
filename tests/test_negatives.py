"""What an image is compared with: chosen classes are those that were asked for, remembered ones are the last."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_trainer
import toy

from zsl_jax import data, errors, methods
from zsl_jax.methods import objectives
from zsl_jax.methods.objectives import memory as memory_lib
from zsl_jax.training import checkpoints, loop, parallel, states, sweeps
from zsl_jax.verbs import command_line

# A loss that the choice goes with, and knobs that matter within a few steps.
CHOICES = {
    "all": ("info_nce", {"similar": 0.5}),
    "hardest": ("info_nce", {"num_negatives": 2}),
    "semi_hard": ("info_nce", {"num_negatives": 2}),
    "random": ("info_nce", {"num_negatives": 2}),
    "curriculum": ("info_nce", {"num_negatives": 2, "ramp_steps": 40}),
    "dynamic": ("info_nce", {"num_negatives": 2, "refresh_steps": 3}),
    "swapped": ("warp", {}),
    "queue": ("supervised_contrastive", {"num_negatives": 48, "memory_momentum": 0.5}),
    "bank": ("clip_softmax", {"num_negatives": 4, "memory_momentum": 0.5}),
}


@functools.cache
def toy_task():
    return data.test_task(toy.dataset(num_seen=10, num_unseen=3, per_class=16))


@functools.cache
def digits():
    return data.test_task(data.load("digits"))


@functools.cache
def bilinear(name, **knobs):
    loss, given = CHOICES[name]
    return methods.normalized(methods.bilinear(loss=loss, negatives=name, **(given | knobs)))


def compared(seed=0, count=8, where=None):
    rng = np.random.default_rng(seed)
    task = toy_task()
    labels = rng.integers(0, task.num_seen, count)
    where = np.ones(count, bool) if where is None else np.asarray(where)
    batch = data.Batch(np.zeros((count, 1)), labels, where)
    classes = task.seen_classes
    images = rng.standard_normal((count, classes.embedding.shape[1])).astype(np.float32)
    return objectives.of_batch(images, classes.embedding, batch, classes, small_trainer.KEY)


def test_every_choice_is_tried():
    assert set(CHOICES) == set(objectives.CHOICES)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "queue" else pytest.mark.long) for name in CHOICES]
)
def test_a_choice_trains_and_the_descriptions_are_what_it_uses(name):
    task, method = digits(), bilinear(name)
    state = small_trainer.fitted(method, task, epochs=15, batch_size=64)
    unseen = task.sets["test_unseen"]
    found = methods.score(method, state, jnp.asarray(unseen.inputs), task.unseen_classes)
    right = small_trainer.top1(found, unseen.labels, first=task.num_seen)
    shuffled = [small_trainer.top1(np.roll(found, turn, axis=1), unseen.labels, first=task.num_seen) for turn in (1, 2)]
    assert right > max(0.42, *shuffled), (right, shuffled)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long) if name in ("bank", "swapped") else name for name in CHOICES]
)
@pytest.mark.long
def test_devices_change_nothing_and_the_choice_does(name):
    """Two epochs by the trainer itself; beside them the same loss with all negatives."""

    of_jit, of_shards = (trained(bilinear(name), mode) for mode in ("jit", "shard_map"))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), of_jit, of_shards)
    plain, found_plain = with_all_negatives(CHOICES[name][0])
    assert np.abs(scores_of_unseen(bilinear(name), of_jit) - found_plain).max() > 1e-4
    if name != "swapped":  # which leaves the attributes as they are
        assert jax.tree.structure(plain) == jax.tree.structure(of_jit), "what was remembered is gone after training"


def trained(method, mode):
    mesh = parallel.make_mesh(mode=mode)
    training = states.Training(method, toy_task(), key=jax.random.key(0), batch_size=16, mesh=mesh, mode=mode)
    *_, (_, state, _) = loop.fit(training, epochs=2)
    return jax.device_get(loop.finish(training, state))


@functools.cache
def with_all_negatives(loss):
    usual = methods.normalized(methods.bilinear(loss=loss))
    state = trained(usual, "jit")
    return state, scores_of_unseen(usual, state)


def scores_of_unseen(method, state):
    inputs = toy_task().sets["test_unseen"].inputs
    return np.asarray(methods.score(method, state, inputs, toy_task().unseen_classes))


def test_negatives_are_those_that_were_asked_for():
    scores = jnp.array([[5.0, 4.0, 6.0, 1.0, 2.0], [0.0, 1.0, 2.0, 3.0, 4.0]])
    is_own = jnp.array([[True, False, False, False, False], [False, False, True, False, False]])
    relations = jnp.array([[1.0, 0.2, 0.1, 0.9, 0.3], [0.0, 0.1, 1.0, 0.2, 0.95]])

    def of(name, number=2, similar=1.0):
        options = {"negatives": name, "num_negatives": number, "similar": similar}
        found = objectives.chosen(scores, is_own, relations, small_trainer.KEY, **options)
        assert (found | ~is_own).all(), "the own class always counts"
        return [np.flatnonzero(row & ~own).tolist() for row, own in zip(found, is_own)]

    assert of("all") == [[1, 2, 3, 4], [0, 1, 3, 4]]
    assert of("all", similar=0.5) == [[1, 2, 4], [0, 1, 3]]
    assert of("hardest") == [[1, 2], [3, 4]]
    assert of("hardest", similar=0.5) == [[1, 2], [1, 3]]
    assert of("semi_hard") == [[1, 4], [0, 1]]
    assert of("semi_hard", number=3) == [[1, 3, 4], [0, 1, 3]], "then the easiest of those above"
    assert [len(row) for row in of("random", number=3)] == [3, 3]
    with pytest.raises(errors.UserError, match="did you mean 'hardest'"):
        methods.bilinear(negatives="hardes")


def test_a_loss_on_the_hardest_class_is_that_of_the_largest_hinge():
    """With one negative the rank is one, and all hinges are the largest."""
    given = compared()
    one = {"negatives": "hardest", "num_negatives": 1, "similar": 1.0}
    expected = objectives.make("structured_hinge").loss(given)
    for name in ("warp", "rank_hinge", "structured_hinge"):
        found = objectives.with_negatives(objectives.make(name), **one).loss(given)
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert not np.allclose(objectives.make("rank_hinge").loss(given), expected)
    assert not methods.bilinear(negatives="random").divides


@pytest.mark.parametrize("name", ["curriculum", "dynamic", "queue", "bank"])
def test_what_is_remembered_is_saved_and_training_goes_on_to_the_same_bits(name, tmp_path):
    mesh = parallel.make_mesh()
    training = states.Training(bilinear(name), toy_task(), key=jax.random.key(0), batch_size=16, mesh=mesh)
    straight = {epoch: jax.device_get(state) for epoch, state, _ in loop.fit(training, epochs=2)}
    checkpoints.save(tmp_path, 1, straight[1], notes={}, belongs={})
    found = checkpoints.restore_latest(tmp_path, states.abstract_state(training), warn=pytest.fail, belongs={})
    ((epoch, state, _),) = loop.fit(training, epochs=2, start=(1, states.with_frozen(training, found.state)))
    assert epoch == 2
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(state), straight[2])
    forgotten = straight[1].inner._replace(kept=jax.tree.map(np.zeros_like, straight[1].inner.kept))
    ((_, other, _),) = loop.fit(training, epochs=2, start=(1, straight[1]._replace(inner=forgotten)))
    assert np.abs(jax.device_get(other).inner.params - straight[2].inner.params).max() > 0


def test_a_curriculum_goes_from_a_percentile_to_the_hardest():
    scores = jnp.arange(11.0)[None, :]
    is_own, relations = jnp.arange(11)[None, :] == 10, jnp.zeros((1, 11))

    def of(progress, similar=1.0, relations=relations):
        given = {"negatives": "curriculum", "num_negatives": 1, "similar": similar, "progress": progress}
        found = objectives.chosen(scores, is_own, relations, small_trainer.KEY, **given)
        return np.flatnonzero(found[0, :10]).tolist()

    assert [of(progress) for progress in (0.0, 0.5, 1.0)] == [[3], [6], [9]]
    # Of ten wrong classes the upper five are too similar: the percentile is among the others.
    assert of(1.0, similar=0.5, relations=(jnp.arange(11)[None, :] >= 5).astype(float)) == [4]
    objective = objectives.with_negatives(
        objectives.make("structured_hinge"), negatives="curriculum", num_negatives=1, ramp_steps=10
    )
    assert objective.memory.add(objective.memory.start(10, 8), None) == 1
    hinges = [jnp.sum(objective.loss(_with(compared(), jnp.int32(step)))) for step in (0, 5, 10, 1000)]
    assert hinges[0] < hinges[1] < hinges[2] == hinges[3]


def _with(given, notes):
    return objectives.Compared(**{**vars(given), "notes": notes})


@pytest.mark.parametrize("by_class", [False, True])
def test_the_last_embeddings_are_remembered_and_rows_that_fill_up_are_not(by_class):
    size = 3
    memory = memory_lib.of_embeddings(size, 0.0, by_class=by_class)
    notes, add = memory.start(10, 8), jax.jit(lambda notes, seed, where: memory.add(notes, _seeded(seed, where)))
    expected = {}
    for seed in range(4):
        where = np.random.default_rng(seed).random(8) < 0.7
        notes = add(notes, seed, where)
        given = _seeded(seed, where)
        for image, label, counts in zip(given.images, given.labels, where):
            if counts:
                group = expected.setdefault(int(label) if by_class else 0, [])
                group.append((int(label), np.asarray(image).tolist()))
                del group[:-size]
    kept = sorted((int(label), x.tolist()) for label, x in zip(notes.labels, np.asarray(notes.vectors)) if label >= 0)
    assert kept == sorted(pair for group in expected.values() for pair in group)


BATCHES = [compared(seed) for seed in range(4)]


def _seeded(seed, where):
    images, labels = (jnp.stack([getattr(given, name) for given in BATCHES])[seed] for name in ("images", "labels"))
    return objectives.Compared(**{**vars(BATCHES[0]), "images": images, "labels": labels, "where": where})


@pytest.mark.long
def test_a_loss_with_remembered_images_is_that_of_the_larger_batch():
    given, old = compared(0), compared(1, where=[True, False] * 4)
    notes = memory_lib.Embeddings(old.images, jnp.where(old.where, old.labels, -1), jnp.zeros(1, jnp.int32))
    for name in ("supervised_contrastive", "clip_softmax", "circle"):
        objective = objectives.make(name)
        found = objectives.with_negatives(objective, negatives="queue", num_negatives=8).loss(_with(given, notes))
        both = {
            field: jnp.concatenate([getattr(given, field), getattr(old, field)])
            for field in ("images", "labels", "where")
        }
        whole = objective.loss(objectives.Compared(**{**vars(given), **both}))
        np.testing.assert_allclose(found, whole[:8], rtol=1e-6)
        assert not np.allclose(found, objective.loss(given))


def test_a_queue_of_moving_averages_lags_behind_the_parameters():
    memory = memory_lib.Memory(lambda count, width: 0.0, lambda notes, given: given, momentum=0.75)
    kept = objectives.begin(memory, jnp.float32(1.0), 3, 2)
    for value in (2.0, 3.0):
        kept = objectives.after(memory, kept, None, jnp.float32(value), lambda average: average)
    assert kept.notes == kept.average == 0.75 * (0.75 * 1 + 0.25 * 2) + 0.25 * 3


def test_a_swapped_description_is_half_of_the_own_one_and_half_of_the_hardest_wrong_one():
    given = compared()
    found, make = [], objectives.make("softmax_cross_entropy")

    def spy(seen, **learned):
        found.append(seen)
        return make.loss(seen, **learned)

    objective = objectives.with_negatives(make._replace(loss=spy), negatives="swapped")
    assert objective.axes
    assert not objective.divides
    values = objective.loss(given)
    (seen,) = found
    from_own, from_other = seen.swapped == given.own, seen.swapped == given.hardest
    assert (from_own | from_other).all()
    assert 0.3 < np.mean(from_own) < 0.7
    logits = np.concatenate([given.scores, np.sum(np.asarray(given.images) * seen.swapped, axis=1)[:, None]], axis=1)
    expected = np.log(np.exp(logits).sum(1)) - logits[np.arange(8), given.labels]
    np.testing.assert_allclose(values, expected, rtol=1e-4)
    # With unit vectors it is normalised with the classes, and a caption for no image in the loss on pairs.
    unit = objectives.with_negatives(objectives.make("hard_negative_clip"), negatives="swapped").loss(given)
    plain = objectives.make("hard_negative_clip").loss(given)
    assert (unit > plain).all()
    scaled = objectives.Compared(**{**vars(given), "described": 3 * given.described})
    again = objectives.with_negatives(objectives.make("hard_negative_clip"), negatives="swapped").loss(scaled)
    np.testing.assert_allclose(again, unit, rtol=1e-4)


def test_of_a_pair_the_attribute_or_the_object_is_swapped_whole():
    """Eight pairs of three attributes, as vectors of five numbers, and four objects, of two."""
    rng = np.random.default_rng(0)
    parts = np.array([(a, o) for a in range(3) for o in range(4)])[:8]
    shared = {"attributes": rng.standard_normal((3, 5)), "objects": rng.standard_normal((4, 2))}
    embedding = np.concatenate([shared["attributes"][parts[:, 0]], shared["objects"][parts[:, 1]]], axis=1)
    table = data.ClassTable(embedding.astype(np.float32), np.ones(8, bool), parts=parts, shared=shared)
    labels = rng.integers(0, 8, 400)
    batch = data.Batch(np.zeros((400, 1)), labels, np.ones(400, bool))
    images = rng.standard_normal((400, 7)).astype(np.float32)
    given, found = objectives.of_batch(images, table.embedding, batch, table, small_trainer.KEY), []
    make = objectives.make("softmax_cross_entropy")
    objective = make._replace(loss=lambda seen: found.append(seen) or make.loss(seen))
    objectives.with_negatives(objective, negatives="swapped").loss(given)
    swapped, wrong = np.asarray(found[0].swapped), np.where(labels[:, None] == np.arange(8), -np.inf, given.scores)
    sides = []
    for row, label, other in zip(swapped, labels, np.argmax(wrong, axis=1)):
        of_attribute = np.concatenate([embedding[other, :5], embedding[label, 5:]])
        of_object = np.concatenate([embedding[label, :5], embedding[other, 5:]])
        is_swapped = [parts[label, side] != parts[other, side] for side in (0, 1)]
        fits = [np.allclose(row, wanted, atol=1e-6) for wanted in (of_attribute, of_object)]
        assert any(fit and differs for fit, differs in zip(fits, is_swapped))
        assert not np.allclose(row, embedding[label])
        if all(is_swapped):
            sides.append(fits[0])
    assert 0.4 < np.mean(sides) < 0.6
    # Descriptions of another kind are swapped number by number, as those of other classes are.
    other = data.ClassTable(rng.standard_normal((8, 7)), table.is_seen, parts=parts, shared={"words": shared})
    objectives.with_negatives(objective, negatives="swapped").loss(
        objectives.of_batch(images, other.embedding, batch, other, small_trainer.KEY)
    )
    from_own = np.isclose(found[1].swapped, other.embedding[labels])
    assert len(np.unique(from_own, axis=0)) > 20


def test_dynamic_negatives_are_the_hardest_until_they_are_easy():
    memory = memory_lib.of_hard_classes(2, 2, 1.0)
    notes, given = memory.start(10, 8), compared(0)
    cosines = given.of_unit_length().scores
    for _ in range(2):
        assert not notes.chosen.any()
        notes = memory.add(notes, given)
    for label in set(np.asarray(given.labels).tolist()):
        mean = np.mean([cosines[b] for b in range(8) if given.labels[b] == label], axis=0)
        np.testing.assert_allclose(notes.means[label], mean, rtol=1e-5)
        expected = [c for c in np.argsort(-mean) if c != label][:2]
        assert sorted(np.flatnonzero(notes.chosen[label])) == sorted(expected)
    # A class whose cosine fell by more than the ease goes, one that fell by less stays.
    means, first = jnp.array([[1.0, 0.4, 0.45, 0.44]]), jnp.array([[0.0, 0.5, 0.5, 0.0]])
    is_wrong = jnp.array([[False, True, True, True]])
    new = memory_lib.refreshed(means, first, jnp.array([[False, True, True, False]]), is_wrong, size=2)
    assert np.flatnonzero(new[0]).tolist() == [2, 3]
    unchanged = memory_lib.refreshed(means, first, jnp.array([[False, False, True, True]]), is_wrong, size=2)
    assert np.flatnonzero(unchanged[0]).tolist() == [2, 3]


def test_before_the_first_look_all_classes_are_dynamic_negatives():
    objective = objectives.with_negatives(objectives.make("rank_hinge"), negatives="dynamic", num_negatives=1)
    notes, given = objective.memory.start(10, 8), compared(0)
    np.testing.assert_allclose(
        objective.loss(_with(given, notes)), objectives.make("rank_hinge").loss(given), rtol=1e-6
    )
    later = notes._replace(step=jnp.int32(100), chosen=jnp.eye(10, k=1) > 0)
    hinges = 1.0 + given.scores - jnp.sum(jnp.where(given.is_own, given.scores, 0.0), axis=1, keepdims=True)
    expected = [max(hinges[b, y + 1], 0.0) if y < 9 else 0.0 for b, y in enumerate(given.labels)]
    np.testing.assert_allclose(objective.loss(_with(given, later)), expected, rtol=1e-5)


@pytest.mark.long
def test_towers_remember_at_their_whole_width():
    knobs = {"width": 8, "prefixes": (4,), "score_width": 4, "negatives": "queue", "num_negatives": 32}
    method, task = small_trainer.make("two_tower", loss="clip_softmax", **knobs), toy_task()
    batch = data.Batch(task.train.inputs[:16], task.train.labels[:16], np.ones(16, bool))
    state, values = small_trainer.steps(method, task, batch, count=8)
    assert state.kept.notes.vectors.shape == (32, 8)
    assert (state.kept.notes.labels >= 0).all()
    plain = small_trainer.make("two_tower", loss="clip_softmax", width=8, prefixes=(4,), score_width=4)
    others = small_trainer.steps(plain, task, batch, count=8)[1]
    assert values[0] == pytest.approx(others[0], rel=1e-5), "nothing is remembered yet"
    assert all(value > other for value, other in zip(values[1:], others[1:])), "thirty-two more images to tell apart"
    assert method.finish(state, task.train, task.seen_classes, small_trainer.KEY).kept == ()


@pytest.mark.long
def test_negatives_are_swept_and_what_goes_wrong_is_one_line(tmp_path):
    recipe = functools.partial(command_line.recipe, "bilinear:digits")
    made = recipe(
        {"method.negatives": "curriculum", "method.num_negatives": "1", "train.epochs": "2", "train.batch_size": "16"}
    )
    points = [{"method.ramp_steps": value} for value in (1.0, 1000.0)]
    assert all(sweeps.is_knob(made, key) for key in points[0])
    source = toy.dataset(num_seen=8)
    together = sweeps.run_trials(made, points, tmp_path / "together", source=source)
    alone = sweeps.run_trials(sweeps.overridden(made, points[1]), [{}], tmp_path / "alone", source=source)
    assert together[1]["harmonic"] == pytest.approx(alone[0]["harmonic"], abs=1e-6)
    assert together[0] | {"setting": None} != together[1] | {"setting": None}
    with pytest.raises(errors.UserError, match="this one compares an image with classes"):
        methods.bilinear(negatives="queue")
    with pytest.raises(errors.UserError, match=r"negatives=hardest.* choose among the classes"):
        methods.bilinear(loss="clip_softmax", negatives="hardest")
    with pytest.raises(errors.UserError, match=r"config\.method\.ramp_steps=0.0 is not"):
        recipe({"method.ramp_steps": "0"})
    for loss in ("cosent", "circle", "warp+0.1*alignment"):
        with pytest.raises(errors.UserError, match="negatives=swapped adds a wrong description"):
            methods.bilinear(loss=loss, negatives="swapped")
    with pytest.raises(errors.UserError, match="did you mean 'curriculum'"):
        methods.bilinear(negatives="curiculum")
