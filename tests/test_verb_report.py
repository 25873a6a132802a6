"""The report of made-up runs, compared as text: tests/report.md is what `report` wrote of the records of `written`."""

import csv
import io
import pathlib
import re
import resource
import signal

import pytest
import tiny_records

from zsl_jax import __main__
from zsl_jax.verbs import pages

MARKDOWN = (pathlib.Path(__file__).parent / "report.md").read_text()
PNG = b"\x89PNG not really"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """`ale` with three seeds against `sje` far behind, and a run of `ale` on CUB by its counts, chosen on test."""
    runs = tmp_path_factory.mktemp("runs")
    for seed in range(3):
        tiny_records.write(runs / f"ale_{seed}", tiny_records.record("ale", seed=seed, right=0.6))
        tiny_records.write(runs / f"sje_{seed}", tiny_records.record("sje", seed=seed, right=0.3))
    for name in ("confusion.png", "story.png"):
        (runs / "ale_0" / name).write_bytes(PNG)
    cub = {"name": "CUB", "benchmark": "CUB", "files": {"att_splits.mat": tiny_records.CUB_SPLITS}}
    tiny_records.write(runs / "cub", tiny_records.record("ale", on="test", **cub))
    assert __main__.main(["report", str(runs)]) == 0
    return runs / "report"


@pytest.mark.long
def test_markdown(written):
    assert (written / "results.md").read_text() == MARKDOWN


def test_csv_has_a_line_a_row(written):
    lines = list(csv.DictReader(io.StringIO((written / "results.csv").read_text())))
    assert [(line["dataset"], line["method"], line["seeds"]) for line in lines] == [
        ("CUB (att)", "ale", "0"),
        ("birds (att)", "ale", "0 1 2"),
        ("birds (att)", "sje", "0 1 2"),
    ]
    ale = lines[1]
    assert (ale["calibrated_harmonic_mean"], ale["calibrated_harmonic_deviation"]) == ("0.610000", "0.010000")
    assert ale["files"] == f"res101.mat:{'a' * 64} att_splits.mat:{'b' * 64}"
    assert float(ale["zsl_low"]) < float(ale["zsl_mean"]) < float(ale["zsl_high"])
    assert lines[0]["zsl_deviation"] == ""


def test_html_holds_all_it_shows(written):
    page = (written / "results.html").read_text()
    assert page.count("<table>") == page.count("</table>") == MARKDOWN.count("\n|:--|")
    assert re.findall(r'src="([^"]{30})', page) == ["data:image/png;base64,iVBORyBu"] * 2
    captions = re.findall("<figcaption>(.*?)</figcaption>", page)
    assert [caption.partition(": ")[2].split()[0] for caption in captions] == ["the", "what"]
    assert not re.search(r"https?:|<script|<link", page)
    assert "<b>64.3 ± 2.3</b>" in page


def test_the_leaderboard_holds_all_it_shows_and_marks_what_survives(written):
    page = (written / "leaderboard.html").read_text()
    assert not re.search(r"https?:|<link|src=", page)
    sections = page.split("<section ")[1:]
    assert [section.split('"')[1] for section in sections] == ["CUB (att)", "birds (att)"]
    rows = re.findall(r"<tr data-setting=.*?</tr>", sections[1])
    assert [re.search('data-value="(.*?)"', row)[1] for row in rows] == ["ale", "sje"], "the best stands first"
    assert rows[0].count("class=best") == 4
    assert "class=tied" not in rows[1], "every lead survives"
    assert page.count("class=old>") == 3
    assert "aria-sort=descending>AUSUC<" in sections[1], "with four unseen classes"
    ends = re.search(r'95 %: ([\d.]+) to ([\d.]+)"><span class=bar style="left:([\d.]+)%;width:([\d.]+)%', rows[0])
    low, high, left, width = map(float, ends.groups())
    assert (left, width) == (pytest.approx(low), pytest.approx(high - low, abs=0.11))


