"""How many programs a run compiles and how long that takes; and what is left of it when the same line runs again.

    python benchmarks/bench_compile.py                    # some recipes of each kind, on the digits
    python benchmarks/bench_compile.py ale eszsl:shapes

Each run is `zsl-jax train --config=RECIPE` as a user has it, figures and all, in a process of its own; the folder of
compiled programs is new for the first and is the first one's for the second. `programs` are those that XLA was asked
for, and `from disk` those of the second run that it did not have to make. Imports are in the seconds of a run.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

RECIPES = ("eszsl", "ale", "softmax", "sje", "dap", "sync", "latem", "f_clswgan", "csls")
COMPILING = "/jax/core/compile/backend_compile_duration"
FOUND = "/jax/compilation_cache/cache_hits"


def main(recipes: list[str]) -> None:
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print("| recipe | programs | compiling | run | again: from disk | compiling | run | of the first |")
    print("|---" * 8 + "|")
    for recipe in recipes:
        with tempfile.TemporaryDirectory() as folder:
            first, again = (run(recipe, folder, str(number)) for number in range(2))
        share, found = again["run"] / first["run"], f"{again['found']} of {again['programs']}"
        print(
            f"| {recipe} | {first['programs']} | {first['compiling']:.1f} s | {first['run']:.1f} s | "
            f"{found} | {again['compiling']:.1f} s | {again['run']:.1f} s | {share:.0%} |",
            flush=True,
        )


def run(recipe: str, folder: str, number: str) -> dict:
    """Returns what a process of its own says of a run."""
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": "", "XDG_CACHE_HOME": folder}
    environment.pop("JAX_COMPILATION_CACHE_DIR")
    begin = time.perf_counter()
    line = [sys.executable, __file__, "--run", recipe, os.path.join(folder, number)]
    said = subprocess.run(line, env=environment, check=True, capture_output=True, text=True).stdout
    return json.loads(said.splitlines()[-1]) | {"run": time.perf_counter() - begin}


def counted(recipe: str, workdir: str) -> None:
    """Trains, and prints how many programs were compiled, for how long, and how many of them were found on disk."""
    import jax.monitoring

    from zsl_jax import __main__ as verbs

    counts = {"programs": 0, "compiling": 0.0, "found": 0}

    def count(event: str, seconds: float, **_) -> None:
        if event == COMPILING:
            counts["programs"] += 1
            counts["compiling"] += seconds

    def find(event: str, **_) -> None:
        counts["found"] += event == FOUND

    jax.monitoring.register_event_duration_secs_listener(count)
    jax.monitoring.register_event_listener(find)
    dataset = recipe if ":" in recipe else f"{recipe}:digits"
    if code := verbs.main(["train", f"--config={dataset}", f"--workdir={workdir}"]):
        raise SystemExit(code)
    print(json.dumps(counts))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        counted(*sys.argv[2:])
    else:
        main(sys.argv[1:] or list(RECIPES))
