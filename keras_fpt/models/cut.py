"""Cuts a backbone's graph at its token embedding."""

import dataclasses
from typing import Any, Self

import keras
from keras import ops

from keras_fpt.compat import keras_internals, roformer_key_mask
from keras_fpt.models.fast_network import FastNetwork, fast_network
from keras_fpt.models.frozen_kernels import FrozenKernels, StepKernels


@dataclasses.dataclass(frozen=True, eq=False)
class CutBackbone:
    """A backbone without its token embedding.

    It shares the backbone's layers and weights.

    Args:
        network: a functional `keras.Model` of the embeddings and the inputs
            named in `other_inputs`.
        other_inputs: tuple of strings, `"padding_mask"` and `"segment_ids"`
            or one or none of them.
        fast: `FastNetwork` that computes the same and is called instead of
            `network`, or `None`.

    Call arguments:
        embeddings: float tensor `(batch, tokens, width)`.
        padding_mask: int tensor `(batch, tokens)`, 1 where a token is real,
            or `None` if all tokens are.
        read: int tensor `(batch, n)`, the indices of the tokens whose hidden
            states are returned. `None` returns those of all tokens.
        training: bool.

    Returns:
        Hidden states `(batch, tokens, hidden_dim)`, or `(batch, n,
        hidden_dim)` with `read`; or a pooled vector `(batch, hidden_dim)`.
    """

    network: keras.Model
    other_inputs: tuple[str, ...]
    fast: FastNetwork | None = None

    def __call__(
        self,
        embeddings: Any,
        padding_mask: Any,
        read: Any = None,
        training: bool | None = None,
    ) -> Any:
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

    def at_precision(self, precision: str) -> Self:
        """The cut backbone with the option `precision`, as it was resolved."""
        if self.fast is None or precision == "float32":
            return self
        fast = dataclasses.replace(self.fast, kernels=FrozenKernels())
        return dataclasses.replace(self, fast=fast)

    def step_kernels(self, model: Any) -> StepKernels | None:
        """What the steps of the `keras.Model` with this part are given."""
        if self.fast is None or self.fast.kernels is None:
            return None
        return self.fast.kernels.for_steps(model, self.fast.blocks)

    @property
    def width(self) -> int:
        """The width of the embeddings."""
        return self.network.inputs[0].shape[-1]

    @property
    def hidden_dim(self) -> int:
        """The width of the hidden states."""
        return self.network.outputs[0].shape[-1]

    @property
    def masks_padding(self) -> bool:
        """Whether real tokens can be kept from attending to padding."""
        return "padding_mask" in self.other_inputs

    @property
    def max_sequence_length(self) -> int | None:
        """The number of learned positions, or `None` without any."""
        import keras_hub

        lengths = [
            operation.sequence_length - _start_index(operation)
            for operation in self.network.operations
            if isinstance(operation, keras_hub.layers.PositionEmbedding)
        ]
        return min(lengths, default=None)

    @property
    def weights(self) -> list:
        """The weights of the backbone that are used after the cut."""
        return self.network.weights


