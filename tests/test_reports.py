"""Records read back and brought together: what is one row, what is one column, and what is refused."""

import json

import numpy as np
import pytest
import tiny_records

from zsl_jax import errors
from zsl_jax.data import json_files
from zsl_jax.training import comparisons, reading, record, reports


def collect(tmp_path, *contents):
    for number, content in enumerate(contents):
        tiny_records.write(tmp_path / f"run_{number}", content)
    return reports.collect(reading.load([tmp_path]))


@pytest.fixture(scope="module")
def three_methods(tmp_path_factory):
    """`sje` is far behind; `eszsl`, whose seeds do not differ, is a hair behind `ale`."""
    eszsl = [tiny_records.record("eszsl", right=0.6) | {"seeds": [seed]} for seed in range(3)]
    ale = [tiny_records.record("ale", seed=seed, right=0.62) for seed in range(3)]
    sje = [tiny_records.record("sje", seed=seed, right=0.3) for seed in range(3)]
    return collect(tmp_path_factory.mktemp("runs"), *ale, *sje, *eszsl)


def test_seeds_make_one_row(three_methods):
    (column,) = three_methods.columns
    assert (column.title, three_methods.notes) == ("birds (att)", ())
    assert [row.label for row in column.rows] == ["ale", "eszsl", "sje"]
    ale = column.rows[0]
    assert ale.seeds == (0, 1, 2)
    np.testing.assert_allclose(ale.values["calibrated_harmonic"], [0.62, 0.63, 0.64])
    np.testing.assert_allclose(ale.values["gamma"], [0.5, 0.625, 0.75])


def test_the_interval_is_centred_on_the_mean_over_seeds(three_methods):
    for row in three_methods.columns[0].rows:
        for metric in ("zsl", "unseen", "seen", "harmonic"):
            low, high = reports.interval(row, metric)
            mean = row.values[metric].mean()
            assert low < mean < high
            assert abs((low + high) / 2 - mean) < 0.02
            images = 200 if metric == "harmonic" else 100
            width = 2 * 1.96 * np.sqrt(mean * (1 - mean) / images)
            assert 0.7 * width < high - low < 1.4 * width
        assert reports.interval(row, "calibrated_harmonic") is None


def test_a_merged_record_says_what_its_runs_say(tmp_path):
    contents = [tiny_records.record(seed=seed) | {"state_sha256": str(seed)} for seed in range(3)]
    for content in contents:
        content["selection"] |= {"classes": ["a"], "history": [{"epochs": 1}]}
    (apart,) = collect(tmp_path / "apart", *contents).columns
    (merged,) = collect(tmp_path / "merged", record.merged(contents)).columns
    (one,), (other,) = apart.rows, merged.rows
    assert (one.label, one.seeds) == (other.label, other.seeds)
    for name, values in one.values.items():
        np.testing.assert_allclose(other.values[name], values, err_msg=name)
    for name, values in one.samples.items():
        np.testing.assert_allclose(other.samples[name], values, atol=1e-6, err_msg=name)
    content = other.records[0].content
    assert content["selection"]["epochs"] == [10, 11, 12]
    assert content["per_class"]["a"]["seen"] is False
    assert not {"state_sha256", "history"} & {*content, *content["selection"]}


def test_calibrated_images_give_an_interval_where_every_record_counts_them(tmp_path):
    contents = [tiny_records.record(seed=seed) for seed in (0, 1)]
    for content in contents:
        for counted in content["per_class"].values():
            counted["calibrated_correct"] = counted["gzsl_correct"]
    row = collect(tmp_path, *contents).columns[0].rows[0]
    width = {name: np.ptp(reports.interval(row, name)) for name in ("unseen", "calibrated_unseen")}
    assert width["calibrated_unseen"] == pytest.approx(width["unseen"], abs=0.03)
    assert np.mean(reports.interval(row, "calibrated_unseen")) == pytest.approx(
        row.values["calibrated_unseen"].mean(), abs=0.02
    )


