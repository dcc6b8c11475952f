"""Exported models, run by their own runtimes, against the model.

That the other heads become ONNX is tested in test_every_head.py.
"""

import keras
import numpy as np
import pytest
from families import FAMILIES, draw_weights, numpy

from keras_fpt import FPTClassifier
from keras_fpt.models import exporting

BACKEND = keras.backend.backend()
# The formats that each backend writes, and the sizes it can leave open.
FORMATS = {
    "tensorflow": {
        "tf_saved_model": (None, None),
        "onnx": (None, None),
        "openvino": (None, None),
        "litert": (None, None),
    },
    "jax": {"tf_saved_model": (None, 6)},
    "torch": {"onnx": (4, 6), "openvino": (None, None), "torch": (4, 6)},
}[BACKEND]
FAILING = [
    name for backend, name in sorted(exporting.FAILING) if backend == BACKEND
]
ENDINGS = {
    "tf_saved_model": "",
    "onnx": ".onnx",
    "openvino": ".xml",
    "litert": ".tflite",
    "torch": ".pt2",
}
# Writing takes long: every day one model in each format, and further ones in
# the format that is needed most.
MAIN_FORMAT = {"tensorflow": "tf_saved_model", "torch": "onnx"}.get(BACKEND)
FURTHER_FORMATS = [
    pytest.param(name, marks=[pytest.mark.slow] * (name != MAIN_FORMAT))
    for name in FORMATS
]
X = np.random.default_rng(0).normal(size=(4, 6, 3)).astype("float32")
MASK = (np.arange(6) < np.array([[3], [6], [4], [2]])).astype("int32")
pytestmark = pytest.mark.filterwarnings("ignore")  # The exporters'.


def make_model(family="gpt2", **arguments):
    backbone = FAMILIES[family].build()
    draw_weights(backbone)
    if "vocabulary_size" not in arguments:
        arguments["input_dim"] = 3
    return FPTClassifier(backbone, num_classes=3, **arguments)


def signature(batch, tokens, with_mask=True):
    x = keras.InputSpec(
        shape=(batch, tokens, 3), dtype="float32", name="tokens"
    )
    if not with_mask:
        return [x]
    mask = keras.InputSpec(
        shape=(batch, tokens), dtype="int32", name="padding_mask"
    )
    return [{"tokens": x, "padding_mask": mask}]


def export(model, folder, format, input_signature=None):
    path = folder / f"model{ENDINGS[format]}"
    model.export(
        path, format=format, verbose=False, input_signature=input_signature
    )
    return str(path)


def run(path, format, inputs):
    """The output of the format's own runtime.

    Args:
        path: string, the exported file or folder.
        format: string, its format.
        inputs: dict of arrays, by the names in the signature.
    """
    return {
        "tf_saved_model": run_saved_model,
        "onnx": run_onnx,
        "openvino": run_openvino,
        "litert": run_litert,
        "torch": run_torch,
    }[format](path, inputs)


def run_saved_model(path, inputs):
    import tensorflow as tf

    served = tf.saved_model.load(path)
    return served.serve(alone_or_dict(inputs)).numpy()


def run_onnx(path, inputs):
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    by_name = {
        expected.name: pick(inputs, expected.name, len(expected.shape))
        for expected in session.get_inputs()
    }
    (outputs,) = session.run(None, by_name)
    return outputs


def run_openvino(path, inputs):
    import openvino

    # By default it computes in bfloat16 where the processor can.
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.compile_model(path, "CPU", exact)
    by_input = {
        expected: pick(inputs, expected.any_name, len(expected.partial_shape))
        for expected in compiled.inputs
    }
    return compiled(by_input)[0]


def run_litert(path, inputs):
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(path)
    for expected in interpreter.get_input_details():
        value = pick(inputs, expected["name"], len(expected["shape"]))
        interpreter.resize_tensor_input(expected["index"], value.shape)
    interpreter.allocate_tensors()
    for expected in interpreter.get_input_details():
        value = pick(inputs, expected["name"], len(expected["shape"]))
        interpreter.set_tensor(expected["index"], value)
    interpreter.invoke()
    (output,) = interpreter.get_output_details()
    return interpreter.get_tensor(output["index"])


def run_torch(path, inputs):
    import torch

    # On the device where the model was exported.
    tensors = {
        name: keras.ops.convert_to_tensor(value)
        for name, value in inputs.items()
    }
    outputs = torch.export.load(path).module()(alone_or_dict(tensors))
    return numpy(outputs)


def alone_or_dict(inputs):
    return inputs if len(inputs) > 1 else inputs["tokens"]


def pick(inputs, name, rank):
    """An input by its name, or by its rank where the exporter renamed it."""
    same_rank = [value for value in inputs.values() if value.ndim == rank]
    return inputs[name] if name in inputs else same_rank[0]


