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
# # Your own photos: name a class that has none
#
# A folder of photos for each class that you have, a line of attributes for each class that you want: that is all. In
# Colab, upload a zip file or name a folder of your Drive. Anywhere else this notebook draws small flags instead, and
# an encoder with random weights looks at them, so that nothing is downloaded.

# %%
import sys

# git+https://... of the repository, or the path of a wheel or checkout on this machine; empty: from the package index.
# Where neither has it, make a wheel at home, `pip wheel --no-deps --wheel-dir=dist CHECKOUT`, upload dist/*.whl (on
# Colab: Files, on the left, then the first icon), and write /content/ and its name here.
address = ""  # @param {type: "string"}
if "google.colab" in sys.modules:
    wanted = f"zsl-jax[hub,viz] @ {address}" if "://" in address else f"{address or 'zsl-jax'}[hub,viz]"
    # %pip install -q "{wanted}"

# %%
import itertools
import pathlib
import shutil
import tempfile

import IPython.display
import numpy as np
import PIL.Image

from zsl_jax import __main__, data
from zsl_jax.data import class_files

folder = pathlib.Path(tempfile.mkdtemp())
photos, in_colab = folder / "photos", "google.colab" in sys.modules

# %% [markdown]
# ## Photos
#
# `photos/zebra/001.jpg`, `photos/horse/...`: at least four classes, ten photos of each are a good start.

# %%
on_drive = ""  # @param {type: "string"}
# For example MyDrive/photos; empty: upload a zip file that holds a folder per class.
if in_colab and on_drive:
    from google.colab import drive

    drive.mount("/content/drive")
    photos = pathlib.Path("/content/drive") / on_drive
elif in_colab:
    from google.colab import files

    for name in files.upload():
        shutil.unpack_archive(name, photos)
else:
    colours = {"red": (210, 40, 40), "green": (40, 150, 60), "blue": (40, 70, 190), "white": (240, 240, 240)}
    colours |= {"yellow": (240, 210, 50), "black": (20, 20, 20)}
    drawn = np.random.default_rng(0)
    for one, other in itertools.combinations(colours, 2):
        place = photos / f"{one} {other} flag"
        place.mkdir(parents=True)
        for number in range(12):
            flag = np.full((32, 32, 3), colours[one]) + drawn.normal(scale=20, size=(32, 32, 3))
            flag[:, drawn.integers(12, 20) :] += np.subtract(colours[other], colours[one])
            flag = np.rot90(flag, drawn.integers(4)).clip(0, 255).astype(np.uint8)
            PIL.Image.fromarray(flag).save(place / f"{number:03}.png")
kinds = sorted(path.name for path in photos.iterdir() if path.is_dir())
print(len(kinds), "classes:", *kinds[:6], sep="\n  ")

# %% [markdown]
# ## What the classes are like
#
# Replace the words by your own: a line for each folder, and for each class to be named. Those in `unseen` are named
# without a single training image.

# %%
described = {kind: kind.removesuffix(" flag").split() for kind in kinds}
unseen = kinds[::4]
# described = {"zebra": ["striped", "hooves"], "horse": ["hooves"], "tiger": ["striped", "claws"], ...}
# unseen = ["zebra"]
words = sorted({word for line in described.values() for word in line})
matrix = np.array([[float(word in line) for word in words] for line in described.values()], np.float32)
table = data.ClassTable(matrix, ~np.isin(list(described), unseen), tuple(described))
class_files.write(folder / "classes.csv", table, words)
print("never trained on:", *unseen, sep="\n  ")

# %% [markdown]
# ## From photos to features, and to a model
#
# The same lines as in a terminal. `extract/pretrained` fetches the weights by their name (14 MB).

# %%
weights = "extract/pretrained:mobilenetv2_100.ra_in1k"
look = [f"--config={weights}"] if in_colab else ["--config=extract/resnet:18", "--config.images.size=32"]
for line in (
    ["data", "import", str(photos), f"--attributes={folder / 'classes.csv'}", f"--out={folder / 'dataset'}"],
    ["extract", *look, f"--config.data.dir={folder / 'dataset'}", f"--out={folder / 'features'}"],
    ["train", "--config=eszsl:features", f"--config.data.dir={folder / 'features'}", f"--workdir={folder / 'run'}"],
):
    status = __main__.main([*line, *(["--config.plots=none"] if line[0] == "train" else [])])
    assert status == 0, line

# %% [markdown]
# ## Name them
#
# Photos of the classes that no training image was of. `--names` or `--classes=TABLE.csv` would ask among others.

# %%
asked = folder / "new"
for kind in unseen:
    shutil.copytree(photos / kind, asked / kind)
status = __main__.main(
    [
        "predict",
        f"--workdir={folder / 'run'}",
        "--probabilities",
        f"--figure={folder / 'named.png'}",
        f"--out={folder / 'named.csv'}",
        str(asked),
    ]
)
PIL.Image.open(folder / "named.png").convert("RGB").save(folder / "named.jpg", quality=85)  # small enough to keep
IPython.display.Image(folder / "named.jpg")
