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
# # Pod: what changes on many devices
#
# Nothing in your code, and no number that matters. Eight devices are made out of one CPU here; on a pod, each host
# runs the same line.

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
import os

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"  # before jax is imported

# %%
import json
import pathlib
import subprocess
import tempfile

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from zsl_jax import config, data, plots
from zsl_jax.training import parallel, run

# %matplotlib inline

folder = pathlib.Path(tempfile.mkdtemp())
jax.devices()

# %% [markdown]
# ## A batch is split, the weights are whole
#
# One axis, `data`: each device holds an eighth of a batch and all weights. The loss is that of the whole batch, also
# where it is contrastive; the compiler puts the communication in.

# %%
layout = parallel.Layout(parallel.make_mesh())
examples = parallel.place_examples(data.Examples(jnp.ones((640, 32)), jnp.zeros(640, int)), layout)
take = jax.jit(lambda examples, rows: parallel.take_batch(examples, rows, rows >= 0, layout))
jax.debug.visualize_array_sharding(take(examples, jnp.arange(64)).inputs)
weights = parallel.replicate(jnp.ones((32, 8)), layout.mesh)
jax.debug.visualize_array_sharding(weights)

# %% [markdown]
# ## The same run on eight devices and on one

# %%
settings = config.base("ale", "digits")
settings.method.learning_rate = 3.0
settings.train.epochs = 3
settings.select.folds = 1  # by default five draws of validation classes choose
eight = run.run(settings, folder / "eight").record
print(eight["device"])

# %%
program = """
import json, sys, pathlib
from zsl_jax.training import run
from zsl_jax import config
settings = config.from_json(json.loads(sys.argv[1]))
run.run(settings, pathlib.Path(sys.argv[2]))
"""
one_device = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
subprocess.run([sys.executable, "-c", program, settings.to_json(), str(folder / "one")], env=one_device, check=True)
one = json.loads((folder / "one" / "record.json").read_text())
print(one["device"])

# %%
names = ("unseen", "seen", "harmonic", "ausuc")
figure, axes = plt.subplots(figsize=(6, 2.8), layout="constrained")
for shift, record, colour, says in ((-0.2, eight, plots.SEEN, "eight devices"), (0.2, one, plots.WRONG, "one device")):
    values = [record["metrics"]["gzsl"][name] for name in names]
    axes.bar(np.arange(4) + shift, values, width=0.38, color=colour, label=says)
    print(f"{says:14}", *(f"{name} {value:.6f}" for name, value in zip(names, values)))
axes.set_xticks(range(4), names)
axes.set(ylim=(0, 1), ylabel="accuracy", title="the same run on eight devices and on one")
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, loc="upper right")
plt.show()

# %% [markdown]
# ## What is asked of you
#
# A batch that the devices can share evenly. Otherwise the run stops before it starts, with the nearest size:

# %%
settings.train.batch_size = 60
try:
    run.run(settings, folder / "uneven")
except Exception as error:
    print(error)
