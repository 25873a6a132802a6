"""`reproduce`: a run rebuilt from its record alone, and what is said where that cannot be."""

import json
import shutil

import pytest

from zsl_jax import __main__
from zsl_jax.training import reading, record, reproducing


@pytest.fixture(scope="module")
def recorded(digits_run, tmp_path_factory):
    """The record of two seeds, of which the second is made up."""
    _, result, _ = digits_run
    one = json.loads(json.dumps(result.record))
    other = json.loads(json.dumps(one)) | {"seeds": [7]}
    other["metrics"]["zsl"]["top1"] += 0.02
    path = tmp_path_factory.mktemp("records") / "record.json"
    path.write_text(json.dumps(record.merged([one, other])))
    return path


def test_the_config_of_a_record_is_that_of_its_run(digits_run, recorded):
    _, result, _ = digits_run
    config = reproducing.config_of(json.loads(recorded.read_text()), seed=7)
    assert json.loads(config.to_json()) == result.record["config"] | {"seed": 7, "plots": "none"}


def test_what_is_within_the_deviation(recorded):
    content = json.loads(recorded.read_text())
    found = reading.Record(recorded, "run", content)
    new = json.loads(json.dumps(content)) | {"seeds": [0]}
    for change, within in ((0.0, True), (0.013, True), (-0.03, False)):
        new["metrics"]["zsl"]["top1"] = [content["metrics"]["zsl"]["top1"][0] + change]
        zsl = reproducing.compared(found, new)[0]
        assert (zsl.title, zsl.within) == ("ZSL", within)
        assert zsl.deviation == pytest.approx(0.02 / 2**0.5)
    harmonic = next(each for each in reproducing.compared(found, new) if each.title == "H")
    assert harmonic.deviation == 0
    image = 1 / (7 * min(each["images"] for each in content["per_class"].values() if each["seen"]))
    for images, within in ((1, True), (2, False)):
        changed = [value + images * image for value in content["metrics"]["gzsl"]["harmonic"]]
        new["metrics"]["gzsl"]["harmonic"] = changed
        assert next(each for each in reproducing.compared(found, new) if each.title == "H").within == within


@pytest.mark.long
def test_the_verb_runs_it_again_to_the_same_numbers(recorded, tmp_path, capsys):
    assert __main__.main(["reproduce", str(recorded.parent), "--workdir", str(tmp_path / "again")]) == 0
    out = capsys.readouterr().out
    assert "all 9 numbers are within the deviation" in out
    assert (tmp_path / "again" / "record.json").exists()
    shutil.copy(recorded, tmp_path / "record.json")
    content = json.loads(recorded.read_text())
    content["metrics"]["gzsl"]["ausuc"] = [0.1, 0.1]
    (tmp_path / "record.json").write_text(json.dumps(content))
    assert __main__.main(["reproduce", str(tmp_path / "record.json"), "--seed=0"]) == 1
    captured = capsys.readouterr()
    assert "not within the deviation" in captured.err
    assert "AUSUC" in captured.err


WRONG = {
    "nothing": ([], "reproduce takes one record, not 0"),
    "no record": (["{tmp}/nowhere"], "no record at {tmp}/nowhere"),
    "another seed": (["{record}", "--seed=3"], "--seed=3 is none of the record's seeds: 0, 7"),
    "no seed": (["{record}", "--seed=x"], "--seed=x is not a whole number"),
    "no digit": (["{record}", "--seed=\u00b2"], "is not a whole number"),
    "a seed without end": (["{record}", f"--seed={'9' * 5000}"], "is not a whole number"),
    "no place": (["{tmp}/moved"], "data.dir=CUB127, and says no more of its place: --folder=FOLDER"),
    "no folder": (["{tmp}/moved", "--folder={tmp}/nowhere"], "no file or folder '{tmp}/nowhere'"),
    "another knob": (["{tmp}/renamed"], "unknown knob of ale in the record 'margins': did you mean 'margin'?"),
}


@pytest.mark.parametrize("case", WRONG)
def test_mistakes_are_one_line(case, recorded, tmp_path, capsys):
    argv, words = WRONG[case]
    content = json.loads(recorded.read_text())
    moved = content | {"config": content["config"] | {"data": {"name": "xlsa17", "dir": "CUB127"}}}
    knobs = {"margins" if name == "margin" else name: x for name, x in content["config"]["method"].items()}
    renamed = content | {"config": content["config"] | {"method": knobs}}
    for name, changed in (("moved", moved), ("renamed", renamed)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "record.json").write_text(json.dumps(changed))
    before = sorted(tmp_path.rglob("*"))
    assert __main__.main(["reproduce", *(argument.format(tmp=tmp_path, record=recorded) for argument in argv)]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert words.format(tmp=tmp_path, record=recorded) in captured.err
    assert sorted(tmp_path.rglob("*")) == before
