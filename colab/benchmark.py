# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Benchmark: from runs to a table that says which differences survive
#
# Every run leaves a record. `report` turns any number of them into one table: mean and deviation over seeds, intervals
# over test images, and a verdict on each lead. Here: three methods, two seeds each, on handwritten digits.

# %%
import sys

# git+https://... of the repository, or a wheel or a checkout on this machine; empty: from the package index
address = ""  # @param {type: "string"}
if "google.colab" in sys.modules:
    wanted = f"zsl-jax[viz] @ {address}" if "://" in address else f"{address or 'zsl-jax'}[viz]"
    # %pip install -q "{wanted}"

# %%
import pathlib
import tempfile

from IPython import display

from zsl_jax import config
from zsl_jax.training import reading, reports, run
from zsl_jax.verbs import pages, results

runs = pathlib.Path(tempfile.mkdtemp()) / "runs"

# %% [markdown]
# ## Runs

# %%
for method in ("eszsl", "softmax", "dap"):
    for seed in (0, 1):
        settings = config.base(method, "digits")
        settings.seed = seed
        settings.train.epochs = 1 if method == "eszsl" else 3
        settings.select.folds = 1  # by default five draws of validation classes choose
        run.run(settings, runs / f"{method}_{seed}", say=lambda line: None)
    print(method)

# %% [markdown]
# ## The table
#
# The same as `python -m zsl_jax report runs`. With three unseen classes and two seeds, little can be told apart, and
# the page says so.

# %%
report = reports.collect(reading.load([runs]))
display.Markdown(pages.as_markdown(results.blocks(report)))
