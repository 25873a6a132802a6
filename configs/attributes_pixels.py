"""Attributes predicted from pixels by a small ConvNet, all by one network; the class by their posterior (DAP).

    python -m zsl_jax train --config=configs/attributes_pixels.py --workdir=runs/attributes_pixels
    python -m zsl_jax train --config=configs/attributes_pixels.py:digits --workdir=runs/digits_pixels

Digits, seed 0, 35 seconds of processor time on 2 cores with a load of about 13: ZSL 51.9, GZSL 0.9 / 97.2 / 1.8,
calibrated 48.5 / 81.6 / 60.8. Shapes, seed 0, gamma chosen on validation classes (there: ZSL 71.9, harmonic 67.2), 4.2
minutes of processor time: ZSL 79.7, GZSL 8.9 / 97.6 / 16.2, calibrated 69.5 / 81.7 / 75.1, AUSUC 73.2.

Lampert, Nickisch, Harmeling, "Attribute-Based Classification for Zero-Shot Visual Object Categorization", TPAMI 2014.
"""

from zsl_jax.recipes import families


def get_config(argument=None):
    config = families.small_pixels("attribute_network", argument)
    config.normalize.classes = "none"
    return config


def sweep():
    return {"optimizer.learning_rate": (1e-3, 3e-3, 1e-2)}
