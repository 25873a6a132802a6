"""Writes colab/README.md, a sentence and a figure for each notebook that shows one, and these figures.

    python docs/make_colab_readme.py

"Open in Colab" needs the address of the repository, which stands in pyproject.toml once there is one.
"""

import base64
import io
import json
import pathlib
import tomllib

import PIL.Image

ROOT = pathlib.Path(__file__).resolve().parent.parent
COLAB = ROOT / "colab"
WIDTH = 360  # of a figure, pixels
# In the order to read them in, and what each of them shows.
NOTEBOOKS = {
    "quickstart": "Train on 48 kinds of painted objects, then name 16 kinds that were never shown.",
    "arrays": "Fit a method on arrays in ten lines, and ask it with arrays.",
    "your_own_classes": "Describe a class in a table and have it recognised, with the reasons.",
    "your_own_photos": "Upload a folder of photos, or mount your Drive, and name a class that has no training photo.",
    "your_own_method": "Write a method in a dozen lines and compare it with one of the package.",
    "your_own_loss": "Write a loss in four lines, look at its slope, and train with it beside those of the package.",
    "losses": "What each loss asks for, drawn.",
    "benchmark": "Several methods on one benchmark, by one protocol, in one table.",
    "pod": "The same program on eight devices, with the same numbers.",
}


def page() -> str:
    """Returns the text of colab/README.md."""
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"].get("urls", {})
    lines = [
        "# Notebooks",
        "",
        "Executed, offline, each within a minute on a CPU. `bash colab/execute.sh NAME` writes `NAME.ipynb` from",
        "`NAME.py` and runs it. On a GPU or TPU (Runtime > Change runtime type) nothing changes but the time: the",
        "first cell installs the package beside the jax that Colab has.",
        _how_to_open(urls),
        "",
        "| | |",
        "|---|---|",
    ]
    for name, says in NOTEBOOKS.items():
        shown = f"[![{name}]({name}.png)]({name}.ipynb)" if figures(name) else ""
        title = f"**[{name.replace('_', ' ')}]({name}.ipynb)**{_badge(urls, name)}"
        lines.append(f"| {shown} | {title}<br>{says} |")
    return "\n".join(lines) + "\n"


def _how_to_open(urls: dict[str, str]) -> str:
    if urls:
        return "The badges open them there."
    return (
        "To open one there: File > Upload notebook. Its first cell needs the package: make a wheel of the checkout,\n"
        "`pip wheel --no-deps --wheel-dir=dist CHECKOUT`, upload `dist/*.whl` to the notebook's Files, and write\n"
        "`/content/` and its name as `address`."
    )


def _badge(urls: dict[str, str], name: str) -> str:
    """The badge of a notebook and a space before it; nothing without an address on GitHub."""
    place = urls.get("Repository", "").removeprefix("https://github.com/")
    if not urls or place == urls["Repository"]:
        return ""
    address = f"https://colab.research.google.com/github/{place}/blob/main/colab/{name}.ipynb"
    return f" [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({address})"


def figures(name: str) -> list[bytes]:
    """Returns the figures that a notebook shows, as PNG files."""
    cells = json.loads((COLAB / f"{name}.ipynb").read_text())["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    shown = [output.get("data", {}) for output in outputs]
    return [
        base64.b64decode("".join(data[kind])) for data in shown for kind in ("image/png", "image/jpeg") if kind in data
    ]


def small(figure: bytes) -> PIL.Image.Image:
    """Returns a figure at the width of the page."""
    found = PIL.Image.open(io.BytesIO(figure)).convert("RGB")
    return found.resize((WIDTH, round(found.height * WIDTH / found.width)), PIL.Image.Resampling.LANCZOS)


if __name__ == "__main__":
    for notebook in NOTEBOOKS:
        for figure in figures(notebook)[-1:]:
            small(figure).save(COLAB / f"{notebook}.png", optimize=True)
    (COLAB / "README.md").write_text(page())
    print(f"written: {COLAB / 'README.md'}")