def test_the_interval_of_seeds_that_differ_much_lies_around_their_mean(tmp_path):
    """H is 0 for the first seed and 0.6 for the second; of the mean counts it would be 0.4, not 0.3."""
    contents = [tiny_records.record(seed=seed) for seed in (0, 1)]
    for content, unseen in zip(contents, (0.0, 0.6)):
        content["metrics"]["gzsl"] |= {"unseen": unseen, "seen": 0.6, "harmonic": unseen}
        for counted in content["per_class"].values():
            counted["gzsl_correct"] = 15 if counted["seen"] else round(unseen * 25)
    row = collect(tmp_path, *contents).columns[0].rows[0]
    low, high = reports.interval(row, "harmonic")
    assert 0.2 < low < 0.3 < high < 0.4


def test_another_knob_is_another_row_and_says_so(tmp_path):
    contents = [tiny_records.record(seed=seed, knobs={"margin": m}) for m in (1.0, 2.0) for seed in (0, 1)]
    (column,) = collect(tmp_path, *contents).columns
    assert [(row.label, row.seeds) for row in column.rows] == [
        ("ale (margin=1.0)", (0, 1)),
        ("ale (margin=2.0)", (0, 1)),
    ]


def test_the_knobs_that_a_method_nearly_always_has_are_not_named(tmp_path):
    contents = [tiny_records.record(knobs={"margin": 1.0}), tiny_records.record(knobs={"margin": 2.0})]
    contents += [tiny_records.record(knobs={"margin": 1.0}, name=name) for name in ("other", "third")]
    columns = collect(tmp_path, *contents).columns
    assert sorted(row.label for column in columns for row in column.rows) == ["ale", "ale", "ale", "ale (margin=2.0)"]


def test_settings_and_selection_rules_are_not_mixed(tmp_path):
    contents = [
        tiny_records.record(),
        tiny_records.record(setting="instance-transductive"),
        tiny_records.record(on="test", seed=1),
    ]
    (column,) = collect(tmp_path, *contents).columns
    assert [(row.footing, row.label) for row in column.rows] == [
        (((), "validation classes"), "ale"),
        (((), "test"), "ale, chosen on test"),
        ((("test inputs",), "validation classes"), "ale, instance-transductive"),
    ]


def test_another_score_to_choose_by_is_another_row(tmp_path):
    other = tiny_records.record()
    other["selection"]["metric"] = other["config"]["select"]["metric"] = "zsl"
    (column,) = collect(tmp_path, tiny_records.record(), other).columns
    assert [row.label for row in column.rows] == ["ale (select.metric=harmonic)", "ale (select.metric=zsl)"]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (
            {"files": {"res101.mat": "c" * 64, "att_splits.mat": "b" * 64}},
            "files.res101.mat is aaaaaaaa in [A], cccccccc in [B]",
        ),
        ({"split": "own"}, "split is PS in [A], own in [B]"),
    ],
)
def test_different_data_under_one_name_are_kept_apart(other, words, tmp_path):
    report = collect(tmp_path, tiny_records.record(seed=0), tiny_records.record(seed=1, **other))
    assert [column.title for column in report.columns] == ["birds (att) [A]", "birds (att) [B]"]
    assert report.notes == (f"birds (att) is 2 different data sets, kept apart: {words}",)


def test_the_same_seed_twice_is_refused(tmp_path):
    with pytest.raises(
        errors.UserError,
        match=r"run_0/record.json and .*run_1/record.json are both ale on birds \(att\) "
        r"with seed 0, and their results are the same: keep one of them",
    ):
        collect(tmp_path, tiny_records.record(), tiny_records.record())


def test_a_file_found_twice_is_read_once(tmp_path):
    path = tiny_records.write(tmp_path / "run", tiny_records.record())
    (found,) = reading.load([tmp_path, path.parent])
    assert found.name == "run"
    assert reading.load([path.parent])[0].name == "run"


