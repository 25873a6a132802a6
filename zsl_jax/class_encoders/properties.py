"""Attributes that nobody annotated, from two rankings: by what texts say and by what images show.

    r_nk = share of the other properties that class n has less of than k           of one score for all pairs
    a_nk = (1 - c_k) r_nk(text) + c_k r_nk(image)

c_k in [0, 1] says how concrete property k is: `striped` is seen, `domestic` is read. Ranks and not scores are mixed,
because the two scores have scales of their own.

Reference: Yang, Apidianaki, Callison-Burch, Yatskar, "Visualizing the Obvious: A Concreteness-based Ensemble Model for
Noun Property Prediction", Findings of EMNLP 2022.
"""

import csv
import os
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from zsl_jax import arguments, errors, similarity

# Words that can be touched or seen, and words that cannot: the ends of the scale where nobody rated.
CONCRETE = (
    *("apple", "bottle", "brick", "chair", "door", "dog", "feather", "finger", "hammer", "knife"),
    *("milk", "nail", "needle", "rope", "sand", "shoe", "spoon", "stone", "table", "tree"),
)
ABSTRACT = (
    *("belief", "chance", "concept", "duty", "essence", "fate", "freedom", "honour", "hope", "idea"),
    *("justice", "knowledge", "logic", "mercy", "opinion", "purpose", "reason", "spirit", "theory", "truth"),
)
_COLUMNS = ("property", "concreteness")


def ranked(scores: ArrayLike) -> jax.Array:
    """Ranks of the properties of each class, 1 for what it has most of and 0 for what it has least of.

    `r_nk = (#{j: s_nj < s_nk} + #{j != k: s_nj = s_nk} / 2) / (K - 1)`

    Args:
      scores: `[N, K]`, K >= 2.

    Returns:
      `[N, K]` float32 in [0, 1]; properties of one score share their rank.

    Raises:
      ValueError: not a matrix, or fewer than two properties.

    >>> import jax.numpy as jnp
    >>> print(ranked(jnp.array([[0.9, 0.1, 0.4], [5.0, 7.0, 5.0]])))
    [[1.   0.   0.5 ]
     [0.25 1.   0.25]]
    """
    shape = jnp.shape(scores)
    if len(shape) != 2 or shape[1] < 2:
        raise ValueError(f"scores must be [N, K] with K >= 2, not {shape}")
    scores = arguments.as_float(scores)

    def of_class(row):
        ordered = jnp.sort(row)
        below, not_above = (jnp.searchsorted(ordered, row, side=side) for side in ("left", "right"))
        return arguments.as_float(below + not_above - 1) / (2 * (shape[1] - 1))

    return jax.vmap(of_class)(scores)


def concreteness_mix(ranks_text: ArrayLike, ranks_image: ArrayLike, concreteness: ArrayLike) -> jax.Array:
    """Two rankings as one: a concrete property is placed by images, an abstract one by texts.

    `a_nk = (1 - c_k) r_nk(text) + c_k r_nk(image)`

    Args:
      ranks_text: `[N, K]`, such as `ranked` gives.
      ranks_image: `[N, K]`.
      concreteness: `[K]` in [0, 1]; scale ratings from 1 to 5 first.

    Returns:
      `[N, K]` float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(concreteness_mix(jnp.array([[1.0, 0.0]]), jnp.array([[0.0, 1.0]]), jnp.array([0.75, 0.0])))
    [[0.25 0.  ]]

    Reference: Yang et al., Findings of EMNLP 2022.
    """
    arguments.check_same_shape(2, ranks_text=ranks_text, ranks_image=ranks_image)
    if jnp.shape(concreteness) != jnp.shape(ranks_text)[1:]:
        raise ValueError(f"concreteness must be [K] for ranks {jnp.shape(ranks_text)}, not {jnp.shape(concreteness)}")
    text, image, share = (arguments.as_float(x) for x in (ranks_text, ranks_image, concreteness))
    return (1 - share)[None, :] * text + share[None, :] * image


def told_concreteness(vectors: ArrayLike, concrete: ArrayLike, abstract: ArrayLike) -> jax.Array:
    """How concrete words are, told from the vectors of seed words: an estimate where nobody rated them.

    `c_k = clip((d(v_k) - A) / (C - A), 0, 1)`, `d(v) = mean_p cos(v, concrete_p) - mean_q cos(v, abstract_q)`,
    C and A the means of d over the concrete and the abstract seeds

    Args:
      vectors: `[K, D]`.
      concrete: `[P, D]` of words such as `CONCRETE`.
      abstract: `[Q, D]` of words such as `ABSTRACT`.

    Returns:
      `[K]` float32 in [0, 1].

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(told_concreteness(jnp.array([[2.0, 0.0], [1.0, 1.0]]), jnp.array([[1.0, 0.0]]), jnp.array([[0.0, 1.0]])))
    [1.  0.5]

    Reference: Turney, Neuman, Assaf, Cohen, "Literal and Metaphorical Sense Identification through Concrete and
    Abstract Context", EMNLP 2011, with seeds chosen by their ratings.
    """

    def along(x):
        return jnp.mean(similarity.cosine(x, concrete), axis=1) - jnp.mean(similarity.cosine(x, abstract), axis=1)

    high, low = jnp.mean(along(concrete)), jnp.mean(along(abstract))
    return jnp.clip((along(vectors) - low) / jnp.maximum(high - low, jnp.finfo(jnp.float32).tiny), 0, 1)


def load_properties(path: str | os.PathLike) -> tuple[tuple[str, ...], np.ndarray]:
    """Reads a CSV file of properties, with a column `property` and, where there are ratings, one `concreteness`.

    Returns:
      The properties, and their concreteness `[K]` in [0, 1], NaN where the cell is empty.

    Raises:
      UserError: it cannot be read, names a property twice or fewer than two, or a rating is no number in [0, 1].
    """
    path = pathlib.Path(path).expanduser()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows, header = list(reader), reader.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise errors.UserError(f"{path}: a CSV file with a column property is wanted ({error})") from error
    if _COLUMNS[0] not in header:
        raise errors.UserError(f"{path}: a header with property, and perhaps concreteness, is wanted, not {header}")
    found: dict[str, float] = {}
    for line, row in enumerate(rows, 2):
        name, rating = ((row.get(column) or "").strip() for column in _COLUMNS)
        if not name:
            raise errors.UserError(f"{path}, line {line}: no property")
        if name in found:
            raise errors.UserError(f"{path}, line {line}: {name!r} is there twice")
        try:
            found[name] = float(rating) if rating else np.nan
        except ValueError:
            found[name] = np.inf
        if rating and not 0 <= found[name] <= 1:
            raise errors.UserError(
                f"{path}, line {line}: concreteness {rating!r} of {name!r} is no number in [0, 1]; scale ratings from "
                "1 to 5 by (x - 1) / 4, or leave the cell empty"
            )
    if len(found) < 2:
        raise errors.UserError(f"{path} names {len(found)} properties; two at least can be ranked")
    return tuple(found), np.array(list(found.values()), np.float32)
