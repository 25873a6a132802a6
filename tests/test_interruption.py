"""Told to stop, a run finishes its step, saves and says how to go on; a second signal does not wait."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from zsl_jax import __main__
from zsl_jax.training import interruption
from zsl_jax.verbs import words

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("number", interruption.SIGNALS)
def test_a_signal_is_noted_and_the_handlers_come_back(number):
    before = signal.getsignal(number)
    with interruption.listening() as should_stop:
        assert not should_stop()
        os.kill(os.getpid(), number)
        assert should_stop()
    assert signal.getsignal(number) == before


def test_a_second_interrupt_does_not_wait():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background starts without
    try:
        interrupt_twice()
    finally:
        signal.signal(signal.SIGINT, before)


def interrupt_twice():
    with interruption.listening():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


class Finalised:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)


def in_a_finaliser(argv):
    del argv
    Finalised()
    time.sleep(10)


def in_an_extension(argv):
    del argv
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except BaseException:
        raise ImportError("an error while initializing the extension") from None


@pytest.mark.parametrize("verb", [in_a_finaliser, in_an_extension])
def test_sigterm_is_one_line_wherever_it_comes(verb, monkeypatch, capsys):
    monkeypatch.setattr(words, "main", verb)
    assert __main__.main(["words"]) == 143
    assert capsys.readouterr().err == "zsl-jax: told to stop; what was written is whole, and the same line goes on\n"
    assert signal.getsignal(signal.SIGTERM) == signal.getsignal(signal.SIGALRM) == signal.SIG_DFL


@pytest.mark.long
def test_sigterm_ends_a_run_well_and_the_line_it_prints_resumes_it(tmp_path):
    workdir = tmp_path / "run"
    command = [sys.executable, "-m", "zsl_jax", "train", f"--config={ROOT / 'configs/ale.py'}:digits"]
    command += [f"--workdir={workdir}", "--config.train.epochs=4000", "--config.plots=none"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not list(workdir.glob("checkpoints/*/*/manifest.json")):
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    stopped, to_go_on = out.splitlines()[-2:]
    assert "stopped after step" in stopped
    assert f"saved in {workdir}" in stopped
    assert to_go_on.startswith("to go on: python -m zsl_jax train --config=")
    assert not (workdir / "record.json").exists()
    assert not list(workdir.rglob("*.tmp*"))
