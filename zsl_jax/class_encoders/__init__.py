"""Class side information to class embeddings `[C, A]`: pure functions on arrays, names and tables.

    attributes.py   binarized, signed, centred forms of a matrix; several joined; a fixed simplex
    controls.py     embeddings that say nothing of the classes, on which a method must fall to chance
    trees.py        the ancestors of a class in a tree; embeddings smoothed over a graph
    poincare.py     the place of a class among its ancestors, in the Poincare ball
    graphs.py       a graph of words around classes, and the neighbours of its nodes
    hashing.py      words as numbers, for encoders of text that are trained
    texts.py        word vectors from text files; TF-IDF of descriptions

What comes out takes the place of a table's embedding: `dataclasses.replace(table, embedding=...)`.
"""

from zsl_jax.class_encoders.attributes import binarized, centred, concatenated, signed, simplex
from zsl_jax.class_encoders.controls import permuted
from zsl_jax.class_encoders.hashing import tokens
from zsl_jax.class_encoders.texts import load_word_vectors, tf_idf, word_embedding, words
from zsl_jax.class_encoders.trees import ancestors, load_tree, retrofitted

__all__ = [
    "ancestors",
    "binarized",
    "centred",
    "concatenated",
    "load_tree",
    "load_word_vectors",
    "permuted",
    "retrofitted",
    "signed",
    "simplex",
    "tf_idf",
    "tokens",
    "word_embedding",
    "words",
]
