"""A report as CSV, for other programs."""

import csv
import io

from zsl_jax.training import reading, reports

_WITH_INTERVAL = ("zsl", "unseen", "seen", "harmonic")
_NAMES = (
    *("dataset", "name", "semantics", "split", "benchmark", "files", "method", "variant", "setting"),
    *("selected_on", "selected_by", "seeds"),
    *(f"{metric}_{what}" for metric in reading.METRICS for what in ("mean", "deviation")),
    *(f"{metric}_{end}" for metric in _WITH_INTERVAL for end in ("low", "high")),
    "runs",
)


def render(report: reports.Report) -> str:
    """Returns a line a row: fractions in [0, 1], the deviation over seeds, the interval over test images."""
    out = io.StringIO()
    writer = csv.DictWriter(out, _NAMES, lineterminator="\n")
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
        "method": row.method,
        "variant": " ".join(row.variant),
        "setting": row.setting,
        "selected_on": row.selected_on,
        "selected_by": row.selected_by,
        "seeds": " ".join(map(str, row.seeds)),
        "runs": " ".join(record.name for record in row.records),
    }
    for metric, values in row.values.items():
        line[f"{metric}_mean"] = f"{values.mean():.6f}"
        line[f"{metric}_deviation"] = f"{values.std(ddof=1):.6f}" if len(values) > 1 else ""
    for metric in _WITH_INTERVAL:
        low, high = reports.interval(row, metric)
        line |= {f"{metric}_low": f"{low:.4f}", f"{metric}_high": f"{high:.4f}"}
    return line
