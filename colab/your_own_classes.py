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
# # Your own classes: describe one in a table and have it recognised
#
# The model below has never seen any of the classes in our table. We write the table by hand, one line per class.

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
import numpy as np

from zsl_jax import __main__, config, data, plots
from zsl_jax.data import class_files
from zsl_jax.training import run

# %matplotlib inline

folder = pathlib.Path(tempfile.mkdtemp())

# %% [markdown]
# ## A trained model

# %%
settings = config.base("eszsl", "shapes")
settings.data.num_per_class = 40
settings.train.epochs = 1
settings.train.batch_size = 512
result = run.run(settings, folder / "eszsl")
sorted(path.name for path in (folder / "eszsl").iterdir())

# %% [markdown]
# `classes.csv` is the class table of the run: a spreadsheet with one class per line. The model knows these words:

# %%
attributes = class_files.read(folder / "eszsl" / "classes.csv").attributes
print(*attributes, sep=", ")

# %% [markdown]
# ## Our table
#
# Four things that we would like to find, said in the model's words.

# %%
wanted = {
    "ladybird": ("circle", "red", "solid", "small"),
    "starfish": ("star", "cyan", "dotted", "large"),
    "valentine": ("heart", "orange", "checked", "large"),
    "night sky": ("moon", "blue", "solid", "small"),
}
matrix = np.array([[float(word in words) for word in attributes] for words in wanted.values()], np.float32)
ours = data.ClassTable(matrix, np.zeros(len(wanted), bool), tuple(wanted))
class_files.write(folder / "ours.csv", ours, attributes)
print((folder / "ours.csv").read_text())

# %% [markdown]
# ## Images of them
#
# None of these was among the training images, and neither was any other of their kind.

# %%
shapes = data.load(**settings.data)
kinds = ["small red solid circle", "large cyan dotted star", "large orange checked heart", "small blue solid moon"]
rows = np.concatenate([np.flatnonzero(shapes.labels == shapes.classes.names.index(kind))[:3] for kind in kinds])
assert not set(rows) & set(shapes.splits["train"])
np.save(folder / "images.npy", shapes.images[rows])

# %% [markdown]
# ## Ask
#
# The same line as in a terminal: `python -m zsl_jax predict --workdir=... --classes=ours.csv images.npy`

# %%
status = __main__.main(
    [
        "predict",
        f"--workdir={folder / 'eszsl'}",
        f"--classes={folder / 'ours.csv'}",
        "--probabilities",
        "--explain",
        f"--out={folder / 'answers.csv'}",
        str(folder / "images.npy"),
    ]
)
answers = [line.split(",") for line in (folder / "answers.csv").read_text().splitlines()[1:]]

# %%
figure, axes = plt.subplots(4, 3, figsize=(6, 8.5), layout="constrained")
for axis, row, answer in zip(axes.T.ravel(order="F"), rows, answers):
    axis.imshow(shapes.images[row])
    axis.set(xticks=[], yticks=[])
    axis.set_title(f"{answer[1]} ({float(answer[3]):.0%})", color=plots.UNSEEN, fontsize=10)
plt.show()

# %% [markdown]
# ## Why
#
# `--explain` names the attributes that decided between the best class and the next:

# %%
for line in (folder / "answers.csv").read_text().splitlines()[1:10:3]:
    print(line.split('"')[1], "\n")
