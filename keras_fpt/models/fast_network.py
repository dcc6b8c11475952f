"""KerasHub's blocks, computed with fewer and larger operations."""

import collections
import dataclasses

import keras
from keras import ops

from keras_fpt.models import fast_attention, fast_ops


@dataclasses.dataclass(frozen=True, eq=False)
class FastNetwork:
    """A chain of `TransformerEncoder`s or `TransformerDecoder`s.

    It shares the weights of the functional network that it was found in, and
    computes the same.

    Args:
        prefix: functional `keras.Model` from the network's inputs to what
            goes into the first block.
        blocks: tuple of the layers, in the order in which they are called.
        suffix: functional `keras.Model` from what comes out of the last
            block to the output, or `None` where that is the output.
        rematerialize: bool, whether blocks are computed again for the
            gradient, and only what goes into each is kept.

    Call arguments:
        inputs: list of tensors, the network's inputs.
        padding_mask: int tensor `(batch, tokens)`, 1 where a token is real,
            or `None` where all are.
        read: int tensor `(batch, n)`, which tokens' hidden states are
            wanted. `None` means those of all.
        training: bool.
    """

    prefix: keras.Model
    blocks: tuple
    suffix: keras.Model | None
    rematerialize: bool = False

    def __call__(self, inputs, padding_mask, read=None, training=None):
        x = self.prefix(inputs, training=training)
        *blocks, last = self.blocks
        again = self.rematerialize and training
        run = shared_block(self.blocks[0], padding_mask, training, again)
        for layer in blocks:
            x = run(layer, x)
        x = run_block(last, x, padding_mask, read, training)
        return x if self.suffix is None else self.suffix(x)


