"""A backbone's graph without its token embedding."""

import dataclasses

import keras
from keras import ops


@dataclasses.dataclass(frozen=True, eq=False)
class CutBackbone:
    """What is left of a backbone when its token embedding is cut off.

    It shares the backbone's layers and weights.

    Args:
        network: a functional `keras.Model` of the embeddings and the inputs
            named in `other_inputs`.
        other_inputs: tuple of strings, of `"padding_mask"` and
            `"segment_ids"`.

    Call arguments:
        embeddings: float tensor `(batch, tokens, width)`.
        padding_mask: int tensor `(batch, tokens)`, 1 where a token is real.
        training: bool.

    Returns:
        Hidden states `(batch, tokens, hidden_dim)`, or a pooled vector
        `(batch, hidden_dim)`.
    """

    network: keras.Model
    other_inputs: tuple[str, ...]

    def __call__(self, embeddings, padding_mask, training=None):
        inputs = {
            "padding_mask": padding_mask,
            "segment_ids": ops.zeros_like(padding_mask),
        }
        return self.network(
            [embeddings, *(inputs[name] for name in self.other_inputs)],
            training=training,
        )

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
    def weights(self):
        """The backbone's weights that are used after the cut."""
        return self.network.weights


def cut_at_embedding(backbone, pooled=False):
    """Cuts a KerasHub backbone at its token embedding.

    Args:
        backbone: a KerasHub backbone, a functional model of `token_ids` and
            other inputs.
        pooled: bool, whether to return the backbone's pooled vector
            `(batch, dim)` in place of the hidden states
            `(batch, tokens, dim)`.

    Returns:
        A `CutBackbone`.

    Raises:
        ValueError: the backbone has no token embedding to cut at, an input
            that the cut does not know, or no pooled vector.
    """
    embeddings = _token_embedding_output(backbone)
    others = {k: v for k, v in backbone.input.items() if k != "token_ids"}
    unknown = others.keys() - {"padding_mask", "segment_ids"}
    if unknown:
        raise ValueError(
            f"{type(backbone).__name__} cannot be cut: it has inputs that are "
            f"not known here: {', '.join(sorted(unknown))}."
        )
    network = keras.Model(
        [embeddings, *others.values()], _output(backbone, pooled)
    )
    return CutBackbone(network, tuple(others))


def _token_embedding_output(backbone):
    layer = getattr(backbone, "token_embedding", None)
    if not isinstance(layer, keras.layers.Embedding):
        raise ValueError(
            "Expected a KerasHub text backbone, whose `token_embedding` is an "
            f"embedding layer, but received {type(backbone).__name__}."
        )
    return layer.output


def _output(backbone, pooled):
    output = backbone.output
    if not isinstance(output, dict):
        output = {"sequence_output": output}
    name = "pooled_output" if pooled else "sequence_output"
    if name not in output:
        raise ValueError(
            f"{type(backbone).__name__} has no pooled output. Use "
            "readout='last', 'first' or 'mean'."
        )
    return output[name]
