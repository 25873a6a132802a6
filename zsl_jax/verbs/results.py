"""What a report says, as the blocks of a page in the order of reading."""

from collections.abc import Iterable, Sequence

import numpy as np

from zsl_jax.data import published
from zsl_jax.training import comparisons, protocols, reports
from zsl_jax.verbs import captions, pages

TITLE = "Results"
_ROWS_IN_FULL = 4
_VERDICTS = {True: "survive", False: "do not survive", None: "cannot be judged"}


def blocks(report: reports.Report) -> list[pages.Block]:
    """Returns the report as blocks for `pages`."""
    result = [pages.Heading(1, TITLE), pages.Paragraph(_how_to_read(report))]
    if report.notes:
        result += [pages.Heading(2, "What looks alike and is not"), pages.Bullets(report.notes)]
    if len(report.columns) > 1:
        result += [pages.Heading(2, "All datasets"), *_overview(report)]
    for column in report.columns:
        result += _column(column)
    matches = [match for column in report.columns for row in column.rows for match in _matches(column, row)]
    return result + (_sources(matches) if matches else [])


def _how_to_read(report: reports.Report) -> str:
    rows = [row for column in report.columns for row in column.rows]
    runs = sum(len(row.records) for row in rows)
    versions = {record.content.get("versions", {}).get("zsl-jax", "unknown") for row in rows for record in row.records}
    return (
        f"{_count(runs, 'run')}, made with zsl-jax {', '.join(sorted(versions))}. Per-class top-1 in percent, mean ± "
        "standard deviation over seeds. ZSL scores the images of unseen classes among the unseen classes. GZSL scores "
        "all test images among all classes: U on unseen classes, S on seen ones, H their harmonic mean, AUSUC the area "
        "under the curve of S over U. Calibrated (cal.): a constant gamma, chosen as everything else is chosen, is "
        f"subtracted from the scores of the seen classes. A row is {reports.USUAL[0]} and chosen on {reports.USUAL[1]} "
        "unless its name says otherwise."
    )


def _overview(report: reports.Report) -> list[pages.Block]:
    result = []
    for protocol in dict.fromkeys(column.protocol for column in report.columns):
        columns = [column for column in report.columns if column.protocol is protocol]
        for metric in dict.fromkeys((protocol.schema[0].name, protocol.best)):
            titles = [column.title for column in columns]
            found = {
                (row.label, column.title): row.values[metric]
                for column in columns
                for row in column.rows
                if metric in row.values
            }
            cells = tuple(
                (method, *(_spread(found[method, title]) if (method, title) in found else "" for title in titles))
                for method in sorted({label for label, _ in found})
            )
            result += [pages.Heading(3, _named(protocol, metric)), pages.Table(("method", *titles), cells)]
    return result


def _named(protocol: protocols.Protocol, metric: str) -> str:
    return next(each.heading or each.title for each in protocol.schema if each.name == metric)


def _column(column: reports.Column) -> list[pages.Block]:
    rows = column.rows
    result = [pages.Heading(2, column.title), pages.Bullets(tuple(_facts(column)))]
    result.append(_scores(column))
    if any(row.samples for row in rows):
        result += [pages.Heading(3, "95 % intervals over test classes and images"), _intervals(column)]
    if column.protocol.published:
        result += _published(column)
    groups = _by_footing(rows)
    verdicts = [line for group in groups for line in _verdicts(column, group, len(groups) > 1)]
    if verdicts:
        result += [
            pages.Heading(3, "Which differences survive"),
            pages.Paragraph(_survival()),
            pages.Bullets(tuple(verdicts)),
        ]
    return [*result, pages.Heading(3, "Runs"), _runs(rows), *_figures(rows)]


def _facts(column: reports.Column) -> list[str]:
    dataset, counts = column.dataset, column.dataset["counts"]
    sets = [f"{number} {name.replace('_', ' ')}" for name, number in counts.items() if not name.endswith("_classes")]
    chance, kind = 100 / max(counts["unseen_classes"], 1), dataset.get("inputs", {}).get("kind", "images")
    lines = [
        f"{counts['seen_classes']} seen and {counts['unseen_classes']} unseen classes (chance among the unseen: "
        f"{chance:.1f} %); {kind}: {', '.join(sets)}",
        f"split {dataset['split']}, classes described by {dataset['semantics']}"
        + (f" (variable {dataset['attributes']})" if isinstance(dataset.get("attributes"), str) else ""),
        "files, by the start of their sha256: "
        + ", ".join(f"{name} {digest[:8]}" for name, digest in dataset["files"].items())
        if dataset["files"]
        else "no files: the data ship with the library or are made by it",
    ]
    groups = _by_footing(column.rows)
    if len(groups) == 1:
        lines.append(f"every row: {_footing(column.rows)}")
    else:
        listed = "; ".join(_footing(group) for group in groups)
        lines.append(f"the rows stand on {len(groups)} footings and are compared only within one: {listed}")
    if any(row.selected_on.startswith("test") for row in column.rows):
        lines.append("what is chosen on test has seen the test labels, which flatters it")
    first = column.protocol.schema[0].name
    if any(row.samples for row in column.rows):
        old = [row.label for row in column.rows if row.samples and not row.by_image]
        said = f"records that do not say on which images they are right, of an earlier version: {', '.join(old)}"
        lines += [said] if old else []
    means_only = [row.label for row in column.rows if len(row.values[first]) < len(row.seeds)]
    if means_only:
        lines.append(f"no spread over all seeds, since a record gives only their mean: {', '.join(means_only)}")
    return lines


