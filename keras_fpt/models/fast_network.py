"""Computes KerasHub's blocks with fewer and larger operations."""

import collections
import dataclasses
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_fpt.compat import (
    keras_hub_internals,
    keras_internals,
    tensorflow_kept_gradients,
)
from keras_fpt.models import fast_attention, fast_ops
from keras_fpt.models.frozen_kernels import (
    BlockKernels,
    FrozenKernels,
    is_plain,
)
from keras_fpt.models.stacked_layers import StackedBlock


@dataclasses.dataclass(frozen=True, eq=False)
class FastNetwork:
    """A chain of `TransformerEncoder`s or `TransformerDecoder`s.

    It shares the weights of the functional network that it was made from, and
    computes the same.

    Args:
        prefix: functional `keras.Model` from the network's inputs to the
            input of the first block.
        blocks: tuple of the layers, in the order in which they are called.
        suffix: functional `keras.Model` from the output of the last block to
            the network's output, or `None` if they are the same.
        rematerialize: bool, whether to keep only the input of each block and
            compute the block again for the gradient.
        kernels: `FrozenKernels`, with which products of frozen kernels are
            computed in bfloat16; `None` computes them as all others.

    Call arguments:
        inputs: list of tensors, the network's inputs.
        padding_mask: int tensor `(batch, tokens)`, 1 where a token is real,
            or `None` if all tokens are.
        read: int tensor `(batch, n)`, the indices of the tokens whose hidden
            states are returned. `None` returns those of all tokens.
        training: bool.
    """

    prefix: keras.Model
    blocks: tuple
    suffix: keras.Model | None
    rematerialize: bool = False
    kernels: FrozenKernels | None = None

    def __call__(
        self,
        inputs: list,
        padding_mask: Any,
        read: Any = None,
        training: bool | None = None,
    ) -> Any:
        kept = tensorflow_kept_gradients
        with kept.forgotten_with(self, kept.OPERATIONS, kept.FUNCTIONS):
            return self._compute(inputs, padding_mask, read, training)

    def _compute(
        self, inputs: list, padding_mask: Any, read: Any, training: bool | None
    ) -> Any:
        x = self.prefix(inputs, training=training)
        *blocks, last = self.blocks
        rematerialize = self.rematerialize and bool(training)
        *kernels, last_kernels = map(self._kernels_of, self.blocks)
        names = kernels[0].names if kernels else ()
        run = shared_block(
            self.blocks[0], padding_mask, training, rematerialize, names
        )
        for layer, own in zip(blocks, kernels, strict=True):
            x = run(layer, x, own)
        x = run_block(last, x, padding_mask, read, training, last_kernels)
        return x if self.suffix is None else self.suffix(x)

    def _kernels_of(self, block: Any) -> BlockKernels:
        if self.kernels is None:
            return BlockKernels()
        return self.kernels.of(block)


def fast_network(
    network: keras.Model, rematerialize: bool = False
) -> FastNetwork | None:
    """Makes a `FastNetwork`, or returns `None` for blocks of other kinds.

    Args:
        network: functional `keras.Model` with one output.
        rematerialize: bool, as for `FastNetwork`.
    """
    import keras_hub

    kinds = (
        keras_hub.layers.TransformerDecoder,
        keras_hub.layers.TransformerEncoder,
    )
    (output,) = network.outputs
    blocks: list = []
    tensor = output
    operation, argument = _made_by(tensor)
    if isinstance(operation, keras.layers.LayerNormalization):
        tensor = argument
    last = tensor
    operation, argument = _made_by(tensor)
    while type(operation) in kinds:
        blocks.insert(0, operation)
        tensor = argument
        operation, argument = _made_by(tensor)
    if not blocks:
        return None
    return FastNetwork(
        keras.Model(network.inputs, tensor),
        tuple(blocks),
        None if last is output else keras.Model(last, output),
        rematerialize,
    )


def _made_by(tensor: Any) -> tuple[Any, Any]:
    """The operation that makes a tensor of a graph, and its first argument."""
    call = keras_internals.call_that_made(tensor)
    return call.operation, call.inputs[0] if call.inputs else None


