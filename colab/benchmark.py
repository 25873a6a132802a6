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

# git+https://... of the repository, or the path of a wheel or checkout on this machine; empty: from the package index.
# Where neither has it, make a wheel at home, `pip wheel --no-deps --wheel-dir=dist CHECKOUT`, upload dist/*.whl (on
# Colab: Files, on the left, then the first icon), and write /content/ and its name here.
address = ""  # @param {type: "string"}
if "google.colab" in sys.modules:
    wanted = f"zsl-jax[viz] @ {address}" if "://" in address else f"{address or 'zsl-jax'}[viz]"
    # %pip install -q "{wanted}"

# %%
import pathlib
import tempfile

import matplotlib.pyplot as plt
from IPython import display

from zsl_jax import config, plots
from zsl_jax.training import reading, reports, run
from zsl_jax.verbs import pages, results

# %matplotlib inline

runs = pathlib.Path(tempfile.mkdtemp()) / "runs"
methods = ("eszsl", "softmax", "dap")

# %% [markdown]
# ## Runs

# %%
scores = {method: [] for method in methods}
for method in methods:
    for seed in (0, 1):
        settings = config.base(method, "digits")
        settings.seed = seed
        settings.train.epochs = 1 if method == "eszsl" else 3
        settings.select.folds = 1  # by default five draws of validation classes choose
        record = run.run(settings, runs / f"{method}_{seed}", say=lambda line: None).record
        scores[method].append(100 * record["metrics"]["gzsl"]["calibrated"]["harmonic"])
    print(method)

# %% [markdown]
# ## The table
#
# The same as `python -m zsl_jax report runs`. With three unseen classes and two seeds, little can be told apart, and
# the page says so.

# %%
report = reports.collect(reading.load([runs]))
display.Markdown(pages.as_markdown(results.blocks(report)))

# %%
figure, axes = plt.subplots(figsize=(6, 2.5), layout="constrained")
for place, method in enumerate(methods):
    axes.plot(scores[method], [place, place], "o", color=plots.SEEN)
axes.set_yticks(range(len(methods)), methods)
axes.set(xlim=(0, 100), ylim=(-0.5, 2.5), xlabel="calibrated H, %", title="three methods on digits, a dot per seed")
axes.spines[["top", "right"]].set_visible(False)
plt.show()
