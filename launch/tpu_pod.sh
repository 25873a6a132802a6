#!/usr/bin/env bash
# A Cloud TPU slice from the command line: create it, install zsl_jax on every host, run, look, delete.
#   bash launch/tpu_pod.sh create --name=zsl --zone=us-east5-b --type=v6e-32 --version=v2-alpha-tpuv6e [--spot]
#   bash launch/tpu_pod.sh setup  --name=zsl --zone=us-east5-b --repository=https://github.com/OWNER/zsl_jax
#   bash launch/tpu_pod.sh run    --name=zsl --zone=us-east5-b --workdir=/mnt/shared/ale -- --config=configs/ale.py
#   bash launch/tpu_pod.sh logs   --name=zsl --zone=us-east5-b
#   bash launch/tpu_pod.sh delete --name=zsl --zone=us-east5-b
#   bash launch/tpu_pod.sh spot   (the options of create, setup and run) -- --config=...
#       creates, sets up and runs, again and again until the run has ended well: a spot slice that is taken away is
#       deleted and asked for anew, and the run resumes from its workdir
# --workdir must be on storage that all hosts mount (Filestore, or a bucket by gcsfuse). --project=P where it is not
# gcloud's default. --dry_run prints every command and runs none. Needs gcloud, logged in, with the TPU API on.
set -euo pipefail
verb=${1:-}
[ $# -gt 0 ] && shift
name='' zone='' type='' version='' repository='' workdir='' project='' spot='' dry_run=''
while [ $# -gt 0 ]; do
  case $1 in
    --name=*) name=${1#*=} ;;
    --zone=*) zone=${1#*=} ;;
    --type=*) type=${1#*=} ;;
    --version=*) version=${1#*=} ;;
    --repository=*) repository=${1#*=} ;;
    --workdir=*) workdir=${1#*=} ;;
    --project=*) project=${1#*=} ;;
    --spot) spot=1 ;;
    --dry_run) dry_run=1 ;;
    --) shift; break ;;
    *) echo "tpu_pod.sh: unknown option $1; see the top of $0" >&2; exit 2 ;;
  esac
  shift
done

need() {
  local option
  for option in "$@"; do
    [ -n "${!option}" ] || { echo "tpu_pod.sh: $verb needs --$option=..." >&2; exit 2; }
  done
}
do_it() {
  if [ -n "$dry_run" ]; then
    printf '%q ' "$@"
    echo
  else
    "$@"
  fi
}
tpu() { do_it gcloud compute tpus tpu-vm "$1" "$name" "--zone=$zone" ${project:+"--project=$project"} "${@:2}"; }
everywhere() { tpu ssh --worker=all "--command=$1"; }

create() {
  need name zone type version
  tpu create "--accelerator-type=$type" "--version=$version" ${spot:+--spot}
}
setup() {
  need name zone repository
  # The hosts' Python may be older than 3.11; uv brings one.
  everywhere "command -v uv >/dev/null || curl -LsSf https://astral.sh/uv/install.sh | sh"
  everywhere "rm -rf zsl_jax && git clone --quiet $(printf %q "$repository") zsl_jax"
  everywhere "cd zsl_jax && ~/.local/bin/uv venv --quiet --python 3.11 .venv && ~/.local/bin/uv pip install --quiet --python .venv 'jax[tpu]' -e '.[viz]'"
}
run() {
  need name zone workdir
  [ $# -gt 0 ] || { echo "tpu_pod.sh: say what to train after --, e.g. -- --config=configs/ale.py" >&2; exit 2; }
  local line
  line="$(printf '%q ' .venv/bin/python -m zsl_jax train "--workdir=$workdir" --config.parallel.hosts=all "$@")"
  everywhere "cd zsl_jax && set -o pipefail && { $line 2>&1 | tee -a ~/zsl_jax.log; }"
}
logs() {
  need name zone
  everywhere "tail -n 40 ~/zsl_jax.log"
}
delete() {
  need name zone
  tpu delete --quiet
}

case $verb in
  create | setup | logs | delete) "$verb" ;;
  run) run "$@" ;;
  spot)
    need name zone type version repository workdir
    spot=1
    while :; do
      # A run that was told to stop ends well, too, but without its record.
      if create && setup && run "$@" && everywhere "test -f $(printf %q "$workdir")/record.json"; then
        delete
        break
      fi
      # A slice that was taken away still has its name until it is deleted.
      delete || true
      echo "tpu_pod.sh: the slice is gone or the run has failed: trying again in 60 s (Ctrl-C ends this)" >&2
      do_it sleep 60
      [ -z "$dry_run" ] || break
    done
    ;;
  *) echo "tpu_pod.sh: the verbs are create, setup, run, logs, delete and spot, not '$verb'" >&2; exit 2 ;;
esac
