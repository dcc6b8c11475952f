"""A backbone's graph without its token embedding."""

import dataclasses

import keras
from keras import ops

from keras_fpt.compat.roformer_key_mask import mask_keys
from keras_fpt.models.fast_network import FastNetwork, fast_network


@dataclasses.dataclass(frozen=True, eq=False)
class CutBackbone:
    """What is left of a backbone when its token embedding is cut off.

    It shares the backbone's layers and weights.

    Args:
        network: a functional `keras.Model` of the embeddings and the inputs
            named in `other_inputs`.
        other_inputs: tuple of strings, of `"padding_mask"` and
            `"segment_ids"`.
        fast: the same as a `FastNetwork`, which is called in its place, or
            `None`.

    Call arguments:
        embeddings: float tensor `(batch, tokens, width)`.
        padding_mask: int tensor `(batch, tokens)`, 1 where a token is real,
            or `None` where all are.
        read: int tensor `(batch, n)`, which tokens' hidden states are
            returned. `None` means those of all.
        training: bool.

    Returns:
        Hidden states `(batch, tokens, hidden_dim)`, or
        `(batch, n, hidden_dim)` of those that are read; or a pooled vector
        `(batch, hidden_dim)`.
    """

    network: keras.Model
    other_inputs: tuple[str, ...]
    fast: FastNetwork | None = None

    def __call__(self, embeddings, padding_mask, read=None, training=None):
        mask = padding_mask
        if mask is None:
            mask = ops.ones(ops.shape(embeddings)[:2], dtype="int32")
        named = {"padding_mask": mask, "segment_ids": ops.zeros_like(mask)}
        inputs = [embeddings, *(named[name] for name in self.other_inputs)]
        if self.fast is not None:
            return self.fast(inputs, padding_mask, read, training)
        hidden = self.network(inputs, training=training)
        if read is None:
            return hidden
        return ops.take_along_axis(hidden, read[..., None], axis=1)

    @property
    def width(self):
        """The width of the embeddings."""
        return self.network.inputs[0].shape[-1]

    @property
    def hidden_dim(self):
        """The width of the hidden states."""
        return self.network.outputs[0].shape[-1]

    @property
    def masks_padding(self):
        """Whether padding is kept from the real tokens."""
        return "padding_mask" in self.other_inputs

    @property
    def max_sequence_length(self):
        """How many tokens there are learned positions for, or `None`."""
        import keras_hub

        lengths = [
            operation.sequence_length - _start_index(operation)
            for operation in self.network.operations
            if isinstance(operation, keras_hub.layers.PositionEmbedding)
        ]
        return min(lengths, default=None)

    @property
    def weights(self):
        """The backbone's weights that are used after the cut."""
        return self.network.weights


def cut_at_embedding(backbone, pooled=False, fast=True, rematerialize=False):
    """Cuts a KerasHub backbone at its token embedding.

    A ViT is cut behind its patches, class token and positions. Of a backbone
    with an encoder and a decoder, the encoder is cut off and used.

    Args:
        backbone: a KerasHub backbone, a functional model of `token_ids` and
            other inputs; or a `ViTBackbone`.
        pooled: bool, whether to return the backbone's pooled vector
            `(batch, dim)` in place of the hidden states
            `(batch, tokens, dim)`.
        fast: bool, whether to compute with a `FastNetwork` where the blocks
            allow it.
        rematerialize: bool, as for `FastNetwork`.

    Returns:
        A `CutBackbone`.

    Raises:
        ValueError: the backbone has no token embedding to cut at, an input
            or a use of its token ids that the cut does not know, no hidden
            states for its output, or no pooled vector.
    """
    if _is_vit(backbone):
        return _cut_vit(backbone, pooled)
    if "embeddings" in _named_inputs(backbone):  # an `LSTMBackbone`
        inputs = backbone.input
        tensors = [inputs["embeddings"], inputs["padding_mask"]]
        network = keras.Model(tensors, _output(backbone, pooled))
        return CutBackbone(network, ("padding_mask",))
    inputs = _text_inputs(backbone)
    embeddings, positions, mask = _cut_points(backbone, inputs["token_ids"])
    others = {k: v for k, v in inputs.items() if k != "token_ids"}
    if mask is not None:
        others["padding_mask"] = mask
        mask_keys(backbone)
    network = keras.Model(
        [embeddings, *others.values()], _output(backbone, pooled)
    )
    fast = fast_network(network, rematerialize) if fast else None
    if positions is not None:
        network = _with_positions(network, positions)
        if fast is not None:
            prefix = _with_positions(fast.prefix, positions)
            fast = dataclasses.replace(fast, prefix=prefix)
    return CutBackbone(network, tuple(others), fast)


