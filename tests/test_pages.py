"""The pages say what is: commands are of this command line, generated pages are up to date, the reference builds."""

import html
import json
import os
import pathlib
import re
import runpy
import shlex
import subprocess
import sys
import types
import urllib.parse
import xml.dom.minidom

import numpy as np
import pytest
import scipy.stats

from zsl_jax import __main__, config, data, methods
from zsl_jax.training import parallel
from zsl_jax.verbs import command_line
from zsl_jax.verbs.captions import CAPTIONS

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = re.compile(r"(?:^|`)(?: {4})?((?:python -m zsl_jax|zsl-jax) (?:[^`\n]|\n(?=--))+)", re.MULTILINE)
COMMANDS = sorted(
    {
        (page.name, found.strip())
        for page in PAGES
        for found in COMMAND.findall(re.sub(r" *\\\n *", " ", page.read_text()))
    }
)


def words_of(command: str) -> list[str]:
    return shlex.split(command.removeprefix("python -m zsl_jax").removeprefix("zsl-jax"), comments=True)


def test_the_pages_show_the_verbs():
    verbs = {words_of(command)[0] for _, command in COMMANDS}
    assert {"train", "evaluate", "predict", "export", "sweep", "report", "data", "bound"} <= verbs


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=lambda text: text[-60:])
def test_a_command_is_of_this_command_line(page, command):
    verb, *words = words_of(re.sub(r"\[--.*", "", command.split("  #")[0]))
    assert verb in __main__.VERBS
    module = __import__(f"zsl_jax.verbs.{verb}", fromlist=["USAGE"])
    rest, overrides = command_line.split_overrides(words)
    for word in rest:
        flag = word.partition("=")[0]
        assert not flag.startswith("-") or flag in (module.USAGE + "--help"), f"{verb} has no {flag}"
    recipe = next((word.partition("=")[2] for word in rest if word.startswith("--config=")), None)
    if recipe is not None and not re.search(r"\b[A-Z]{4,}\b", recipe):  # NAME, METHOD, DATASET stand for one
        recipe = str(ROOT / recipe) if recipe.startswith("configs/") else recipe
        made = command_line.load_recipe(recipe, overrides.get("scorer.name"))
        if "method.loss" in overrides:
            config.choose_loss(made, overrides["method.loss"])
        keys = set(config.leaves(made))
        named = {key: overrides[key] for key in ("encoder.name", "class_encoder.name") if key in overrides}
        if named:  # another encoder has keys of its own
            keys |= set(config.leaves(command_line.recipe(recipe, named)))
        assert set(overrides) <= keys | {key.replace("method.", "late.") for key in keys if key.startswith("method.")}


def test_every_page_is_in_the_navigation():
    nav = (ROOT / "mkdocs.yml").read_text()
    assert [page.name for page in PAGES[1:] if f" {page.name}\n" not in nav] == []


def test_the_page_of_the_methods_is_the_generated_one():
    maker = runpy.run_path(str(ROOT / "docs" / "make_methods_page.py"))
    page = (ROOT / "docs" / "methods.md").read_text()
    assert page == maker["page"](), "run: python docs/make_methods_page.py"
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == sorted(methods.METHODS)


def test_the_page_of_the_recipes_is_the_generated_one():
    maker = runpy.run_path(str(ROOT / "docs" / "make_recipes_page.py"))
    assert (ROOT / "docs" / "recipes.md").read_text() == maker["page"](), "run: python docs/make_recipes_page.py"


def test_the_gallery_shows_every_figure_of_a_run_and_says_what_it_is():
    page = (ROOT / "docs" / "gallery.md").read_text()
    shown = set(re.findall(r"\]\(gallery/(.*?)\)", page))
    assert shown == {path.name for path in (ROOT / "docs" / "gallery").glob("*.png")}
    for name, caption in CAPTIONS.items():
        assert name not in shown or caption in page


