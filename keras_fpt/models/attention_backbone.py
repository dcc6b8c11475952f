"""One layer of attention, as a substitute for a language model."""

from typing import Any

import keras
import keras_hub


@keras.saving.register_keras_serializable(package="keras_fpt")
class AttentionBackbone(keras_hub.models.Backbone):
    """One layer of multi-head attention that takes embeddings.

    The layers are positions -> norm -> causal attention, added to its input ->
    final norm: a GPT-2 of one block without its feedforward layers, in a
    KerasHub backbone without a token embedding. Attention is causal, so that
    padding on the right never affects a real token.

    Args:
        hidden_dim: int, the width.
        num_heads: int, attention heads.
        max_sequence_length: int, the number of learned positions that are
            added to the input.
        dropout: float, the rate of dropout of the input, of the attention
            weights, and of what attention returns.
        dtype: Keras dtype or policy.

    Call arguments:
        inputs: dict of `embeddings`, float `(batch, tokens, hidden_dim)`, and
            `padding_mask`, int `(batch, tokens)`.

    Returns:
        Hidden states `(batch, tokens, hidden_dim)`.

    Example:

    ```python
    backbone = keras_fpt.models.AttentionBackbone(
        hidden_dim=64, num_heads=4, max_sequence_length=128
    )
    model = keras_fpt.FPTClassifier(backbone, policy="full")
    ```

    Source: Tan et al., 2024, "Are Language Models Actually Useful for Time
    Series Forecasting?", arXiv 2406.16964, which puts such a layer in the place
    of a language model.
    """

    def __init__(
        self,
        hidden_dim: int,
        num_heads: int,
        max_sequence_length: int,
        dropout: float = 0.0,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        """Creates the model; see the class for its arguments."""
        # === Layers ===
        self.position_embedding = keras_hub.layers.PositionEmbedding(
            max_sequence_length, dtype=dtype, name="position_embedding"
        )
        self.input_dropout = keras.layers.Dropout(
            dropout, dtype=dtype, name="input_dropout"
        )
        self.attention_norm = keras.layers.LayerNormalization(
            epsilon=1e-5, dtype=dtype, name="attention_norm"
        )
        self.attention = keras.layers.MultiHeadAttention(
            num_heads,
            max(1, hidden_dim // num_heads),
            dropout=dropout,
            dtype=dtype,
            name="self_attention",
        )
        self.attention_dropout = keras.layers.Dropout(
            dropout, dtype=dtype, name="attention_dropout"
        )
        self.layer_norm = keras.layers.LayerNormalization(
            epsilon=1e-5, dtype=dtype, name="layer_norm"
        )

        # === Functional Model ===
        embeddings = keras.Input((None, hidden_dim), name="embeddings")
        padding_mask = keras.Input((None,), dtype="int32", name="padding_mask")
        x = embeddings + self.position_embedding(embeddings)
        x = self.input_dropout(x)
        normed = self.attention_norm(x)
        attended = self.attention(normed, normed, use_causal_mask=True)
        x = x + self.attention_dropout(attended)
        super().__init__(
            inputs={"embeddings": embeddings, "padding_mask": padding_mask},
            outputs=self.layer_norm(x),
            dtype=dtype,
            **kwargs,
        )

        # === Config ===
        self.hidden_dim = hidden_dim
        self.num_heads = num_heads
        self.num_layers = 1
        self.max_sequence_length = max_sequence_length
        self.dropout = dropout

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(
            hidden_dim=self.hidden_dim,
            num_heads=self.num_heads,
            max_sequence_length=self.max_sequence_length,
            dropout=self.dropout,
        )
        return config
