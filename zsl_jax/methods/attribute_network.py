"""Attributes predicted from raw inputs, each by a sigmoid unit on the encoder, and classes compared with them.

    s = V^T f(x) + b [A],   p_k = sigmoid(s_k),   loss = sum_k -[a_k log p_k + (1 - a_k) log(1 - p_k)]

Where attributes come in groups of which one is there (a shape, a colour), the units of a group share a softmax instead,
and groups can be made to compete for the features that they read (`decorrelation`). No unit knows of the classes, so
that nothing is learned of which attributes occur together beyond what they share in f.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import errors, losses, rules
from zsl_jax.methods import attribute_prediction, base, encoded, mlp, registry, seen_classes


@registry.method(
    rule=rules.Knob("how classes follow from predicted attributes", rules.one_of(("dap", "ale"))),
    cut=attribute_prediction.CUT,
    groups=rules.Knob("sizes of the groups of attributes of which one is there; () for none", rules.wholes(2)),
    decorrelation=rules.Knob(
        "weight of the penalty that lets groups compete for features; 0 for none", rules.number(0, ends="[)")
    ),
    decorrelated_as=rules.Knob(
        "which penalty: that of the paper, or of its code", rules.one_of(("paper", "published"))
    ),
)
def attribute_network(
    parts: encoded.Parts,
    *,
    rule: str = "dap",
    cut: str = "attribute",
    groups: tuple[int, ...] = (),
    decorrelation: float = 0.0,
    decorrelated_as: str = "paper",
) -> base.Method:
    """Returns the method that predicts all attributes with one network, and classes from them.

    Args:
      parts: the encoder f, its optimiser and its augmentation.
      rule: `dap` for the posterior of the class under independent attributes, as `methods.dap`; `ale` for the
        compatibility of the logits with the description less its mean over the seen classes, `s^T (phi_c - mean)`.
      cut: where descriptions are cut into 0 and 1: at the mean of each `attribute`, or of the whole `table`.
      groups: sizes of the groups in the order of the attributes, which they must add up to; () for none. `dap` is then
        the sum of the log-probabilities of the class's attributes.
      decorrelation: weight >= 0 of the sum over groups of `losses.attribute_decorrelation` of V `[F, A]`, in which a
        feature that several groups read costs more than one that a single group does.
      decorrelated_as: `paper` for that; `published` for `losses.attribute_decorrelation_published`, which the code of
        the paper computes and in which no group competes with another.

    Raises:
      UserError: an unknown rule or cut, decorrelation without groups, or (by `init`) groups that do not add up to A.

    Reference: Lampert, Nickisch, Harmeling, "Attribute-Based Classification for Zero-Shot Visual Object
    Categorization", TPAMI 2014; with one network: Morgado, Vasconcelos, "Semantically Consistent Regularization for
    Zero-Shot Recognition", CVPR 2017; of the decorrelation: Xu et al., "Attribute Prototype Network for Zero-Shot
    Learning", NeurIPS 2020.
    """
    penalties = {
        "paper": losses.attribute_decorrelation,
        "published": losses.attribute_decorrelation_published,
    }
    if decorrelated_as not in penalties:
        raise errors.unknown("decorrelated_as", decorrelated_as, penalties)
    is_decorrelated = not isinstance(decorrelation, (int, float)) or decorrelation > 0
    if is_decorrelated and not groups:
        raise errors.UserError(
            f"method.decorrelation={decorrelation} lets groups of attributes compete for features: say which, such as "
            "--config.method.groups=4,3"
        )
    binary = attribute_prediction.cutter(cut)

    def init_head(key, like, classes):
        num_attributes = classes.embedding.shape[-1]
        if groups and sum(groups) != num_attributes:
            raise errors.UserError(
                f"method.groups={tuple(groups)} add up to {sum(groups)}, not to the {num_attributes} attributes"
            )
        return {"weights": mlp.dense(key, like.shape[-1], num_attributes), "bias": jnp.zeros(num_attributes)}

    def logits(head, embeddings):
        return embeddings @ head["weights"] + head["bias"][None, :]

    def loss(head, embeddings, batch, classes, key):
        del key
        seen = jnp.asarray(classes.embedding)
        # Summed, not averaged: a unit learns at the same rate however many there are.
        targets = binary(seen, seen)[batch.labels]
        if groups:
            own = -jnp.sum(targets * group_log_softmax(logits(head, embeddings), groups), axis=-1)
            return own + decorrelation * competition(head["weights"]) if is_decorrelated else own
        return seen.shape[1] * losses.multilabel_bce(logits(head, embeddings), targets)

    def competition(weights):
        group_of = np.repeat(np.arange(len(groups)), groups)
        return jnp.sum(penalties[decorrelated_as](weights, group_of, num_groups=len(groups)))

    def posterior(s, has, seen):
        if groups:
            return group_log_softmax(s, groups) @ has.T
        prior = attribute_prediction.smoothed_share(binary(seen, seen))
        return attribute_prediction.attribute_log_posterior(jax.nn.log_sigmoid(s), jax.nn.log_sigmoid(-s), has, prior)

    def deviations(attributes, seen):
        return attributes - jnp.mean(seen, 0)[None, :]

    choices = {
        "dap": {"describe": binary, "scores": posterior},
        "ale": {"describe": deviations, "scores": lambda s, described, seen: s @ described.T},
    }
    if rule not in choices:
        raise errors.unknown("rule", rule, choices)
    network = encoded.by_encoder(
        parts, init_head=init_head, loss=loss, embed=logits, scores=lambda head, images, described: images
    )
    return seen_classes.keep_seen(network, **choices[rule])


def group_log_softmax(logits: jax.Array, groups: Sequence[int]) -> jax.Array:
    """Log-probabilities `[B, A]` of the attributes, each group of consecutive ones a softmax of its own.

    >>> import jax.numpy as jnp
    >>> print(jnp.exp(group_log_softmax(jnp.zeros((1, 6)), (4, 2))))
    [[0.25 0.25 0.25 0.25 0.5  0.5 ]]
    """
    ends = np.cumsum(groups)[:-1]
    return jnp.concatenate([jax.nn.log_softmax(part) for part in jnp.split(logits, ends, axis=-1)], axis=-1)
