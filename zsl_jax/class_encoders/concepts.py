"""Texts by the articles on concepts that their words are used in: explicit semantic analysis.

    concept k of a text = sum_w weight(w in the text) weight(w in article k)        weights by TF-IDF over the articles

Reference: Gabrilovich, Markovitch, "Computing Semantic Relatedness using Wikipedia-based Explicit Semantic Analysis",
IJCAI 2007.
"""

from collections.abc import Sequence

import numpy as np

from zsl_jax import errors


def explicit_semantics(
    texts: Sequence[str], articles: Sequence[str], *, is_seen: Sequence[bool] | None = None, most: int = 500
) -> np.ndarray:
    """How near each text is to the articles on concepts.

    Both sides are of unit length, so that a number is the cosine of a text and an article. As in `tf_idf`, counts are
    damped and English stop words are left out. Words are not stemmed, and weak entries stay, unlike in the paper.

    Args:
      texts: one per class.
      articles: one per concept.
      is_seen: `[C]` bool, the classes that say which concepts are kept; None: all.
      most: concepts that are kept: the nearest ones to the seen classes, by their sum.

    Returns:
      `[C, K]` float32 in [0, 1], K <= most, columns in the order of the articles; a row of zeros for a text of which no
      word is in an article that is kept.

    Raises:
      UserError: a number of marks other than that of texts, articles without any word, or none near a seen class.

    >>> articles = ["a duck is a bird that swims", "a fox is a red animal", "bread is baked"]
    >>> print(explicit_semantics(["red duck", "fox"], articles).round(2))
    [[0.41 0.41]
     [0.   0.58]]
    """
    from sklearn.feature_extraction import text  # half a second that only this function should cost

    if is_seen is not None and len(is_seen) != len(texts):
        raise errors.UserError(f"{len(texts)} texts need as many marks in is_seen, not {len(is_seen)}")
    vectorizer = text.TfidfVectorizer(sublinear_tf=True, stop_words="english", dtype=np.float32)
    try:
        weights = vectorizer.fit_transform(articles)
    except ValueError as error:
        raise errors.UserError(f"the {len(articles)} articles on concepts hold no word to weigh") from error
    found = (vectorizer.transform(texts) @ weights.T).tocsc()
    rows = np.ones(len(texts), bool) if is_seen is None else np.asarray(is_seen, bool)
    near = np.asarray(found[rows].sum(axis=0)).ravel()
    kept = np.sort(np.argsort(-near, kind="stable")[:most])
    kept = kept[near[kept] > 0]
    if not len(kept):
        raise errors.UserError(f"no word of the {rows.sum()} texts is in one of the {len(articles)} articles")
    return found[:, kept].toarray()
