"""The LSTM with which the paper compares transformers."""

from typing import Any

import keras
import keras_hub

from keras_fpt.layers import LayerNormLSTM


@keras.saving.register_keras_serializable(package="keras_fpt")
class LSTMBackbone(keras_hub.models.Backbone):
    """A stack of layer-norm LSTMs that takes embeddings.

    The layers are [positions ->] LSTM layers -> final norm, in a KerasHub
    backbone without a token embedding. It reads from left to right, so that
    padding on the right never affects a real token.

    Args:
        hidden_dim: int, the width.
        num_layers: int.
        residual: bool, whether a layer's input is added to its output.
        max_sequence_length: int, the number of learned positions that are
            added to the input. `None` adds none.
        dropout: float, the rate of dropout before and after each layer.
        random_states: bool, whether each layer's first states are drawn at
            random in every call, also in evaluation, instead of zero.
        dtype: Keras dtype or policy.

    Call arguments:
        inputs: dict of `embeddings`, float `(batch, tokens, hidden_dim)`, and
            `padding_mask`, int `(batch, tokens)`.

    Returns:
        Hidden states `(batch, tokens, hidden_dim)`.

    Example:

    ```python
    backbone = keras_fpt.models.LSTMBackbone(hidden_dim=64)
    model = keras_fpt.FPTClassifier(backbone, policy="full")
    ```

    Source: Lu et al., 2021, sections 3.1 and 3.3, arXiv 2103.05247.
    """

    def __init__(
        self,
        hidden_dim: int,
        num_layers: int = 3,
        residual: bool = False,
        max_sequence_length: int | None = None,
        dropout: float = 0.0,
        random_states: bool = False,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        """Creates the model; see the class for its arguments."""
        # === Layers ===
        self.position_embedding = None
        if max_sequence_length is not None:
            self.position_embedding = keras_hub.layers.PositionEmbedding(
                max_sequence_length, dtype=dtype, name="position_embedding"
            )
        self.lstm_layers = [
            LayerNormLSTM(
                hidden_dim, random_states, dtype=dtype, name=f"lstm_layer_{i}"
            )
            for i in range(num_layers)
        ]
        self.dropout_layers = [
            keras.layers.Dropout(dropout, dtype=dtype, name=f"dropout_{i}")
            for i in range(num_layers + 1)
        ]
        self.layer_norm = keras.layers.LayerNormalization(
            epsilon=1e-5, dtype=dtype, name="layer_norm"
        )

        # === Functional Model ===
        embeddings = keras.Input((None, hidden_dim), name="embeddings")
        padding_mask = keras.Input((None,), dtype="int32", name="padding_mask")
        x = embeddings
        if self.position_embedding is not None:
            x = x + self.position_embedding(x)
        x = self.dropout_layers[0](x)
        for lstm, drop in zip(
            self.lstm_layers, self.dropout_layers[1:], strict=True
        ):
            output = drop(lstm(x))
            x = x + output if residual else output
        super().__init__(
            inputs={"embeddings": embeddings, "padding_mask": padding_mask},
            outputs=self.layer_norm(x),
            dtype=dtype,
            **kwargs,
        )

        # === Config ===
        self.hidden_dim = hidden_dim
        self.num_layers = num_layers
        self.residual = residual
        self.max_sequence_length = max_sequence_length
        self.dropout = dropout
        self.random_states = random_states

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(
            hidden_dim=self.hidden_dim,
            num_layers=self.num_layers,
            residual=self.residual,
            max_sequence_length=self.max_sequence_length,
            dropout=self.dropout,
            random_states=self.random_states,
        )
        return config
