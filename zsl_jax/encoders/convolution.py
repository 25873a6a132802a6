"""Convolution as one matrix product, for small networks that are trained inside a compiled loop.

On CPU, XLA runs `lax.conv_general_dilated` inside a `scan` without the library that it calls outside of one: a training
step of `ConvNet` took 40 times longer there. A product of the patches with the kernel takes the same time in both.
"""

import jax
import jax.numpy as jnp


def by_matmul(
    inputs: jax.Array,
    kernel: jax.Array,
    strides,
    padding,
    *,
    lhs_dilation=None,
    rhs_dilation=None,
    dimension_numbers=None,
    feature_group_count: int = 1,
    precision=None,
    **unused,
) -> jax.Array:
    """The convolution of images, `patches [B, h, w, kh * kw * C] @ kernel [kh * kw * C, D]`.

    It goes in the place of `lax.conv_general_dilated`: `nn.Conv(..., conv_general_dilated=convolution.by_matmul)`. The
    patches take kh * kw times the memory of the inputs.

    Args:
      inputs: `[B, H, W, C]`.
      kernel: `[kh, kw, C, D]`.
      strides: of rows and columns.
      padding: `SAME`, `VALID`, or what is added before and after rows and columns, `((t, b), (l, r))`.
      lhs_dilation, rhs_dilation: 1 in both directions.
      dimension_numbers: images and kernels have the axes above.
      feature_group_count: 1.
      precision: of the product.

    Returns:
      `[B, h, w, D]`.

    Raises:
      ValueError: dilation or groups.

    >>> import jax.numpy as jnp
    >>> by_matmul(jnp.ones((1, 4, 4, 1)), jnp.ones((3, 3, 1, 1)), (2, 2), "VALID").tolist()
    [[[[9.0]]]]
    """
    del dimension_numbers, unused
    if feature_group_count != 1 or any(d != 1 for d in (*(lhs_dilation or ()), *(rhs_dilation or ()))):
        raise ValueError("convolution.by_matmul knows neither groups nor dilation: use lax.conv_general_dilated")
    height, width, channels, features = kernel.shape
    if isinstance(padding, str):
        padding = jax.lax.padtype_to_pads(inputs.shape[1:3], (height, width), strides, padding)
    padded = jnp.pad(inputs, ((0, 0), *padding, (0, 0)))
    down, right = strides
    rows, columns = (padded.shape[1] - height) // down + 1, (padded.shape[2] - width) // right + 1
    patches = jnp.concatenate(
        [
            padded[:, i : i + (rows - 1) * down + 1 : down, j : j + (columns - 1) * right + 1 : right]
            for i in range(height)
            for j in range(width)
        ],
        axis=-1,
    )
    return jnp.dot(patches, kernel.reshape(height * width * channels, features), precision=precision)