def shared_block(
    first: Any,
    padding_mask: Any,
    training: bool | None,
    rematerialize: bool,
    names: tuple[str, ...],
) -> Callable[[Any, Any, BlockKernels], Any]:
    """A `run_block` that is traced only once for all identical blocks.

    Args:
        first: the first of the blocks.
        padding_mask: as for `FastNetwork`.
        training: bool.
        rematerialize: bool, as for `FastNetwork`.
        names: tuple of strings, which `BlockKernels` the first has.

    Returns:
        A function of a block, its input and its `BlockKernels`.
    """
    if keras.backend.backend() == "torch":  # It does not trace.

        def run_each(layer, x, kernels):
            def compute(x):
                return run_block(
                    layer, x, padding_mask, None, training, kernels
                )

            return (keras.remat(compute) if rematerialize else compute)(x)

        return run_each

    draws: collections.Counter[int] = collections.Counter()
    # All tensors are arguments, and none is `None`, because rematerialization
    # on TensorFlow confuses the tensors of one call with those of another.
    masks = [] if padding_mask is None else [padding_mask]

    def compute(x, *tensors):
        rest = iter(tensors)
        mask = next(rest) if masks else None
        kernels = BlockKernels(**{name: next(rest) for name in names})
        mapping = [
            (v, value if v.trainable else ops.stop_gradient(value))
            for v, value in zip(first.variables, rest, strict=True)
        ]
        draws.clear()
        with _CountingScope(mapping, draws):
            return run_block(first, x, mask, None, training, kernels)

    if rematerialize:
        compute = keras.remat(compute)
    compute = fast_ops.trace_once(compute)

    def run(layer, x, kernels):
        if kernels.names != names or not _are_alike(first, layer):
            return run_block(layer, x, padding_mask, None, training, kernels)
        frozen = [getattr(kernels, name) for name in names]
        values = [variable.value for variable in layer.variables]
        x = compute(x, *masks, *frozen, *values)
        pairs = zip(_generators(first), _generators(layer), strict=True)
        for generator, own in pairs:
            for _ in range(draws[id(generator.state)]):
                own.next()
        return x

    return run


class _CountingScope(keras.StatelessScope):
    """Also counts how often each variable is assigned to."""

    def __init__(self, mapping: list, counts: collections.Counter) -> None:
        super().__init__(mapping)
        self.counts = counts

    def add_update(self, update: tuple) -> None:
        super().add_update(update)
        self.counts[id(update[0])] += 1


def _are_alike(layer: Any, other: Any) -> bool:
    """Whether two blocks differ only in the values of their weights."""

    def described(layer):
        config = {**layer.get_config(), "name": None}
        shapes = [(v.shape, v.dtype, v.trainable) for v in layer.variables]
        return type(layer), config, shapes

    return layer is other or described(layer) == described(other)


def _generators(layer: Any) -> list:
    """The random generators of a layer and of the layers within it."""
    return [
        generator
        for part in keras_internals.flatten_layers(layer)
        for generator in keras_internals.seed_generators(part)
    ]


def run_block(
    block: Any,
    x: Any,
    padding_mask: Any,
    read: Any,
    training: bool | None,
    kernels: BlockKernels,
) -> Any:
    """Computes a `TransformerEncoder` or `TransformerDecoder`.

    Args:
        block: the layer, or a `StackedBlock` of it.
        x: float tensor `(batch, tokens, hidden_dim)`.
        padding_mask: as for `FastNetwork`.
        read: as for `FastNetwork`.
        training: bool.
        kernels: the block's `BlockKernels`, of which those that are not `None`
            are used instead of the layers' own.

    Returns:
        Float tensor `(batch, tokens, hidden_dim)`, or `(batch, n, hidden_dim)`
        with `read`.
    """
    norms = {}
    if isinstance(block, StackedBlock):
        block, norms = block.block, block.norms
    layers = keras_hub_internals.block_layers(block)._replace(**norms)
    residual = x if read is None else _gather_tokens(x, read)
    if block.normalize_first:
        x = _norm(layers.attention_norm, x, training)
    x = _attention(
        *(block, layers.attention, x, padding_mask, read, training, kernels)
    )
    x = residual + _dropout(layers.attention_dropout, x, training)
    if not block.normalize_first:
        x = _norm(layers.attention_norm, x, training)
    residual = x
    if block.normalize_first:
        x = _norm(layers.feedforward_norm, x, training)
    x = _dense(
        layers.feedforward_intermediate, x, training, kernels.intermediate
    )
    x = _dense(
        layers.feedforward_output, x, training, kernels.feedforward_output
    )
    x = residual + _dropout(layers.feedforward_dropout, x, training)
    if not block.normalize_first:
        x = _norm(layers.feedforward_norm, x, training)
    return x


