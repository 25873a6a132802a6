"""A process that is gone is missed by the others, and one that has done its part is not."""

import contextlib
import pathlib
import queue
import signal
import subprocess
import sys
import time

import pytest
import test_parallel

from zsl_jax.training import peers

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Store:
    """What the runtime's client does with keys, in memory."""

    def __init__(self):
        self.values, self.is_reached = {}, True

    def key_value_set(self, key, value, allow_overwrite):
        assert allow_overwrite
        self.key_value_dir_get(key)
        self.values[key] = value

    def key_value_dir_get(self, key):
        if not self.is_reached:
            raise RuntimeError("UNAVAILABLE")
        return [item for item in self.values.items() if item[0].startswith(key)]


@pytest.fixture
def watched():
    store, said = Store(), [queue.Queue(), queue.Queue()]
    watches = [peers.Watch(store, n, 2, said[n].put, every_s=0.02, silence_s=1) for n in range(2)]
    while len(store.values) < 2:
        time.sleep(0.01)
    time.sleep(0.05)
    yield store, watches, said
    for watch in watches:
        watch.close()


def test_a_process_that_stops_without_a_word_is_missed(watched):
    _, watches, said = watched
    watches[1]._closed.set()
    watches[1]._thread.join()
    watches[0].leave()  # as a process whose collective operation fails does
    assert said[0].get(timeout=0) == "process 1 of 2 is gone (silent for 1 s)"
    assert said[1].empty()


def test_a_process_that_fails_alone_leaves_at_once_and_is_missed(watched):
    _, watches, said = watched
    watches[1].leave()
    assert said[1].empty()
    assert said[0].get(timeout=10) == "process 1 of 2 is gone (silent for 1 s)"


def test_processes_that_fail_together_miss_nobody(watched):
    _, watches, said = watched
    for watch in watches:
        watch.leave()
    assert said[0].empty()
    assert said[1].empty()


def test_a_process_that_has_done_its_part_is_not_missed(watched):
    _, watches, said = watched
    watches[1].close()
    with pytest.raises(queue.Empty):
        said[0].get(timeout=2)


def test_a_coordinator_that_is_late_once_is_not_missed(watched):
    store, _, said = watched
    store.is_reached = False
    time.sleep(0.1)
    store.is_reached = True
    with pytest.raises(queue.Empty):
        said[1].get(timeout=2)


def test_a_coordinator_that_does_not_answer_is_missed(watched):
    store, _, said = watched
    store.is_reached = False
    assert said[1].get(timeout=10) == "process 0 of 2, which coordinates, is gone"


@pytest.mark.long
@pytest.mark.parametrize(
    ("killed", "gone"),
    [(0, "process 0 of 2, which coordinates, is gone"), (1, "process 1 of 2 is gone (silent for 20 s)")],
)
def test_where_one_of_two_processes_is_killed_the_other_says_so_and_ends(killed, gone, tmp_path):
    workdir = tmp_path / "run"
    command = [sys.executable, "-m", "zsl_jax", "train", f"--config={ROOT / 'configs/ale.py'}:digits"]
    command += [f"--workdir={workdir}", "--config.train.epochs=500", "--config.train.checkpoint_every=1"]
    with contextlib.ExitStack() as stack:
        logs = [stack.enter_context((tmp_path / f"log_{number}").open("w")) for number in range(2)]
        running = [
            subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=log)
            for env, log in zip(test_parallel.environments(2, 1), logs)
        ]
    while len(list(workdir.glob("checkpoints/select/*"))) < 2 and all(process.poll() is None for process in running):
        time.sleep(0.1)
    running[killed].send_signal(signal.SIGKILL)
    assert running[killed].wait() == -signal.SIGKILL
    assert running[1 - killed].wait(timeout=120) == peers.EXIT_CODE
    said = (tmp_path / f"log_{1 - killed}").read_text().replace("\r", "\n").splitlines()
    last = f"zsl-jax: {gone}; the same line goes on from the last checkpoint"
    assert [line for line in said if "gone" in line] == [last]
    assert not any("Traceback" in line for line in said)
    if killed == 0:
        assert said == [last], "the lines of the runtime are held back"


@pytest.mark.parametrize(
    ("ends", "says", "code"),
    [
        ("pass", ["ours", "a warning"], 0),
        ("os.abort()", ["ours", "a warning"], -signal.SIGABRT),
        ("os.write(2, b'the distributed service detected fatal errors'); os.abort()", ["ours", "lost"], 7),
        (
            "os.write(2, bytes(2**21)); os.write(2, b'the distributed service detected fatal errors'); os.abort()",
            ["ours", "lost"],
            7,
        ),
    ],
)
def test_what_others_than_python_write_is_held_back(ends, says, code):
    path = ROOT / "zsl_jax" / "training" / "last_words.py"
    program = f"""import os, runpy, sys
def lost():
    print("lost", file=sys.stderr)
    os._exit(7)
with runpy.run_path({str(path)!r})["held_back"](lost):
    os.write(2, b"a warning\\n")
    print("ours", file=sys.stderr)
    {ends}
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stderr.splitlines(), done.returncode) == (says, code)
