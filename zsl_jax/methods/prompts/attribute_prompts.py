"""Attribute prompts of both sides: phrases on a class and learned looks at an image, matched by optimal transport."""

import jax
import jax.numpy as jnp
import optax

from zsl_jax import errors, similarity
from zsl_jax.encoders import prompts
from zsl_jax.methods import base, registry
from zsl_jax.methods.prompts import coop, family
from zsl_jax.rules import Knob, number, whole


@registry.method(
    looks=Knob("visual attributes of an image: learned queries of its patches", whole(1)),
    weight=Knob("of the transport, in units of the cosine of whole image and class", number(0, ends="[)")),
    epsilon=Knob("smoothing of the transport plan, in units of the squared distance of unit vectors", number(0)),
    iterations=Knob("updates of the transport plan", whole(1)),
    length=coop.LENGTH,
    learning_rate=registry.LEARNING_RATE,
    scale=family.SCALE,
    centre=family.CENTRE,
)
def attribute_prompts(
    tower: prompts.PromptTower,
    *,
    looks: int = 4,
    weight: float = 1.0,
    epsilon: float = 0.1,
    iterations: int = 20,
    length: int = 0,
    learning_rate: float = 0.01,
    scale: float = 20.0,
    centre: str = "training",
) -> base.Method:
    """Multi-modal attribute prompting (MAP): an image and a class meet as a whole, and attribute by attribute.

        text_n(c) = tower(v_1, ..., v_k, NAME, "which has", PHRASE_n, ".")       v the context
        look_m(x) = unit(sum_p softmax_p(q_m . unit(x_p - m)) (x_p - m))           m <= looks; q_m [F] learned
        F(x, c) = cos(mean_p x_p - m, mean_n text_n(c)) + weight sum_mn P_mn look_m(x) . text_n(c)
        l(x, y) = -log softmax_c(scale F(x, c))_y

    P is the plan that moves the looks onto the texts, each spread evenly (`similarity.optimal_transport`); the gradient
    goes through its iterations. The paper's visual prompts are tokens inside the image tower, which are shown the texts
    of the classes; here the tower is a file of features, and a query attends to the places of its last map. A class
    that is described by its name alone has that for its one text.

    Args:
      tower: the frozen text tower, of `towers.by=texts`; `towers.each` says how many of a class.
      looks: >= 1.
      weight: >= 0.
      epsilon: > 0.
      iterations: >= 1.
      length: vectors of the context, drawn at random; 0 begins with the words of the template before the name.
      learning_rate: of Adam, > 0.
      scale: > 0.
      centre: `training`, m is the mean of the patches in training, or `none`, m = 0.

    Raises:
      UserError: in `init`, inputs that are no patches `[P, F]` of the width of the texts; as `coop` does.

    Reference: Liu, Wu, Yang, Zhou, Zhang, "Multi-modal Attribute Prompting for Vision-Language Models", IEEE
    Transactions on Circuits and Systems for Video Technology 2024.
    """

    def init_params(key, weights, classes):
        keys = jax.random.split(key)
        queries = jax.random.normal(keys[1], (looks, tower.image_width))
        return {"context": coop.started(tower, keys[0], weights, classes, length), "queries": queries}

    def embed(params, inputs):
        near = jnp.einsum("mf,bpf->bmp", params["queries"], similarity.l2_normalize(inputs))
        looked = jnp.einsum("bmp,bpf->bmf", jax.nn.softmax(near, axis=-1), inputs)
        whole_image = similarity.l2_normalize(jnp.mean(inputs, axis=1))
        return {"vector": whole_image, "looks": similarity.l2_normalize(looked)}

    def describe(params, weights, classes, known, key):
        del known, key
        ids = family.texts(classes)
        texts = coop.text(tower, weights, params["context"], ids.reshape(-1, ids.shape[-1]))
        texts, where = texts.reshape(*ids.shape[:2], -1), jnp.any(ids >= 0, axis=-1)
        total = jnp.sum(texts, axis=1, where=where[:, :, None])
        return {"vector": similarity.l2_normalize(total), "texts": texts, "where": where}

    def scores(params, weights, images, described):
        moved = similarity.optimal_transport(
            images["looks"], described["texts"], epsilon=epsilon, iterations=iterations, class_where=described["where"]
        )
        return images["vector"] @ described["vector"].T + weight * (1 + moved / 2)

    return family.by_prompts(
        tower,
        init_params=init_params,
        describe=describe,
        known=family.texts,
        check=check_patches,
        embed=embed,
        scores=scores,
        optimizer=optax.adam(learning_rate),
        scale=scale,
        centre=centre,
    )


def check_patches(tower: prompts.PromptTower, inputs) -> None:
    """Raises a UserError for inputs that are no patches of the space of the texts."""
    if inputs.ndim != 3 or inputs.shape[-1] != tower.image_width:
        raise errors.UserError(
            f"attribute_prompts looks at the patches of an image, [P, {tower.image_width}], and an input is "
            f"{list(inputs.shape[1:])}: extract --config.grid=3 gives 9 of each, in the space that the tie leads to"
        )