def _scores(column: reports.Column) -> pages.Table:
    rows = column.rows
    shown = [metric for metric in column.protocol.schema if any(metric.name in row.values for row in rows)]
    cells = [
        (row.label, str(len(row.seeds)), *(_value(row.values.get(metric.name), metric) for metric in shown))
        for row in rows
    ]
    best, first = set(), 2
    for group in _by_footing(rows):
        for place, metric in enumerate(shown):
            measured = [row for row in group if metric.name in row.values]
            if metric.kind == "accuracy" and len(measured) > 1:
                winner = max(measured, key=lambda row, name=metric.name: row.values[name].mean())
                best.add((rows.index(winner), first + place))
    return pages.Table(("method", "seeds", *(metric.title for metric in shown)), tuple(cells), frozenset(best))


def _value(values: np.ndarray | None, metric: protocols.Metric) -> str:
    if values is None:
        return ""
    if metric.kind == "accuracy":
        return _spread(values)
    return f"{values.mean():.2f}" + (f" ± {values.std(ddof=1):.2f}" if len(values) > 1 else "")


def _intervals(column: reports.Column) -> pages.Table:
    """Of every metric that some row counts by class; records of an early kind do not count calibrated images."""
    rows = column.rows
    shown = [metric for metric in column.protocol.schema if any(metric.name in row.samples for row in rows)]
    cells = tuple((row.label, *(_interval(reports.interval(row, each.name)) for each in shown)) for row in rows)
    return pages.Table(("method", *(metric.title for metric in shown)), cells)


