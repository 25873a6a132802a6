"""Sources that describe classes by words: those of their names, of texts on them, and of a graph around them.

words         the mean of the vectors of the words of a name
retrofitted   the same, moved towards the words of what WordNet has above it
sentences     a template filled with the name, through a text tower
tf_idf        the words of texts on the class, rare ones weighted up
esa           the articles on concepts whose words these texts use, or its name
norms         attributes: those of the dataset for seen classes, told from the words of their names for all others
graph         a node of a graph of words, for class encoders that read its neighbours
"""

import jax
import numpy as np

from zsl_jax import class_encoders, errors
from zsl_jax.class_encoders import graphs, sentences, wordnet
from zsl_jax.class_encoders import norms as class_norms
from zsl_jax.data import matfile
from zsl_jax.encoders import stages, ties, towers
from zsl_jax.encoders.source_parts import Made, Options, complete, place, seen_names

EDGES = ("given", "random")


def words(options: Options) -> Made:
    path = place(options.words, "words", "FILE.txt")

    def of(names):
        """Vectors of the names that have any, and the words of each that have none."""
        known = class_encoders.load_word_vectors(path, {word for n in names for word in class_encoders.words(n)})
        lacks = {name: [word for word in class_encoders.words(name) if word not in known] for name in names}
        has = [name for name in names if len(lacks[name]) < len(class_encoders.words(name))]
        ignored = {word for found in lacks.values() for word in found}
        rows = class_encoders.word_embedding(has, known, ignored=ignored) if has else np.zeros((0, 1), np.float32)
        return dict(zip(has, rows)), lacks

    def function(names, table):
        rows, seen = of(names)[0], seen_names(table)
        return complete(names, rows, lambda: of(seen)[0], options, f"{path.name} has no vector for any word of")

    def left_out(names):
        return {name: " ".join(found) for name, found in of(names)[1].items() if found}

    return Made(function, {"words_sha256": matfile.sha256(path)}, left_out, learned=True)


def retrofitted(options: Options) -> Made:
    """A class among all that is above it in WordNet, whose links pull; other classes take no part."""
    plain = words(options)
    path, of_words = place(options.wordnet, "wordnet", "FILE.npz"), place(options.words, "words", "FILE.txt")
    nouns = wordnet.load(path)

    def pulled(found, at_or_above, own, known):
        # A name of which words had to go is one step below the noun that is left.
        above = [node for node in at_or_above if found[1] or node != found[0]]
        called = [nouns.lemmas[node] for node in above]
        has = [row for row, lemma in enumerate(called) if any(w in known for w in class_encoders.words(lemma))]
        if not has:
            return own
        gone = {w for lemma in called for w in class_encoders.words(lemma) if w not in known}
        vectors = class_encoders.word_embedding([called[row] for row in has], known, ignored=gone)
        nodes = [found[0] if not found[1] else -1, *(above[row] for row in has)]
        links = {tuple(pair) for pair in nouns.hypernyms[np.isin(nouns.hypernyms[:, 0], nodes)].tolist()}
        links |= {(-1, found[0])}
        is_neighbor = np.array([[(a, b) in links or (b, a) in links for b in nodes] for a in nodes])
        return np.asarray(class_encoders.retrofitted(np.stack([own, *vectors]), is_neighbor))[0]

    def function(names, table):
        own = plain.function(names, table)
        places = {at: found for at, name in enumerate(names) if (found := wordnet.synset(nouns, name)) is not None}
        above = wordnet.at_or_above(nouns, [row for row, _ in places.values()])
        called = {nouns.lemmas[node] for nodes in above for node in nodes}
        known = class_encoders.load_word_vectors(of_words, {w for lemma in called for w in class_encoders.words(lemma)})
        moved = {at: pulled(found, nodes, own[at], known) for (at, found), nodes in zip(places.items(), above)}
        return np.stack([moved.get(at, row) for at, row in enumerate(own)])

    files = {**plain.files, "wordnet_sha256": matfile.sha256(path)}
    return plain._replace(function=function, files=files)


def sentence_vectors(options: Options) -> Made:
    tower = towers.load_text_tower(place(options.text, "text", "FOLDER"))

    def function(names, table):
        texts = [text for (text,) in sentences.from_names(names, options.template)]
        return stages.applied(tower.stage(), texts)

    return Made(function, {"text_sha256": tower.sha256}, learned=True)


def tf_idf(options: Options) -> Made:
    path = place(options.texts, "texts", "FILE.json")
    held = sentences.load_texts(path)

    def function(names, table):
        told, seen = _texts_of(names, held), _texts_of(seen_names(table), held)
        columns = [*(seen or told).values()]
        is_seen = np.arange(len(columns) + len(told)) < len(columns)
        made = class_encoders.tf_idf([*columns, *told.values()], is_seen=is_seen)
        rows = dict(zip(told, made[len(columns) :]))
        return complete(names, rows, lambda: dict(zip(seen, made)), options, f"{path.name} has no texts of")

    return Made(function, {"texts_sha256": matfile.sha256(path)})


