#!/usr/bin/env bash
# Runs one line as N processes on this machine, connected as the hosts of a pod are (on CPU by gloo):
#   bash launch/multiprocess.sh --processes=2 --devices=4 -- train --config=configs/ale.py:digits --workdir=runs/two
# Everything after -- goes on to `python -m zsl_jax`. Output of the first process is shown; errors of all are.
#   --processes=N   processes, default 2
#   --devices=D     CPU devices of each process, default 1; on accelerators leave it out
#   --port=P        of the coordinator on 127.0.0.1, default 12321
#   --dry_run       prints the commands and runs none
# A signal goes on to every process. Where one fails or is killed the others are ended, and its exit code is that of the
# script.
set -euo pipefail
cd "$(dirname "$0")/.."
processes=2 devices='' port=12321 dry_run=''
while [ $# -gt 0 ]; do
  case $1 in
    --processes=*) processes=${1#*=} ;;
    --devices=*) devices=${1#*=} ;;
    --port=*) port=${1#*=} ;;
    --dry_run) dry_run=1 ;;
    --) shift; break ;;
    *) echo "multiprocess.sh: unknown option $1 (--processes=N --devices=D --port=P --dry_run -- VERB ...)" >&2; exit 2 ;;
  esac
  shift
done
[[ $processes =~ ^[1-9][0-9]*$ ]] || { echo "multiprocess.sh: --processes=$processes is not a number of processes" >&2; exit 2; }
[ $# -gt 0 ] || { echo "multiprocess.sh: say what to run after --, e.g. -- train --config=... --workdir=..." >&2; exit 2; }
python=${PYTHON:-.venv/bin/python}
# Where a process is killed each runtime logs what it saw of it; the line below says it once.
settings=("JAX_COORDINATOR_ADDRESS=127.0.0.1:$port" "JAX_NUM_PROCESSES=$processes" "TF_CPP_MIN_LOG_LEVEL=3")
if [ -n "$devices" ]; then
  settings+=("JAX_PLATFORMS=cpu" "XLA_FLAGS=--xla_force_host_platform_device_count=$devices")
fi

pids=()
for ((i = 0; i < processes; i++)); do
  command=(env "${settings[@]}" "JAX_PROCESS_ID=$i" "$python" -m zsl_jax "$@")
  if [ -n "$dry_run" ]; then
    printf '%q ' "${command[@]}"
    echo
  else
    "${command[@]}" &
    pids+=($!)
  fi
done
[ -z "$dry_run" ] || exit 0

pass_on() { kill -"$1" "${pids[@]}" 2>/dev/null || true; }
trap 'pass_on TERM' TERM
trap 'pass_on INT' INT
code=0
for ((left = processes; left > 0; left--)); do
  # A signal ends the wait early, with a code above 128, while the processes go on to save: wait again.
  while :; do
    status=0
    { wait -n -p ended || status=$?; } 2> /dev/null # the shell's own word on a process that was killed
    if [ "$status" -le 128 ] || [ "$(jobs -rp | wc -l)" -lt "$left" ]; then break; fi
  done
  if [ "$status" -ne 0 ] && [ "$code" -eq 0 ]; then
    code=$status
    pass_on KILL
    for ((i = 0; i < processes; i++)); do
      [ "${pids[i]}" != "${ended:-}" ] || [ "$code" -le 128 ] ||
        echo "multiprocess.sh: process $i of $processes was killed (signal $((code - 128))) and the others were ended; the same line goes on from the last checkpoint" >&2
    done
  fi
done
exit "$code"
