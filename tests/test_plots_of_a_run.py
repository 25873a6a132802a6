"""The figures that `train` leaves, drawn from a real run: axes, series and labels, not pixels."""

import json

import numpy as np
import pytest

from zsl_jax import errors, plots
from zsl_jax.verbs import captions, figures

pytestmark = pytest.mark.long

RNG = np.random.default_rng(0)
NAMES = ("001.Red_fox", "wolf", "okapi", "zebra")
IS_SEEN = np.array([True, True, False, False])


@pytest.fixture(scope="module")
def drawn(digits_run, tmp_path_factory):
    """The names and the figures of the digits run."""
    workdir, result, _ = digits_run
    kept, folder = {}, tmp_path_factory.mktemp("figures")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "save", lambda figure, path: kept.update({path.name: figure}))
        for name in ("config.json", "record.json", "classes.csv", "metrics.jsonl", "checkpoints"):
            (folder / name).symlink_to(workdir / name)
        names = figures.draw(result, folder)
    return names, kept, result, workdir


def texts(labels):
    return [label.get_text() for label in labels]


def test_a_run_with_images_leaves_these_figures(drawn):
    names, figures, _, _ = drawn
    assert names == [name for name in captions.CAPTIONS if name not in ("bias.png", "pairs.png", "examples.png")]
    assert set(names) == set(figures)
    for figure in figures.values():
        figure.draw_without_rendering()


def test_curves_are_those_of_the_log_and_the_selection(drawn):
    _, figures, result, workdir = drawn
    left, middle, right = figures["curves.png"].axes
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    for line, phase in zip(left.lines, ("select", "train")):
        np.testing.assert_allclose(line.get_ydata(), [e["loss"] for e in lines if e["phase"] == phase])
    assert texts(middle.get_legend().get_texts()) == ["gradient norm"]
    np.testing.assert_allclose(
        middle.lines[0].get_ydata(), [e["gradient_norm"] for e in lines if e["phase"] == "train"]
    )
    history = result.record["selection"]["history"]
    np.testing.assert_allclose(right.lines[0].get_ydata(), [entry["zsl"] for entry in history])
    np.testing.assert_allclose(right.lines[2].get_ydata(), [entry["uncalibrated"] for entry in history])
    assert right.lines[4].get_xdata()[0] == result.record["selection"]["epochs"]
    assert texts(right.get_legend().get_texts()) == ["ZSL", "H, calibrated", "H", "AUSUC"]


def test_the_confusion_matrix_has_seen_classes_first_and_rows_that_sum_to_one(drawn):
    _, figures, result, _ = drawn
    axes = figures["confusion.png"].axes[0]
    shares = np.asarray(axes.images[0].get_array()) ** 2
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-6)
    assert texts(axes.get_yticklabels()) == list(result.task.classes.names)
    colours = [label.get_color() for label in axes.get_yticklabels()]
    assert colours == [plots.SEEN] * 7 + [plots.UNSEEN] * 3
    counts = result.evaluated.counts
    correct = counts["gzsl_correct"] / counts["images"]
    np.testing.assert_allclose(np.diag(shares), correct, rtol=1e-6)


def test_bars_of_a_confusion_sum_to_its_margin(drawn):
    panels = [axes for axes in drawn[1]["confusions.png"].axes if axes.get_visible()]
    assert panels
    for axes in panels:
        total = sum(bar.get_width() for bar in axes.patches)
        assert total > 0, "the wrong class must have been ahead"
        assert float(axes.get_xlabel().rpartition(" ")[2]) == pytest.approx(total, rel=6e-3)


def test_maps_of_described_and_predicted_attributes_have_the_same_axes(drawn):
    _, figures, result, _ = drawn
    left, right, *_ = figures["attributes.png"].axes
    assert np.shape(left.images[0].get_array()) == np.shape(right.images[0].get_array()) == (10, 18)
    described = np.asarray(result.task.classes.embedding)
    expected = (described - described.mean(0)) / described.std(0)
    np.testing.assert_allclose(left.images[0].get_array(), expected, atol=1e-4)
    assert texts(left.get_xticklabels()) == texts(right.get_xticklabels())
    found = np.corrcoef(np.ravel(left.images[0].get_array()), np.ravel(right.images[0].get_array()))[0, 1]
    assert float(figures["attributes.png"].get_suptitle().rpartition(" ")[2]) == pytest.approx(found, abs=0.006)


