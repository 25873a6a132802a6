"""The field's table of one record, for a terminal."""

from zsl_jax.training import protocols


def render(record: dict) -> str:
    """Returns a few lines: what was run, then accuracies in percent."""
    counts = record["dataset"]["counts"]
    seeds = ", ".join(map(str, record["seeds"]))
    head = (
        f"\n{record['method']} on {record['dataset']['name']} ({record['dataset']['semantics']}): "
        f"{counts['seen_classes']} seen and {counts['unseen_classes']} unseen classes, "
        f"{record['setting']}, seed {seeds}\n"
    )
    protocol = protocols.find(record.get("protocol", "gzsl"))
    if not record["metrics"]:
        selection = record["selection"]
        return (
            f"{head}{selection['epochs']} epochs, chosen on {selection['on']}; nothing is scored without test inputs\n"
        )
    shown = _listed if protocol.grid is None else _grid
    return head + shown(record, protocol) + _confidence(record["metrics"])


def _listed(record: dict, protocol: protocols.Protocol) -> str:
    """The metrics of any protocol, one per line."""
    selection = record["selection"]
    chosen = "nothing is chosen" if selection["on"] == "nothing" else f"chosen on {selection['on']}"
    lines = [f"protocol {protocol.name}, {chosen}", ""]
    for metric in protocol.schema:
        try:
            value = protocols.value(record["metrics"], metric)
        except KeyError:
            continue
        shown = _percent(value) if metric.kind == "accuracy" else f"{value:.3f}"
        ends = record["intervals"].get(metric.interval)
        lines.append(f"{metric.title:<20}{shown:>10}" + (f"   {_interval(ends)}" if ends else ""))
    return "\n".join([*lines, ""])


def _confidence(metrics: dict) -> str:
    """How far the probabilities can be believed, in percent; nothing where there are none."""
    if "confidence" not in metrics:
        return ""
    names = ("mean", "accuracy", "calibration_error")
    mean, accuracy, error = (_percent(metrics["confidence"][name]) for name in names)
    return f"probabilities: sure by {mean} on average, right in {accuracy}, calibration error {error}\n"


def _grid(record: dict, protocol: protocols.Protocol) -> str:
    """The metrics of a protocol that draws them as a grid, intervals below each line; its numbers above it."""
    metrics, selection, ends = record["metrics"], record["selection"], record.get("intervals")
    schema = {metric.name: metric for metric in protocol.schema}
    numbers = [metric for metric in protocol.schema if metric.kind == "number"]
    said = "".join(f" and {metric.title} {protocols.value(metrics, metric):.3f}" for metric in numbers)
    note = f"(chance {100 / record['dataset']['counts']['unseen_classes']:.1f})"
    rows = [("per-class top-1, %", "", *protocol.grid.heads)]
    for label, names in protocol.grid.lines:
        rows.append((label, note, *(_measured(metrics, schema.get(name)) for name in names)))
        if ends is not None:
            found = (_interval(ends.get(schema[name].interval)) if name else "" for name in names)
            rows.append((f"  {100 * ends['level']:.0f} % over images", "", *found))
        note = ""
    lines = []
    for name, note, first, *rest in rows:
        lines.append(f"{name:<20}{first:>10} {note:<14}" + "".join(f"{cell:>11}" for cell in rest).rstrip())
    return "\n".join([f"{selection['epochs']} epochs{said} chosen on {selection['on']}\n", *lines, ""])


def _measured(metrics: dict, metric: protocols.Metric | None) -> str:
    try:
        return "" if metric is None else _percent(protocols.value(metrics, metric))
    except KeyError:
        return _percent(None)


def _percent(fraction: float | None) -> str:
    return "unmeasured" if fraction is None else f"{100 * fraction:.1f}"


def _interval(ends: list[float] | None) -> str:
    return "" if ends is None else "-".join(map(_percent, ends))
