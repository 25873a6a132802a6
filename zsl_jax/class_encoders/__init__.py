"""Class side information to class embeddings `[C, A]`: pure functions on arrays, names and tables.

    attributes.py   binarized, signed, centred forms of a matrix; several joined; a fixed simplex
    controls.py     embeddings that say nothing of the classes, on which a method must fall to chance
    trees.py        the ancestors of a class in a tree; embeddings smoothed over a graph
    levels.py       how far unseen classes are from the seen ones
    poincare.py     the place of a class among its ancestors, in the Poincare ball
    graphs.py       a graph of words around classes, and the neighbours of its nodes
    hashing.py      words as numbers, for encoders of text that are trained
    texts.py        word vectors from files and to files; TF-IDF of descriptions
    concepts.py     descriptions by the articles on concepts that they are near to
    norms.py        attributes told from word vectors
    properties.py   attributes without annotation, by a ranking of texts and one of images
    corpora.py, word_objectives.py, word2vec.py        word vectors trained on texts of your own

What comes out takes the place of a table's embedding: `dataclasses.replace(table, embedding=...)`.
"""

from zsl_jax.class_encoders.attributes import aligned_weights, binarized, centred, concatenated, signed, simplex
from zsl_jax.class_encoders.concepts import explicit_semantics
from zsl_jax.class_encoders.controls import permuted
from zsl_jax.class_encoders.corpora import corpus
from zsl_jax.class_encoders.hashing import tokens
from zsl_jax.class_encoders.levels import distance_levels
from zsl_jax.class_encoders.norms import nearest_norms, ridge_norms
from zsl_jax.class_encoders.properties import concreteness_mix, load_properties, ranked, told_concreteness
from zsl_jax.class_encoders.texts import load_word_vectors, save_word_vectors, tf_idf, word_embedding, words
from zsl_jax.class_encoders.trees import ancestors, load_tree, retrofitted
from zsl_jax.class_encoders.word2vec import train as word_vectors

__all__ = [
    "aligned_weights",
    "ancestors",
    "binarized",
    "centred",
    "concatenated",
    "concreteness_mix",
    "corpus",
    "distance_levels",
    "explicit_semantics",
    "load_properties",
    "load_tree",
    "load_word_vectors",
    "nearest_norms",
    "permuted",
    "ranked",
    "retrofitted",
    "ridge_norms",
    "save_word_vectors",
    "signed",
    "simplex",
    "tf_idf",
    "tokens",
    "told_concreteness",
    "word_embedding",
    "word_vectors",
    "words",
]
