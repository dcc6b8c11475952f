"""Dropout, attention with dropout, and frozen products, on PyTorch.

The dropout mask is not kept: it is drawn again from its seed for the gradient.
"""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from keras_fpt.compat import torch_internals
from keras_fpt.models.dropout_threshold import BITS, dropout_threshold

# Scores are computed for this many queries at a time. Under a causal mask they
# need no key after their end.
QUERIES = 128
# They are computed for this many pairs of a query and a key at a time, of which
# a CPU's cache holds a few. Larger tiles wait for memory at every elementwise
# operation.
TILE = 2**20


def dropout(x: torch.Tensor, rate: float) -> torch.Tensor:
    """Sets a share `rate` of the entries to 0 and scales up the others."""
    if x.device.type != "cpu":  # Other devices have one operation for it.
        return torch.nn.functional.dropout(x, rate)
    return _Dropout.apply(x, rate)


def attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    causal: bool,
    bias: torch.Tensor | None,
    rate: float,
) -> torch.Tensor:
    """Attention with dropout of its weights, as `fast_attention.attend`.

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


def frozen_dense(
    x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    """`fast_ops.dense` with a frozen kernel in bfloat16."""
    product = _FrozenProduct.apply(x, kernel)
    # The sum with float32 is float32, in one pass over the product.
    return product.float() if bias is None else product + bias


class _FrozenProduct(torch.autograd.Function):
    @staticmethod
    def forward(context, x, kernel):
        context.save_for_backward(kernel)
        return _multiply(x, kernel.T)

    @staticmethod
    @once_differentiable
    def backward(context, upstream):
        (kernel,) = context.saved_tensors
        return _multiply(upstream, kernel).float(), None


def _multiply(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """`x @ weight.T`, of `x` as rounded to the `weight`'s bfloat16."""
    x = x.to(weight.dtype)
    if x.device.type == "cpu" and not torch_internals.multiplies_bfloat16():
        x, weight = x.float(), weight.float()
    return torch.nn.functional.linear(x, weight)


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
        for rows, keys, _, (weights, mask) in tiles:
            tiles.compute_weights(weights, rows, keys)
            weights.mul_(draw.into(mask))
            torch.bmm(weights, values[keys], out=outputs[rows])
        return output.mul_(draw.scale)

    @staticmethod
    @once_differentiable
    def backward(context, upstream):
        query, key, value, bias = context.saved_tensors
        draw = _Draws(context.seed, context.rate)
        gradients = [
            torch.empty(x.shape, dtype=x.dtype) for x in (query, key, value)
        ]
        to_query, to_key, to_value = (x.flatten(0, 1) for x in gradients)
        upstream = (upstream * draw.scale).flatten(0, 1)
        values = value.flatten(0, 1)
        tiles = _Tiles(query, key, bias, context.causal, buffers=3)
        for rows, keys, is_first, (weights, buffer, slope) in tiles:
            tiles.compute_weights(weights, rows, keys)
            draw.into(buffer)
            torch.bmm(upstream[rows], values[keys].mT, out=slope)
            slope.mul_(buffer)
            buffer.mul_(weights)
            _add(to_value[keys], buffer.mT, upstream[rows], is_first)
            torch_internals.softmax_gradient(slope, weights, out=buffer)
            torch.bmm(buffer, tiles.key[keys], out=to_query[rows])
            _add(to_key[keys], buffer.mT, tiles.query[rows], is_first)
        to_query.mul_(tiles.scale)
        return *gradients, None, None, None


class _Tiles:
    """Tiles of the scores, which all use the same memory.

    Iterating yields, for each tile, its heads and queries, and its heads and
    keys, as slices; whether it is the first tile of these heads, which has all
    keys; and `buffers` tensors of the shape of its scores.
    """

    def __init__(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        bias: torch.Tensor | None,
        causal: bool,
        buffers: int,
    ) -> None:
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

    def __iter__(self) -> Iterator[tuple]:
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

    def compute_weights(
        self, weights: torch.Tensor, rows: tuple, keys: tuple
    ) -> None:
        """Writes the attention weights of a tile."""
        torch.bmm(self.query[rows], self.key[keys].mT, out=weights)
        if self.causal:
            count = weights.shape[1]
            weights[:, :, -count:].add_(self.future[:count, :count])
        elif self.bias is not None:
            heads, queries = rows
            # One bias may stand for all queries.
            same = self.bias.shape[1] == 1
            weights.add_(self.bias[heads, slice(None) if same else queries])
        torch.softmax(weights, -1, out=weights)


def _add(
    total: torch.Tensor, a: torch.Tensor, b: torch.Tensor, is_first: bool
) -> None:
    """Adds a product of matrices to a total, or starts the total with it."""
    if is_first:
        torch.bmm(a, b, out=total)
    else:
        total.baddbmm_(a, b)


class _Draws:
    """Dropout masks that follow from a seed and the order of the calls."""

    def __init__(self, seed: int, rate: float) -> None:
        # This is twice as fast as PyTorch's own generator.
        self.generator = np.random.Generator(np.random.SFC64(seed))
        self.limit = dropout_threshold(rate)
        self.scale = 1 / (1 - self.limit / 2**BITS)

    def into(self, tensor: torch.Tensor) -> torch.Tensor:
        """Writes 0 where an entry is dropped, and 1 elsewhere."""
        count = tensor.numel()
        words = self.generator.integers(
            2**64, size=(count + 3) // 4, dtype=np.uint64
        )
        numbers = torch.from_numpy(words.view(np.int16)[:count])
        numbers = numbers.view(tensor.shape)
        # Bool tensors are slow on a CPU.
        return tensor.copy_(numbers.ge_(self.limit - 2 ** (BITS - 1)))


def _new_seed() -> int:
    return int(torch.randint(2**62, ()))
