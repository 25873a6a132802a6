"""Damaged and odd input files through every door that reads files: each is read rightly or refused in one line.

    python tests/fuzz_inputs.py --count=1000            every door, a process each, and the table of docs/reliability.md
    python tests/fuzz_inputs.py --door=csv --count=50   one of them, in this process

right        what was read is what was written before the damage, which did not matter
as it says   the form has no checksum: what was read is what another reader of the same bytes makes of them
one line     refused by a `UserError` of one line
traceback, wrong, hang    none of them may happen: another exception or a crash; another content; more than 60 s
"""

import argparse
import collections
import contextlib
import io
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import traceback
from typing import Any, NamedTuple

import fuzz_doors
import numpy as np

from zsl_jax import errors

OUTCOMES = ("right", "as it says", "one line", "traceback", "wrong", "hang")
_PATIENCE = 60  # seconds
# Doors that cost a process or more for each input are tried less often.
_SHARE = {"mat": 0.1, "prepared": 0.5}


class Hang(BaseException):
    pass


class Found(NamedTuple):
    """How often each outcome was seen, and a line for each that may not happen."""

    outcomes: collections.Counter
    faults: list[str]


def fuzz(door: str, count: int, seed: int) -> Found:
    """Tries `count` inputs at a door; the same seed is the same inputs."""
    outcomes, faults = collections.Counter(), []
    with tempfile.TemporaryDirectory() as folder:
        opened = fuzz_doors.DOORS[door](pathlib.Path(folder))
        for number in range(count):
            rng = np.random.default_rng([seed, number, *door.encode()])
            what = opened.damage(rng)
            outcome, says = attempt(opened)
            outcomes[outcome] += 1
            if outcome in OUTCOMES[3:]:
                faults.append(f"{door} {number} ({what}): {outcome}: {says}")
    return Found(outcomes, faults)


def attempt(door: fuzz_doors.Door) -> tuple[str, str]:
    """What reading the files of a door comes to, and what there is to say of it."""

    def give_up(*_: Any) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(_PATIENCE)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return door.judge(door.read())
    except errors.UserError as error:
        line = str(error)
        is_line = line and "\n" not in line and len(line) < 1000
        return ("one line", line) if is_line else ("traceback", f"not a line: {line!r}")
    except Hang:
        return "hang", f"more than {_PATIENCE} s"
    except KeyboardInterrupt:
        raise
    except BaseException:  # a panic of Rust is no Exception
        return "traceback", " | ".join(traceback.format_exc().strip().splitlines()[-3:])
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def table(found: dict[str, collections.Counter]) -> str:
    """The table in Markdown, with its sums."""
    lines = [f"| door | tried | {' | '.join(OUTCOMES)} |", f"|---|{'---:|' * (1 + len(OUTCOMES))}"]
    total: collections.Counter = collections.Counter()
    for door, outcomes in found.items():
        total += outcomes
        lines.append(_row(fuzz_doors.TITLES[door], outcomes))
    return "\n".join([*lines, _row("**all**", total)])


def _row(title: str, outcomes: collections.Counter) -> str:
    return f"| {title} | {sum(outcomes.values())} | {' | '.join(str(outcomes[name]) for name in OUTCOMES)} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000, help="inputs per door")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--door", choices=fuzz_doors.DOORS)
    options = parser.parse_args()
    if options.door:
        found = fuzz(options.door, options.count, options.seed)
        print(json.dumps({"outcomes": found.outcomes, "faults": found.faults}))
        return 0
    outcomes = {}
    for door in fuzz_doors.DOORS:
        count = max(1, round(options.count * _SHARE.get(door, 1)))
        command = [sys.executable, __file__, f"--door={door}", f"--count={count}", f"--seed={options.seed}"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:  # a crash of the interpreter, which nothing inside it can report
            outcomes[door] = collections.Counter({"traceback": 1})
            print(f"{door} died with {done.returncode}: {done.stderr[-500:]}", file=sys.stderr)
            continue
        found = json.loads(done.stdout.splitlines()[-1])
        outcomes[door] = collections.Counter(found["outcomes"])
        print(f"{door}: {dict(outcomes[door])}", *found["faults"], sep="\n", file=sys.stderr, flush=True)
    print(table(outcomes))
    return int(any(found[name] for found in outcomes.values() for name in OUTCOMES[3:]))


if __name__ == "__main__":
    sys.exit(main())
