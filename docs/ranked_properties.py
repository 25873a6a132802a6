"""How well AWA2's attributes are ranked without annotation: a part of docs/make_class_sources.py and of its page."""

import json
import pathlib

import numpy as np
from scipy import stats

from zsl_jax import class_encoders, metrics
from zsl_jax.encoders import property_sources, source_parts
from zsl_jax.verbs.bounding import tables as bounding

LIST = pathlib.Path(__file__).resolve().parent / "properties" / "animals.csv"
# What the tables show.
SAYS = (
    "Every ranking is far above the control, and all are weak. The mixture beats images and does not beat texts, nor",
    "half and half: texts are the better ranking here, of concrete attributes too, where the paper has images ahead,",
    "so that weights by concreteness put most where least is known. What stands for images is a classifier, seen",
    "through a map that was fitted on names of classes alone, no attribute among them; the paper's CLIP was trained",
    "on captions, which name attributes. As published, with nothing subtracted, texts agree better with an animal's",
    "row: the mean scores of the phrases correlate with the mean animal (0.40, of images 0.22). What tells animals",
    "apart is told better where the mean is subtracted, and that is what a class description is for.",
)


def measured(places: dict[str, str]) -> dict[str, dict[str, float | list[float]]]:
    """Returns how well AWA2's attributes are ranked without annotation, by ranking.

    Of each the mean rank correlation with what annotators say over attributes, the same less the mean animal, and over
    animals, there also for the more and for the less concrete half; how often the first, and one of the first 5, is
    right, recall among 10, and the reciprocal rank of the first that is right. Of the gains of the mixture the mean and
    half the width of the 95 % interval over animals or attributes.
    """
    table = bounding.read(places["ANIMALS"], "all")
    is_seen = ~np.isin(table.classes, bounding.read(places["ANIMALS"], "unseen").classes)
    held = property_sources.scorers(
        source_parts.Options(
            text=places["TEXT"],
            properties=str(LIST),
            tie=places["TIE"],
            prototypes=places["PROTOTYPES"],
        )
    )
    raw = {name: of(table.classes) for name, of in held.of.items()}
    parts = {name: class_encoders.ranked(rows - rows[is_seen].mean(axis=0)) for name, rows in raw.items()}
    published = {name: class_encoders.ranked(rows) for name, rows in raw.items()}
    even, share = np.full(len(held.named), 0.5), held.concreteness
    mixed = class_encoders.concreteness_mix(parts["text"], parts["image"], share)
    # A derangement by a step of 17 places: the animals stand in no order of kinds.
    rankings = {
        **parts,
        "mixed": mixed,
        "even": class_encoders.concreteness_mix(parts["text"], parts["image"], even),
        **{f"published_{name}": rows for name, rows in published.items()},
        "published_mixed": class_encoders.concreteness_mix(published["text"], published["image"], share),
        "permuted": np.roll(mixed, 17, axis=0),
    }
    true = np.asarray(class_encoders.binarized(table.matrix))
    found, by_row = {}, {}
    for name, rows in rankings.items():
        rows = np.asarray(rows)
        by_row[name] = {
            "animals": _correlations(rows, table.matrix),
            "animals_centred": _correlations(rows - rows.mean(axis=0), table.matrix - table.matrix.mean(axis=0)),
            "attributes": _correlations(rows.T, table.matrix.T),
        }
        found[name] = {axis: float(values.mean()) for axis, values in by_row[name].items()}
        is_concrete = share > np.median(share)
        for half, which in (("concrete", is_concrete), ("abstract", ~is_concrete)):
            found[name][half] = float(by_row[name]["attributes"][which].mean())
        hits = {k: np.asarray(metrics.top_k(rows, k=k)) & (true > 0) for k in (1, 5, 10)}
        found[name] |= {f"right_{k}": float(hits[k].any(axis=1).mean()) for k in (1, 5)}
        found[name]["recall_10"] = float((hits[10].sum(axis=1) / true.sum(axis=1)).mean())
        order = np.take_along_axis(true, np.argsort(-rows, axis=1, kind="stable"), axis=1)
        found[name]["reciprocal"] = float((1 / (1 + order.argmax(axis=1))).mean())
    for less in ("text", "image", "even"):
        for axis, values in by_row["mixed"].items():
            gain = values - by_row[less][axis]
            half = stats.t.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / np.sqrt(len(gain))
            found["mixed"][f"{axis}_over_{less}"] = [float(gain.mean()), float(half)]
    found["mixed"]["concreteness"] = [float(f(share)) for f in (np.min, np.mean, np.max)]
    return json.loads(json.dumps(found), parse_float=lambda text: round(float(text), 4))


def _correlations(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.array([stats.spearmanr(a, b).statistic for a, b in zip(rows, others)])


def page(found: dict | None) -> list[str]:
    """Returns the lines of the page, from what `measured` returned; none without it."""
    if found is None:
        return []
    mixed, says = (
        found["mixed"],
        {
            "text": "texts",
            "image": "images",
            "mixed": "both, mixed by concreteness (`properties`)",
            "even": "both, half and half",
            "published_text": "texts, as published: nothing subtracted",
            "published_image": "images, as published",
            "published_mixed": "both by concreteness, as published",
            "permuted": "`properties` of another animal (control)",
        },
    )
    axes = ("animals", "animals_centred", "attributes", "concrete", "abstract")
    low, mean, high = mixed["concreteness"]
    lines = [
        "### Attributes of animals, ranked without annotation\n",
        "AWA2's 85 attributes as phrases (`docs/properties/animals.csv`) of all 50 animals, by `properties`. No image",
        "and no annotation takes part: TEXT is MiniLM, TIE a ridge from the names of ImageNet's classes to the rows of",
        "MobileNetV2's classifier, PROTOTYPES these rows. Rank correlations with what annotators say, means over",
        "animals, over animals where both sides are less their mean animal, and over attributes, there also over the",
        "more and the less concrete half. An animal has an attribute that is above the mean of the matrix: in how many",
        "% of the animals the first is one that it has, or one of the first 5; recall among the first 10, in %; mean",
        "reciprocal rank of the first that it has.",
        f"Concreteness is told from seed words, {low:.2f} to {high:.2f}, mean {mean:.2f}: no file of ratings was at",
        "hand. Nothing was tuned.\n",
        "| ranked by | animals | less the mean | attributes | concrete | abstract | first | 5 | recall | reciprocal |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, title in says.items():
        entry = found[name]
        cells = [f"{entry[axis]:.3f}" for axis in axes]
        cells += [f"{100 * entry[key]:.0f}" for key in ("right_1", "right_5", "recall_10")] + [
            f"{entry['reciprocal']:.2f}"
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    lines += [
        "",
        "Gain in correlation of both, mixed by concreteness, with the 95 % interval of its mean (t) over animals or",
        "attributes:\n",
        "| over | animals | less the mean | attributes |",
        "|---|---|---|---|",
    ]
    for less, title in (("text", "texts"), ("image", "images"), ("even", "half and half")):
        gains = (mixed[f"{axis}_over_{less}"] for axis in axes[:3])
        lines.append(f"| {title} | {' | '.join(f'{mean:+.3f} ± {half:.3f}' for mean, half in gains)} |")
    return [*lines, "", *SAYS, ""]
