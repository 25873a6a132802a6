"""Layers in plain numpy loops, as oracles for the encoders."""

import math

import numpy as np


def conv(x, kernel, *, stride=1, padding=((0, 0), (0, 0)), each_channel=False):
    """`x [B, H, W, in]`, `kernel [kh, kw, in, out]`, or `[kh, kw, 1, in]` where each channel is for itself."""
    x = np.pad(x, ((0, 0), *padding, (0, 0)))
    kh, kw = kernel.shape[:2]
    rows, columns = (x.shape[1] - kh) // stride + 1, (x.shape[2] - kw) // stride + 1
    y = np.zeros((len(x), rows, columns, kernel.shape[3]))
    for i in range(rows):
        for j in range(columns):
            patch = x[:, i * stride : i * stride + kh, j * stride : j * stride + kw]
            for o in range(kernel.shape[3]):
                inside = patch[..., [o]] * kernel[..., 0, [o]] if each_channel else patch * kernel[..., o]
                y[:, i, j, o] = inside.sum(axis=(1, 2, 3))
    return y


def same(size, stride):
    """What a 3x3 convolution adds before and after, so that `size` becomes ceil(size / stride)."""
    total = max((math.ceil(size / stride) - 1) * stride + 3 - size, 0)
    return total // 2, total - total // 2


def batch_norm(x, params, stats):
    return (x - stats["mean"]) / np.sqrt(stats["var"] + 1e-5) * params["scale"] + params["bias"]


def layer_norm(x, params, epsilon=1e-6):
    mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(var + epsilon) * params["scale"] + params["bias"]


def dense(x, params):
    return x @ params["kernel"] + params["bias"]


def gelu(x):
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def attention(x, params, num_heads):
    q, k, v = np.split(dense(x, params["qkv"]), 3, axis=-1)
    return dense(attended(q, k, v, num_heads), params["proj"])


def attended(q, k, v, num_heads):
    """`q [B, M, D]`, `k` and `v [B, L, D]` -> `[B, M, D]`."""
    y, size = np.zeros_like(q), q.shape[-1] // num_heads
    for b in range(len(q)):
        for h in range(num_heads):
            part = slice(h * size, (h + 1) * size)
            logits = q[b, :, part] @ k[b, :, part].T / math.sqrt(size)
            weights = np.exp(logits - logits.max(-1, keepdims=True))
            y[b, :, part] = weights / weights.sum(-1, keepdims=True) @ v[b, :, part]
    return y
