"""Protocols: what is asked of a trained method and what is reported, one file each."""

from zsl_jax import errors
from zsl_jax.training.protocols.base import Look, Metric, Probabilities, Protocol, Question, value
from zsl_jax.training.protocols.base_to_new import BASE_TO_NEW
from zsl_jax.training.protocols.discovery import DISCOVERY
from zsl_jax.training.protocols.gzsl import GZSL
from zsl_jax.training.protocols.matching import MATCHING
from zsl_jax.training.protocols.multilabel import MULTILABEL
from zsl_jax.training.protocols.pairs import PAIRS
from zsl_jax.training.protocols.transfer import TRANSFER

_ALL = (GZSL, PAIRS, TRANSFER, MULTILABEL, BASE_TO_NEW, MATCHING, DISCOVERY)
PROTOCOLS = {protocol.name: protocol for protocol in _ALL}


def find(name: str) -> Protocol:
    """Returns a protocol by its name.

    Raises:
      UserError: an unknown name.
    """
    if name not in PROTOCOLS:
        raise errors.unknown("protocol", name, PROTOCOLS)
    return PROTOCOLS[name]


__all__ = [
    "BASE_TO_NEW",
    "DISCOVERY",
    "GZSL",
    "MATCHING",
    "MULTILABEL",
    "PAIRS",
    "PROTOCOLS",
    "TRANSFER",
    "Look",
    "Metric",
    "Probabilities",
    "Protocol",
    "Question",
    "find",
    "value",
]
