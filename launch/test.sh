#!/usr/bin/env bash
# Checks the style, then runs the tests, the long ones last. Arguments go on to pytest instead: bash launch/test.sh tests/test_loop.py
# With --dry_run first it prints the commands and runs none.
set -euo pipefail
cd "$(dirname "$0")/.."
source launch/environment.sh
dry_run=''
if [ "${1:-}" = --dry_run ]; then
  dry_run=1
  shift
fi
environment dev
export JAX_PLATFORMS=${JAX_PLATFORMS:-cpu}
if [ $# -gt 0 ]; then
  do_it .venv/bin/python -m pytest "$@"
  exit
fi
# Workers and the programs that tests start compile much the same: what one has compiled serves all, small programs too.
# With a limit to the folder's size, jax would look through all of it before it adds a program.
if [ -z "$dry_run" ]; then
  JAX_COMPILATION_CACHE_DIR=$(mktemp -d)
  trap 'rm -rf "$JAX_COMPILATION_CACHE_DIR"' EXIT
  export JAX_COMPILATION_CACHE_DIR JAX_COMPILATION_CACHE_MAX_SIZE=-1 JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0
  # Programs need not say which lines they come from.
  export JAX_TRACEBACK_IN_LOCATIONS_LIMIT=0
fi
do_it .venv/bin/ruff check .
do_it .venv/bin/ruff format --check .
# The tests of a file share what they make, so that a worker takes them all.
# Compiling is most of the time: it is done by the shortest way that this XLA knows. It ends at a flag that is new to it.
fast=${XLA_FLAGS:-}
for flag in --xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1; do
  if [ -n "$dry_run" ] || XLA_FLAGS=$flag .venv/bin/python -c 'import jax; jax.devices()' 2> /dev/null; then
    fast="$fast $flag"
  fi
done
do_it env "XLA_FLAGS=$fast" .venv/bin/python -m pytest -n "${WORKERS:-2}" --dist loadfile -m "not long" --durations=10
do_it env "XLA_FLAGS=$fast" .venv/bin/python -m pytest -n "${WORKERS:-2}" --dist loadfile -m long --durations=10
