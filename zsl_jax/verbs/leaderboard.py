"""A report as a leaderboard: one page that holds all it shows, sorted by a click, a table per dataset.

A bar is the 95 % interval over test classes and images, a dot the mean over seeds. Rows are compared within what they
have seen and chosen on: the best of a metric is marked, and so is every row whose gap to the best does not survive.
"""

import html
from collections.abc import Iterator

from zsl_jax.training import comparisons, protocols, reports

TITLE = "zsl_jax leaderboard"
_FEW = 10  # unseen classes; with fewer, AUSUC leads, because one constant gamma is a matter of luck
_LEVEL = 100 * (1 - comparisons.LEVEL)
_BEST, _TIED = "best", "not told apart from the best"

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; color: #1c1c1c; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .4rem; } p { max-width: 60rem; color: #444; }
table { border-collapse: collapse; width: 100%; } th, td { padding: .25rem .55rem; text-align: left; }
th { border-bottom: 2px solid #333; cursor: pointer; white-space: nowrap; } td { border-bottom: 1px solid #e4e4e4; }
th[aria-sort=ascending]::after { content: " \\2191"; } th[aria-sort=descending]::after { content: " \\2193"; }
.cell { display: flex; align-items: center; gap: .5rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
.axis { position: relative; width: 7rem; height: .8rem; background: #f3f3f3; border-radius: 2px; flex: none; }
.bar { position: absolute; height: .8rem; background: #b9cfe4; border-radius: 2px; }
.dot { position: absolute; width: 3px; height: .8rem; background: #27527c; }
.best { font-weight: 700; } .tied::after { content: " \\2248"; color: #777; font-weight: 400; } .old { color: #8a6d1f; }
label { margin-right: 1rem; }
"""
_SCRIPT = """
for (const head of document.querySelectorAll("th")) head.addEventListener("click", () => {
  const body = head.closest("table").tBodies[0], place = head.cellIndex;
  const down = head.getAttribute("aria-sort") !== "descending";
  for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const key = row => { const text = row.cells[place].dataset.value;
    return head.dataset.kind === "number" ? (text === "" ? -Infinity : Number(text)) : text; };
  [...body.rows].sort((a, b) => { const x = key(a), y = key(b), order = x < y ? -1 : x > y ? 1 : 0;
    return down ? -order : order; }).forEach(row => body.append(row));
});
const dataset = document.getElementById("dataset"), setting = document.getElementById("setting");
const show = () => {
  for (const part of document.querySelectorAll("section"))
    part.hidden = dataset.value !== "" && part.dataset.name !== dataset.value;
  for (const row of document.querySelectorAll("tbody tr"))
    row.hidden = setting.value !== "" && row.dataset.setting !== setting.value;
};
dataset.addEventListener("change", show); setting.addEventListener("change", show);
"""


def render(report: reports.Report) -> str:
    """Returns the page."""
    settings = sorted({row.setting for column in report.columns for row in column.rows})
    parts = [
        f"<!doctype html>\n<html lang=en><head><meta charset=utf-8><title>{TITLE}</title>",
        f"<style>{_STYLE}</style></head>",
        f"<body><h1>{TITLE}</h1>",
        "<p>Per-class top-1 in percent, mean ± standard deviation over seeds; bars are 95 % intervals over test "
        "classes and images. Bold is the best of its setting, ≈ a row whose judged gap to the best does not survive: "
        f"over seeds, over classes and images, and Holm's correction over all pairs, at {_LEVEL:.0f} %. A click on a "
        "heading sorts. Old rows are of records that do not say on which images they are right: their gaps ignore that "
        "the images are shared.</p>",
        _select("dataset", [column.title for column in report.columns]),
        _select("setting", settings),
        *(line for column in report.columns for line in _section(column)),
        f"<script>{_SCRIPT}</script></body></html>",
    ]
    return "\n".join(parts) + "\n"


def leading(column: reports.Column) -> str:
    """Returns the metric that a column is ranked by: the protocol's best, or that of few held-out classes."""
    few = column.dataset["counts"]["unseen_classes"] < _FEW
    return (few and column.protocol.best_of_few) or column.protocol.best


def _select(name: str, values: list[str]) -> str:
    options = "".join(f"<option>{html.escape(value)}</option>" for value in values)
    return f'<label>{name} <select id={name}><option value="">all</option>{options}</select></label>'


def _section(column: reports.Column) -> Iterator[str]:
    counts, first = column.dataset["counts"], leading(column)
    shown = [metric for metric in column.protocol.schema if metric.choice and metric.kind == "accuracy"]
    shown.sort(key=lambda metric: metric.name != first)
    said = _said(column, shown)
    heads = "".join(
        f"<th data-kind=number{' aria-sort=descending' * (metric.name == first)}>{html.escape(metric.title)}</th>"
        for metric in shown
    )
    yield f'<section data-name="{html.escape(column.title, quote=True)}"><h2>{html.escape(column.title)}</h2>'
    yield f"<p>{counts['seen_classes']} seen and {counts['unseen_classes']} unseen classes.</p>"
    yield f"<table><thead><tr><th>method</th><th>setting</th><th data-kind=number>seeds</th>{heads}</tr></thead><tbody>"
    for row in sorted(column.rows, key=lambda row: -row.values[first].mean() if first in row.values else 1.0):
        old = "" if row.by_image or not row.samples else " <span class=old>old</span>"
        label, setting = html.escape(row.label), html.escape(row.setting)
        cells = [
            f'<td data-value="{html.escape(row.label, quote=True)}">{label}{old}</td>',
            f'<td data-value="{setting}">{setting}</td>',
            f"<td data-value={len(row.seeds)}>{len(row.seeds)}</td>",
            *(_cell(row, metric, said.get((row.label, row.footing, metric.name))) for metric in shown),
        ]
        yield f'<tr data-setting="{setting}">{"".join(cells)}</tr>'
    yield "</tbody></table></section>"


def _said(column: reports.Column, shown: list[protocols.Metric]) -> dict[tuple, str]:
    """What the page says of a row's place in a metric, among the rows of its footing."""
    groups, said = {}, {}
    for row in column.rows:
        groups.setdefault(row.footing, []).append(row)
    for footing, rows in groups.items():
        for metric in shown:
            found = comparisons.with_the_best(rows, metric.name)
            if found:
                said[found[0].best.label, footing, metric.name] = _BEST
            for each in found:
                if each.survives is False:
                    said[each.other.label, footing, metric.name] = _TIED
    return said


def _cell(row: reports.Row, metric: protocols.Metric, said: str | None) -> str:
    if metric.name not in row.values:
        return '<td data-value=""></td>'
    values, ends = row.values[metric.name], reports.interval(row, metric.name)
    mean = values.mean()
    spread = f" ± {100 * values.std(ddof=1):.1f}" if len(values) > 1 else ""
    low, high = ends if ends else (mean, mean)
    title = f"95 %: {100 * low:.1f} to {100 * high:.1f}" if ends else "no interval"
    axis = (
        f'<span class=axis title="{title}">'
        f'<span class=bar style="left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%"></span>'
        f'<span class=dot style="left:{100 * mean:.1f}%"></span></span>'
    )
    kind = {_BEST: " class=best", _TIED: " class=tied"}.get(said, "")
    note = f' title="{said}"' if said else ""
    text = f"<span{kind}{note}>{100 * mean:.1f}{spread}</span>"
    return f'<td data-value="{mean:.6f}"><span class=cell>{axis}{text}</span></td>'
