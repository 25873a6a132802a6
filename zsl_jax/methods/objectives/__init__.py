"""What training asks of images and classes: any loss by its name, a sum of several, or a function of your own."""

from zsl_jax.methods.objectives.compared import KINDS, Compared, Kind, of_batch
from zsl_jax.methods.objectives.making import KNOB, Objective, knobs, make, section, terms
from zsl_jax.methods.objectives.memory import Memory, after, begin
from zsl_jax.methods.objectives.negatives import CHOICES, chosen, with_negatives
from zsl_jax.methods.objectives.negatives import KNOBS as NEGATIVES
from zsl_jax.methods.objectives.table import ELSEWHERE, LOSSES, Loss

__all__ = [
    "CHOICES",
    "ELSEWHERE",
    "KINDS",
    "KNOB",
    "LOSSES",
    "NEGATIVES",
    "Compared",
    "Kind",
    "Loss",
    "Memory",
    "Objective",
    "after",
    "begin",
    "chosen",
    "knobs",
    "make",
    "of_batch",
    "section",
    "terms",
    "with_negatives",
]