def _interval(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else "{:.1f} to {:.1f}".format(*(100 * x for x in ends))


def _matches(column: reports.Column, row: reports.Row) -> list[published.Match]:
    return published.beside(row.method, column.dataset, row.setting, row.selected_on)


def _published(column: reports.Column) -> list[pages.Block]:
    """Ours and the published rows under one another, with the marks that the list below explains."""
    heading = pages.Heading(3, "Published results")
    if column.dataset.get("benchmark") is None:
        text = f"None stands beside these: by its counts, {column.dataset['name']} is no published benchmark."
        return [heading, pages.Paragraph(text)]
    cells, marks, published_as = [], [], column.protocol.published
    for row in column.rows:
        matches = _matches(column, row)
        if matches:
            ours = (f"{100 * row.values[name].mean():.1f}" for name in published_as)
            cells.append((f"ours: {row.label}", *ours, "", ""))
        for match in matches:
            said = [*match.differs, *(f"not verified: {line}" for line in match.unverified)]
            said += [match.row.note] if match.row.note else []
            marks += [line for line in said if line not in marks]
            numbers = _listed(f"[{number}]" for number in sorted(marks.index(line) + 1 for line in said))
            verdict = "no" if match.differs else "as far as verified"
            label = published.sources()[match.row.source]["label"]
            cells.append((f"{match.row.method}, {label}", *_with_checks(match.row, published_as), verdict, numbers))
    if not cells:
        return [heading, pages.Paragraph("None of these methods is in the published tables.")]
    header = ("method", "ZSL", "U", "S", "H", "same protocol", "marks")
    return [
        heading,
        pages.Table(header, tuple(cells), left=frozenset({0, 5, 6})),
        pages.Bullets(tuple(f"[{number}] {line}" for number, line in enumerate(marks, start=1))),
    ]


def _with_checks(row: published.Published, names: tuple[str, ...]) -> list[str]:
    """Figures of a published row; those that were never compared with a second source carry a question mark."""
    result = []
    for name in names:
        value, checked = getattr(row, name), row.zsl_checked if name == "zsl" else row.gzsl_checked
        result.append("" if value is None else f"{value:.1f}{'' if checked else '?'}")
    return result


def _sources(matches: list[published.Match]) -> list[pages.Block]:
    lines = []
    for name, source in published.sources().items():
        if any(match.row.source == name for match in matches):
            lines.append(f"{source['label']}: {source['reference']}. {source['protocol']} {source['provenance']}")
    lines.append("A question mark follows a published figure that was not compared with a second source.")
    return [pages.Heading(2, "Sources of the published results"), pages.Bullets(tuple(lines))]


def _survival() -> str:
    share = 1 - comparisons.LEVEL
    return (
        "The best row against each other one. A lead survives if it holds over seeds (Student's t) and over test "
        "classes and images (bootstrap, both rows on the same images where their records say which are right). The "
        "larger of the two p-values counts; with one seed, or without counts per class, a lead cannot be judged. "
        f"The chance that any lead of a line survives by luck is held at {100 * share:.0f} % by Holm's method over all "
        "pairs of its rows; intervals are of 95 %, for each lead alone."
    )


def _verdicts(column: reports.Column, rows: list[reports.Row], several: bool) -> list[str]:
    lines = []
    compared = [metric.name for metric in column.protocol.schema if metric.choice and metric.interval]
    for metric, name in ((each, _named(column.protocol, each)) for each in compared):
        found = comparisons.with_the_best(rows, metric)
        if not found:
            continue
        best = found[0].best
        line = f"{name}, {best.setting}, chosen on {best.selected_on}" if several else name
        line += f": {best.label} is best of {len(rows)} ({100 * best.values[metric].mean():.1f})."
        for survives, words in _VERDICTS.items():
            leads = [_lead(comparison) for comparison in found if comparison.survives is survives]
            if leads:
                line += f" Leads that {words}: {'; '.join(leads)}."
        lines.append(line)
    return lines


def _lead(comparison: comparisons.Comparison) -> str:
    reasons = []
    if comparison.p_value is not None:
        reasons.append(f"p {_probability(comparison.p_value)}")
    for raw, of in ((comparison.over_seeds, "seeds"), (comparison.over_images, "images")):
        if raw is not None:
            reasons.append(f"{_probability(raw)} over {of}".removeprefix("= "))
    if comparison.interval is not None:
        low, high = (100 * x for x in comparison.interval)
        reasons.append(f"{low:.1f} to {high:.1f}")
    said = f" ({', '.join(reasons)})" if reasons else ""
    return f"{100 * comparison.difference:.1f} over {comparison.other.label}{said}"


def _probability(p_value: float) -> str:
    return "< 0.001" if p_value < 0.001 else f"= {p_value:.3f}"


def _runs(rows: tuple[reports.Row, ...]) -> pages.Table:
    cells = []
    for row in rows:
        contents = [record.content for record in row.records]
        seconds = [content["timing"]["train_s"] for content in contents if "timing" in content]
        knobs = ", ".join(f"{name} {value}" for name, value in reports.knobs(row).items())
        cells.append(
            (
                row.label,
                knobs,
                _listed(row.seeds),
                _listed(epochs for content in contents for epochs in np.ravel(content["selection"].get("epochs", ""))),
                f"{np.mean(seconds):.1f}" if seconds else "",
                "; ".join(sorted({content.get("device", "unknown") for content in contents})),
                _listed(record.name for record in row.records),
            )
        )
    header = ("method", "knobs", "seeds", "epochs", "seconds per run", "device", "folders")
    return pages.Table(header, tuple(cells), left=frozenset({0, 1, 2, 3, 5, 6}))


def _figures(rows: tuple[reports.Row, ...]) -> list[pages.Block]:
    """The figures of each row's first seed, or of many rows one each."""
    shown = list(captions.CAPTIONS)[: None if len(rows) <= _ROWS_IN_FULL else 1]
    found = [(row, name, row.records[0].path.with_name(name)) for row in rows for name in shown]
    return [
        pages.Figure(path, f"{row.label}, seed {row.seeds[0]}: {captions.CAPTIONS[name]}")
        for row, name, path in found
        if path.is_file()
    ]


def _by_footing(rows: Iterable[reports.Row]) -> list[list[reports.Row]]:
    groups = {}
    for row in rows:
        groups.setdefault(row.footing, []).append(row)
    return list(groups.values())


def _footing(rows: Sequence[reports.Row]) -> str:
    """What rows have seen and chose on, with the score that chose where it is the same for all."""
    chosen_by = {row.selected_by for row in rows}
    by = f" by {rows[0].selected_by}" if len(chosen_by) == 1 and rows[0].selected_by else ""
    seen = f" (sees {', '.join(rows[0].sees)})" if rows[0].sees else ""
    return f"{rows[0].setting}{seen}, chosen on {rows[0].selected_on}{by}"


def _spread(values: np.ndarray) -> str:
    spread = f" ± {100 * values.std(ddof=1):.1f}" if len(values) > 1 else ""
    return f"{100 * values.mean():.1f}{spread}"


def _listed(values) -> str:
    return " ".join(map(str, values))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