def cut_at_embedding(
    backbone: Any,
    pooled: bool = False,
    fast: bool = True,
    rematerialize: bool = False,
) -> CutBackbone:
    """Cuts a KerasHub backbone at its token embedding.

    A ViT is cut after its patches, class token and positions. Of a backbone
    with an encoder and a decoder, only the encoder is used.

    Args:
        backbone: a KerasHub backbone, a functional model of `token_ids` and
            other inputs; or a `ViTBackbone`.
        pooled: bool, whether to return the backbone's pooled vector
            `(batch, dim)` instead of the hidden states
            `(batch, tokens, dim)`.
        fast: bool, whether to compute with a `FastNetwork` if the blocks
            allow it.
        rematerialize: bool, as for `FastNetwork`.

    Returns:
        A `CutBackbone`.

    Raises:
        ValueError: the backbone has no token embedding to cut at, has unknown
            inputs, uses its token IDs in an unknown way, does not return
            hidden states, or has no pooled vector.
    """
    if _is_vit(backbone):
        return _cut_vit(backbone, pooled)
    if "embeddings" in keras_internals.named_inputs(
        backbone
    ):  # an `LSTMBackbone` or `AttentionBackbone`
        inputs = backbone.input
        tensors = [inputs["embeddings"], inputs["padding_mask"]]
        network = keras.Model(tensors, _output(backbone, pooled))
        return CutBackbone(network, ("padding_mask",))
    inputs = _text_inputs(backbone)
    embeddings, positions, mask = _cut_points(backbone, inputs["token_ids"])
    others = {k: v for k, v in inputs.items() if k != "token_ids"}
    if mask is not None:
        others["padding_mask"] = mask
        roformer_key_mask.mask_keys(backbone)
    network = keras.Model(
        [embeddings, *others.values()], _output(backbone, pooled)
    )
    fast_part = fast_network(network, rematerialize) if fast else None
    if positions is not None:
        network = _with_positions(network, positions)
        if fast_part is not None:
            prefix = _with_positions(fast_part.prefix, positions)
            fast_part = dataclasses.replace(fast_part, prefix=prefix)
    return CutBackbone(network, tuple(others), fast_part)


def _is_vit(backbone: Any) -> bool:
    import keras_hub

    return isinstance(backbone, keras_hub.models.ViTBackbone)


def _cut_vit(backbone: Any, pooled: bool) -> CutBackbone:
    encoder = backbone.get_layer("vit_encoder")
    _output(backbone, pooled)
    # A new graph, since the backbone's has a fixed number of patches.
    embeddings = keras.Input((None, backbone.hidden_dim))
    return CutBackbone(keras.Model([embeddings], encoder(embeddings)), ())


def _text_inputs(backbone: Any) -> dict[str, Any]:
    """The inputs by name; only the encoder's if there is a decoder too."""
    inputs = keras_internals.named_inputs(backbone)
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


def _cut_points(backbone: Any, token_ids: Any) -> tuple[Any, Any, Any]:
    """Finds where a graph no longer needs its token IDs.

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
                f"`{operation.name}` needs the token IDs themselves."
            )
    return embeddings, positions, mask


def _uses(backbone: Any, tensor: Any) -> list[tuple[Any, Any]]:
    """The operations that an input of the graph goes into, and their outputs.

    Operations outside of the graph are left out, such as those of a KerasHub
    task that is built on the backbone.
    """
    return [
        (call.operation, call.outputs[0])
        for call in keras_internals.calls_that_use(tensor)
        if any(call.operation is own for own in backbone.operations)
    ]


def _start_index(position_embedding: Any) -> int:
    """The first position that is used, which is not 0 in some ESMs."""
    call = keras_internals.first_call(position_embedding)
    return call.kwargs.get("start_index", 0)


def _with_positions(network: Any, position_embedding: Any) -> keras.Model:
    embeddings, *others = [
        keras.Input(x.shape[1:], dtype=x.dtype) for x in network.inputs
    ]
    embedded = embeddings + position_embedding(embeddings)
    return keras.Model([embeddings, *others], network([embedded, *others]))


def _output(backbone: Any, pooled: bool) -> Any:
    output = backbone.output
    if not isinstance(output, dict):
        output = {"sequence_output": output}
    hidden = output.get(
        "sequence_output", output.get("encoder_sequence_output")
    )
    call = keras_internals.call_that_made(hidden)
    if isinstance(call.operation, keras.layers.Dense):
        raise ValueError(
            f"{type(backbone).__name__} cannot be cut: its output comes "
            "from a dense layer and is not hidden states."
        )
    if not pooled:
        return hidden
    if "pooled_output" not in output:
        raise ValueError(
            f"{type(backbone).__name__} has no pooled output. Use "
            "readout='last', 'first' or 'mean'."
        )
    return output["pooled_output"]