def test_of_many_classes_those_of_the_largest_confusions_are_named_and_none_touches_another():
    rng, count = np.random.default_rng(0), 60
    labels = np.repeat(np.arange(count), 10)
    predictions = np.where(rng.random(len(labels)) < 0.3, rng.integers(count, size=len(labels)), labels)
    predictions[labels == 7] = 50
    names = [f"kind {row}" for row in range(count)]
    axes = plots.confusion_matrix(labels, predictions, names=names, is_seen=np.arange(count) < 40).axes[0]
    rows, columns = (texts(axis.get_ticklabels()) for axis in (axes.yaxis, axes.xaxis))
    assert "kind 7" in rows
    assert "kind 50" in columns
    assert np.diff(axes.get_yticks()).min() >= 2
    circles = list(zip(*axes.lines[-1].get_data()))
    assert circles == [(pair.predicted, pair.label) for pair in plots.worst_pairs(labels, predictions, count, 12)]
    assert circles[0] == (50, 7)
    assert set(rows) <= {f"kind {row}" for _, row in circles}
    assert {"40 seen", "20 unseen"} == set(texts(axes.texts))


def test_a_star_for_each_class_and_a_dot_for_each_image(drawn):
    _, figures, result, _ = drawn
    axes = figures["embeddings.png"].axes[0]
    by_label = {line.get_label(): line for line in axes.lines}
    assert len(by_label["images of unseen classes"].get_xdata()) == len(result.task.sets["test_unseen"].labels)
    assert len(by_label["descriptions of seen classes"].get_xdata()) == 7
    assert by_label["images of seen classes"].get_color() == plots.SEEN
    assert by_label["descriptions of unseen classes"].get_color() == plots.UNSEEN
    discs = by_label["descriptions of unseen classes"]
    assert texts(axes.texts) == ["1", "2", "3"]
    assert [text.xy[1] for text in axes.texts] == sorted(discs.get_ydata(), reverse=True)
    beside = texts(figures["embeddings.png"].axes[1].texts)
    rows = np.flatnonzero(~np.asarray(result.task.classes.is_seen))
    assert beside[::2] == ["1", "2", "3"]
    assert set(beside[1::2]) == {result.task.classes.names[row] for row in rows} == {"one", "five", "seven"}


def test_strips_show_the_best_images_of_a_class(drawn):
    _, figures, result, _ = drawn
    figure = figures["retrieval.png"]
    first = figure.axes[0]
    row = result.task.num_seen
    scores = result.evaluated.rows["zsl"].scores
    best = np.argsort(-scores[:, row], kind="stable")[0]
    assert first.get_ylabel() == result.task.classes.names[row]
    np.testing.assert_array_equal(first.images[0].get_array(), result.unseen_images[best])


def test_worst_pairs_are_the_largest_shares_off_the_diagonal():
    labels, predictions = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2]), np.array([0, 1, 1, 1, 1, 3, 2, 2, 2])
    assert plots.worst_pairs(labels, predictions, 4, 5) == [(0, 1, pytest.approx(2 / 3)), (2, 3, 0.25)]


def test_embeddings_in_tsne_and_an_unknown_projection():
    points, labels = RNG.standard_normal((30, 4)), np.arange(30) % 4
    shared = {"names": NAMES, "is_seen": IS_SEEN}
    figure = plots.embeddings(points, labels, np.eye(4), projection="tsne", **shared)
    assert "t-SNE" in figure.get_suptitle()
    with pytest.raises(errors.UserError, match="unknown projection 'pcaa': did you mean 'pca'"):
        plots.embeddings(points, labels, np.eye(4), projection="pcaa", **shared)


def test_pairs_stand_in_a_matrix_and_unseen_ones_are_framed():
    pairs = [("red", "star"), ("red", "moon"), ("blue", "star")]
    axes = plots.pair_matrix(pairs, [0.5, 1.0, np.nan], [True, False, True]).axes[0]
    np.testing.assert_array_equal(axes.images[0].get_array().filled(np.nan), [[0.5, 1.0], [np.nan, np.nan]])
    assert texts(axes.texts) == ["50", "100"]
    assert [texts(axes.get_xticklabels()), texts(axes.get_yticklabels())] == [["star", "moon"], ["red", "blue"]]
    from matplotlib import colors

    frames = [colors.to_hex(patch.get_edgecolor()) for patch in axes.patches]
    assert frames == [c.lower() for c in (plots.SEEN, plots.UNSEEN, plots.SEEN)]


def test_many_attributes_and_classes_are_cut_to_those_that_differ():
    described = np.concatenate([RNG.standard_normal((80, 70)), np.zeros((80, 30))], axis=1)
    figure = plots.attribute_maps(
        described,
        described,
        names=[f"c{i}" for i in range(80)],
        attributes=[f"a{i}" for i in range(100)],
        is_seen=np.arange(80) < 72,
    )
    assert np.shape(figure.axes[0].images[0].get_array()) == (64, 60)
    assert all(int(name[1:]) < 70 for name in texts(figure.axes[0].get_xticklabels()))
    assert figure.get_suptitle().endswith("1.00")
