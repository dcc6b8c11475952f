"""A backbone's graph without its token embedding."""

import keras
from keras import ops


def embedding_width(backbone):
    """The width of the vectors that enter a backbone after the cut."""
    return _token_embedding_output(backbone).shape[-1]


def cut_at_embedding(backbone, pooled=False):
    """Cuts a KerasHub backbone at its token embedding.

    The result shares the backbone's layers and weights.

    Args:
        backbone: a KerasHub backbone, a functional model of `token_ids` and
            other inputs.
        pooled: bool, whether to return the backbone's pooled vector
            `(batch, dim)` in place of the hidden states
            `(batch, tokens, dim)`.

    Returns:
        A function of `embeddings` `(batch, tokens, width)`, `padding_mask`
        `(batch, tokens)` and `training`.

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

    def run(embeddings, padding_mask, training=None):
        inputs = {
            "padding_mask": padding_mask,
            "segment_ids": ops.zeros_like(padding_mask),
        }
        return network(
            [embeddings, *(inputs[name] for name in others)],
            training=training,
        )

    return run


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
