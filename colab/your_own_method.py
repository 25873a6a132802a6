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
# # Your own method in a dozen lines
#
# A method is a few pure functions. Here they say that an image and a description fit where their directions agree in a
# space that both are mapped to, with a temperature that is learned too. The protocol chooses its epochs, trains it,
# calibrates it on validation classes and scores it once, as it does for every method of the package.

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
import jax
import jax.numpy as jnp
import numpy as np
import optax

import zsl_jax
from zsl_jax import data, methods, plots, similarity

# %matplotlib inline


# %% [markdown]
# ## The functions
#
# `like` is a batch of zeros and `classes` the class table: they say how large the parameters are. The loss is a value
# per example. What needs no class goes into `embed` and what needs no image into `describe`: a new class is described
# once.


# %%
def init_params(key, like, classes):
    of_images, of_classes = jax.random.split(key)
    width = 64
    return {
        "images": jax.random.normal(of_images, (like.inputs.shape[-1], width)) / np.sqrt(like.inputs.shape[-1]),
        "classes": jax.random.normal(of_classes, (classes.embedding.shape[-1], width)),
        "log_scale": jnp.log(10.0),
    }


def embed(params, inputs):
    return inputs @ params["images"]


def describe(params, classes):
    return classes.embedding @ params["classes"]


def scores(params, images, described):
    return jnp.exp(params["log_scale"]) * similarity.cosine(images, described)


def loss(params, batch, classes, key):
    found = scores(params, embed(params, batch.inputs), describe(params, classes))
    return optax.softmax_cross_entropy_with_integer_labels(found, batch.labels)


ours = methods.by_gradient(
    init_params=init_params,
    embed=embed,
    describe=describe,
    scores=scores,
    loss=loss,
    optimizer=optax.adam(3e-3),
)

# %% [markdown]
# ## Train it
#
# Ten handwritten digits are described by their strokes; no image of three of them is shown in training.

# %%
digits = data.load("digits")
rows, unseen, names = digits.splits["train"], digits.splits["test_unseen"], digits.classes.names
given = {"labels": digits.labels[rows], "classes": digits.classes.embedding, "names": names}
tested = np.concatenate([digits.splits["test_seen"], unseen])
test = (digits.inputs[tested], digits.labels[tested])
trained = zsl_jax.fit(ours, digits.inputs[rows], **given, test=test, config={"train.epochs": 30})

# %% [markdown]
# ## Beside a method of the package
#
# The same data, the same choices, the same score.

# %%
rival = zsl_jax.fit("eszsl", digits.inputs[rows], **given, test=test)
for name, model in (("ours", trained), ("eszsl", rival)):
    found = model.record["metrics"]
    print(f"{name:<6} ZSL {found['zsl']['top1']:.0%}, calibrated H {found['gzsl']['calibrated']['harmonic']:.0%}")

# %% [markdown]
# What it calls images of the digits that it never saw, among these three:

# %%
never = [name for name in names if name in ("one", "five", "seven")]
shown = unseen[:: len(unseen) // 12][:12]
plots.named_images(digits.images[shown], trained.predict(digits.inputs[shown], names=never), is_seen=[False] * 12)

# %% [markdown]
# A file with such a factory, its knobs and a recipe is a method of the package, with sweeps, checkpoints and the
# command line: see docs/write_a_method.md.
