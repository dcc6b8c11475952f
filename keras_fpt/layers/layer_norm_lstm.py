"""An LSTM with layer normalization of its gates and its cell."""

from typing import Any

import keras
from keras import ops


class LayerNormLSTMCell(keras.layers.Layer):
    """One step of `LayerNormLSTM`, whose input is projected already.

    Args:
        units: int, width of the state.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        """Creates the layer; see the class for its arguments."""
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units]
        self.recurrent_norm = keras.layers.LayerNormalization(
            epsilon=1e-5, dtype=self.dtype_policy, name="recurrent_norm"
        )
        self.cell_norm = keras.layers.LayerNormalization(
            epsilon=1e-5, dtype=self.dtype_policy, name="cell_norm"
        )

    def build(self, input_shape: tuple) -> None:
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel",
            shape=(self.units, 4 * self.units),
            initializer="orthogonal",
        )
        self.recurrent_norm.build((None, 4 * self.units))
        self.cell_norm.build((None, self.units))

    def call(self, inputs: Any, states: list) -> tuple[Any, list]:
        hidden, cell = states
        gates = inputs + self.recurrent_norm(
            ops.matmul(hidden, self.recurrent_kernel)
        )
        enter, forget, candidate, leave = ops.split(gates, 4, axis=-1)
        # Adding one makes an untrained cell remember. The norms have biases.
        cell = ops.sigmoid(forget + 1) * cell
        cell = cell + ops.sigmoid(enter) * ops.tanh(candidate)
        hidden = ops.sigmoid(leave) * ops.tanh(self.cell_norm(cell))
        return hidden, [hidden, cell]


class LayerNormLSTM(keras.layers.Layer):
    """An LSTM whose gates and cell are normalized at each step.

    With LN for layer normalization and f, i, g and o for the gates, it computes

        f, i, g, o = LN(x W) + LN(h U)
        c = sigmoid(f + 1) c + sigmoid(i) tanh(g)
        h = sigmoid(o) tanh(LN(c))

    Args:
        units: int, width of the state and the output.
        random_states: bool, whether the first h and c of each sequence are
            drawn at random in every call, instead of zero.

    Call arguments:
        x: float tensor `(batch, tokens, dim)`.

    Returns:
        A float tensor `(batch, tokens, units)`.

    Source: Ba, Kiros and Hinton, 2016, "Layer Normalization", equations 20
    to 22, arXiv 1607.06450.
    """

    def __init__(
        self, units: int, random_states: bool = False, **kwargs: Any
    ) -> None:
        """Creates the layer; see the class for its arguments."""
        super().__init__(**kwargs)
        self.units = units
        self.seed_generator = None
        if random_states:
            self.seed_generator = keras.random.SeedGenerator()
        # One product for all tokens, computed before the steps.
        self.projection = keras.layers.Dense(
            4 * units,
            use_bias=False,
            dtype=self.dtype_policy,
            name="recurrent_projection",
        )
        self.input_norm = keras.layers.LayerNormalization(
            epsilon=1e-5, dtype=self.dtype_policy, name="input_norm"
        )
        self.rnn = keras.layers.RNN(
            LayerNormLSTMCell(units, dtype=self.dtype_policy, name="cell"),
            return_sequences=True,
            dtype=self.dtype_policy,
            name="recurrent",
        )

    def build(self, input_shape: tuple) -> None:
        self.projection.build(input_shape)
        gates = (*input_shape[:-1], self.projection.units)
        self.input_norm.build(gates)
        self.rnn.build(gates)

    def call(self, x: Any) -> Any:
        states = None
        if self.seed_generator is not None:
            # As https://github.com/seba-1511/lstms.pth does.
            deviation = (2 / (x.shape[-1] + self.units)) ** 0.5
            states = [
                keras.random.normal(
                    (ops.shape(x)[0], self.units),
                    stddev=deviation,
                    dtype=self.compute_dtype,
                    seed=self.seed_generator,
                )
                for _ in range(2)
            ]
        x = self.input_norm(self.projection(x))
        return self.rnn(x, initial_state=states)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        # Without it, Keras on PyTorch runs all steps to find the shape.
        return (*input_shape[:-1], self.units)
