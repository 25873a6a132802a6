"""A tie by contrastive steps: in each batch, texts and the vectors of their images have to find each other.

    u_k = unit((e_k - m) M),  v_i = unit(t_i - mean t)          e_k [D]: a text, t_i [F]: a vector of its class or image
    loss = multi_positive_clip(v, u, scale)                     of a batch of pairs; both towers stay as they are

M starts at the ridge. Some texts are held out first: the number of steps is the one after which their vectors are told
from each other most often; M is then trained for as many on all pairs. It stays the ridge where no step helps.

Reference: Zhai, Wang, Mustafa, Steiner, Keysers, Kolesnikov, Beyer, "LiT: Zero-Shot Transfer with Locked-image text
Tuning", CVPR 2022; Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from zsl_jax import errors, losses, similarity
from zsl_jax.encoders import ties

LOOKS = 20  # numbers of steps that are compared


def fit(
    texts: np.ndarray,
    targets: np.ndarray,
    labels: np.ndarray,
    *,
    steps: int = 600,
    learning_rate: float = 0.003,
    scale: float = 10.0,
    batch_size: int = 128,
    seed: int = 0,
) -> ties.Tie:
    """Returns the tie that contrastive steps find.

    Args:
      texts: `[K, D]` vectors of different texts.
      targets: `[N, F]` vectors that should find them.
      labels: `[N]` rows of `texts`; each text has one target or more.
      steps: the most that are done; a twentieth of it, two twentieths, ... are compared.
      learning_rate: of Adam, in units of the root mean square of the entries of M.
      scale: the inverse temperature at the start; it is trained, too.
      batch_size: pairs of a step, drawn with replacement, texts uniformly.
      seed: of the texts held out, a fifth of them, and of the batches.

    Raises:
      UserError: fewer than 4 texts, or texts that are all one.

    >>> rng = np.random.default_rng(0)
    >>> texts, truth = rng.standard_normal((40, 6)), rng.standard_normal((6, 5))
    >>> labels = np.repeat(np.arange(40), 3)
    >>> tie = fit(texts, (texts @ truth)[labels], labels, steps=20)
    >>> found = tie(texts) @ (texts @ truth - (texts @ truth).mean(0)).T
    >>> bool(np.mean(found.argmax(axis=0) == np.arange(40)) > 0.9), tie.about["texts"], tie.about["pairs"]
    (True, 40, 120)
    """
    if len(texts) < 4:
        raise errors.UserError(
            f"contrastive steps need at least 4 texts, some of them to be held out, not {len(texts)}"
        )
    rng, key = np.random.default_rng(seed), jax.random.key(seed)
    apart = np.zeros(len(texts), bool)
    apart[rng.permutation(len(texts))[: max(2, len(texts) // 5)]] = True
    options = {"learning_rate": learning_rate, "scale": scale, "batch_size": min(batch_size, len(targets))}
    every = max(1, steps // LOOKS)
    kept = np.flatnonzero(~apart[labels])
    trial = _trained(texts, targets, labels, kept, key, every=every, looks=LOOKS, **options)
    told = [_told(tie, texts, targets, labels, np.flatnonzero(apart[labels])) for tie in trial]
    best = int(np.argmax(told))
    tie = _trained(texts, targets, labels, np.arange(len(targets)), key, every=every, looks=best, **options)[-1]
    about = {"by": "contrastive", "texts": len(texts), "pairs": len(targets), "steps": best * every}
    held_out = {"texts": int(apart.sum()), "by_ridge": told[0], "top1": told[best]}
    return tie._replace(about={**about, "held_out": held_out, "seed": seed, **options})


def _trained(texts, targets, labels, rows, key, *, every, looks, learning_rate, scale, batch_size) -> list[ties.Tie]:
    """The ridge on some pairs, and what the steps make of it after each stretch."""
    seen = np.unique(labels[rows])
    unit = np.asarray(similarity.l2_normalize(jnp.asarray(targets - targets[rows].mean(axis=0), jnp.float32)))
    means = np.stack([unit[rows[labels[rows] == k]].mean(axis=0) for k in seen])
    start = ties.ridge(texts[seen], means)
    if not looks:
        return [start]
    x = np.asarray(texts - start.text_mean, np.float32)
    length = np.mean(np.linalg.norm(x[seen] @ start.map, axis=1))
    # A text is drawn first and then one of its targets, by its place among them.
    order = rows[np.argsort(labels[rows], kind="stable")]
    first = np.searchsorted(labels[order], seen)
    draw = {"x": x, "unit": unit, "labels": labels, "order": order, "first": first}
    draw["count"] = np.diff([*first, len(order)])
    sizes = {"every": every, "looks": looks, "batch_size": batch_size}
    rate = learning_rate * float(np.sqrt(np.mean((start.map / length) ** 2)))
    maps = _steps(jax.tree.map(jnp.asarray, draw), start.map / length, scale, rate, key, **sizes)
    return [start, *(start._replace(map=np.asarray(found)) for found in maps)]


@functools.partial(jax.jit, static_argnames=("every", "looks", "batch_size"))
def _steps(draw, matrix, scale, rate, key, *, every, looks, batch_size):
    optimizer = optax.adam(rate)

    def step(carry, key):
        params, memory = carry
        of_text, of_target = jax.random.split(key)
        text = jax.random.randint(of_text, (batch_size,), 0, len(draw["first"]))
        place = jnp.floor(jax.random.uniform(of_target, (batch_size,)) * draw["count"][text]).astype(jnp.int32)
        rows = draw["order"][draw["first"][text] + place]

        def loss(params):
            tied = similarity.l2_normalize(draw["x"][draw["labels"][rows]] @ params["map"])
            scale = jnp.exp(params["scale"])
            return jnp.mean(losses.multi_positive_clip(draw["unit"][rows], tied, draw["labels"][rows], scale=scale))

        updates, memory = optimizer.update(jax.grad(loss)(params), memory, params)
        return (optax.apply_updates(params, updates), memory), None

    def stretch(carry, keys):
        carry, _ = jax.lax.scan(step, carry, keys)
        return carry, carry[0]["map"]

    params = {"map": jnp.asarray(matrix), "scale": jnp.log(jnp.asarray(scale, jnp.float32))}
    keys = jax.random.split(key, (looks, every))
    return jax.lax.scan(stretch, (params, optimizer.init(params)), keys)[1]


def _told(tie: ties.Tie, texts, targets, labels, rows) -> float:
    """How often, per text, vectors find theirs among the texts of all of them."""
    among = np.unique(labels[rows])
    vectors = targets[rows] - targets[rows].mean(axis=0)
    right = among[np.argmax(vectors @ tie(texts[among]).T, axis=1)] == labels[rows]
    return float(np.mean([right[labels[rows] == k].mean() for k in among]))
