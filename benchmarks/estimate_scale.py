"""What a pod of N chips should give: FLOPs, all-reduce bytes and link speeds; prints the tables of docs/scale.md.

    python benchmarks/estimate_scale.py

Nothing here is measured. The step time is compute + all-reduce, as if nothing overlapped:

    compute      FLOPs of the chip's share of the batch / (peak * share of peak)
    all-reduce   2 (N - 1) / N * bytes of the gradient / bytes/s that a chip sends + 1 us a hop, 2 * diameter hops
"""

from typing import NamedTuple

SHARE_OF_PEAK = 0.4
HOP_S = 1e-6


class Chip(NamedTuple):
    """Peak bfloat16 FLOP/s, bytes/s that it sends to its neighbours, axes of the torus (0: switched), chips at most."""

    peak: float
    sends: float
    axes: int
    most: int
    sends_in_host: float | None = None


# TPU: cloud.google.com/tpu/docs/v5e, /v6e and /v5p; what a chip sends is half of the bidirectional figure there.
# H100 SXM: NVIDIA's data sheet; 8 of them by NVLink, more by one 400 Gb/s adapter a GPU, as in a DGX H100.
CHIPS = {
    "v5e": Chip(197e12, 200e9, 2, 256),
    "v6e": Chip(918e12, 400e9, 2, 256),
    "v5p": Chip(459e12, 600e9, 3, 6144),
    "H100": Chip(989e12, 50e9, 0, 4096, sends_in_host=450e9),
}
COUNTS = (8, 64, 256, 1024, 4096)


class Step(NamedTuple):
    """FLOPs of one example, forward and backward, and bytes of the gradient."""

    flops: float
    gradient: float


def vit_b(tokens: int = 197, width: int = 768, layers: int = 12) -> Step:
    """ViT-B/16 at 224 pixels: 12 d^2 weights per layer for each token, and attention; backward costs twice forward."""
    weights = layers * 12 * width**2 + width * 768
    products = tokens * weights + layers * 2 * tokens**2 * width
    return Step(3 * 2 * products, 4 * weights)


def bilinear(features: int, attributes: int, classes: int) -> Step:
    """A bilinear map of features, scored against all classes."""
    products = features * attributes + attributes * classes
    return Step(3 * 2 * products, 4 * features * attributes)


def seconds(chip: Chip, count: int, step: Step, batch_a_chip: float) -> tuple[float, float]:
    """Compute and all-reduce seconds of a step."""
    compute = batch_a_chip * step.flops / (chip.peak * SHARE_OF_PEAK)
    diameter = 2 if chip.axes == 0 else chip.axes * count ** (1 / chip.axes) / 2
    sends = chip.sends_in_host if chip.sends_in_host and count <= 8 else chip.sends
    transfer = 2 * (count - 1) / count * step.gradient / sends
    return compute, transfer + 2 * diameter * HOP_S


def table(step: Step, *, batch_a_chip: float | None = None, batch: float | None = None) -> str:
    lines = [
        "| chip | N | batch | compute ms | all-reduce ms | examples/s | of N times one chip |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, chip in CHIPS.items():
        for count in COUNTS:
            if count > chip.most:
                continue
            share = batch_a_chip or batch / count
            if share < 1:
                continue
            compute, reduce = seconds(chip, count, step, share)
            speed = share * count / (compute + reduce)
            lines.append(
                f"| {name} | {count} | {share * count:.0f} | {1e3 * compute:.3g} | {1e3 * reduce:.3g} | {speed:,.0f} "
                f"| {compute / (compute + reduce):.0%} |"
            )
    return "\n".join(lines)


def report() -> str:
    pixels, cub, large = vit_b(), bilinear(2048, 150, 150), bilinear(2048, 4096, 21841)
    parts = []
    for title, step, options in (
        ("ViT-B/16 from pixels, 256 images per chip", pixels, {"batch_a_chip": 256}),
        ("ViT-B/16 from pixels, a batch of 4,096 whatever the number of chips", pixels, {"batch": 4096}),
        ("ALE on CUB's features (2,048 wide, 150 classes), a batch of 4,096", cub, {"batch": 4096}),
        ("A bilinear map to 21,841 classes of 4,096 dimensions, a batch of 4,096", large, {"batch": 4096}),
    ):
        cost = f"{step.flops / 1e9:.3g} GFLOP per example, {step.gradient / 1e6:.3g} MB of gradient."
        parts.append(f"**{title}.** {cost}\n\n{table(step, **options)}")
    return "\n\n".join(parts)


if __name__ == "__main__":
    print(report())
