"""Kills every verb that writes at random moments, starts it again until it is done, and compares its files.

    python tests/killing_verbs.py --kills=10 [--only=sweep,report]

prints a line per verb: kills, files, and whether they are those of an undisturbed call; the exit code is 1 where not.
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
import zipfile

import numpy as np
import tiny_photos

from zsl_jax import data
from zsl_jax.data import json_files

ROOT = pathlib.Path(__file__).resolve().parent.parent
MOMENTS = ("time", "seconds", "train_s", "evaluate_s", "steps_per_s", "timing", "made", "prepare_s", "optimum_s")
SMALL = (
    *("--config.train.epochs=3", "--config.select.folds=1", "--config.plots=none"),
    "--config.compilation_cache={cache}",
)
DIGITS = ("train", "--config={root}/configs/ale.py:digits", "--workdir={given}/run", *SMALL)


def verbs(given: pathlib.Path) -> dict[str, tuple[list[str], tuple[str, ...]]]:
    """The line of each verb, with `{out}` for where it writes, and the files to compare."""
    names = {"root": ROOT, "given": given, "cache": given / "cache", "out": "{out}"}
    lines = {
        "sweep": (
            [
                "sweep",
                "--config={root}/configs/ale.py:digits",
                "--workdir={out}",
                "--config.sweep.seeds=2",
                *SMALL,
            ],
            ("sweep.json", "*/record.json"),
        ),
        "data import": (
            ["data", "import", "{given}/photos", "--attributes={given}/classes.csv", "--unseen=0.34", "--out={out}"],
            ("*",),
        ),
        "extract": (
            [
                *("extract", "--config={root}/configs/extract/vit.py:tiny", "--config.data.dir={given}/dataset"),
                *("--config.encoder.weights={given}/tiny.npz", "--out={out}", *tiny_photos.TINY),
            ],
            ("features/*/*/*.json",),
        ),
        "report": (["report", "{given}/run", "--out={out}"], ("*.md", "*.csv", "*.html")),
        "export": (["export", "--workdir={given}/run", "--out={out}/ale.zip"], ("ale.zip",)),
        "bound": (["bound", "{given}/table.csv", "--select=2", "--out={out}"], ("bound.json",)),
    }
    return {verb: ([part.format(**names) for part in line], files) for verb, (line, files) in lines.items()}


def start(line: list[str]) -> subprocess.Popen:
    command = [sys.executable, "-m", "zsl_jax", *line]
    env = {**os.environ, "JAX_PLATFORMS": "cpu"}
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def prepare(given: pathlib.Path) -> None:
    """What the verbs read: a finished run, photos, their import, weights, a table."""
    tiny_photos.write(given)
    tiny_photos.write_weights(given / "tiny.npz")
    rows = [f"c{c},{','.join(str(c >> a & 1) for a in range(4))}" for c in range(1, 11)]
    (given / "table.csv").write_text("\n".join(["class,a,b,c,d", *rows]) + "\n")
    names = {"root": ROOT, "given": given, "cache": given / "cache"}
    imported = ["data", "import", str(given / "photos"), f"--attributes={given / 'classes.csv'}", "--unseen=0.34"]
    for line in ([part.format(**names) for part in DIGITS], [*imported, f"--out={given / 'dataset'}"]):
        if start(line).wait():
            raise RuntimeError(f"{line} failed")


def content(path: pathlib.Path, out: pathlib.Path) -> str:
    """A hash of what a file says, without what differs between two undisturbed calls: moments and where it lies."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as file:
            said = b"".join(file.read(name) for name in sorted(file.namelist()))
    elif path.suffix == ".json":
        told = {name: value for name, value in json.loads(path.read_text()).items() if name != json_files.SEAL}
        said = json.dumps(_lasting(told), sort_keys=True).encode()
    else:
        said = path.read_bytes()
    return hashlib.sha256(said.replace(str(out).encode(), b"")).hexdigest()


def _lasting(tree):
    if isinstance(tree, dict):
        return {name: _lasting(value) for name, value in tree.items() if name not in MOMENTS}
    return [_lasting(value) for value in tree] if isinstance(tree, list) else tree


def found(out: pathlib.Path, patterns: tuple[str, ...]) -> dict[str, str]:
    paths = sorted({path for pattern in patterns for path in out.glob(pattern) if path.is_file()})
    files = {path.relative_to(out).as_posix(): content(path, out) for path in paths if path.name != "sha256.json"}
    if (out / "features").is_dir():
        # Two undisturbed calls write the same examples into ArrayRecords of other bytes.
        source = data.load("features", dir=out)
        splits = b"".join(np.asarray(rows).tobytes() for _, rows in sorted(source.splits.items()))
        told = source.inputs.tobytes() + source.labels.tobytes() + splits + repr(source.classes.names).encode()
        files["examples"] = hashlib.sha256(told).hexdigest()
    return files


def endure(
    verb: str, given: pathlib.Path, folder: pathlib.Path, kills: int, rng: random.Random
) -> tuple[int, dict, dict]:
    """Returns how often a verb was killed, at most `kills`, and the files it leaves, undisturbed and killed."""
    line, patterns = verbs(given)[verb]
    outs = [folder / verb.replace(" ", "_") / name for name in ("undisturbed", "killed")]
    for out in outs:
        out.parent.mkdir(exist_ok=True)
        if verb == "export":
            out.mkdir()
    began = time.monotonic()
    if start([part.format(out=outs[0]) for part in line]).wait():
        raise RuntimeError(f"{verb} failed")
    duration, count = time.monotonic() - began, 0
    while True:
        running = start([part.format(out=outs[1]) for part in line])
        if count < kills:
            try:
                running.wait(timeout=rng.uniform(0.1, 0.5) * duration)
            except subprocess.TimeoutExpired:
                running.send_signal(signal.SIGKILL)
                count += 1
        # The first call compiled, and a verb goes on where it was killed: it may be done before the last of the kills.
        if running.wait() == 0:
            return count, found(outs[0], patterns), found(outs[1], patterns)
        if running.returncode not in (0, -signal.SIGKILL):
            raise RuntimeError(f"{verb} ended with {running.returncode} after {count} kills")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--only", default="sweep,data import,extract,report,export,bound")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    code = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        given = folder / "given"
        given.mkdir()
        prepare(given)
        for verb in options.only.split(","):
            count, one, other = endure(verb, given, folder, options.kills, random.Random(options.seed))
            is_same = bool(one) and one == other
            print(f"{verb}: {count} kills, {len(one)} files, {'equal' if is_same else 'NOT equal'}", flush=True)
            for path in sorted(one.keys() | other.keys()):
                if one.get(path) != other.get(path):
                    print(f"  {path} differs")
            code |= not is_same
    return code


if __name__ == "__main__":
    sys.exit(main())