def test_the_page_of_zero_shot_is_the_generated_one():
    maker = runpy.run_path(str(ROOT / "docs" / "make_zero_shot.py"))
    figures = json.loads((ROOT / "docs" / "zero_shot.json").read_text())
    begin, page = maker["BEGIN"], (ROOT / "docs" / "zero_shot.md").read_text()
    assert begin + page.partition(begin)[2] == maker["page"](figures), "run: python docs/make_zero_shot.py --page"
    assert {table: list(rows) for table, rows in figures.items()} == {
        table: list(ways) for table, (_, _, ways, *_) in maker["TABLES"].items()
    }


@pytest.mark.parametrize("name", ["texts", "class_sources", "graphs"])
def test_pages_of_runs_are_the_generated_ones(name):
    maker = runpy.run_path(str(ROOT / "docs" / f"make_{name}.py"))
    figures = json.loads((ROOT / "docs" / f"{name}.json").read_text())
    begin, page = maker["BEGIN"], (ROOT / "docs" / f"{name}.md").read_text()
    assert begin + page.partition(begin)[2] == maker["page"](figures), f"run: python docs/make_{name}.py --page"
    if "commands" in maker:
        assert figures.keys() - {maker.get("TOLD"), maker.get("RANKED")} <= maker["commands"]().keys()


@pytest.mark.parametrize("name", ["atlas", "atlas_pixels"])
def test_the_tables_of_the_atlas_are_the_generated_ones(name):
    maker = runpy.run_path(str(ROOT / "docs" / f"make_{name}.py"))
    begin, page = maker["BEGIN"], (ROOT / "docs" / f"{name}.md").read_text()
    assert page.partition(begin)[0] + maker["page"](maker["read"]()) == page, f"run: python docs/make_{name}.py"


def test_the_rows_of_the_atlas_are_settings_that_are_tried():
    maker = runpy.run_path(str(ROOT / "docs" / "make_atlas.py"))
    for dataset, rows in maker["read"]().items():
        assert dataset in maker["DATASETS"]
        for text, row in rows.items():
            settings = row["setting"] if dataset in maker["DRAWN"] else [row["setting"]]
            assert all(setting in maker["settings"](text) for setting in settings), text


def test_each_draw_of_the_atlas_has_other_unseen_classes():
    maker, source = runpy.run_path(str(ROOT / "docs" / "make_atlas.py")), data.load("digits")
    draws = [maker["redrawn"](source, draw) for draw in range(5)]
    unseen = {tuple(np.flatnonzero(~draw.classes.is_seen)) for draw in draws}
    assert len(unseen) == 5
    for draw in draws:
        assert (~draw.classes.is_seen).sum() == 3
        assert set(source.labels[draw.splits["test_unseen"]]) == set(np.flatnonzero(~draw.classes.is_seen))
    assert maker["said_of"]([{"loss.margin": 0.1}, {"loss.margin": 1.0}]) == "margin 0.1 to 1"


def test_the_recipes_of_the_atlas_from_pixels_are_made():
    maker = runpy.run_path(str(ROOT / "docs" / "make_atlas_pixels.py"))
    assert len(maker["losses"]()) > 50
    made = maker["recipe"]("triplet_margin")
    assert (made.method.name, made.method.loss, made.encoder.widths) == ("two_tower", "triplet_margin", (16, 32))


def test_the_page_of_the_ablations_is_the_generated_one():
    maker = runpy.run_path(str(ROOT / "docs" / "make_ablations.py"))
    records = {name: json.loads((ROOT / "docs" / "ablations" / f"{name}.json").read_text()) for name in maker["TERMS"]}
    assert (ROOT / "docs" / "ablations.md").read_text() == maker["page"](records), "run: python docs/make_ablations.py"
    for name, record in records.items():
        assert record["settings"] == maker["settings"](name)
        recipe = command_line.recipe(str(ROOT / "configs" / f"{name}.py"), {})
        assert record["epochs"] == recipe.train.epochs
        assert all(recipe.method[knob] == values[1] for knob, values in maker["TERMS"][name].items())


@pytest.mark.parametrize("name", ["transduction", "neighbours"])
def test_pages_of_a_maker_are_the_generated_ones(name):
    maker = runpy.run_path(str(ROOT / "docs" / f"make_{name}.py"))
    found = json.loads((ROOT / "docs" / f"{name}.json").read_text())
    page = (ROOT / "docs" / f"{name}.md").read_text()
    assert page == maker["page"](found), f"run: python docs/make_{name}.py"


