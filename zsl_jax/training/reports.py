"""Records of many runs, read and brought together: rows over seeds, in columns of exactly the same data.

    records --collect--> Report(columns -> rows -> metrics over seeds, bootstrap over test images)

Records are of one row if nothing but their seed differs, and of one column if their data do not differ in anything.
"""

import collections
import dataclasses
import json
from collections.abc import Iterable
from typing import Any

import jax
import numpy as np

from zsl_jax import config as config_lib
from zsl_jax import errors, metrics
from zsl_jax.training import protocols, reading

NUM_SAMPLES = 10_000
USUAL = ("inductive", "validation classes")
# Where data lies, what is drawn, logged and kept, and how many settings a sweep tries do not make another result.
_IRRELEVANT = (
    *("seed", "data.dir", "data.file", "data.words", "data.unseen_file"),
    *("plots", "tensorboard", "train.checkpoint_every"),
)


@dataclasses.dataclass(frozen=True)
class Row:
    """The runs of one method that differ in nothing but their seed.

    Args:
      method: its name.
      variant: the config keys that tell it from other rows of the method in the column, `key=value`.
      setting: `inductive`, ...
      selected_on: what its choices were made on.
      selected_by: the score that made them.
      records: in the order of their seeds.
      seeds: one or more a record.
      sees: what the runs were handed beyond labelled examples and descriptions of seen classes.
      values: by metric of the protocol `[S]`, one per seed; one per record where a record gives only the mean over its
        seeds. What was not measured is not there.
      samples: by metric `[R]`, the mean over seeds after test images are drawn again; see `metrics.resampled_counts`.
    """

    method: str
    variant: tuple[str, ...]
    setting: str
    sees: tuple[str, ...]
    selected_on: str
    selected_by: str
    records: tuple[reading.Record, ...]
    seeds: tuple[int, ...]
    values: dict[str, np.ndarray]
    samples: dict[str, np.ndarray]

    @property
    def label(self) -> str:
        """The method, its variant, and the protocol as far as it is not `USUAL`."""
        parts = [f"{self.method} ({', '.join(self.variant)})" if self.variant else self.method]
        if self.setting != USUAL[0]:
            parts.append(self.setting)
        if self.selected_on != USUAL[1]:
            parts.append(f"chosen on {self.selected_on}")
        return ", ".join(parts)

    @property
    def footing(self) -> tuple[tuple[str, ...], str]:
        """What rows must share to be ranked together: what they have seen, and what their choices were made on."""
        return self.sees, self.selected_on


@dataclasses.dataclass(frozen=True)
class Column:
    """The rows on one dataset under one protocol: same splits, file hashes, counts and options.

    Args:
      title: name and semantics; with a letter where other data go by the same name.
      dataset: as the records describe it.
      protocol: what was asked and reported.
      rows: by footing, the usual one first, then method.
    """

    title: str
    dataset: dict
    protocol: protocols.Protocol
    rows: tuple[Row, ...]


@dataclasses.dataclass(frozen=True)
class Report:
    """All columns, and what must be said about records that look alike and are not."""

    columns: tuple[Column, ...]
    notes: tuple[str, ...]


def collect(records: Iterable[reading.Record]) -> Report:
    """Brings records together.

    Raises:
      UserError: two records of the same row and seed, or of different test images under the same data.
    """
    columns = collections.defaultdict(list)
    for record in records:
        columns[_frozen(_data_of(record))].append(record)
    of_title = collections.defaultdict(list)
    for members in columns.values():
        of_title[_title(members[0])].append(members)
    result, notes = [], []
    for title in sorted(of_title):
        alike = sorted(of_title[title], key=lambda members: members[0].name)
        for number, members in enumerate(alike):
            name = title if len(alike) == 1 else f"{title} [{_letter(number)}]"
            first = members[0]
            protocol = reading.protocol_of(first)
            result.append(Column(name, first.content["dataset"], protocol, _rows(members, protocol, len(result))))
        if len(alike) > 1:
            described = [_flat(_data_of(members[0])) for members in alike]
            notes.append(f"{title} is {len(alike)} different data sets, kept apart: {_differences(described)}")
    return Report(tuple(result), tuple(notes))


def interval(row: Row, metric: str) -> tuple[float, float] | None:
    """Returns the 95 % interval of a row's metric over the test images, or None for one without counts a class."""
    if metric not in row.samples:
        return None
    low, high = metrics.percentile_interval(row.samples[metric])
    return float(low), float(high)


def knobs(row: Row) -> dict[str, Any]:
    """Returns the method's knobs."""
    return {name: value for name, value in row.records[0].content["config"]["method"].items() if name != "name"}


def _rows(members: list[reading.Record], protocol: protocols.Protocol, column: int) -> tuple[Row, ...]:
    groups = collections.defaultdict(list)
    for record in members:
        content = record.content
        footing = content["setting"], content["selection"]["on"]
        sees, chosen_by = tuple(content["sees"]), content["selection"].get("metric") or ""
        key = (footing != USUAL, *footing, sees, content["method"], chosen_by, _frozen(_relevant(record)))
        groups[key].append(record)
    same_method = collections.defaultdict(list)
    for key, group in groups.items():
        same_method[key[:5]].append(_relevant(group[0]))
    rows = []
    for number, (key, group) in enumerate(sorted(groups.items(), key=lambda item: item[0])):
        group.sort(key=lambda record: record.content["seeds"])
        _check_seeds(group)
        _, setting, selected_on, sees, method, selected_by, _ = key
        seeds = tuple(seed for record in group for seed in record.content["seeds"])
        found = {metric.name: [reading.values(record, metric) for record in group] for metric in protocol.schema}
        values = {name: np.concatenate(each) for name, each in found.items() if all(x is not None for x in each)}
        variant = _telling(_relevant(group[0]), same_method[key[:5]])
        samples = _samples(group, values, seed=1000 * column + number) if protocol.name == "gzsl" else {}
        rows.append(Row(method, variant, setting, sees, selected_on, selected_by, tuple(group), seeds, values, samples))
    return tuple(rows)


