"""docs/scale.md holds the tables that the estimate prints."""

import importlib.util
import pathlib

ROOT = pathlib.Path(__file__).resolve().parent.parent


def test_the_page_has_the_tables_of_the_estimate():
    spec = importlib.util.spec_from_file_location("estimate_scale", ROOT / "benchmarks/estimate_scale.py")
    estimate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(estimate)
    assert estimate.report() in (ROOT / "docs/scale.md").read_text()
    # ViT-B/16: 86 million parameters less biases and norms; 17.6 billion products per image.
    assert 85e6 < estimate.vit_b().gradient / 4 < 87e6
    assert 17.4e9 < estimate.vit_b().flops / 6 < 17.7e9
