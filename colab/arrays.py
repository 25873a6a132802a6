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
# # On arrays: fit in ten lines
#
# Features, labels, and a description of every class: that is all it takes. Ten handwritten digits are described by the
# strokes that they are made of; no image of three of them is ever shown in training.

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

import numpy as np

import zsl_jax
from zsl_jax import data, metrics, plots

# %matplotlib inline

# %%
digits = data.load("digits")
rows, table = digits.splits["train"], digits.classes
inputs, labels, classes = digits.inputs[rows], digits.labels[rows], table.embedding
print(f"inputs {inputs.shape}, labels {labels.shape}, classes {classes.shape}")
print("never in labels:", *(table.names[row] for row in np.setdiff1d(np.arange(10), labels)))

# %% [markdown]
# ## Fit
#
# The number of epochs and gamma, a constant subtracted from the scores of seen classes, are chosen on *validation
# classes*, labelled classes held out for that. Nothing is left on disk.

# %%
trained = zsl_jax.fit("eszsl", inputs, labels, classes, names=table.names, attributes=digits.info.get("attributes"))

# %% [markdown]
# ## Ask
#
# Images of the three digits that were never shown, among all ten:

# %%
unseen = digits.splits["test_unseen"]
trained.predict(digits.inputs[unseen[:8]], top=2)

# %% [markdown]
# Scores are an array, a column per class in the order of `classes`, for anything that you want to measure or draw:

# %%
scores, truth = trained.scores(digits.inputs[unseen]), digits.labels[unseen]
accuracy = metrics.per_class_accuracy(scores.argmax(axis=1), truth, num_classes=10)
print(f"{accuracy:.0%} of the unseen digits are named rightly among all ten (chance 10%)")
plots.retrieval(digits.images[unseen], scores, truth, names=table.names, rows=np.unique(truth))

# %% [markdown]
# Which strokes decided?

# %%
trained.explain(digits.inputs[unseen[:1]], count=3)[0].reasons

# %% [markdown]
# ## Keep
#
# The folder is a workdir that `zsl-jax predict`, `export` and the other verbs read.

# %%
folder = pathlib.Path(tempfile.mkdtemp()) / "digits"
trained.save(folder)
sorted(path.name for path in folder.iterdir())
