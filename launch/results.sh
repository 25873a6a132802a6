#!/usr/bin/env bash
# Runs every recipe on every dataset at hand and rebuilds docs/results.md; rows that have a record in docs/results are kept.
#   bash launch/results.sh --folder=CUB127 --archive=groceries.npz    --dry_run says what it would run
set -euo pipefail
cd "$(dirname "$0")/.."
source launch/environment.sh
environment viz
exec .venv/bin/python docs/make_results.py "$@"
