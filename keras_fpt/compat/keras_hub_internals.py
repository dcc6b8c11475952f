"""The private names of KerasHub 0.32 that this package needs, in one place.

KerasHub has no public names for them. Where a release of KerasHub renames one,
this is the file to change.
"""

from typing import Any, NamedTuple


class BlockLayers(NamedTuple):
    """The layers of a `TransformerEncoder` or `TransformerDecoder`."""

    attention: Any
    attention_norm: Any
    attention_dropout: Any
    feedforward_norm: Any
    feedforward_intermediate: Any
    feedforward_output: Any
    feedforward_dropout: Any


def block_layers(block: Any) -> BlockLayers:
    """The layers of a block of GPT-2, OPT, BERT and similar families.

    Args:
        block: a built `keras_hub.layers.TransformerEncoder` or
            `keras_hub.layers.TransformerDecoder`.
    """
    return BlockLayers(
        block._self_attention_layer,
        block._self_attention_layer_norm,
        block._self_attention_dropout,
        block._feedforward_layer_norm,
        block._feedforward_intermediate_dense,
        block._feedforward_output_dense,
        block._feedforward_dropout,
    )


def weight_dropout(attention: Any) -> Any:
    """The dropout layer of an attention layer's weights."""
    return attention._dropout_layer


def is_approximate_gelu(activation: Any) -> bool:
    """Whether an activation is the GELU that GPT-2's and BERT's blocks use."""
    from keras_hub.src.utils.keras_utils import gelu_approximate

    return activation is gelu_approximate
