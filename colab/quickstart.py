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
# # Quickstart: name what nobody has trained on
#
# A class is described by attributes. A model learns on 48 kinds of painted objects what images look like that have an
# attribute, and then names 16 kinds that it has never seen, from their description alone. Half a minute on a CPU.

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

import jax
import numpy as np

from zsl_jax import config, plots
from zsl_jax.data import input_files
from zsl_jax.training import predicting, run, trained
from zsl_jax.verbs import figures as run_figures
from zsl_jax.verbs import table

# %matplotlib inline

# %% [markdown]
# On a GPU or TPU (in Colab: Runtime > Change runtime type) nothing changes but this line's answer:

# %%
jax.devices()

# %% [markdown]
# ## Train
#
# A config has every knob with its default. Epochs and the calibration constant are chosen on *validation classes*, seen
# classes held out of training; the unseen classes are scored once, at the end.

# %%
settings = config.base("ale", "shapes")
settings.method.learning_rate = 3.0
settings.data.num_per_class = 40
settings.train.epochs = 15
workdir = pathlib.Path(tempfile.mkdtemp()) / "ale"
result = run.run(settings, workdir)
print(table.render(result.record))

# %% [markdown]
# ## Look
#
# Blue is seen, orange is unseen, in every figure. The curve shows what is gained on unseen classes, and lost on seen
# ones, as a constant is subtracted from the scores of the seen classes.

# %%
figures = run_figures.figures(result, workdir)
figures["story.png"]

# %% [markdown]
# ## Score new inputs
#
# The workdir holds all that is needed. Candidates are the classes of any table; here the 16 unseen ones.

# %%
model = trained.load(workdir)
unseen = model.classes[~np.asarray(model.classes.is_seen)]
images = input_files.Block([f"image {i}" for i in range(4)], result.unseen_images[::170][:4])
for prediction in predicting.predict(model, unseen, [images], top=2, num_reasons=3):
    for candidate in prediction.candidates:
        print(f"{prediction.name}: {candidate.name:28} probability {candidate.probability:.2f}")
    because = ", ".join(f"{name} {value:+.2f}" for name, value in prediction.reasons.attributes.items())
    print(f"         why not {prediction.reasons.runner_up}? {because}\n")

# %% [markdown]
# ## See why
#
# A score is a sum over attributes, so that a decision can be taken apart: what spoke for the wrong class in the worst
# confusions?

# %%
figures["confusions.png"]

# %% [markdown]
# And what the model reads off the images, beside what the table says:

# %%
figures["attributes.png"]

# %% [markdown]
# ## Look closer
#
# Images and class descriptions in one plane (`projection="tsne"` draws neighbourhoods), and the images that each
# description finds:

# %%
figures["embeddings.png"]

# %%
figures["retrieval.png"]

# %%
plots.SEEN, plots.UNSEEN  # the two colours of every figure
