"""Methods that imagine the unseen: features are made from a class's description, and a classifier is trained on them.

    networks      the conditional generator and the critic
    scaling       features brought to [0, 1] by the range of the training images
    adversarial   critic steps and a generator step in one `update`
    imagined      features for the classes without images, and the softmax classifier, in `finish`

A method is a file: what its generator is asked for beside deceiving the critic.
"""

from zsl_jax.methods.generative.cada_vae import cada_vae
from zsl_jax.methods.generative.ce_gzsl import ce_gzsl
from zsl_jax.methods.generative.cizsl import cizsl
from zsl_jax.methods.generative.clswgan import f_clswgan
from zsl_jax.methods.generative.lsrgan import lsrgan
from zsl_jax.methods.generative.tf_vaegan import tf_vaegan

__all__ = ("cada_vae", "ce_gzsl", "cizsl", "f_clswgan", "lsrgan", "tf_vaegan")
