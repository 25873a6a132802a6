"""`python -m zsl_jax bound` of a finished run, and as a process that is interrupted."""

import json
import os
import pty
import signal
import subprocess
import sys

import numpy as np
import pytest
import tiny_xlsa17

from zsl_jax import bounds, config, errors
from zsl_jax.training import observed, run
from zsl_jax.verbs import bound


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """DAP without a cut, two epochs, on the tiny benchmark."""
    folder = tiny_xlsa17.write(tmp_path_factory.mktemp("data") / "tiny")
    settings = config.base("dap", "xlsa17")
    settings.data.dir, settings.data.attributes = str(folder), "original_att"
    settings.method.cut, settings.normalize.classes, settings.train.epochs = "none", "none", 2
    path = tmp_path_factory.mktemp("runs") / "dap"
    run.run(settings.lock(), path, say=lambda line: None)
    return path


@pytest.mark.long
def test_a_run_beside_its_bound(workdir, tmp_path, capsys):
    settings = config.from_json(json.loads((workdir / "config.json").read_text()))
    seen = observed.observe(settings, workdir, say=print)
    table = tiny_xlsa17.variables()["original_att"].T / 100
    _, training, state = run.restore_finished(settings, workdir)
    unseen = training.task.sets["test_unseen"]
    np.testing.assert_allclose(seen.confusion.sum(axis=1), 1)
    method = training.method
    described = method.describe(state, training.task.unseen_classes)
    predicted = np.argmax(method.scores(state, method.embed(state, unseen.inputs), described), axis=1)
    for a in range(2):
        for b in range(2):
            assert seen.confusion[a, b] == np.mean(predicted[unseen.labels == 4 + a] == b)
    assert seen.top1 == pytest.approx(np.mean(np.diag(seen.confusion)))
    names, detections = seen.validation
    assert set(names) == {"gnu"}  # the class of val_loc, the only one that validates
    off = np.abs(detections.mean(axis=0) - table[3])

    assert bound.main([str(workdir), f"--out={tmp_path}", "--select=1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    record = json.loads((tmp_path / "bound.json").read_text())
    assert record["classes"] == ["emu", "owl"]
    np.testing.assert_allclose(record["error_rates"], off, atol=1e-5)
    accuracy, rule = bounds.worst_case(table[4:], error_rates=off)
    assert record["guarantee"] == pytest.approx(accuracy, abs=1e-5)
    right = np.argmax(bounds.activations(rule, seen.detections), axis=1) == seen.labels
    assert record["observed"]["map"]["top1"] == pytest.approx(np.mean(right))
    folder = settings.data.dir
    assert bound.main([folder, f"--detections={workdir}", f"--out={tmp_path}", "--select=0"]) == 0
    assert json.loads((tmp_path / "bound.json").read_text())["error_rates"] == record["error_rates"]
    assert any(line.startswith("the run (dap) has an accuracy of") for line in lines)
    assert "at most (1 validation classes of the run)" in lines[1]


@pytest.mark.long
def test_what_a_run_is_refused_for(workdir, tmp_path):
    with pytest.raises(errors.UserError, match="its unseen classes are the candidates"):
        bound.main([str(workdir), "--classes=all"])
    table = tmp_path / "other.csv"
    table.write_text("name,a\nx,0.5\ny,1\n")
    with pytest.raises(errors.UserError, match="a run on other classes or attributes"):
        bound.main([str(table), f"--detections={workdir}"])
    half = tmp_path / "half"
    half.mkdir()
    (half / "config.json").write_text((workdir / "config.json").read_text())
    with pytest.raises(errors.UserError, match="holds no finished run"):
        bound.main([str(half)])
    (half / "record.json").write_text("{}")
    sentences = json.loads((workdir / "config.json").read_text())
    sentences["data"]["semantics"] = "sent"
    del sentences["sha256"]
    (half / "config.json").write_text(json.dumps(sentences))
    with pytest.raises(errors.UserError, match="describes classes by 'sent'"):
        bound.main([str(half)])


@pytest.mark.long
def test_ctrl_c_keeps_the_best_interval(tmp_path):
    """As on a terminal: progress is shown there, and an interrupt ends with the table, the record and code 130."""
    matrix = np.random.default_rng(0).random((30, 40))
    lines = [",".join(["name", *(f"a{i}" for i in range(40))])]
    lines += [",".join([f"c{i}", *map(str, row.round(3))]) for i, row in enumerate(matrix)]
    (tmp_path / "many.csv").write_text("\n".join(lines))
    terminal, end = pty.openpty()
    command = [sys.executable, "-m", "zsl_jax", "bound", "many.csv", "--time_limit=300", "--out=out"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=end, text=True
    ) as process:
        os.close(end)
        shown = b""
        while shown.count(b"between") < 3:
            shown += os.read(terminal, 1000)
        process.send_signal(signal.SIGINT)
        printed = process.stdout.read()
    os.close(terminal)
    assert process.returncode == 130
    assert "interrupted: this is as far as it came" in printed
    record = json.loads((tmp_path / "out" / "bound.json").read_text())
    assert record["interrupted"]
    assert 1 / 30 <= record["guarantee"] <= record["upper"] < 1
