"""Figures hold what the record holds: axes, series and labels, not pixels."""

import numpy as np
import pytest
import toy

from zsl_jax import data, metrics, plots
from zsl_jax.training import evaluation, protocols


@pytest.fixture(scope="module")
def story():
    task = data.test_task(toy.dataset())
    rng = np.random.default_rng(0)
    labels = np.concatenate([task.sets[name].labels for name in ("test_unseen", "test_seen")])
    scores = rng.standard_normal((len(labels), len(task.classes))) + 2 * np.eye(len(task.classes))[labels]
    unseen, rows = len(task.sets["test_unseen"].labels), {}
    for name, look in protocols.GZSL.looks(task).items():
        count = unseen if name == "zsl" else len(labels)
        rows[name] = metrics.fold(scores[:count], look.groups, labels[:count], num_groups=look.num_groups)
    scored = evaluation.summarized(protocols.GZSL, rows, protocols.GZSL.facts(task.classes), {"gamma": 0.5})
    per_class = {
        name: {"seen": bool(seen), "images": 10, "zsl_correct": row, "gzsl_correct": row}
        for row, (name, seen) in enumerate(zip(task.classes.names, task.classes.is_seen))
    }
    record = {
        "method": "ale",
        "setting": "inductive",
        "dataset": {"name": "toy"},
        "metrics": {"zsl": {"top1": 0.75}, "gzsl": scored.metrics["gzsl"]},
        "per_class": per_class,
    }
    images = rng.integers(0, 255, (unseen, 8, 8, 3), dtype=np.uint8)
    return record, scored, task, plots.story(record, plots.answers(scored), task, images)


@pytest.mark.long
def test_the_title_says_the_result_and_the_chance(story):
    text = story[3].get_suptitle()
    assert "75.0 %" in text
    assert "chance 33.3 %" in text


@pytest.mark.long
def test_the_trade_off_has_the_curve_and_both_points(story):
    record, scored, _, figure = story
    curve, plain, calibrated = figure.axes[0].lines
    unseen, seen, _ = metrics.curve_of_rows(scored.rows["gzsl"], scored.facts["is_seen"])
    np.testing.assert_array_equal(curve.get_xdata(), unseen)
    np.testing.assert_array_equal(curve.get_ydata(), seen)
    for line, point in ((plain, record["metrics"]["gzsl"]), (calibrated, record["metrics"]["gzsl"]["calibrated"])):
        np.testing.assert_allclose(np.ravel(line.get_data()), [point["unseen"], point["seen"]])
    assert figure.axes[0].xaxis.label.get_color() == plots.UNSEEN
    assert figure.axes[0].yaxis.label.get_color() == plots.SEEN


def test_a_bar_for_each_unseen_class_best_first(story):
    _, _, task, figure = story
    axes = figure.axes[1]
    assert [bar.get_height() for bar in axes.patches] == [0.8, 0.7, 0.6]
    assert [label.get_text() for label in axes.get_xticklabels()] == list(task.unseen_classes.names[::-1])


def test_images_stand_under_their_class_with_the_predicted_name(story):
    _, scored, task, figure = story
    axes = figure.axes[2]
    assert axes.get_title() == task.classes.names[task.num_seen]
    first = np.flatnonzero(task.sets["test_unseen"].labels == task.num_seen)[0]
    predicted = metrics.predicted_class(scored.rows["zsl"])[first]
    right = predicted == task.num_seen
    assert axes.get_xlabel() == f"{'✓' if right else '✗'} {task.classes.names[predicted]}"


def test_the_landscape_of_tuples_and_words_has_them_as_names():
    settings = [{"widths": (16, 32), "loss": "ale"}, {"widths": (8, 16), "loss": "sje"}]
    trials = [{"setting": setting, "zsl": 0.5, "deviation": {"zsl": 0.1}} for setting in settings]
    left, right = plots.landscape(trials, "zsl").axes
    assert [label.get_text() for label in left.get_xticklabels()] == ["(16, 32)", "(8, 16)"]
    assert [label.get_text() for label in right.get_xticklabels()] == ["ale", "sje"]


def test_the_landscape_marks_the_winner():
    trials = [{"setting": {"rate": rate, "margin": 1.0}, "zsl": score} for rate, score in ((0.1, 0.2), (10.0, 0.6))]
    figure = plots.landscape(trials, "zsl")
    assert [axes.get_xlabel() for axes in figure.axes] == ["rate", "margin"]
    points, winner = figure.axes[0].lines
    np.testing.assert_array_equal(points.get_ydata(), [0.2, 0.6])
    np.testing.assert_array_equal(np.ravel(winner.get_data()), [10.0, 0.6])
    assert figure.axes[0].get_xscale() == "log"