def _gather_tokens(x: Any, read: Any) -> Any:
    return ops.take_along_axis(x, read[..., None], axis=1)


def _norm(layer: Any, x: Any, training: bool | None) -> Any:
    if layer.compute_dtype != "float32":
        return layer(x)
    return fast_ops.layer_norm(
        x,
        _tensor(layer, "gamma"),
        _tensor(layer, "beta"),
        layer.epsilon,
        training,
    )


def _dropout(layer: Any, x: Any, training: bool | None) -> Any:
    if not training or not layer.rate:
        return x
    return fast_ops.dropout(x, layer.rate, layer.seed_generator)


def _dense(layer: Any, x: Any, training: bool | None, frozen: Any) -> Any:
    """A dense layer, with its frozen kernel in bfloat16 or `None`."""
    if not is_plain(layer):
        return layer(x)
    kernel = _tensor(layer, "kernel") if frozen is None else frozen
    x = fast_ops.dense(x, kernel, _tensor(layer, "bias"), training)
    if keras_hub_internals.is_approximate_gelu(layer.activation):
        return fast_ops.gelu_tanh(x, training)
    return x if layer.activation is None else layer.activation(x)


def _tensor(layer: Any, name: str) -> Any:
    return ops.cast(getattr(layer, name), layer.compute_dtype)


def _attention(
    block: Any,
    layer: Any,
    x: Any,
    padding_mask: Any,
    read: Any,
    training: bool | None,
    kernels: BlockKernels,
) -> Any:
    import keras_hub

    heads = layer.num_heads
    causal = isinstance(block, keras_hub.layers.TransformerDecoder)
    dense = [layer.query_dense, layer.key_dense, layer.value_dense]
    frozen = kernels.projections
    if read is None:
        query, key, value = _projected(dense, x, heads, training, frozen)
    else:
        first = rest = None
        if frozen is not None:
            size = frozen.shape[1] // len(dense)
            first, rest = frozen[:, :size], frozen[:, size:]
        tokens = _gather_tokens(x, read)
        (query,) = _projected(dense[:1], tokens, heads, training, first)
        key, value = _projected(dense[1:], x, heads, training, rest)
    mask = None
    if causal and read is not None:
        # Padding is on the right, so the tokens before a real one are real.
        keys = ops.arange(ops.shape(x)[1], dtype=read.dtype)
        mask = (read[..., None] >= keys)[:, None]
    elif not causal and padding_mask is not None:
        mask = ops.cast(padding_mask, "bool")[:, None, None]
    x = fast_attention.attend(
        *(query, key, value),
        causal=causal and read is None,
        mask=mask,
        dropout=keras_hub_internals.weight_dropout(layer),
        training=training,
    )
    x = ops.transpose(x, (0, 2, 1, 3))
    if not is_plain(layer.output_dense):
        return layer.output_dense(x)
    frozen = kernels.attention_output
    kernel = _tensor(layer.output_dense, "kernel") if frozen is None else frozen
    kernel = ops.reshape(kernel, (-1, kernel.shape[-1]))
    x = ops.reshape(x, (*ops.shape(x)[:2], kernel.shape[0]))
    bias = _tensor(layer.output_dense, "bias")
    return fast_ops.dense(x, kernel, bias, training)


def _projected(
    layers: list, x: Any, num_heads: int, training: bool | None, frozen: Any
) -> list:
    """Computes several `EinsumDense` projections to heads as one product.

    Args:
        layers: list of the layers.
        x: float tensor `(batch, tokens, inputs)`.
        num_heads: int.
        training: bool.
        frozen: their kernels in bfloat16, joined, or `None`.

    Returns:
        List of float tensors `(batch, num_heads, tokens, head_dim)`.
    """
    if not all(map(is_plain, layers)):
        return [ops.transpose(layer(x), (0, 2, 1, 3)) for layer in layers]
    if (kernel := frozen) is None:
        own = [_tensor(layer, "kernel") for layer in layers]
        own = [ops.reshape(each, (x.shape[-1], -1)) for each in own]
        kernel = ops.concatenate(own, axis=1)
    bias = ops.concatenate(
        [ops.reshape(_tensor(layer, "bias"), (-1,)) for layer in layers]
    )
    joint = fast_ops.dense(x, kernel, bias, training)
    return fast_ops.split_heads(joint, ops.shape(x)[:2], len(layers), num_heads)
