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
    protocol = record.get("protocol", "gzsl")
    if not record["metrics"]:
        selection = record["selection"]
        return (
            f"{head}{selection['epochs']} epochs, chosen on {selection['on']}; nothing is scored without test inputs\n"
        )
    shown = _gzsl(record) if protocol == "gzsl" else _listed(record, protocols.find(protocol))
    return head + shown + _confidence(record["metrics"])


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


def _gzsl(record: dict) -> str:
    counts, gzsl = record["dataset"]["counts"], record["metrics"]["gzsl"]
    calibrated, zsl = gzsl["calibrated"], record["metrics"]["zsl"]
    head = (
        f"{record['selection']['epochs']} epochs and gamma {calibrated['gamma']:.3f} "
        f"chosen on {record['selection']['on']}\n"
    )
    chance = f"(chance {100 / counts['unseen_classes']:.1f})"
    rows = [
        ("per-class top-1, %", "", "ZSL", "unseen", "seen", "H", "AUSUC"),
        (
            "as scored",
            chance,
            _percent(zsl["top1"]),
            *(_percent(gzsl.get(name)) for name in ("unseen", "seen", "harmonic", "ausuc")),
        ),
        ("calibrated", "", "", *(_percent(calibrated.get(name)) for name in ("unseen", "seen", "harmonic")), ""),
    ]
    if "intervals" in record:
        ends = record["intervals"]
        names = ("zsl", "unseen", "seen", "harmonic"), ("calibrated_unseen", "calibrated_seen", "calibrated_harmonic")
        first, second = ([_interval(ends.get(name)) for name in group] for group in names)
        label = f"  {100 * ends['level']:.0f} % over images"
        rows = [*rows[:2], (label, "", *first, ""), rows[2], (label, "", "", *second, "")]
    lines = []
    for name, note, first, *rest in rows:
        lines.append(f"{name:<20}{first:>10} {note:<14}" + "".join(f"{cell:>11}" for cell in rest).rstrip())
    return "\n".join([head, *lines, ""])


def _percent(fraction: float | None) -> str:
    return "unmeasured" if fraction is None else f"{100 * fraction:.1f}"


def _interval(ends: list[float] | None) -> str:
    return "" if ends is None else "-".join(map(_percent, ends))
