"""Next-token logits and losses of a GPT-2 backbone."""

from typing import Any

import keras
import numpy as np
from keras import ops


def with_logits(backbone: Any) -> keras.Model:
    """Makes a plain Keras model of a backbone and its next-token logits.

    KerasHub's own `GPT2CausalLM` expects tf.data pipelines of strings.
    """
    return keras.Model(
        backbone.input,
        backbone.token_embedding(backbone.output, reverse=True),
    )


def token_losses(
    model: Any, tokens: np.ndarray, sequence_length: int
) -> np.ndarray:
    """Computes the cross-entropy of each next token.

    Args:
        model: a Keras model from `with_logits`.
        tokens: int array of shape `(n,)`.
        sequence_length: int, tokens per sequence. Tokens after the last full
            sequence are left out.

    Returns:
        float array of shape `(sequences, sequence_length)`, in nats.
    """
    used = (len(tokens) - 1) // sequence_length * sequence_length
    tokens = np.asarray(tokens[: used + 1], "int32")
    x = tokens[:-1].reshape(-1, sequence_length)
    y = tokens[1:].reshape(-1, sequence_length)
    batch_size = max(1, 4096 // sequence_length)
    losses = []
    for start in range(0, len(x), batch_size):
        batch = slice(start, start + batch_size)
        logits = model.predict_on_batch(
            {"token_ids": x[batch], "padding_mask": np.ones_like(x[batch])}
        )
        loss = keras.losses.sparse_categorical_crossentropy(
            y[batch], np.asarray(logits, "float32"), from_logits=True
        )
        losses.append(ops.convert_to_numpy(loss))
    return np.concatenate(losses)
