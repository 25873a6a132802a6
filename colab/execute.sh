#!/usr/bin/env bash
# Writes colab/NAME.ipynb from colab/NAME.py and executes it: bash colab/execute.sh quickstart losses (default: all)
set -euo pipefail
cd "$(dirname "$0")/.."
python=${NOTEBOOK_PYTHON:-.venv/bin/python}
if [ ! -x "$python" ]; then
  source launch/environment.sh
  environment dev
fi
names=("$@")
if [ $# -eq 0 ]; then
  names=(colab/*.py)
  names=("${names[@]#colab/}")
  names=("${names[@]%.py}")
fi
export JAX_PLATFORMS=${JAX_PLATFORMS:-cpu} PYTHONPATH=$PWD
for name in "${names[@]}"; do
  "$python" -m jupytext --quiet --to ipynb "colab/$name.py" --output "colab/$name.ipynb"
  "$python" -m pytest -q -c /dev/null --rootdir . -p no:cacheprovider --nbmake --overwrite "colab/$name.ipynb"
  echo "colab/$name.ipynb"
done
