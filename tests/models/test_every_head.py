"""Models of every head that one backend has saved load on the others.

`exchange/` holds adapters that `write` has saved on PyTorch, after a step of
training, with what their models answered there. To make it again:

    KERAS_BACKEND=torch python tests/models/test_exchange.py
"""

import pathlib

import numpy as np
import pytest

import keras_fpt

FOLDER = pathlib.Path(__file__).parent / "exchange"
HEADS = {
    "multi_label": (keras_fpt.FPTMultiLabelClassifier, {"num_labels": 3}),
    "token": (keras_fpt.FPTTokenClassifier, {"num_classes": 4}),
    "regressor": (
        keras_fpt.FPTRegressor,
        {"num_targets": 2, "quantiles": (0.1, 0.5, 0.9)},
    ),
    "forecaster": (
        keras_fpt.FPTForecaster,
        {"horizon": 3, "sequence_length": 6},
    ),
}


def build(name):
    head, shape = HEADS[name]
    # Without the positions, which would make large files.
    return head.from_preset(
        "gpt2_tiny_en",
        input_dim=2,
        policy="input+layer_norm+output",
        depth=1,
        dropout=0.0,
        **shape,
    )


def inputs(name):
    """Series of 3 to 6 steps, and whether each step is real.

    Those of a forecaster have one length, and so no mask.
    """
    x = np.random.default_rng(0).normal(size=(4, 6, 2)).astype("float32")
    if name == "forecaster":
        return x
    return {"tokens": x, "padding_mask": np.arange(6) < [[3], [4], [5], [6]]}


def labels(name):
    draw = np.random.default_rng(1)
    return {
        "multi_label": draw.integers(0, 2, (4, 3)),
        "token": draw.integers(0, 4, (4, 6)),
        "regressor": 50 + 10 * draw.normal(size=(4, 2)),
        "forecaster": 50 + 10 * draw.normal(size=(4, 3, 2)),
    }[name]


def write(folder=FOLDER):
    folder.mkdir(exist_ok=True)
    for name in HEADS:
        model = build(name)
        model.fit(inputs(name), labels(name), verbose=0)
        model.save_adapter(folder / f"{name}.safetensors")
        answers = model.predict(inputs(name), verbose=0)
        np.save(folder / f"{name}.npy", answers)


@pytest.mark.parametrize("name", HEADS)
def test_what_another_backend_saved_answers_the_same(name, tmp_path):
    model = build(name)
    model.load_adapter(FOLDER / f"{name}.safetensors")
    answers = model.predict(inputs(name), verbose=0)
    expected = np.load(FOLDER / f"{name}.npy")
    is_real = np.ones(expected.shape, bool)
    if name == "token":  # Padding has no answer.
        is_real[~inputs(name)["padding_mask"]] = False
    scale = np.abs(expected).max()
    np.testing.assert_allclose(
        answers[is_real], expected[is_real], rtol=0, atol=1e-5 * scale
    )
    # What is saved here holds the same.
    path = tmp_path / "again.safetensors"
    model.save_adapter(path)
    fresh = build(name)
    fresh.load_adapter(path)
    np.testing.assert_array_equal(
        fresh.predict(inputs(name), verbose=0), answers
    )


if __name__ == "__main__":
    write()