def test_a_record_of_several_seeds(tmp_path):
    """With one value per seed, or with their mean alone."""
    content = tiny_records.record() | {"seeds": [0, 1]}
    row = collect(tmp_path / "mean", content).columns[0].rows[0]
    assert (row.seeds, row.values["zsl"].shape) == ((0, 1), (1,))

    def twice(tree):
        return {name: twice(value) if isinstance(value, dict) else [value, value + 0.1] for name, value in tree.items()}

    row = collect(tmp_path / "each", content | {"metrics": twice(content["metrics"])}).columns[0].rows[0]
    assert (row.seeds, row.values["zsl"].shape) == ((0, 1), (2,))


def test_other_test_images_under_the_same_data_are_refused(tmp_path):
    other = tiny_records.record(seed=1)
    other["per_class"]["a"]["images"] += 1
    with pytest.raises(errors.UserError, match="count other test images"):
        collect(tmp_path, tiny_records.record(), other)


def without(path):
    content = tiny_records.record()
    *parents, last = path.split(".")
    node = content
    for name in parents:
        node = node[name]
    del node[last]
    return content


def with_metric(value):
    content = tiny_records.record()
    content["metrics"]["zsl"]["top1"] = value
    return content


DAMAGED = {
    "cut off": (json.dumps(tiny_records.record())[:100], "is damaged (Unterminated string"),
    "not an object": ("[1]", "is damaged (no object)"),
    "nested": ("[" * 100_000, "is damaged (maximum recursion depth"),
    "changed": (json_files.sealed(tiny_records.record()) | {"method": "sje"}, "was changed since it was written"),
    "a number": (tiny_records.record() | {"method": 5}, "method is 5, not a text"),
    "no times": (tiny_records.record() | {"timing": None}, "timing is None, not an object"),
    "no seeds": (tiny_records.record() | {"seeds": ["a"]}, "seeds is ['a'], not a list of them"),
    "sees": (tiny_records.record() | {"sees": 5}, "sees is 5, not a list"),
    "protocol": (tiny_records.record() | {"protocol": "nope"}, "unknown protocol 'nope'"),
    "no section": (tiny_records.record() | {"config": {**tiny_records.record()["config"], "train": 5}}, "is a section"),
    "half a character": (tiny_records.record("\ud800"), "is damaged ('utf-8' codec can't encode character"),
    "no version": (without("version"), "names no version"),
    "newer": (tiny_records.record() | {"version": record.VERSION + 1}, "install a newer one"),
    "older": (tiny_records.record() | {"version": 0}, "of version 0, which lacks what a report needs"),
    "no method": (without("method"), "lacks method"),
    "no hashes": (without("dataset.files"), "lacks dataset.files"),
    "no rule": (without("selection.on"), "lacks selection.on"),
    "no object": (tiny_records.record() | {"dataset": [1]}, "lacks dataset.files, dataset.name, dataset.semantics"),
    "no counts": (without("per_class.a.images"), "per_class.a lacks images"),
    "no right ones": (without("per_class.a.zsl_correct"), "per_class.a lacks zsl_correct"),
    "no class": (without("dataset.counts.unseen_classes"), "lacks dataset.counts.unseen_classes"),
    "no seed": (tiny_records.record() | {"seeds": []}, "seeds is [], not a list of them"),
    "no accuracy": (without("metrics.zsl.top1"), "no number in metrics.zsl.top1"),
    "a word": (with_metric("high"), "no number in metrics.zsl.top1"),
    "percent": (with_metric(57.1), "metrics.zsl.top1 is [57.1], not in [0, 1]"),
    "nan": (with_metric(float("nan")), "is damaged (NaN is no JSON)"),
    "too many": (with_metric([0.1, 0.2]), "2 values in metrics.zsl.top1, 1 seeds"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_what_is_no_whole_record_is_refused_by_name(case, tmp_path):
    content, words = DAMAGED[case]
    path = tiny_records.write(tmp_path / "run", content)
    with pytest.raises(errors.UserError) as error:
        reading.load([tmp_path])
    assert str(error.value).startswith(str(path))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_folders_without_records(tmp_path):
    with pytest.raises(errors.UserError, match="no record"):
        reading.load([tmp_path])
    with pytest.raises(errors.UserError, match="no folder"):
        reading.load([tmp_path / "nowhere"])


def test_which_differences_survive(three_methods):
    rows = list(three_methods.columns[0].rows)
    to_eszsl, to_sje = comparisons.with_the_best(rows, "zsl")
    assert (to_eszsl.best.label, to_eszsl.other.label, to_sje.other.label) == ("ale", "eszsl", "sje")
    assert to_sje.p_value == pytest.approx(3 * to_sje.over_images), "Holm over three pairs"
    assert (to_sje.over_seeds < 0.001, to_sje.over_images < 0.05, to_sje.survives) == (True, True, False)
    assert to_eszsl.over_images > 0.05
    calibrated = comparisons.with_the_best(rows, "calibrated_harmonic")
    assert [(found.over_images, found.survives) for found in calibrated] == [(None, None), (None, None)]


def test_one_seed_is_not_judged_and_what_has_no_counts_is_not_either(tmp_path):
    (column,) = collect(tmp_path, tiny_records.record("ale"), tiny_records.record("sje", right=0.3)).columns
    (zsl,) = comparisons.with_the_best(list(column.rows), "zsl")
    assert (zsl.over_seeds, zsl.p_value, zsl.survives) == (None, None, None)
    assert zsl.over_images < 0.05
    (calibrated,) = comparisons.with_the_best(list(column.rows), "calibrated_harmonic")
    assert calibrated.survives is None
    assert comparisons.with_the_best(list(column.rows[:1]), "zsl") == []


@pytest.mark.parametrize("section", ["towers.tie", "data.cache", "parallel.devices"])
def test_places_and_devices_make_no_other_row(section, tmp_path):
    """One list of keys says what makes another run, for workdirs and for reports."""
    contents = [tiny_records.record(seed=seed) for seed in (0, 1)]
    part, name = section.split(".")
    for number, content in enumerate(contents):
        content["config"] = content["config"] | {part: content["config"].get(part, {}) | {name: str(number)}}
    (column,) = collect(tmp_path, *contents).columns
    assert [row.seeds for row in column.rows] == [(0, 1)]


def test_names_cannot_break_a_page_or_a_spreadsheet():
    """Names come from files: tags, line ends, cell borders and formulas stay text."""
    from zsl_jax.verbs import pages, results_csv

    evil = "<script>alert(1)</script>|a\nb\x00c"
    blocks = [pages.Heading(2, evil), pages.Bullets((evil,)), pages.Table(("method",), ((evil,),))]
    markdown, page, text = pages.as_markdown(blocks), pages.as_html(blocks, title=evil), pages.as_text(blocks)
    assert "<script" not in markdown
    assert "\\|a b c" in markdown
    assert "<script" not in page
    assert "\x00" not in markdown + text
    assert [results_csv._cell(text) for text in ("=1+1", "@x", "-a\nb", "ale")] == ["'=1+1", "'@x", "'-a b", "ale"]


def test_one_damaged_record_is_named_and_left_out(tmp_path):
    tiny_records.write(tmp_path / "whole", tiny_records.record("ale"))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "record.json").write_text("{")
    lines = []
    assert len(reading.load([tmp_path], warn=lines.append)) == 1
    assert "broken/record.json is damaged" in lines[0]
    with pytest.raises(errors.UserError, match="is damaged"):
        reading.load([tmp_path / "broken"], warn=lines.append)
