"""Class means: a class is where its images are on average, or where its description says that they would be.

A class may have many labelled images, a few, or none: the mean classifier, prototypes from few shots and zero-shot
learning are the same formula.
"""

from zsl_jax import rules
from zsl_jax.methods import base, closed_form, prototypes, registry


@registry.method(
    prior=rules.Knob("images that the description of a class counts for in its mean", rules.number(0, ends="[)")),
    class_ridge=prototypes.CLASS_RIDGE,
    score=prototypes.SCORE,
)
def class_means(*, prior: float = 1.0, class_ridge: float = 0.3, score: str = "cosine") -> base.Method:
    """The mean classifier: an image belongs to the class whose mean it is nearest to.

        v_c = (sum_{i of class c} (x_i - m) + k d_c) / (n_c + k),    F(x, c) = cos(x - m, v_c)
        d_c = (phi_c - p) M,    M = argmin sum_s w_s ||(phi_s - p) M - (mean_s - m)||^2 + ridge ||M||^2
        w_s = n_s / (n_s + k)

    with p and m the means, weighted by w, of the descriptions and of the class means. A class without a labelled image
    is at d_c, its described prototype. With k = 0 a class that has images is their mean, as in prototypical networks
    without the network. In between, v_c and w_s are those of a Gaussian model: means scattered around what is
    described, and images scattered around the mean, with a variance that is k times as large. Training classes with
    the same description share their images.

    Args:
      prior: k >= 0.
      class_ridge: > 0, in units of the mean variance of the descriptions.
      score: `cosine`, `euclidean`, -||x - m - v_c||^2, or `dot`, (x - m) . v_c.

    Raises:
      UserError: an unknown score.

    Reference: Mensink, Verbeek, Perronnin, Csurka, "Distance-Based Image Classification: Generalizing to New Classes at
    Near-Zero Cost", TPAMI 2013; Snell, Swersky, Zemel, "Prototypical Networks for Few-shot Learning", NeurIPS 2017.
    """
    compare = prototypes.similarity_of(score)
    return closed_form.from_sums(
        sums=prototypes.class_sums,
        solve=lambda sums, attributes: prototypes.means(sums, attributes, prior=prior, class_ridge=class_ridge),
        embed=lambda found, inputs: inputs - found.centre[None, :],
        describe=lambda found, classes: prototypes.posterior(found, classes.embedding, prior),
        scores=lambda found, images, described: compare(images, described),
    )
