"""Every head crosses backends, becomes ONNX, and resumes after a kill.

`exchange/` holds adapters that `write` has saved on PyTorch, after a step of
training, with what their models answered there. To make those that are not
there yet:

    KERAS_BACKEND=torch python tests/models/test_every_head.py
"""

import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
from conftest import gpt2_backbone, jit_compile

import keras_fpt

FOLDER = pathlib.Path(__file__).parent / "exchange"
BACKEND = keras.backend.backend()
MASK = (np.arange(6) < [[3], [4], [5], [6]]).astype("int32")
# What may stand before the blocks and after them, for series.
SERIES = {
    "patch_size": 3,
    "patch_stride": 2,
    "instance_norm": True,
    "channel_independent": "concat",
    "readout": "last+mean",
    "output_norm": "batch",
}
# Each token has a label, so none are joined.
OF_TOKENS = {"instance_norm": True, "output_norm": "layer"}
LEVELS = (0.1, 0.5, 0.9)
CLASSIFIER = keras_fpt.FPTClassifier
MULTI_LABEL = keras_fpt.FPTMultiLabelClassifier
TOKEN = keras_fpt.FPTTokenClassifier
REGRESSOR = keras_fpt.FPTRegressor
FORECASTER = keras_fpt.FPTForecaster
HEADS = {
    "classifier": (CLASSIFIER, {"num_classes": 3}),
    "classifier_series": (CLASSIFIER, {"num_classes": 3, **SERIES}),
    "multi_label": (MULTI_LABEL, {"num_labels": 3}),
    "multi_label_series": (MULTI_LABEL, {"num_labels": 3, **SERIES}),
    "token": (TOKEN, {"num_classes": 4}),
    "token_series": (TOKEN, {"num_classes": 4, **OF_TOKENS}),
    "token_mean": (
        TOKEN,
        {"num_classes": 4, "readout": "token+mean", **OF_TOKENS},
    ),
    "regressor": (REGRESSOR, {"num_targets": 2, "quantiles": LEVELS}),
    "regressor_series": (REGRESSOR, {"num_targets": 2, **SERIES}),
    "forecaster": (FORECASTER, {"horizon": 3, "sequence_length": 6}),
    "forecaster_quantiles": (
        FORECASTER,
        {
            "horizon": 3,
            "quantiles": LEVELS,
            "channel_independent": "each",
            "patch_size": 2,
            "sequence_length": 6,
        },
    ),
    "forecaster_future": (
        FORECASTER,
        {
            "horizon": 3,
            "future_dim": 1,
            "quantiles": LEVELS,
            "patch_size": 2,
            "sequence_length": 6,
        },
    ),
}


# Exporters take seconds: every day what differs most from a classifier, whose
# exports are tested in test_export.py.
EVERY_DAY = ("token_mean", "regressor_series", "forecaster_future")
EXPORTED = [
    pytest.param(name, marks=[pytest.mark.slow] * (name not in EVERY_DAY))
    for name in HEADS
]


def build(name):
    head, settings = HEADS[name]
    # Without the positions, which would make large files.
    return head.from_preset(
        "gpt2_tiny_en",
        input_dim=2,
        policy="input+layer_norm+output",
        depth=1,
        dropout=0.0,
        **settings,
    )


def small(name):
    """The model of a case on a tiny random backbone."""
    head, settings = HEADS[name]
    return head(gpt2_backbone(num_layers=1), input_dim=2, **settings)


def inputs(name):
    """Series of 3 to 6 steps, and whether each step is real.

    Those of a forecaster have one length, and so no mask.
    """
    x = np.random.default_rng(0).normal(size=(4, 6, 2)).astype("float32")
    if HEADS[name][0] is FORECASTER:
        return x
    return {"tokens": x, "padding_mask": MASK}


