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


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(x, of_words, params):
    """The states of `x [L, D]` from left to right, `[L, H]`; gates i, f, g, o side by side."""
    h = c = np.zeros(len(params["state"]["kernel"]))
    states = []
    for word in x:
        i, f, g, o = np.split(dense(word, of_words) + h @ params["state"]["kernel"], 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.array(states)


def gru(x, of_words, params):
    """As `lstm`; gates r, z, n side by side."""
    h, states = np.zeros(len(params["state"]["kernel"])), []
    for word in x:
        (a, b, c), (d, e, f) = (np.split(y, 3) for y in (dense(word, of_words), dense(h, params["state"])))
        r, z = sigmoid(a + d), sigmoid(b + e)
        h = (1 - z) * np.tanh(c + r * f) + z * h
        states.append(h)
    return np.array(states)


def both_ways(layer, x, params):
    """The states from left to right beside those from right to left, `[L, 2H]`."""
    forward, backward = ([params[f"{side}_words"], params[side]] for side in ("forward", "backward"))
    return np.concatenate([layer(x, *forward), layer(x[::-1], *backward)[::-1]], axis=1)


def softmax(logits):
    """Along the first axis."""
    weights = np.exp(logits - logits.max(axis=0))
    return weights / weights.sum(axis=0)


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
