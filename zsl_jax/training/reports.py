"""Records of many runs, read and brought together: rows over seeds, in columns of exactly the same data.

    records --collect--> Report(columns -> rows -> metrics over seeds, bootstrap over test images)

Records are of one row if nothing but their seed differs, and of one column if their data do not differ in anything.
"""

import collections
import dataclasses
import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from zsl_jax import config as config_lib
from zsl_jax import errors, methods, metrics
from zsl_jax.training import phases, protocols, reading, resampling

USUAL = ("inductive", "validation classes")


@dataclasses.dataclass(frozen=True)
class Row:
    """The runs of one method that differ in nothing but their seed.

    Args:
      method: its name.
      variant: the config keys that tell it from other rows of the method in the column, `key=value`; none for the row
        whose values of these keys are those of two records of the method in three, in all columns.
      setting: `inductive`, ...
      selected_on: what its choices were made on.
      selected_by: the score that made them.
      records: in the order of their seeds.
      seeds: one or more per record.
      sees: what the runs were handed beyond labelled examples and descriptions of seen classes.
      values: by metric of the protocol `[S]`, one per seed; one per record where a record gives only the mean over its
        seeds. What was not measured is not there.
      samples: by metric `[R]`, the mean over seeds after test classes and images are drawn again; see `resampling`.
      freedom: by metric, of the spread of its samples.
      by_image: whether the records say on which images the row is right.
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
    freedom: dict[str, int]
    by_image: bool

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
    columns, described_by = collections.defaultdict(list), collections.defaultdict(list)
    for record in records:
        columns[_frozen(_data_of(record))].append(record)
        described_by[record.content["method"]].append(_relevant(record))
    usual = {method: _usual(described) for method, described in described_by.items()}
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
            rows = _rows(members, protocol, len(result), usual)
            described = first.content["dataset"] | {"semantics": _semantics(first)}
            result.append(Column(name, described, protocol, rows))
        if len(alike) > 1:
            described = [_flat(_data_of(members[0])) for members in alike]
            notes.append(f"{title} is {len(alike)} different data sets, kept apart: {_differences(described)}")
    return Report(tuple(result), tuple(notes))


def interval(row: Row, metric: str) -> tuple[float, float] | None:
    """Returns the 95 % interval of a row's metric over the test images, or None for one without counts per class."""
    if metric not in row.samples:
        return None
    low, high = metrics.percentile_interval(row.samples[metric])
    return float(low), float(high)


def knobs(row: Row) -> dict[str, Any]:
    """Returns the method's knobs."""
    return {name: value for name, value in row.records[0].content["config"]["method"].items() if name != "name"}


def _rows(
    members: list[reading.Record], protocol: protocols.Protocol, column: int, usual: dict[str, dict[str, Any]]
) -> tuple[Row, ...]:
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
    ordered = sorted(groups.items(), key=lambda item: item[0])
    for _, group in ordered:
        group.sort(key=lambda record: record.content["seeds"])
        _check_seeds(group)
    drawn, freedom = _drawn(members, [group for _, group in ordered], protocol, column)
    rows = []
    for (key, group), (moved, by_image) in zip(ordered, drawn):
        _, setting, selected_on, sees, method, selected_by, _ = key
        seeds = tuple(seed for record in group for seed in record.content["seeds"])
        found = {metric.name: [reading.values(record, metric) for record in group] for metric in protocol.schema}
        values = {name: np.concatenate(each) for name, each in found.items() if all(x is not None for x in each)}
        variant = _telling(_relevant(group[0]), same_method[key[:5]], usual[method])
        # A harmonic mean of mean counts is not the mean of the seeds' harmonic means: samples lie around the latter.
        samples = {name: np.clip(values[name].mean() + x, 0, 1) for name, x in moved.items() if name in values}
        told = (method, variant, setting, sees, selected_on, selected_by)
        rows.append(Row(*told, tuple(group), seeds, values, samples, freedom, by_image))
    return tuple(rows)


def _drawn(members, groups, protocol: protocols.Protocol, column: int) -> tuple[list, dict[str, int]]:
    """Of each row the samples less their centre, and whether images are known; of all the degrees of freedom."""
    questions = protocol.questions
    if not questions:
        return [({}, False)] * len(groups), {}
    tables = _tables(members)
    rates = [_rates(group, questions, tables) for group in groups]
    found = resampling.samples(tables, rates, questions, seed=column)
    moved = [{name: x - x.mean() for name, x in each.items()} for each in found]
    freedom = {name: resampling.freedom(tables, questions, name) for each in found for name in each}
    return [(each, row.of_image is not None) for each, row in zip(moved, rates)], freedom


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


