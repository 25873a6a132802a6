# shellcheck shell=bash
# Sourced by the scripts beside it, from the root of the checkout: makes .venv and installs the package with the extras named.
# A second call does nothing unless pyproject.toml, setup.py, the constraints or the extras have changed.
#   PYTHON=python3.12 bash launch/local.sh    chooses the interpreter
environment() {
  local extras=$1 python=${PYTHON:-python3} constraints=constraints.txt own stamp wanted
  own=constraints-$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true).txt
  [ ! -f "$own" ] || constraints=$own
  if [ -n "${dry_run:-}" ]; then
    do_it "$python" -m venv .venv
    do_it .venv/bin/python -m pip install -c "$constraints" -e ".[$extras]"
    return
  fi
  if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "zsl_jax needs Python >= 3.11; '$python' is $("$python" --version 2>&1 || true). Set PYTHON to another." >&2
    return 2
  fi
  [ -x .venv/bin/python ] || { echo "making .venv and installing zsl_jax (a minute or two, once)"; "$python" -m venv .venv; }
  stamp=".venv/installed-$extras"
  wanted=$(cat pyproject.toml setup.py "$constraints" | .venv/bin/python -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())')
  if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -c "$constraints" -e ".[$extras]"
    echo "$wanted" > "$stamp"
  fi
}

# Runs a command, or prints it where the script was called with --dry_run.
do_it() {
  if [ -n "${dry_run:-}" ]; then
    printf '%q ' "$@"
    echo
  else
    "$@"
  fi
}