def _check_seeds(group: list[reading.Record]) -> None:
    owner = {}
    for record in group:
        for seed in record.content["seeds"]:
            if seed in owner:
                other = owner[seed]
                same = other.content["metrics"] == record.content["metrics"]
                raise errors.UserError(
                    f"{other.path} and {record.path} are both {record.content['method']} on {_title(record)} with seed "
                    f"{seed}, and their results {'are the same' if same else 'differ'}: keep one of them"
                )
            owner[seed] = record


def _samples(group: list[reading.Record], values: dict[str, np.ndarray], *, seed: int) -> dict[str, np.ndarray]:
    """Metrics after test images are drawn again, of the counts' mean over seeds.

    A harmonic mean of mean counts is not the mean of the seeds' harmonic means: samples are moved by that difference,
    so that they lie around the figure that the row shows.
    """
    tables = [record.content["per_class"] for record in group]
    names = list(tables[0])
    images = [{name: (entry["seen"], entry["images"]) for name, entry in table.items()} for table in tables]
    for record, counted in zip(group, images):
        if counted != images[0]:
            raise errors.UserError(
                f"{group[0].path} and {record.path} count other test images, though their data are described alike"
            )
    total = np.array([images[0][name][1] for name in names], np.float32)
    is_seen = np.array([images[0][name][0] for name in names], bool)

    def drawn(field: str, number: int, metrics_of) -> dict[str, np.ndarray]:
        correct = np.mean([[table[name].get(field, 0) for name in names] for table in tables], axis=0, dtype=np.float32)
        key = jax.random.fold_in(jax.random.key(seed), number)
        again = metrics_of(metrics.resampled_counts(key, correct, total, num_samples=NUM_SAMPLES))
        centre = metrics_of(correct[None, :])
        return {name: np.asarray(again[name] - centre[name]) for name in again}

    def gzsl(counts):
        return metrics.resampled_gzsl(counts, total, is_seen)

    unseen_total = np.where(is_seen, 0, total).astype(np.float32)
    moved = drawn("zsl_correct", 0, lambda counts: {"zsl": metrics.resampled_accuracy(counts, unseen_total)})
    moved |= drawn("gzsl_correct", 1, gzsl)
    if all("calibrated_correct" in table[name] for table in tables for name in names):
        moved |= {f"calibrated_{name}": value for name, value in drawn("calibrated_correct", 2, gzsl).items()}
    return {name: np.clip(values[name].mean() + value, 0, 1) for name, value in moved.items() if name in values}


def _title(record: reading.Record) -> str:
    protocol = record.content["protocol"]
    asked = "" if protocol == "gzsl" else f", {protocol}"
    return f"{record.content['dataset']['name']} ({record.content['dataset']['semantics']}){asked}"


def _data_of(record: reading.Record) -> dict:
    options, described = record.content["config"].get("data", {}), record.content["dataset"]
    # What a later version says beside them tells no data apart.
    counts = {name: number for name, number in described["counts"].items() if name != "trained_classes"}
    described = {name: value for name, value in described.items() if name not in ("inputs", "labels", "described_by")}
    return described | {
        "counts": counts,
        "protocol": record.content["protocol"],
        "options": {k: v for k, v in options.items() if k not in ("dir", "file")},
    }


def _relevant(record: reading.Record) -> dict[str, Any]:
    flat = _flat(json.loads(config_lib.from_json(record.content["config"]).to_json()))
    return {name: flat[name] for name in sorted(flat) if name not in _IRRELEVANT and not name.startswith("sweep.")}


def _telling(one: dict[str, Any], alike: list[dict[str, Any]]) -> tuple[str, ...]:
    keys = sorted({name for other in alike for name in (*one, *other) if one.get(name) != other.get(name)})
    return tuple(f"{name.removeprefix('method.')}={one.get(name, 'absent')}" for name in keys)


def _differences(described: list[dict[str, Any]]) -> str:
    names = sorted({name for one in described for name in one})
    lines = []
    for name in names:
        values = [_short(one.get(name, "absent")) for one in described]
        if len(set(values)) > 1:
            lines.append(f"{name} is " + ", ".join(f"{v} in [{_letter(i)}]" for i, v in enumerate(values)))
    return "; ".join(lines)


def _flat(tree: Any, name: str = "") -> dict[str, Any]:
    if not isinstance(tree, dict):
        return {name: tree}
    return {k: v for key, value in tree.items() for k, v in _flat(value, f"{name}.{key}".lstrip(".")).items()}


def _frozen(tree: Any) -> str:
    return json.dumps(tree, sort_keys=True)


def _short(value: Any) -> str:
    text = str(value)
    return text[:8] if len(text) == 64 else text


def _letter(number: int) -> str:
    return chr(ord("A") + number) if number < 26 else str(number + 1)