def _tables(members: list[reading.Record]) -> resampling.Tables:
    """Test images of each class, of which all records of a column must have equal counts."""
    first = members[0]
    counted = [{name: (x["seen"], x["images"]) for name, x in each.content["per_class"].items()} for each in members]
    for record, images in zip(members, counted):
        if images != counted[0]:
            raise errors.UserError(
                f"{first.path} and {record.path} count other test images, though they describe the same data"
            )
    names = tuple(counted[0])
    seen, images = zip(*(counted[0][name] for name in names))
    return resampling.Tables(names, np.array(seen, bool), np.array(images, int))


def _rates(
    group: list[reading.Record], questions: tuple[protocols.Question, ...], of: resampling.Tables
) -> resampling.Rates:
    """How often the seeds of a row are right, of every image where each of its records says so.

    Records of an early kind do not count the answers to every question.
    """
    names = of.names
    tables = [record.content["per_class"] for record in group]
    weights = [len(record.content["seeds"]) for record in group]
    counted = {
        name: np.average([[t[each].get(field, 0) for each in names] for t in tables], axis=0, weights=weights)
        for name, field, _, on_seen, _ in questions
        if all(field in t[each] for t in tables for each, seen in zip(names, of.seen) if on_seen or not seen)
    }
    entries = [record.content.get("hits") for record in group]
    if not all(entries):
        return resampling.Rates(counted)
    found = [reading.hits(record) for record in group]
    if not all(np.array_equal(a, b) for each in found for a, b in ((each.ids, found[0].ids),)):
        return resampling.Rates(counted)
    of_image = {name: np.concatenate([each.right[name] for each in found]).mean(axis=0) for name in found[0].right}
    listed = list(tables[0])
    place = np.array([names.index(name) for name in listed])
    return resampling.Rates(counted, of_image, found[0].ids, place[found[0].classes])


def _title(record: reading.Record) -> str:
    protocol = record.content["protocol"]
    asked = "" if protocol == "gzsl" else f", {protocol}"
    return f"{record.content['dataset']['name']} ({_semantics(record)}){asked}"


def _semantics(record: reading.Record) -> str:
    """What describes classes; which sentences a text tower reads is a choice of the row, as a knob is."""
    described = record.content["dataset"]
    by_tower = (described.get("described_by") or {}).get("by") == "text_tower"
    return "sentences" if by_tower else described["semantics"]


def _data_of(record: reading.Record) -> dict:
    options, described = record.content["config"].get("data", {}), record.content["dataset"]
    # What a later version says beside them tells no data apart.
    counts = {name: number for name, number in described["counts"].items() if name != "trained_classes"}
    described = {name: value for name, value in described.items() if name not in ("inputs", "labels", "described_by")}
    return described | {
        "semantics": _semantics(record),
        "counts": counts,
        "protocol": record.content["protocol"],
        "options": {k: v for k, v in options.items() if not phases.is_same_run(f"data.{k}")},
    }


def _relevant(record: reading.Record) -> dict[str, Any]:
    """What tells a row from another: keys that an older record lacks have their defaults, and draws are counted."""
    content = record.content
    flat = _flat(json.loads(config_lib.from_json(content["config"]).to_json()))
    if content["method"] in methods.METHODS:
        knobs = json.loads(json.dumps(config_lib.method_section(content["method"])))
        flat = {f"method.{name}": value for name, value in knobs.items()} | flat
    flat["select.folds"] = content["selection"].get("draws") or max(1, flat["select.folds"])
    return {name: flat[name] for name in sorted(flat) if name != "seed" and not phases.is_same_run(name)}


def _usual(described: list[dict[str, Any]]) -> dict[str, Any]:
    """The value of each key that two records of a method in three have at least, in all columns."""
    found = {}
    for name in {name for one in described for name in one}:
        ((value, count),) = collections.Counter(_frozen(one.get(name, "absent")) for one in described).most_common(1)
        if 3 * count >= 2 * len(described):
            found[name] = json.loads(value)
    return found


def _telling(one: dict[str, Any], alike: list[dict[str, Any]], usual: dict[str, Any]) -> tuple[str, ...]:
    """The keys that tell a row from others; none for the one that has the usual values of all of them."""
    keys = sorted({name for other in alike for name in (*one, *other) if one.get(name) != other.get(name)})
    if all(name in usual and one.get(name, "absent") == usual[name] for name in keys):
        return ()
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