def esa(options: Options) -> Made:
    """Texts are those of `classes.texts`; without it, the words of the name are the text."""
    if options.concepts:
        of_concepts = place(options.concepts, "concepts", "FILE.json")
        articles = [" ".join((name, *told)) for name, told in sentences.load_texts(of_concepts).items()]
    else:
        of_concepts = place(options.wordnet, "wordnet", "FILE.npz")
        articles = wordnet.load_articles(of_concepts)
    files = {"concepts_sha256": matfile.sha256(of_concepts)}
    held = None
    if options.texts:
        path = place(options.texts, "texts", "FILE.json")
        held, files["texts_sha256"] = sentences.load_texts(path), matfile.sha256(path)

    def of(names):
        return {name: sentences.readable(name) for name in names} if held is None else _texts_of(names, held)

    def function(names, table):
        told, seen = of(names), of(seen_names(table))
        columns = [*(seen or told).values()]
        is_seen = np.arange(len(columns) + len(told)) < len(columns)
        made = class_encoders.explicit_semantics(
            [*columns, *told.values()], articles, is_seen=is_seen, most=options.num_concepts
        )
        rows = {name: row for name, row in zip(told, made[len(columns) :]) if row.any()}
        known = {name: row for name, row in zip(seen, made) if row.any()}
        return complete(names, rows, lambda: known, options, f"no concept of {of_concepts.name} has a word of")

    return Made(function, files)


def norms(options: Options) -> Made:
    plain = words(options)
    knobs = {"ridge": ("strength",), "nearest": ("nearest", "temperature")}[options.norms]

    def annotated(table):
        rows = np.asarray(table.embedding)
        if rows.ndim != 2 or rows.dtype.kind != "f":
            raise errors.UserError(
                "config.classes.source=norms tells attributes, which the classes of this dataset lack"
            )
        return {name: row for name, row, seen in zip(table.names, rows, table.is_seen) if seen}

    def function(names, table):
        known = annotated(table)
        if not known:
            raise errors.UserError("config.classes.source=norms needs seen classes, whose attributes it learns from")
        lacks = [name for name in names if name not in known]
        told = {}
        if lacks:
            vectors = plain.function([*lacks, *known], table)
            rows = class_norms.NORMS[options.norms](
                vectors[: len(lacks)],
                vectors[len(lacks) :],
                np.stack([*known.values()]),
                **{name: getattr(options, name) for name in knobs},
            )
            told = dict(zip(lacks, rows))
        return np.stack([known[name] if name in known else told[name] for name in names]).astype(np.float32)

    def facts(table):
        known = annotated(table)
        told = {"told_by": options.norms, **{name: getattr(options, name) for name in knobs}}
        return {**told, "annotated": len(known), "told": len(table.names) - len(known)}

    return plain._replace(function=function, facts=facts, is_own=True)


def _texts_of(names, held):
    """The texts of those that have any, as one."""
    found = sentences.from_texts(names, held, missing="names")
    has = sentences.has_texts(names, held)
    return {name: " ".join(texts) for name, texts, there in zip(names, found, has) if there}


def graph(options: Options) -> Made:
    """Classes as rows of the nodes; features are the means of the vectors of the words of each node, of unit length."""
    path = place(options.graph, "graph", "FOLDER")
    of_words = place(options.words, "words", "FILE.txt")
    held = graphs.load(path)
    linked = held if options.edges == "given" else graphs.rewired(held)
    near = graphs.neighborhoods(jax.random.key(0), linked, most=options.neighbors)
    phrases = [class_encoders.words(graphs.phrase(name)) for name in held.names]
    known = class_encoders.load_word_vectors(of_words, {word for found in phrases for word in found})
    if not known:
        raise errors.UserError(f"{of_words.name} has no vector for any word of the graph {path.name}")
    zero = np.zeros_like(next(iter(known.values())))
    means = np.stack([np.mean([known[w] for w in found if w in known] or [zero], axis=0) for found in phrases])
    is_known = means.any(axis=1)
    features = ties.unit_rows(means).astype(np.float32)

    def function(names, table):
        rows = graphs.rows(held, names)
        # Nothing is known of a node where neither it nor a neighbour has a word with a vector.
        dumb = [name for name, row in zip(names, rows) if not np.any(is_known[near.nodes[row][near.where[row]]])]
        if dumb:
            raise errors.UserError(f"{of_words.name} has no vector for any word of {dumb[0]!r}, nor of its neighbours")
        return rows

    files = {"words_sha256": matfile.sha256(of_words), "graph_sha256": graphs.sha256(path)}
    return Made(function, files, learned=True, shared={"features": features, **near._asdict()})
