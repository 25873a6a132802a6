"""Random changes of images inside a training step: pure functions of a key and a batch `[B, H, W, C]`.

    crop      another place of the image: a shift by whole pixels, borders repeated
    flip      left and right swapped, in half of the images
    jitter    x -> clip(m + c ((1 + s)(x - g) + g - m) + b),   g grey value of the pixel, m mean of the image

Each image draws numbers of its own. A small dataset lies on the device as bytes, and this is all that feeds it.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from zsl_jax import errors
from zsl_jax.encoders import pixels


def make_augment(
    *,
    crop: int = 0,
    flip: bool = False,
    brightness: float = 0.0,
    contrast: float = 0.0,
    saturation: float = 0.0,
) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """Returns `augment(key, images) -> images`; with every knob at its default, the identity on inputs of any kind.

    Args:
      crop: pixels by which an image is shifted at most, in each direction.
      flip: whether half of the images are mirrored.
      brightness, contrast, saturation: see `colour_jitter`.

    Raises:
      UserError: (when called) inputs that are no images.

    >>> import jax, numpy as np
    >>> images = np.zeros((2, 8, 8, 3), np.uint8)
    >>> make_augment(crop=1, flip=True)(jax.random.key(0), images).dtype
    dtype('uint8')
    """
    jitter = {"brightness": brightness, "contrast": contrast, "saturation": saturation}

    def augment(key: jax.Array, images: jax.Array) -> jax.Array:
        if (crop or flip or any(jitter.values())) and jnp.ndim(images) != 4:
            raise errors.UserError(
                f"augmentation takes images [B, H, W, C], not inputs {list(jnp.shape(images))}: "
                "set every config.augmentation to 0, or data.inputs=pixels"
            )
        crop_key, flip_key, jitter_key = jax.random.split(key, 3)
        if crop:
            images = random_shift(crop_key, images, crop)
        if flip:
            images = random_flip(flip_key, images)
        return colour_jitter(jitter_key, images, **jitter) if any(jitter.values()) else images

    return augment


def random_shift(key: jax.Array, images: jax.Array, most: int) -> jax.Array:
    """Each image shifted by -most to most pixels along rows and columns; what comes in repeats the border.

    Args:
      key: PRNG key.
      images: `[B, H, W, C]` of any dtype.
      most: pixels, 0 or more.

    >>> import jax, jax.numpy as jnp
    >>> random_shift(jax.random.key(0), jnp.zeros((2, 4, 4, 1)), 1).shape
    (2, 4, 4, 1)
    """
    images = jnp.asarray(images)
    height, width = images.shape[1:3]
    padded = jnp.pad(images, ((0, 0), (most, most), (most, most), (0, 0)), mode="edge")
    corners = jax.random.randint(key, (len(images), 2), 0, 2 * most + 1)

    def cut(image, corner):
        return jax.lax.dynamic_slice(image, (corner[0], corner[1], 0), (height, width, image.shape[-1]))

    return jax.vmap(cut)(padded, corners)


def random_flip(key: jax.Array, images: jax.Array) -> jax.Array:
    """Half of the images, chosen at random, mirrored left to right.

    >>> import jax, jax.numpy as jnp
    >>> random_flip(jax.random.key(0), jnp.zeros((2, 4, 4, 1))).shape
    (2, 4, 4, 1)
    """
    images = jnp.asarray(images)
    flipped = jax.random.bernoulli(key, 0.5, (len(images), 1, 1, 1))
    return jnp.where(flipped, images[:, :, ::-1], images)


def colour_jitter(
    key: jax.Array, images: jax.Array, *, brightness: float, contrast: float, saturation: float
) -> jax.Array:
    """Images in another light: added brightness, scaled contrast and scaled saturation; the hue stays.

    Args:
      key: PRNG key.
      images: `[B, H, W, C]`, uint8 or float in [0, 1].
      brightness: b is drawn from [-brightness, brightness], where white is 1.
      contrast: the distance to the image's mean is multiplied by up to 1 +- contrast.
      saturation: the distance to the pixel's mean over channels, by up to 1 +- saturation.

    Returns:
      float32 in [0, 1].

    >>> import jax, jax.numpy as jnp
    >>> images = jnp.full((2, 4, 4, 3), 0.5)
    >>> bool((colour_jitter(jax.random.key(0), images, brightness=0.1, contrast=0, saturation=0) == images).any())
    False
    """
    images = pixels.as_float(images)
    draws = jax.random.uniform(key, (3, len(images), 1, 1, 1), minval=-1.0, maxval=1.0)
    grey = jnp.mean(images, axis=-1, keepdims=True)
    images = grey + (1 + saturation * draws[0]) * (images - grey)
    mean = jnp.mean(images, axis=(1, 2, 3), keepdims=True)
    return jnp.clip(mean + (1 + contrast * draws[1]) * (images - mean) + brightness * draws[2], 0.0, 1.0)
