"""Published results of known methods on the proposed splits, and whether a result of ours may stand beside them.

`published.json` holds the table of the benchmark's authors and that of a public re-implementation, in percent, and for
each cell of the former whether it was cross-checked or only remembered.
"""

import functools
import importlib.resources
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

_FEATURES, _SPLITS = "res101.mat", "att_splits.mat"
_NAMES = {"cmt*": "cmt_novelty"}


class Published(NamedTuple):
    """A published row, in percent; None where the source gives no figure.

    Fields:
      source: `xian2018` or `mvp18`, see `sources`.
      method, dataset: as the source and `dataset.benchmark` of a record name them.
      zsl, unseen, seen, harmonic: per-class top-1; the latter three as scored, without calibration.
      zsl_checked, gzsl_checked: whether the figures were compared with a second source.
      differs: in what the source departs from the protocol here, or empty.
      note: what is odd about the figures, or empty.
    """

    source: str
    method: str
    dataset: str
    zsl: float | None = None
    unseen: float | None = None
    seen: float | None = None
    harmonic: float | None = None
    zsl_checked: bool = True
    gzsl_checked: bool = True
    differs: str = ""
    note: str = ""


class Match(NamedTuple):
    """A published row for a result of ours, what differs, and what could not be verified."""

    row: Published
    differs: tuple[str, ...]
    unverified: tuple[str, ...]


def sources() -> dict[str, dict[str, str]]:
    """Returns label, reference, protocol and provenance of each source.

    >>> sources()["xian2018"]["label"]
    'Xian et al. 2018'
    """
    return _content()["sources"]


def table() -> tuple[Published, ...]:
    """Returns all published rows.

    >>> [row.zsl for row in table() if (row.method, row.dataset, row.source) == ("ALE", "CUB", "xian2018")]
    [54.9]
    """
    return _table()


def beside(method: str, dataset: Mapping[str, Any], setting: str, selected_on: str) -> list[Match]:
    """Returns the published rows of a method on a dataset.

    A dataset without the counts of a published benchmark has none. The published features are known by the name of
    their file only, which every folder in the layout shares, so that they always count as not verified.

    Args:
      method: its name in `methods.METHODS`.
      dataset: what a record says of its dataset.
      setting, selected_on: those of the record.

    >>> beside("ale", {"benchmark": None, "split": "PS", "semantics": "att", "files": {}}, "inductive", "")
    []
    """
    if dataset.get("benchmark") is None:
        return []
    differs, unverified = [], [f"the features, which are known by the name {_FEATURES} only"]
    if setting != "inductive":
        differs.append(f"ours is {setting}, published is inductive")
    if selected_on != "validation classes":
        differs.append(f"ours is chosen on {selected_on}, published on validation classes")
    if dataset["semantics"] != "att":
        differs.append(f"ours describes classes by {dataset['semantics']!r}, published by 'att'")
    if dataset.get("attributes", "att") != "att":
        differs.append(f"ours takes the attributes from {dataset['attributes']!r}, published from 'att'")
    if dataset["split"] != "PS":
        differs.append(f"ours is on split {dataset['split']!r}, published on the proposed splits")
    if not is_known_split(dataset["benchmark"], dataset.get("files", {})):
        unverified.append(f"the split: the counts are the published ones, the hash of {_SPLITS} is not known here")
    return [
        Match(row, (*differs, *filter(None, [row.differs])), tuple(unverified))
        for row in table()
        if row.dataset == dataset["benchmark"] and _method(row) == method
    ]


def is_known_split(benchmark: str, files: Mapping[str, str]) -> bool:
    """Returns whether the file of the splits is, by its sha256, a copy of the benchmark that is known here.

    >>> is_known_split("CUB", {"att_splits.mat": "0" * 64})
    False
    """
    return files.get(_SPLITS) == _content()["splits"][_SPLITS].get(benchmark, "")


def _method(row: Published) -> str:
    """The name of a row's method in `methods.METHODS`."""
    name = row.method.split(" (")[0].lower()
    return _NAMES.get(name, name)


@functools.cache
def _content() -> dict[str, Any]:
    return json.loads(importlib.resources.files("zsl_jax.data").joinpath("published.json").read_text(encoding="utf-8"))


@functools.cache
def _table() -> tuple[Published, ...]:
    content = _content()
    return tuple(Published(source=source, **row) for source in content["sources"] for row in content[source])