def test_the_tables_of_prompts_are_the_generated_ones():
    maker = runpy.run_path(str(ROOT / "docs" / "make_prompts.py"))
    found = json.loads((ROOT / "docs" / "prompts.json").read_text())
    page = (ROOT / "docs" / "prompts.md").read_text()
    assert page == maker["page"](page, found), "run: python docs/make_prompts.py"


@pytest.mark.parametrize(
    ("maker", "name"), [("rare_pairs", "pairs"), ("matching", "pairs"), ("reduction", "reduction")]
)
def test_tables_within_a_page_are_the_generated_ones(maker, name):
    found = json.loads((ROOT / "docs" / f"{maker}.json").read_text())
    text = (ROOT / "docs" / f"{name}.md").read_text()
    made = runpy.run_path(str(ROOT / "docs" / f"make_{maker}.py"))["page"](text, found)
    assert made == text, f"run: python docs/make_{maker}.py"


def test_the_interval_of_a_difference_is_that_of_students_paired_test():
    values, base = [3.0, 5.0, 4.5, 6.0], [1.0, 2.0, 2.5, 2.0]
    found = runpy.run_path(str(ROOT / "docs" / "make_ablations.py"))["difference"](values, base)
    expected = scipy.stats.ttest_rel(values, base)
    interval = expected.confidence_interval(0.95)
    np.testing.assert_allclose(found, (2.75, interval.low, interval.high))


def test_the_three_shapes_are_images_of_unseen_classes():
    shapes = data.load("shapes", num_per_class=2)
    maker = runpy.run_path(str(ROOT / "docs" / "make_figures.py"))
    images = np.load(ROOT / "docs" / "three_shapes.npy")
    assert shapes.classes.is_seen[shapes.classes.names.index(next(iter(maker["POINTS"])))]
    for image, name in zip(images, maker["CLASSES"]):
        row = shapes.classes.names.index(name)
        assert not shapes.classes.is_seen[row]
        assert any((image == other).all() for other in shapes.images[shapes.labels == row])


@pytest.mark.long
@pytest.mark.parametrize("name", ["predict", "arrays"])
def test_a_page_on_a_finished_run_runs(name, tmp_path, monkeypatch, capsys):
    """Its commands one after another, then its Python; on one device, as most machines have."""
    make_mesh = parallel.make_mesh
    monkeypatch.setattr(parallel, "make_mesh", lambda **options: make_mesh(**options | {"devices": 1}))
    page, shared = (ROOT / "docs" / f"{name}.md").read_text(), {}
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(ROOT)
    for block in re.findall(r"```bash\n(.*?)```", page, re.DOTALL):
        for line in block.splitlines():
            program, *words = shlex.split(line.replace("runs/", f"{tmp_path}/runs/"))
            if program == "python":
                assert __main__.main(words[2:]) == 0, line
            else:
                subprocess.run(line.replace("runs/", f"{tmp_path}/runs/"), shell=True, cwd=ROOT, check=True)
    said = capsys.readouterr().out
    if name == "predict":
        for number, right in enumerate(runpy.run_path(str(ROOT / "docs" / "make_figures.py"))["CLASSES"]):
            assert f"three_shapes.npy:{number},{right}," in said, "the page says that these answers are right"
            assert right in " ".join(page.split())
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(block.replace("runs/", f"{tmp_path}/runs/"), f"{name}.md", "exec"), shared)


