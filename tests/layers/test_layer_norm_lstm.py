import keras
import numpy as np
from keras import ops

from keras_fpt.layers.layer_norm_lstm import LayerNormLSTM


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def norm(x, gamma, beta):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta


def expected(x, weights):
    """The equations of Ba et al., step by step."""
    w, u = weights["recurrent_projection/kernel"], weights["recurrent_kernel"]
    norms = {
        name: (weights[f"{name}/gamma"], weights[f"{name}/beta"])
        for name in ("input_norm", "recurrent_norm", "cell_norm")
    }
    h = c = np.zeros((x.shape[0], u.shape[0]))
    outputs = []
    for t in range(x.shape[1]):
        gates = norm(x[:, t] @ w, *norms["input_norm"])
        gates = gates + norm(h @ u, *norms["recurrent_norm"])
        i, f, g, o = np.split(gates, 4, axis=-1)
        c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(norm(c, *norms["cell_norm"]))
        outputs.append(h)
    return np.stack(outputs, axis=1)


def test_the_output_has_a_shape_before_there_is_one():
    output = LayerNormLSTM(6)(keras.Input((None, 4)))
    assert output.shape == (None, None, 6) and output.dtype == "float32"


def test_layer_computes_the_published_equations():
    generator = np.random.default_rng(0)
    layer = LayerNormLSTM(6)
    layer.build((None, None, 4))
    weights = {}
    for variable in layer.weights:
        variable.assign(generator.normal(size=variable.shape))
        name = variable.path.rsplit("/", 2)[-2:]
        key = variable.name if name[0] == "cell" else "/".join(name)
        weights[key] = ops.convert_to_numpy(variable)
    x = generator.normal(size=(3, 7, 4)).astype("float32")
    output = ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(output, expected(x, weights), atol=1e-5)
