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
# # Your own loss in four lines
#
# A loss is a function of arrays, with one value per example. The names of its arguments say what it is given, numbers
# after the star are knobs. It trains, is chosen and is scored like every loss of the package.

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
import functools

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import zsl_jax
from zsl_jax import data, losses, methods, plots, similarity

# %matplotlib inline

# The colours of the package's own figures.
plt.rcParams["axes.prop_cycle"] = plt.cycler(color=[plots.SEEN, plots.UNSEEN, plots.WRONG, "black"])
plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False}


# %% [markdown]
# ## The function
#
# Cosines of an image with the training classes and the row of its class come in. This one is a softmax cross-entropy
# that cares less for images that are right already: the focal loss.


# %%
def focal(cosines, labels, *, scale: float = 10.0, focus: float = 2.0):
    loss = losses.softmax_cross_entropy(cosines, labels, scale=scale)
    return (1 - jnp.exp(-loss)) ** focus * loss


# %% [markdown]
# ## Its curve and its slope
#
# The cosine of the right class moves, that of nine others is 0. Where the slope is flat, an image teaches nothing.

# %%
own = jnp.linspace(-1, 1, 101)
cosines = jnp.zeros((101, 10)).at[:, 0].set(own)
labels = jnp.zeros(101, int)
figure, panels = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
for focus in (0.0, 1.0, 2.0, 4.0):
    of_focus = functools.partial(focal, focus=focus)
    slope = jax.grad(lambda x, f=of_focus: f(x, labels).sum())(cosines)[:, 0]
    panels[0].plot(own, of_focus(cosines, labels), label=f"focus {focus:.0f}")
    panels[1].plot(own, slope)
figure.suptitle("the focal loss: flat where an image is right already")
panels[0].set(xlabel="cosine of the right class", ylabel="loss"), panels[0].legend()
panels[1].set(xlabel="cosine of the right class", ylabel="slope")
plt.show()

# %% [markdown]
# ## Train with it
#
# Ten handwritten digits are described by their strokes; no image of three of them is shown in training. `bilinear` maps
# images to attributes and takes any loss, by name or as a function. Beside it the plain softmax, and a sum of two
# losses of which no step makes one worse. Epochs are chosen on one draw of validation classes, to be quick.

# %%
digits = data.load("digits")
rows, unseen, names = digits.splits["train"], digits.splits["test_unseen"], digits.classes.names
given = {"labels": digits.labels[rows], "classes": digits.classes.embedding, "names": names}
tested = np.concatenate([digits.splits["test_seen"], unseen])
given |= {"test": (digits.inputs[tested], digits.labels[tested]), "config": {"train.epochs": 10, "select.folds": 1}}
choices = {
    "focal": {"loss": focal},
    "softmax_cross_entropy": {"loss": "softmax_cross_entropy"},
    "info_nce+alignment, by MGDA": {"loss": "info_nce+alignment", "balance": "mgda"},
}
models = {
    name: zsl_jax.fit(
        methods.normalized(methods.bilinear(**knobs)), digits.inputs[rows], **given, say=lambda line: None
    )
    for name, knobs in choices.items()
}
for name, model in models.items():
    found = model.record["metrics"]
    print(f"{name:<30} ZSL {found['zsl']['top1']:.0%}, AUSUC {found['gzsl']['ausuc']:.0%}")

# %% [markdown]
# ## Ask the embeddings
#
# Where images lie is what a loss has made. A few images of two digits say what we look for, those of a third what we do
# not: like a three and like a six, and not like a two. The answers, among the digits that no training image showed:

# %%
embeddings = similarity.l2_normalize(models["focal"].method.embed(models["focal"].state, digits.inputs))
examples = {name: embeddings[rows[digits.labels[rows] == names.index(name)][:20]] for name in ("three", "six", "two")}
answer = similarity.set_query(
    embeddings[unseen], jnp.stack([examples["three"], examples["six"]]), examples["two"][None]
)
best = unseen[np.argsort(-np.asarray(answer))[:12]]
plots.named_images(digits.images[best], [names[label] for label in digits.labels[best]], is_seen=[False] * 12)

# %% [markdown]
# On the command line the same function is `--config=bilinear --config.method.loss=my_module:focal`, and
# `--config.loss.focus=1` sets its knob; a recipe sweeps it. What else a loss may be given, all losses of the package
# with figures of them, and all choices of negatives: docs/losses.md.
