#!/usr/bin/env bash
# Checks the style, then runs the tests, the long ones last. Arguments go on to pytest instead: bash launch/test.sh tests/test_loop.py
set -euo pipefail
cd "$(dirname "$0")/.."
source launch/environment.sh
environment dev
export JAX_PLATFORMS=${JAX_PLATFORMS:-cpu}
if [ $# -gt 0 ]; then
  exec .venv/bin/python -m pytest "$@"
fi
.venv/bin/ruff check .
.venv/bin/ruff format --check .
# Compiling is most of the time of the short tests: without the passes for speed there, and with them in the long ones.
XLA_FLAGS="${XLA_FLAGS:-} --xla_backend_optimization_level=0" .venv/bin/python -m pytest -n "${WORKERS:-2}" -m "not long" --durations=10
.venv/bin/python -m pytest -m long
