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
# # Losses: a figure of the families
#
# `from zsl_jax import losses`: arrays in, one value per example out, nothing reduced. Each figure shows how a loss
# changes while one score or one angle moves.

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
import matplotlib.pyplot as plt

from zsl_jax import losses, plots

# %matplotlib inline

# The colours of the package's own figures.
plt.rcParams["axes.prop_cycle"] = plt.cycler(color=[plots.SEEN, plots.UNSEEN, plots.WRONG, "black"])
plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False}

# %% [markdown]
# ## Ranking: the right class against the others
#
# Ten classes. The score of the right one moves, the others stay at random values below 1. `warp` weights violations by
# the rank of the right class, `rank_hinge` adds all of them, `structured_hinge` takes the worst.

# %%
own = jnp.linspace(-2, 3, 101)
others = jax.random.uniform(jax.random.key(0), (9,))
scores = jnp.concatenate([own[:, None], jnp.broadcast_to(others, (101, 9))], axis=1)
labels = jnp.zeros(101, int)
for name in ("warp", "rank_hinge", "structured_hinge"):
    plt.plot(own, getattr(losses, name)(scores, labels, margin=1.0), label=name)
plt.plot(own, losses.softmax_cross_entropy(scores, labels), label="softmax_cross_entropy")
plt.xlabel("score of the right class"), plt.ylabel("loss"), plt.ylim(0, 12), plt.legend()
plt.title("ranking losses of one image")
plt.show()

# %% [markdown]
# ## Contrastive: two views of a batch
#
# Row i of one side matches row i of the other. One pair of eight is turned away from its match.

# %%
angles = jnp.linspace(0, jnp.pi, 61)
anchors = jnp.eye(8)
turned = jax.vmap(lambda a: anchors.at[0].set(jnp.cos(a) * anchors[0] + jnp.sin(a) * anchors[1]))(angles)
curves = {
    "clip_softmax": jax.vmap(lambda x: losses.clip_softmax(x, anchors, scale=10.0)[0])(turned),
    "sigmoid_contrastive": jax.vmap(lambda x: losses.sigmoid_contrastive(x, anchors, scale=10.0, bias=-5.0)[0])(turned),
    "info_nce": jax.vmap(lambda x: losses.info_nce(x, anchors, temperature=0.1)[0])(turned),
}
for name, values in curves.items():
    plt.plot(jnp.degrees(angles), values, label=name)
plt.xlabel("angle between an image and its class, degrees"), plt.ylabel("loss of that row"), plt.legend()
plt.title("contrastive losses of one row")
plt.show()

# %% [markdown]
# ## Temperature
#
# A low temperature looks at the hardest negative alone; a high one treats all the same.

# %%
for temperature in (0.05, 0.1, 0.5, 1.0):
    values = jax.vmap(lambda x, t=temperature: losses.info_nce(x, anchors, temperature=t)[0])(turned)
    plt.plot(jnp.degrees(angles), values / values.max(), label=f"temperature {temperature}")
plt.xlabel("angle, degrees"), plt.ylabel("loss, largest = 1"), plt.legend()
plt.title("info_nce by temperature")
plt.show()

# %% [markdown]
# ## Supervised contrastive: rows of one class attract each other

# %%
rows = jnp.concatenate([anchors[:4], anchors[:4]])
groups = jnp.tile(jnp.arange(4), 2)
moved = jax.vmap(lambda a: rows.at[0].set(jnp.cos(a) * rows[0] + jnp.sin(a) * rows[1]))(angles)
for temperature in (0.1, 0.3):
    values = jax.vmap(lambda x, t=temperature: losses.supervised_contrastive(x, groups, temperature=t)[0])(moved)
    plt.plot(jnp.degrees(angles), values, label=f"supervised_contrastive, temperature {temperature}")
plt.xlabel("angle between two rows of a class, degrees"), plt.ylabel("loss of that row"), plt.legend()
plt.title("two rows of one class")
plt.show()

# %% [markdown]
# ## Margin softmax: angles with a margin
#
# Cosines times a scale; the angle to the right class has to be smaller by a margin. Ten classes at right angles.

# %%
cosines = jnp.zeros((61, 10)).at[:, 0].set(jnp.cos(angles))
zeros = jnp.zeros(61, int)
plt.plot(jnp.degrees(angles), losses.softmax_cross_entropy(16 * cosines, zeros), label="softmax_cross_entropy")
plt.plot(jnp.degrees(angles), losses.cosface(cosines, zeros, scale=16.0), label="cosface")
plt.plot(jnp.degrees(angles), losses.arcface(cosines, zeros, scale=16.0), label="arcface")
plt.xlabel("angle to the right class, degrees"), plt.ylabel("loss"), plt.legend()
plt.title("softmax losses with a margin")
plt.show()

# %% [markdown]
# ## Attributes: questions with a yes or a no, or values
#
# One attribute that is there. Its logit, or its predicted value, moves.

# %%
value = jnp.linspace(-4, 4, 81)[:, None]
there = jnp.ones((81, 1))
plt.plot(value[:, 0], losses.multilabel_bce(value, there), label="multilabel_bce of a logit")
plt.plot(value[:, 0], losses.attribute_regression(value, there), label="attribute_regression of a value")
plt.xlabel("prediction for an attribute that is there"), plt.ylabel("loss"), plt.ylim(0, 8), plt.legend()
plt.title("losses of one attribute")
plt.show()

# %% [markdown]
# ## Evidence: saying how much one knows
#
# Evidence for the right class grows while that for one other class stays.

# %%
evidence = jnp.linspace(0, 20, 81)
for other in (0.0, 2.0, 10.0):
    table = jnp.stack([evidence, jnp.full(81, other), jnp.zeros(81)], axis=1)
    plt.plot(evidence, losses.evidential_log(table, jnp.zeros(81, int)), label=f"{other:.0f} for another class")
plt.xlabel("evidence for the right class"), plt.ylabel("evidential_log"), plt.legend()
plt.title("evidence against evidence")
plt.show()

# %% [markdown]
# ## Gradients
#
# Every loss is safe under `jit`, `vmap` and `grad`. The pull on each score, for one image of class 0:

# %%
example = jnp.array([[0.2, 0.9, 0.5, -0.3, 0.1]])
for shift, name in enumerate(("warp", "rank_hinge", "structured_hinge")):
    pull = -jax.jit(jax.grad(lambda s, n=name: getattr(losses, n)(s, jnp.array([0]), margin=1.0).sum()))(example)[0]
    plt.bar(jnp.arange(5) + 0.25 * (shift - 1), pull, width=0.25, label=name)
plt.xticks(range(5), [f"class {c}\nscore {s:.1f}" for c, s in enumerate(example[0])])
plt.ylabel("pull on the score"), plt.axhline(0, color="black", lw=0.8), plt.legend()
plt.title("what pulls on the scores of an image of class 0")
plt.show()
