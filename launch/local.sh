#!/usr/bin/env bash
# Trains ALE on the rendered shapes and prints the table. Arguments go on to `python -m zsl_jax train`:
#   bash launch/local.sh --config=configs/ale.py:digits --workdir=runs/digits
set -euo pipefail
cd "$(dirname "$0")/.."
source launch/environment.sh
environment viz
arguments=("$@")
[[ " $* " == *" --config="* ]] || arguments=(--config=configs/ale.py "${arguments[@]}")
[[ " $* " == *" --workdir="* ]] || arguments+=(--workdir=runs/ale)
exec .venv/bin/python -m zsl_jax train "${arguments[@]}"
