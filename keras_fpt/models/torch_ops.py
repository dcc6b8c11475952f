"""Dropout, and attention with it, on PyTorch and a processor.

What is dropped is drawn again for the gradient, from a seed, and not kept.
"""

import math

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from keras_fpt.models.fast_ops import BITS, threshold

# Scores are computed for so many queries at a time: under a causal mask they
# need no key after them.
QUERIES = 128
# And of so many pairs of a query and a key at a time, as a processor's cache
# holds a few of. Larger ones wait for memory at every elementwise operation.
TILE = 2**20


def dropout(x, rate):
    """`x`, of which a share of `rate` is 0 and the rest is scaled up."""
    if x.device.type != "cpu":  # In one operation there.
        return torch.nn.functional.dropout(x, rate)
    return _Dropout.apply(x, rate)


def attend(query, key, value, causal, bias, rate):
    """Attention with dropout of its weights, as `fast_attention.attend` is.

    Args:
        query: float tensor `(batch, heads, queries, head_dim)`.
        key: float tensor `(batch, heads, keys, head_dim)`.
        value: float tensor `(batch, heads, keys, head_dim)`.
        causal: bool.
        bias: float tensor that broadcasts to the scores,
            `(batch, heads, queries, keys)`, or `None`.
        rate: float.
    """
    if query.device.type != "cpu":
        return torch.nn.functional.scaled_dot_product_attention(
            query, key, value, bias, dropout_p=rate, is_causal=causal
        )
    return _Attention.apply(query, key, value, bias, causal, rate)


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(context, x, rate):
        context.rate, context.seed = rate, _new_seed()
        return _Dropout.drop(context, x)

    @staticmethod
    @once_differentiable
    def backward(context, upstream):
        return _Dropout.drop(context, upstream), None

    @staticmethod
    def drop(context, x):
        draw = _Draws(context.seed, context.rate)
        return draw.into(torch.empty_like(x)).mul_(x).mul_(draw.scale)


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(context, query, key, value, bias, causal, rate):
        context.save_for_backward(query, key, value, bias)
        context.causal, context.rate = causal, rate
        context.seed = _new_seed()
        draw = _Draws(context.seed, rate)
        output = torch.empty_like(query, memory_format=torch.contiguous_format)
        outputs, values = output.flatten(0, 1), value.flatten(0, 1)
        tiles = _Tiles(query, key, bias, causal, buffers=2)
        for rows, keys, _, (weights, kept) in tiles:
            tiles.weigh(weights, rows, keys)
            weights.mul_(draw.into(kept))
            torch.bmm(weights, values[keys], out=outputs[rows])
        return output.mul_(draw.scale)

    @staticmethod
    @once_differentiable
    def backward(context, upstream):
        query, key, value, bias = context.saved_tensors
        draw = _Draws(context.seed, context.rate)
        found = [
            torch.empty(x.shape, dtype=x.dtype) for x in (query, key, value)
        ]
        to_query, to_key, to_value = (x.flatten(0, 1) for x in found)
        upstream = (upstream * draw.scale).flatten(0, 1)
        values = value.flatten(0, 1)
        tiles = _Tiles(query, key, bias, context.causal, buffers=3)
        for rows, keys, is_first, (weights, kept, back) in tiles:
            tiles.weigh(weights, rows, keys)
            draw.into(kept)
            torch.bmm(upstream[rows], values[keys].mT, out=back)
            back.mul_(kept)
            kept.mul_(weights)
            _add(to_value[keys], kept.mT, upstream[rows], is_first)
            torch._softmax_backward_data(
                back, weights, -1, back.dtype, grad_input=kept
            )
            torch.bmm(kept, tiles.key[keys], out=to_query[rows])
            _add(to_key[keys], kept.mT, tiles.query[rows], is_first)
        to_query.mul_(tiles.scale)
        return *found, None, None, None


class _Tiles:
    """Parts of the scores, in memory that is used again for each.

    Iterating gives indices of heads and queries, and of heads and keys;
    whether it is the first part of these heads, which then has all keys; and
    as many buffers of the scores' shape as were asked for.
    """

    def __init__(self, query, key, bias, causal, buffers):
        if bias is not None:
            shape = *query.shape[:2], *bias.shape[2:]
            bias = bias.expand(shape).flatten(0, 1)
        self.scale = query.shape[-1] ** -0.5
        self.query = (query * self.scale).flatten(0, 1)
        self.key = key.flatten(0, 1)
        self.bias, self.causal = bias, causal
        self.heads, self.queries, _ = self.query.shape
        self.keys = key.shape[2]
        self.chunk = min(QUERIES, self.queries)
        self.group = max(1, TILE // (self.chunk * self.keys))
        size = min(self.group, self.heads) * self.chunk * self.keys
        self.buffers = [query.new_empty(size) for _ in range(buffers)]
        self.future = torch.full(
            (self.chunk, self.chunk), -math.inf, dtype=query.dtype
        ).triu(1)

    def __iter__(self):
        for first in range(0, self.heads, self.group):
            heads = slice(first, min(first + self.group, self.heads))
            for stop in range(self.queries, 0, -self.chunk):
                start = max(stop - self.chunk, 0)
                keys = stop if self.causal else self.keys
                shape = heads.stop - heads.start, stop - start, keys
                size = math.prod(shape)
                yield (
                    (heads, slice(start, stop)),
                    (heads, slice(keys)),
                    stop == self.queries,
                    [buffer[:size].view(shape) for buffer in self.buffers],
                )

    def weigh(self, weights, rows, keys):
        """Writes the attention's weights of a tile."""
        torch.bmm(self.query[rows], self.key[keys].mT, out=weights)
        if self.causal:
            count = weights.shape[1]
            weights[:, :, -count:].add_(self.future[:count, :count])
        elif self.bias is not None:
            heads, queries = rows
            every = slice(None) if self.bias.shape[1] == 1 else queries
            weights.add_(self.bias[heads, every])
        torch.softmax(weights, -1, out=weights)


def _add(total, a, b, is_first):
    """Adds a product of matrices to a total, or begins one with it."""
    if is_first:
        torch.bmm(a, b, out=total)
    else:
        total.baddbmm_(a, b)


class _Draws:
    """The draws that a seed gives, in the order in which they are asked for."""

    def __init__(self, seed, rate):
        # Twice as fast as PyTorch's own generator.
        self.generator = np.random.Generator(np.random.SFC64(seed))
        self.limit = threshold(rate)
        self.scale = 1 / (1 - self.limit / 2**BITS)

    def into(self, tensor):
        """Writes 0 where an entry is dropped and 1 elsewhere."""
        count = tensor.numel()
        words = self.generator.integers(
            2**64, size=(count + 3) // 4, dtype=np.uint64
        )
        numbers = torch.from_numpy(words.view(np.int16)[:count])
        numbers = numbers.view(tensor.shape)
        # Tensors of bool are slow on a processor.
        return tensor.copy_(numbers.ge_(self.limit - 2 ** (BITS - 1)))


def _new_seed():
    return int(torch.randint(2**62, ()))
