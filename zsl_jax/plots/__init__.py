"""Figures, each a function from arrays or a record to a figure. Needs matplotlib (the extra `viz`).

story.py        the figure of a run: trade-off, bars of the unseen classes, images with their answers
curves.py       losses and validation scores by epoch; the landscape of a sweep
confusion.py    the confusion matrix in its seen | unseen blocks; the worst confusions and why
attributes.py   class x attribute, described against predicted; why one class and not another
embeddings.py   images and class prototypes in the plane
images.py       the nearest images of each class; new images with their names
pairs.py        classes that are pairs: the bias curve, accuracy by attribute and object, images with both parts named
"""

from zsl_jax.plots.attributes import attribute_maps, reasons
from zsl_jax.plots.confusion import confusion_matrix, confusions, worst_pairs
from zsl_jax.plots.curves import landscape, training_curves
from zsl_jax.plots.embeddings import embeddings
from zsl_jax.plots.images import named_images, retrieval
from zsl_jax.plots.pairs import bias_curves, pair_examples, pair_matrix
from zsl_jax.plots.story import answers, class_bars, image_strip, story, trade_off
from zsl_jax.plots.style import SEEN, UNSEEN, WRONG, readable, save

__all__ = [
    "SEEN",
    "UNSEEN",
    "WRONG",
    "answers",
    "attribute_maps",
    "bias_curves",
    "class_bars",
    "confusion_matrix",
    "confusions",
    "embeddings",
    "image_strip",
    "landscape",
    "named_images",
    "pair_examples",
    "pair_matrix",
    "readable",
    "reasons",
    "retrieval",
    "save",
    "story",
    "trade_off",
    "training_curves",
    "worst_pairs",
]