def fast_network(network, rematerialize=False):
    """The `FastNetwork` of a functional network, or `None` if it is none.

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
    tensor, blocks = output, []
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


def _made_by(tensor):
    """The operation that makes a tensor of a graph, and its first argument."""
    operation, node, _ = tensor._keras_history
    arguments = operation._inbound_nodes[node].input_tensors
    return operation, arguments[0] if arguments else None


def shared_block(first, padding_mask, training, rematerialize):
    """`run_block` for all blocks, which is traced once for those alike.

    Args:
        first: the first of the blocks.
        padding_mask: as for `FastNetwork`.
        training: bool.
        rematerialize: bool, as for `FastNetwork`.

    Returns:
        A function of a block and the tensor that goes into it.
    """
    if keras.backend.backend() == "torch":  # It traces nothing.

        def run_each(layer, x):
            def compute(x):
                return run_block(layer, x, padding_mask, None, training)

            return (keras.remat(compute) if rematerialize else compute)(x)

        return run_each

    draws = collections.Counter()
    # All tensors are arguments, and none of them `None`: TensorFlow's
    # rematerialization mistakes the tensors of one call for those of another.
    masks = [] if padding_mask is None else [padding_mask]

    def compute(x, *tensors):
        (mask,) = tensors[: len(masks)] or (None,)
        mapping = [
            (v, value if v.trainable else ops.stop_gradient(value))
            for v, value in zip(
                first.variables, tensors[len(masks) :], strict=True
            )
        ]
        draws.clear()
        with _CountingScope(mapping, draws):
            return run_block(first, x, mask, None, training)

    if rematerialize:
        compute = keras.remat(compute)
    compute = fast_ops.traced_once(compute)

    def run(layer, x):
        if not _are_alike(first, layer):
            return run_block(layer, x, padding_mask, None, training)
        values = [variable.value for variable in layer.variables]
        x = compute(x, *masks, *values)
        pairs = zip(_generators(first), _generators(layer), strict=True)
        for generator, own in pairs:
            for _ in range(draws[id(generator.state)]):
                own.next()
        return x

    return run


class _CountingScope(keras.StatelessScope):
    """Also counts how often each variable is assigned to."""

    def __init__(self, mapping, counts):
        super().__init__(mapping)
        self.counts = counts

    def add_update(self, update):
        super().add_update(update)
        self.counts[id(update[0])] += 1


def _are_alike(layer, other):
    """Whether two blocks compute the same, of weights of their own."""

    def described(layer):
        config = {**layer.get_config(), "name": None}
        shapes = [(v.shape, v.dtype, v.trainable) for v in layer.variables]
        return type(layer), config, shapes

    return layer is other or described(layer) == described(other)


def _generators(layer):
    """The random generators of a layer and those within it."""
    layers = layer._flatten_layers()
    return [generator for part in layers for generator in part._seed_generators]


def run_block(layer, x, padding_mask, read, training):
    """What a `TransformerEncoder` or `TransformerDecoder` computes."""
    attention_norm = layer._self_attention_layer_norm
    feedforward_norm = layer._feedforward_layer_norm
    residual = x if read is None else _take(x, read)
    if layer.normalize_first:
        x = _norm(attention_norm, x, training)
    x = _attention(layer, x, padding_mask, read, training)
    x = residual + _dropout(layer._self_attention_dropout, x, training)
    if not layer.normalize_first:
        x = _norm(attention_norm, x, training)
    residual = x
    if layer.normalize_first:
        x = _norm(feedforward_norm, x, training)
    x = _dense(layer._feedforward_intermediate_dense, x, training)
    x = _dense(layer._feedforward_output_dense, x, training)
    x = residual + _dropout(layer._feedforward_dropout, x, training)
    if not layer.normalize_first:
        x = _norm(feedforward_norm, x, training)
    return x


def _take(x, read):
    return ops.take_along_axis(x, read[..., None], axis=1)


def _norm(layer, x, training):
    if layer.compute_dtype != "float32":
        return layer(x)
    return fast_ops.layer_norm(
        x,
        _tensor(layer, "gamma"),
        _tensor(layer, "beta"),
        layer.epsilon,
        training,
    )


def _dropout(layer, x, training):
    if not training or not layer.rate:
        return x
    return fast_ops.dropout(x, layer.rate, layer.seed_generator)


def _dense(layer, x, training):
    from keras_hub.src.utils.keras_utils import gelu_approximate

    if not _is_plain(layer):
        return layer(x)
    x = fast_ops.dense(x, _tensor(layer, "kernel"), _tensor(layer, "bias"))
    if layer.activation is gelu_approximate:
        return fast_ops.gelu_tanh(x, training)
    return x if layer.activation is None else layer.activation(x)


def _is_plain(layer):
    """Whether a dense layer has one matrix, of floats."""
    return layer.quantization_mode is None and not layer.lora_enabled


def _tensor(layer, name):
    return ops.cast(getattr(layer, name), layer.compute_dtype)


def _attention(block, x, padding_mask, read, training):
    import keras_hub

    layer = block._self_attention_layer
    heads = layer.num_heads
    causal = isinstance(block, keras_hub.layers.TransformerDecoder)
    dense = [layer.query_dense, layer.key_dense, layer.value_dense]
    if read is None:
        query, key, value = _projected(dense, x, heads)
    else:
        (query,) = _projected(dense[:1], _take(x, read), heads)
        key, value = _projected(dense[1:], x, heads)
    mask = None
    if causal and read is not None:
        # Padding is on the right: what comes before a real token is real.
        keys = ops.arange(ops.shape(x)[1], dtype=read.dtype)
        mask = (read[..., None] >= keys)[:, None]
    elif not causal and padding_mask is not None:
        mask = ops.cast(padding_mask, "bool")[:, None, None]
    x = fast_attention.attend(
        *(query, key, value),
        causal=causal and read is None,
        mask=mask,
        dropout=layer._dropout_layer,
        training=training,
    )
    x = ops.transpose(x, (0, 2, 1, 3))
    if not _is_plain(layer.output_dense):
        return layer.output_dense(x)
    kernel = _tensor(layer.output_dense, "kernel")
    kernel = ops.reshape(kernel, (-1, kernel.shape[-1]))
    x = ops.reshape(x, (*ops.shape(x)[:2], kernel.shape[0]))
    return fast_ops.dense(x, kernel, _tensor(layer.output_dense, "bias"))


def _projected(layers, x, num_heads):
    """What `EinsumDense` layers compute that project to heads, in one.

    Returns:
        List of float tensors `(batch, num_heads, tokens, head_dim)`.
    """
    if not all(map(_is_plain, layers)):
        return [ops.transpose(layer(x), (0, 2, 1, 3)) for layer in layers]
    inputs = x.shape[-1]
    kernel = ops.concatenate(
        [
            ops.reshape(_tensor(layer, "kernel"), (inputs, -1))
            for layer in layers
        ],
        axis=1,
    )
    bias = ops.concatenate(
        [ops.reshape(_tensor(layer, "bias"), (-1,)) for layer in layers]
    )
    joint = fast_ops.dense(x, kernel, bias)
    return fast_ops.split_heads(joint, ops.shape(x)[:2], len(layers), num_heads)
