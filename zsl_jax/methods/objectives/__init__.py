"""What training asks of images and classes: any loss by its name, a sum of several, or a function of your own."""

from zsl_jax.methods.objectives.asking import KNOBS, Asked, by_any_loss
from zsl_jax.methods.objectives.balance import CHOICES as BALANCES
from zsl_jax.methods.objectives.balance import balanced, descent, least_length
from zsl_jax.methods.objectives.compared import Compared, of_batch
from zsl_jax.methods.objectives.kinds import KINDS, Kind
from zsl_jax.methods.objectives.making import KNOB, Objective, is_evidential, is_sum, knobs, make, section, terms
from zsl_jax.methods.objectives.memory import Memory, after, begin
from zsl_jax.methods.objectives.negatives import CHOICES, chosen, with_negatives
from zsl_jax.methods.objectives.similarities import CHOICES as SIMILARITIES
from zsl_jax.methods.objectives.similarities import KNOB as SIMILARITY
from zsl_jax.methods.objectives.similarities import compared_by
from zsl_jax.methods.objectives.table import ELSEWHERE, LOSSES, Loss
from zsl_jax.methods.objectives.wrapping import at_prefixes, check_lengths, with_margins

__all__ = [
    "BALANCES",
    "CHOICES",
    "ELSEWHERE",
    "KINDS",
    "KNOB",
    "KNOBS",
    "LOSSES",
    "SIMILARITIES",
    "SIMILARITY",
    "Asked",
    "Compared",
    "Kind",
    "Loss",
    "Memory",
    "Objective",
    "after",
    "at_prefixes",
    "balanced",
    "begin",
    "by_any_loss",
    "check_lengths",
    "chosen",
    "compared_by",
    "descent",
    "is_evidential",
    "is_sum",
    "knobs",
    "least_length",
    "make",
    "of_batch",
    "section",
    "terms",
    "with_margins",
    "with_negatives",
]