def _is_vit(backbone):
    import keras_hub

    return isinstance(backbone, keras_hub.models.ViTBackbone)


def _cut_vit(backbone, pooled):
    encoder = backbone.get_layer("vit_encoder")
    _output(backbone, pooled)
    # Not cut in the graph, whose number of patches is fixed.
    embeddings = keras.Input((None, backbone.hidden_dim))
    return CutBackbone(keras.Model([embeddings], encoder(embeddings)), ())


def _named_inputs(backbone):
    is_named = isinstance(backbone, keras.Model) and isinstance(
        getattr(backbone, "_inputs_struct", None), dict
    )
    return dict(backbone.input) if is_named else {}


def _text_inputs(backbone):
    """The inputs by name; of an encoder and a decoder, the encoder's."""
    inputs = _named_inputs(backbone)
    if "encoder_token_ids" in inputs:
        inputs = {
            name.removeprefix("encoder_"): tensor
            for name, tensor in inputs.items()
            if not name.startswith("decoder_")
        }
    if "token_ids" not in inputs:
        raise ValueError(
            "Expected a KerasHub text backbone, whose `token_ids` go to a "
            "token embedding, or a ViT, but received "
            f"{type(backbone).__name__}."
        )
    unknown = inputs.keys() - {"token_ids", "padding_mask", "segment_ids"}
    if unknown:
        raise ValueError(
            f"{type(backbone).__name__} cannot be cut: it has inputs that are "
            f"not known here: {', '.join(sorted(unknown))}."
        )
    return inputs


def _cut_points(backbone, token_ids):
    """Where a graph goes on without its token ids.

    Returns:
        The tensor of the embeddings; a layer that adds positions to them
        first, or `None`; and the tensor of a padding mask that is made from
        the token ids, or `None`.
    """
    import keras_hub

    embeddings, positions, mask = None, None, None
    for operation, output in _uses(backbone, token_ids):
        is_first = embeddings is None
        if is_first and isinstance(
            operation, keras_hub.layers.TokenAndPositionEmbedding
        ):
            embeddings, positions = output, operation.position_embedding
        elif is_first and isinstance(operation, keras.layers.Embedding):
            embeddings = output
        elif type(operation).__name__ == "NotEqual":
            mask = output
        else:
            raise ValueError(
                f"{type(backbone).__name__} cannot be cut: its "
                f"`{operation.name}` needs the token ids themselves."
            )
    return embeddings, positions, mask


def _uses(backbone, tensor):
    """Pairs of an operation of the graph that takes an input, and its output.

    The input may be used elsewhere too, as by a KerasHub task that is built
    on the backbone.
    """
    return [
        (node.operation, node.outputs[0])
        for node in tensor._keras_history.operation._outbound_nodes
        if any(node.operation is own for own in backbone.operations)
    ]


def _start_index(position_embedding):
    """The first position that is used: not 0 in some of ESM's."""
    call = position_embedding._inbound_nodes[0].arguments
    return call.kwargs.get("start_index", 0)


def _with_positions(network, position_embedding):
    embeddings, *others = [
        keras.Input(x.shape[1:], dtype=x.dtype) for x in network.inputs
    ]
    embedded = embeddings + position_embedding(embeddings)
    return keras.Model([embeddings, *others], network([embedded, *others]))


def _output(backbone, pooled):
    output = backbone.output
    if not isinstance(output, dict):
        output = {"sequence_output": output}
    hidden = output.get(
        "sequence_output", output.get("encoder_sequence_output")
    )
    if isinstance(hidden._keras_history.operation, keras.layers.Dense):
        raise ValueError(
            f"{type(backbone).__name__} cannot be cut: its output is that of "
            "a dense layer, no hidden states."
        )
    if not pooled:
        return hidden
    if "pooled_output" not in output:
        raise ValueError(
            f"{type(backbone).__name__} has no pooled output. Use "
            "readout='last', 'first' or 'mean'."
        )
    return output["pooled_output"]