FRONT = {
    "patch_size": 4,
    "patch_stride": 2,
    "instance_norm": True,
    "channel_independent": "concat",
    "readout": "last+mean",
    "output_norm": "batch",
}


@pytest.mark.parametrize("format", FURTHER_FORMATS)
def test_the_front_of_a_series_is_exported(format, tmp_path):
    model = make_model(**FRONT)
    path = export(model, tmp_path, format, signature(*FORMATS[format]))
    inputs = {"tokens": X, "padding_mask": MASK}
    np.testing.assert_allclose(
        run(path, format, inputs), numpy(model(inputs)), atol=1e-5
    )


@pytest.fixture(
    params=[
        # Every day from PyTorch, which takes seconds and not half a minute.
        pytest.param(
            name,
            marks=[pytest.mark.slow]
            * ((BACKEND, name) == ("tensorflow", "openvino")),
        )
        for name in FORMATS
    ]
)
def format(request):
    return request.param


class TestRuntimes:
    @pytest.mark.parametrize(
        "family",
        [
            "gpt2",
            pytest.param("llama3", marks=pytest.mark.slow),
            pytest.param("bert", marks=pytest.mark.slow),
        ],
    )
    def test_compute_what_the_model_does(self, family, format, tmp_path):
        model = make_model(family)
        sizes = FORMATS[format]
        path = export(model, tmp_path, format, signature(*sizes))
        inputs = {"tokens": X, "padding_mask": MASK}
        if (family, format) == ("llama3", "litert"):
            # Written with TensorFlow's ops, for an interpreter that has them.
            with pytest.raises(RuntimeError, match="Flex delegate"):
                run(path, format, inputs)
            return
        np.testing.assert_allclose(
            run(path, format, inputs), numpy(model(inputs)), atol=1e-5
        )
        if sizes == (None, None):
            other = {"tokens": X[:2, :5], "padding_mask": MASK[:2, :5]}
            np.testing.assert_allclose(
                run(path, format, other), numpy(model(other)), atol=1e-5
            )

    @pytest.mark.parametrize("format", FURTHER_FORMATS)
    def test_without_a_mask(self, format, tmp_path):
        model = make_model()
        sizes = FORMATS[format]
        given = None if sizes == (None, None) else signature(*sizes, False)
        path = export(model, tmp_path, format, given)
        np.testing.assert_allclose(
            run(path, format, {"tokens": X}), numpy(model(X)), atol=1e-5
        )

    @pytest.mark.parametrize("format", FURTHER_FORMATS)
    def test_integer_tokens(self, format, tmp_path):
        model = make_model(vocabulary_size=5)
        x = np.arange(24, dtype="int32").reshape(4, 6) % 5
        sizes = FORMATS[format]
        given = [keras.InputSpec(shape=sizes, dtype="int32", name="tokens")]
        given = None if sizes == (None, None) else given
        path = export(model, tmp_path, format, given)
        np.testing.assert_allclose(
            run(path, format, {"tokens": x}), numpy(model(x)), atol=1e-5
        )

    @pytest.mark.parametrize("format", FURTHER_FORMATS)
    def test_frozen_products_in_bfloat16_become_float32(self, format, tmp_path):
        twins = [make_model(precision=p) for p in ("float32", "bfloat16")]
        weights = twins[0].get_weights()
        twins[1].set_weights(weights)
        path = export(twins[1], tmp_path, format, signature(*FORMATS[format]))
        inputs = {"tokens": X, "padding_mask": MASK}
        np.testing.assert_allclose(
            run(path, format, inputs), numpy(twins[0](inputs)), atol=1e-5
        )

    @pytest.mark.parametrize("format", FURTHER_FORMATS)
    def test_quantized(self, format, tmp_path):
        model = make_model(quantize="int8")
        if (BACKEND, format) == ("torch", "openvino"):
            with pytest.raises(ValueError, match="of a quantized model"):
                export(model, tmp_path, format, signature(4, 6))
            return
        path = export(model, tmp_path, format, signature(4, 6))
        inputs = {"tokens": X, "padding_mask": MASK}
        np.testing.assert_allclose(
            run(path, format, inputs), numpy(model(inputs)), atol=1e-5
        )


class TestErrors:
    def test_width_not_known(self, tmp_path):
        model = FPTClassifier(FAMILIES["gpt2"].build())
        with pytest.raises(ValueError, match="width of the tokens"):
            model.export(tmp_path / "model")

    @pytest.mark.skipif(BACKEND == "tensorflow", reason="leaves all open")
    def test_open_sizes(self, tmp_path):
        format = "onnx" if BACKEND == "torch" else "tf_saved_model"
        with pytest.raises(ValueError, match="is fixed. Pass it, as input_"):
            export(make_model(), tmp_path, format)

    @pytest.mark.parametrize("format", FAILING)
    def test_formats_that_fail(self, format, tmp_path):
        with pytest.raises(ValueError, match="KERAS_BACKEND=tensorflow"):
            export(make_model(), tmp_path, format)