def test_the_terminal_shows_the_same_table(written, capsys):
    assert __main__.main(["report", str(written.parent), f"--out={written.parent.parent / 'again'}"]) == 0
    out = capsys.readouterr().out
    (line,) = (line for line in out.splitlines() if line.startswith("ale         3"))
    (row,) = (line for line in MARKDOWN.splitlines() if line.startswith("| ale | 3 |"))
    assert re.sub(r"[ *|]", "", line) == re.sub(r"[ *|]", "", row)
    assert out.rstrip().endswith("leaderboard.html")


@pytest.mark.long
def test_a_disk_that_fills_leaves_no_file_of_a_report(written, tmp_path, capsys):
    room = (written / "results.md").stat().st_size + 1
    assert (written / "results.html").stat().st_size > room
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        assert __main__.main(["report", str(written.parent), f"--out={tmp_path}"]) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert "results.html: File too large" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_mixed_protocols_and_data_are_said_openly(tmp_path, capsys):
    contents = [
        tiny_records.record(),
        tiny_records.record("sje", right=0.3),
        tiny_records.record("sje", on="test"),
        tiny_records.record("sje", setting="instance-transductive"),
        tiny_records.record(seed=1, split="own"),
    ]
    for number, content in enumerate(contents):
        tiny_records.write(tmp_path / f"run_{number}", content)
    assert __main__.main(["report", str(tmp_path)]) == 0
    page = (tmp_path / "report" / "results.md").read_text()
    note = "- birds (att) is 2 different data sets, kept apart: split is PS in [A], own in [B]"
    assert f"## What looks alike and is not\n\n{note}\n" in page
    assert "- the rows stand on 3 footings and are compared only within one: inductive, chosen on validation" in page
    assert "- what is chosen on test has seen the test labels, which flatters it\n" in page
    table = page.split("### 95 %")[1].split("###")[0]
    names = [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| ")]
    assert names == ["| method", "| ale", "| sje", "| sje, chosen on test", "| sje, instance-transductive"]
    (verdict,) = (line for line in page.splitlines() if line.startswith("- ZSL"))
    assert verdict.startswith(
        "- ZSL, inductive, chosen on validation classes: ale is best of 2 (63.0). Leads that cannot be judged: 28.0 "
    )
    assert "over seeds" not in verdict
    assert "- GZSL calibrated, H" in page
    assert "Leads that cannot be judged: 30.0 over sje.\n" in page
    capsys.readouterr()


def test_cells_are_escaped():
    table = pages.Table(("a|b", "<b>"), (("x|y", "<i>"),))
    assert "x\\|y" in pages.as_markdown([table])
    assert "<td>&lt;i&gt;</td>" in pages.as_html([table], title="<t>")
    assert "<title>&lt;t&gt;</title>" in pages.as_html([table], title="<t>")


WRONG = {
    "no folder": ([], "report needs the folders of the runs"),
    "missing": (["{tmp}/nowhere"], "no folder '{tmp}/nowhere'"),
    "no record": (["{tmp}"], "no record.json in {tmp}"),
    "unknown flag": (["{tmp}", "--outt=x"], "did you mean '--out'?"),
    "damaged": (["{tmp}", "damaged"], "{tmp}/run/record.json is damaged"),
    "newer": (["{tmp}", "newer"], "is a record of version 9"),
    "twice": (["{tmp}", "twice"], "are both ale on birds (att) with seed 0"),
    "not to be written": (["{tmp}", "--out={tmp}/run/record.json/x"], "cannot write to --out="),
}


@pytest.mark.parametrize("case", WRONG)
def test_mistakes_are_one_line_and_write_nothing(case, tmp_path, capsys):
    argv, words = WRONG[case]
    if case == "damaged":
        tiny_records.write(tmp_path / "run", "{")
    if case in ("newer", "twice", "not to be written"):
        version = {"version": 9 if case == "newer" else 1}
        tiny_records.write(tmp_path / "run", tiny_records.record() | version)
    if case == "twice":
        tiny_records.write(tmp_path / "other", tiny_records.record())
    before = sorted(tmp_path.rglob("*"))
    argv = [argument.format(tmp=tmp_path) for argument in argv if argument not in ("damaged", "newer", "twice")]
    assert __main__.main(["report", *argv]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("zsl-jax: ")
    assert captured.err.count("\n") == 1
    assert words.format(tmp=tmp_path) in captured.err
    assert captured.out == ""
    assert sorted(tmp_path.rglob("*")) == before