FORMULAS = {
    "phi_c": "<msub><mrow><mi>φ</mi></mrow><mrow><mi>c</mi></mrow></msub>",
    "x^2": "<msup><mrow><mi>x</mi></mrow><mrow><mn>2</mn></mrow></msup>",
    "s_ij": "<msub><mrow><mi>s</mi></mrow><mrow><mi>i</mi><mi>j</mi></mrow></msub>",
    "sum_{c != y}": "<msub><mrow><mo>∑</mo></mrow><mrow><mi>c</mi><mo>≠</mo><mi>y</mi></mrow></msub>",
    "x . y": "<mi>x</mi><mo>⋅</mo><mi>y</mi>",
    "sqrt(2)": "<msqrt><mn>2</mn></msqrt>",
    "s^ + 1": '<mover accent="true"><mrow><mi>s</mi></mrow><mo>^</mo></mover><mo>+</mo><mn>1</mn>',
    "class_weight": "<mtext>class_weight</mtext>",
    "= -1": '<mo>=</mo><mo form="prefix">−</mo><mn>1</mn>',
    "a < b & c": "<mi>a</mi><mo>&lt;</mo><mi>b</mi><mo>&amp;</mo><mi>c</mi>",
    "(a": "<mo>(</mo><mi>a</mi>",
}


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_in_plain_text_becomes_mathml(text):
    made = runpy.run_path(str(ROOT / "docs" / "formulas.py"))["mathml"](text)
    assert made == f"<math>{FORMULAS[text]}</math>"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("F(x, c) = x^T W phi_c", True),
        ("1 / (1 + ||x||^2)", True),
        ("python -m zsl_jax bound FOLDER", False),
        ('about = json.loads("x")', False),
        ("score = jax.export.deserialize(text)", False),
        ("horse,0,1", False),
    ],
)
def test_formulas_and_code_are_told_apart(text, expected):
    assert runpy.run_path(str(ROOT / "docs" / "formulas.py"))["is_formula"](text) == expected


@pytest.mark.parametrize("urls", ["", '[project.urls]\nRepository = "https://example.org/zsl_jax"\n'])
def test_the_address_of_the_repository_stands_in_pyproject_alone(urls, tmp_path):
    (tmp_path / "pyproject.toml").write_text(f"[project]\n{urls}")
    hook = runpy.run_path(str(ROOT / "docs" / "site.py"))["on_config"]
    hook.__globals__["ROOT"] = tmp_path
    assert hook(types.SimpleNamespace()).repo_url == ("https://example.org/zsl_jax" if urls else None)
    assert "repo_url" not in (ROOT / "mkdocs.yml").read_text()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.long
def test_the_reference_and_the_methods_are_on_the_site(site):
    assert 'id="zsl_jax.losses.warp"' in (site / "api" / "losses.html").read_text()
    assert "Attribute Label Embedding" in (site / "methods.html").read_text()
    recipe = re.sub(r"<[^>]+>", "", (site / "source" / "configs" / "ale.py.html").read_text())
    assert "def get_config(argument=None):" in recipe


@pytest.mark.long
def test_every_link_of_the_site_leads_somewhere_and_nothing_is_loaded_from_elsewhere(site):
    pages = {path: path.read_text() for path in site.rglob("*.html")}
    names = {path: set(re.findall(r'\b(?:id|name)="([^"]+)"', text)) for path, text in pages.items()}
    dead = []
    for path, text in pages.items():
        assert not re.search(r'<(?:script|img|link)\b[^>]*\b(?:src|href)="https?:', text), path
        for target in re.findall(r'\b(?:href|src)="([^"]*)"', text):
            target, _, place = html.unescape(urllib.parse.unquote(target)).partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            root = site if target.startswith("/") or path.name == "404.html" else path.parent
            found = path if not target else pathlib.Path(os.path.normpath(root / target.lstrip("/").partition("?")[0]))
            found = found / "index.html" if found.is_dir() else found
            if not found.exists() or (place and found in names and place not in names[found]):
                dead.append((path.relative_to(site).as_posix(), target, place))
    assert dead == []


@pytest.mark.long
def test_the_formulas_of_the_site_are_sound(site):
    counts = {}
    for name in ("methods", "losses", "concepts", "bounds", "api/losses", "api/metrics"):
        formulas = re.findall(r"<math\b.*?</math>", (site / f"{name}.html").read_text(), re.DOTALL)
        for formula in formulas:
            xml.dom.minidom.parseString(formula)
        counts[name] = len(formulas)
    assert min(counts.values()) > 0
    assert counts["losses"] > 100
    assert "sum_{" not in (site / "methods.html").read_text()
