"""The lines that the verb `bound` prints of its record."""

import numpy as np

from zsl_jax.verbs.bounding import record as record_lib


def lines(record: dict) -> list[str]:
    """The lines of a record."""
    num_classes = len(record["classes"])
    found = [f"{record['table']}: {num_classes} classes, {len(record['attributes'])} attributes"]
    if record["unknown_values"]:
        found.append(f"{record['unknown_values']} values are missing and may be anything")
    if record["error_rates"] is not None:
        source = f" ({record['errors_of']})" if record["errors_of"] else ""
        found.append(
            f"detectors are off by {100 * np.mean(record['error_rates']):.2f} % on average over the attributes, at most"
            + source
        )
    found.append("")
    if record["exact"]:
        found.append(f"the best map guarantees an accuracy of {_percent(record['guarantee'])} (exact)")
    else:
        lower, upper, width = record["guarantee"], record["upper"], record["upper"] - record["guarantee"]
        found += [
            f"the best map guarantees an accuracy between {_percent(lower)} and {_percent(upper)}",
            f"(both are proved; they are {_percent(width)} apart, and a longer --time_limit narrows that)",
        ]
    found.append(f"mean over classes, chance is {_percent(1 / num_classes)}; {record['seconds']:.1f} s")
    if record["interrupted"]:
        found.append("interrupted: this is as far as it came")
    for first, second in record["identical"]:
        found.append(f"{first!r} and {second!r} have the same description: between them every map is at chance, 50 %")
    return found + _observed(record) + _confusions(record) + _selected(record) + _next_attribute(record)


def _observed(record: dict) -> list[str]:
    observed = record["observed"]
    if observed is None:
        return []
    alike, pairwise = (
        "undefined" if value is None else f"{value:.2f}" for value in observed["rank_correlation"].values()
    )
    found = [
        "",
        f"the run ({observed['method']}) has an accuracy of {_percent(observed['top1'])} on its unseen classes",
        f"rank correlation of its confusions with those of the worst case: {alike}; with the least error between two "
        f"classes: {pairwise} ({observed['ordered_pairs']} ordered pairs)",
    ]
    if observed["map"]:
        off = 100 * np.mean(observed["map"]["off"])
        found.append(
            f"the best map on the same detections: {_percent(observed['map']['top1'])}, drawing as its guarantee "
            f"demands {_percent(observed['map']['drawn'])} (on these classes the detectors are off by {off:.2f} %)"
        )
    return found


def _confusions(record: dict) -> list[str]:
    rows = record["confusions"][: record_lib.SHOWN]
    if not rows:
        return ["", "in the worst case no two classes are confused"]
    head = "confused in the worst case"
    width = max(len(head), *(len(", ".join(row["classes"])) for row in rows))
    found = ["", f"{head:<{width}}  {'alike':>8}  {'least error between the two':>28}"]
    return found + [
        f"{', '.join(row['classes']):<{width}}  {_percent(row['alike']):>8}  {_percent(row['pairwise_error']):>28}"
        for row in rows
    ]


def _selected(record: dict) -> list[str]:
    rows = record["selection"]
    is_short = len(rows) < record["selection_wanted"] and not record["interrupted"]
    short = f"selected {len(rows)} of {record['selection_wanted']} attributes in the time given by --time_limit"
    if not rows:
        return ["", short] if is_short else []
    width = max(len("added"), *(len(row["added"]) for row in rows)) + 2
    found = ["", f"{'attributes':<12}{'added':<{width}}{'guarantee (perfect detectors)':>30}"]
    found += [f"{row['attributes']:<12}{row['added']:<{width}}{_percent(row['guarantee']):>30}" for row in rows]
    if record["exchanged"]:
        names = ", ".join(record["exchanged"]["attributes"])
        found.append(f"after exchanges: {names}: {_percent(record['exchanged']['guarantee'])}")
    return [*found, short] if is_short else found


def _next_attribute(record: dict) -> list[str]:
    pair = record["pair"]
    first, second = pair["classes"]
    if not pair["attributes"]:
        return []
    if pair["all_annotated"]:
        what = "the attribute, and the least error between the two with it alone"
    else:
        what = f"the attribute to annotate next, and the least error between the two then (now {_percent(pair['now'])})"
    width = max(len(row["attribute"]) for row in pair["attributes"])
    return ["", f"to tell {first!r} from {second!r}: {what}"] + [
        f"{row['attribute']:<{width}}  {_percent(row['error']):>8}" for row in pair["attributes"]
    ]


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.2f} %"
