"""A report as CSV, for other programs."""

import csv
import io

from zsl_jax.training import reports

_IDENTITY = (
    *("dataset", "name", "semantics", "split", "benchmark", "files", "protocol", "method", "variant", "setting"),
    *("sees", "selected_on", "selected_by", "seeds"),
)


def render(report: reports.Report) -> str:
    """Returns a line per row: fractions in [0, 1], the deviation over seeds, the interval over test images."""
    schemas = dict.fromkeys(column.protocol for column in report.columns)
    metrics = list(dict.fromkeys(metric for protocol in schemas for metric in protocol.schema))
    names = (
        *_IDENTITY,
        *(f"{metric.name}_{what}" for metric in metrics for what in ("mean", "deviation")),
        *(f"{metric.name}_{end}" for metric in metrics if metric.interval for end in ("low", "high")),
        "runs",
    )
    out = io.StringIO()
    writer = csv.DictWriter(out, names, restval="", lineterminator="\n")
    writer.writeheader()
    for column in report.columns:
        writer.writerows(_line(column, row) for row in column.rows)
    return out.getvalue()


def _line(column: reports.Column, row: reports.Row) -> dict[str, str]:
    dataset = column.dataset
    line = {
        "dataset": column.title,
        "name": dataset["name"],
        "semantics": dataset["semantics"],
        "split": dataset["split"],
        "benchmark": dataset.get("benchmark") or "",
        "files": " ".join(f"{name}:{digest}" for name, digest in dataset["files"].items()),
        "protocol": column.protocol.name,
        "method": row.method,
        "variant": " ".join(row.variant),
        "setting": row.setting,
        "sees": "; ".join(row.sees),
        "selected_on": row.selected_on,
        "selected_by": row.selected_by,
        "seeds": " ".join(map(str, row.seeds)),
        "runs": " ".join(record.name for record in row.records),
    }
    line = {name: _cell(text) for name, text in line.items()}
    for metric, values in row.values.items():
        line[f"{metric}_mean"] = f"{values.mean():.6f}"
        line[f"{metric}_deviation"] = f"{values.std(ddof=1):.6f}" if len(values) > 1 else ""
    for metric in row.samples:
        low, high = reports.interval(row, metric)
        line |= {f"{metric}_low": f"{low:.4f}", f"{metric}_high": f"{high:.4f}"}
    return line


def _cell(text: str) -> str:
    """A text on one line that no spreadsheet takes for a formula."""
    text = " ".join(text.split())
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
