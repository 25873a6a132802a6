"""Kills a run with SIGKILL at random moments and starts it again, until it is done; compares with an undisturbed run.

    python tests/killing.py --kills=50 --processes=1

prints the number of kills and the hashes of both final states; the exit code is 1 where they differ.
"""

import argparse
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))


def start(workdir: pathlib.Path, epochs: int, processes: int, cache: pathlib.Path) -> list[subprocess.Popen]:
    import test_parallel

    command = [sys.executable, "-m", "zsl_jax", "train", f"--config={ROOT / 'configs/ale.py'}:digits"]
    command += [f"--workdir={workdir}", f"--config.train.epochs={epochs}", "--config.train.checkpoint_every=1"]
    command += ["--config.plots=none", "--config.select.folds=1", f"--config.compilation_cache={cache}"]
    log = (workdir.parent / "log").open("a")
    with log:
        return [
            subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
            for env in test_parallel.environments(processes, 2 if processes == 1 else 1)
        ]


def written(workdir: pathlib.Path) -> list[str]:
    # Folders come and go meanwhile: nothing below those of the steps is looked at.
    patterns = ("checkpoints/*/*/manifest.json", "selection.json", "record.json")
    return sorted(str(path) for pattern in patterns for path in workdir.glob(pattern))


def killed(workdir: pathlib.Path, kills: int, epochs: int, processes: int, cache: pathlib.Path, seed: int) -> int:
    """Runs until the record is there; returns how often it was killed before.

    A run is left alone until it has saved one more state than the last one, or `kills` would be spent on starting; then
    it lives for a random time: within a save, between two, in an evaluation.
    """
    rng, count = random.Random(seed), 0
    while not (workdir / "record.json").exists():
        running = start(workdir, epochs, processes, cache)
        before = written(workdir)
        while all(process.poll() is None for process in running) and written(workdir) == before:
            time.sleep(0.005)
        if count < kills:
            time.sleep(rng.uniform(0, 0.4))
            # One of the processes at random; the others as their launcher would, at once.
            for process in rng.sample(running, len(running)):
                if process.poll() is None:
                    os.kill(process.pid, signal.SIGKILL)
                    count += process is running[0]
        codes = [process.wait() for process in running]
        if any(code not in (0, -signal.SIGKILL) for code in codes):
            raise RuntimeError(f"exit codes {codes}, see {workdir.parent / 'log'}")
    return count


def state_of(workdir: pathlib.Path) -> str:
    return json.loads((workdir / "record.json").read_text())["state_sha256"]


def endure(folder: pathlib.Path, *, kills: int, epochs: int, processes: int, seed: int = 0) -> tuple[int, str, str]:
    """Returns the number of kills, and the hashes of the final state of the killed and of an undisturbed run."""
    disturbed, undisturbed = folder / f"killed_{processes}", folder / "undisturbed"
    count = killed(disturbed, kills, epochs, processes, folder / "cache", seed)
    if not undisturbed.exists():
        killed(undisturbed, 0, epochs, processes, folder / "cache", seed)
    return count, state_of(disturbed), state_of(undisturbed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        count, one, other = endure(pathlib.Path(folder), **vars(options))
    print(f"{count} kills of {options.processes} processes: {one} {'=' if one == other else '!='} {other}")
    return int(one != other)


if __name__ == "__main__":
    sys.exit(main())