def labels(name):
    head, settings = HEADS[name]
    draw = np.random.default_rng(1)
    if head in (REGRESSOR, FORECASTER):
        channels = 2 - settings.get("future_dim", 0)
        steps = (settings["horizon"],) if head is FORECASTER else ()
        return 50 + 10 * draw.normal(size=(4, *steps, channels))
    shape = {CLASSIFIER: (4,), MULTI_LABEL: (4, 3), TOKEN: (4, 6)}[head]
    return draw.integers(0, 2, shape)


def trained(name, make=build):
    """A model after a step, which sets the statistics that it has."""
    model = make(name)
    model.compile(jit_compile=jit_compile())
    model.fit(inputs(name), labels(name), verbose=0)
    return model


def assert_same_answers(name, answers, expected):
    is_real = np.ones(expected.shape, bool)
    if HEADS[name][0] is TOKEN:  # Padding has no answer.
        is_real[MASK == 0] = False
    scale = np.abs(expected).max()
    np.testing.assert_allclose(
        answers[is_real], expected[is_real], rtol=0, atol=1e-5 * scale
    )


@pytest.mark.parametrize("name", HEADS)
def test_what_another_backend_saved_answers_the_same(name, tmp_path):
    model = build(name)
    model.load_adapter(FOLDER / f"{name}.safetensors")
    answers = model.predict(inputs(name), verbose=0)
    assert_same_answers(name, answers, np.load(FOLDER / f"{name}.npy"))
    # What is saved here holds the same.
    path = tmp_path / "again.safetensors"
    model.save_adapter(path)
    fresh = build(name)
    fresh.load_adapter(path)
    np.testing.assert_array_equal(
        fresh.predict(inputs(name), verbose=0), answers
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "other", sorted({"torch", "jax", "tensorflow"} - {BACKEND})
)
def test_whole_models_and_presets_of_another_backend(other, tmp_path):
    environment = {
        **os.environ,
        "KERAS_BACKEND": other,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    arguments = [sys.executable, __file__, str(tmp_path)]
    subprocess.run(arguments, env=environment, check=True)
    for name, (head, _) in HEADS.items():
        expected = np.load(tmp_path / f"{name}.npy")
        for loaded in (
            keras.saving.load_model(tmp_path / f"{name}.keras"),
            head.from_preset(tmp_path / name),
        ):
            answers = loaded.predict(inputs(name), verbose=0)
            assert_same_answers(name, answers, expected)


@pytest.mark.skipif(BACKEND == "jax", reason="JAX does not write ONNX")
@pytest.mark.filterwarnings("ignore")  # The exporter's.
@pytest.mark.parametrize("name", EXPORTED)
def test_exported_to_onnx_it_answers_the_same(name, tmp_path):
    import onnxruntime

    model, x = trained(name, small), inputs(name)
    expected = model.predict(x, verbose=0)
    path = tmp_path / "model.onnx"
    parts = x if isinstance(x, dict) else {"tokens": x}
    specs = {
        part: keras.InputSpec(shape=v.shape, dtype=str(v.dtype), name=part)
        for part, v in parts.items()
    }
    signature = specs if len(specs) > 1 else specs["tokens"]
    model.export(
        path, format="onnx", verbose=False, input_signature=[signature]
    )
    session = onnxruntime.InferenceSession(path)
    by_rank = {part.ndim: part for part in parts.values()}
    fed = {node.name: by_rank[len(node.shape)] for node in session.get_inputs()}
    (answers,) = session.run(None, fed)
    assert answers.shape == expected.shape
    assert_same_answers(name, answers, expected)


def write(folder=FOLDER, is_whole=False):
    """Saves what is not there yet: adapters, or whole models and presets."""
    for name in HEADS:
        if (folder / f"{name}.npy").exists():
            continue
        model = trained(name)
        if is_whole:
            model.save(folder / f"{name}.keras")
            model.save_to_preset(folder / name)
        else:
            model.save_adapter(folder / f"{name}.safetensors")
        np.save(folder / f"{name}.npy", model.predict(inputs(name), verbose=0))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        write(pathlib.Path(sys.argv[1]), is_whole=True)
    else:
        write()
