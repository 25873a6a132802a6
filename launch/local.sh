#!/usr/bin/env bash
# Trains ALE on the rendered shapes and prints the table. Arguments go on to `python -m zsl_jax train`:
#   bash launch/local.sh --config=configs/ale.py:digits --workdir=runs/digits
# With --dry_run first it prints the commands and runs none.
set -euo pipefail
cd "$(dirname "$0")/.."
source launch/environment.sh
dry_run=''
if [ "${1:-}" = --dry_run ]; then
  dry_run=1
  shift
fi
environment viz
arguments=("$@")
[[ " $* " == *" --config="* ]] || arguments=(--config=configs/ale.py "${arguments[@]}")
[[ " $* " == *" --workdir="* ]] || arguments+=(--workdir=runs/ale)
[ -n "$dry_run" ] || exec .venv/bin/python -m zsl_jax train "${arguments[@]}"
do_it .venv/bin/python -m zsl_jax train "${arguments[@]}"
