"""Frozen products in bfloat16, beside the same model in float32."""

import keras
import numpy as np
import pytest
from conftest import gpt2_backbone, jit_compile, snapshot
from families import FAMILIES, draw_weights, numpy
from test_fast_network import gradients, padded

from keras_fpt import FPTClassifier
from keras_fpt.models import (
    StackedClassifiers,
    frozen_kernels,
    paper_optimizer,
    precision,
)


def model_of(precision, name="gpt2", num_layers=1, **arguments):
    keras.utils.set_random_seed(0)
    backbone = FAMILIES[name].build(num_layers=num_layers)
    draw_weights(backbone)
    model = FPTClassifier(
        backbone, 3, input_dim=4, precision=precision, **arguments
    )
    model.compile(jit_compile=jit_compile())
    return model


def pair(name="gpt2", **arguments):
    """A model in bfloat16 and one in float32, with the same weights."""
    return [model_of(p, name, **arguments) for p in ("bfloat16", "float32")]


def norm(arrays):
    return np.sqrt(sum(np.sum(np.square(array)) for array in arrays))


def assert_close(low, exact, x, y):
    ours, theirs = (numpy(model(x)) for model in (low, exact))
    assert 0 < np.abs(ours - theirs).max() < 2e-2
    assert ours.dtype == theirs.dtype
    found, expected = (gradients(model, x, y) for model in (low, exact))
    assert norm(found) == pytest.approx(norm(expected), rel=1e-2)
    apart = norm([a - b for a, b in zip(found, expected, strict=True)])
    assert 0 < apart < 3e-2 * norm(expected)


@pytest.mark.parametrize("name", ["gpt2", "bert"])
def test_logits_and_gradients_are_close_to_those_of_float32(name):
    low, exact = pair(name, num_layers=2)
    assert_close(low, exact, *padded(low))


@pytest.mark.parametrize(
    "arguments",
    [
        {"policy": "fpt+feedforward"},
        pytest.param(
            {"rematerialize": True, "readout": "mean"}, marks=pytest.mark.slow
        ),
        pytest.param({"policy": "fpt+low_rank"}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_settings_that_it_must_heed(arguments):
    low, exact = pair(num_layers=2, **arguments)
    x, y = padded(low)
    if "low_rank" not in low.policy:
        return assert_close(low, exact, x, y)
    # Layers with low-rank weights compute in float32; none is left here.
    np.testing.assert_array_equal(*(numpy(model(x)) for model in (low, exact)))


def fit(model, x, y, **arguments):
    x = x["tokens"] if isinstance(x, dict) else x
    model.fit(x, y, batch_size=2, verbose=0, shuffle=False, **arguments)


def predicted(model, x):
    return model.predict(x, verbose=0)


def assert_up_to_date(model, x):
    """It computes what a new model with its weights and policy does."""
    other = model_of("bfloat16", policy=model.policy)
    named = snapshot(model.backbone.weights)
    for variable in other.backbone.weights:
        variable.assign(named[variable.path])
    for ours, theirs in (
        (other.input_layer, model.input_layer),
        (other.output_layer, model.output_layer),
    ):
        ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(
        predicted(model, x), predicted(other, x), atol=1e-6
    )


def test_training_leaves_frozen_weights_as_they_are():
    model = model_of("bfloat16")
    x, y = padded(model)
    names = [v.path for v in model.variables]
    before = snapshot(model.non_trainable_weights)
    fit(model, x, y, epochs=2)
    after = snapshot(model.non_trainable_weights)
    assert before.keys() == after.keys()
    for path, value in before.items():
        np.testing.assert_array_equal(value, after[path], err_msg=path)
    assert [v.path for v in model.variables] == names
    assert model.count_params() == model_of("float32").count_params()
    assert_up_to_date(model, x)


@pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="It is of PyTorch."
)
@pytest.mark.parametrize("is_fast", [True, False])
def test_processors_with_and_without_fast_products(is_fast, monkeypatch):
    from keras_fpt.compat import torch_internals

    monkeypatch.setattr(torch_internals, "multiplies_bfloat16", lambda: is_fast)
    low, exact = pair()
    assert_close(low, exact, *padded(low))


@pytest.mark.skipif(
    keras.backend.backend() == "tensorflow", reason="It casts in each step."
)
def test_kernels_are_cast_once_for_all_steps(monkeypatch):
    cast, calls = frozen_kernels.cast_kernels, []
    monkeypatch.setattr(
        frozen_kernels,
        "cast_kernels",
        lambda block: calls.append(block) or cast(block),
    )
    model = model_of("bfloat16", num_layers=2)
    x, y = padded(model)
    fit(model, x, y)
    assert calls
    calls.clear()
    fit(model, x, y, epochs=2, validation_data=(x["tokens"], y))
    model.evaluate(x, y, verbose=0)
    predicted(model, x)
    fit(model, x, y)
    assert not calls


@pytest.mark.parametrize(
    "change",
    [
        "assign",
        "load_weights",
        "set_policy",
        pytest.param("callback", marks=pytest.mark.slow),
    ],
)
def test_changed_weights_are_used(change, tmp_path):
    model, other = model_of("bfloat16"), model_of("float32")
    x, y = padded(model)
    for variable in other.variables:
        if variable.path.endswith("kernel"):
            variable.assign(numpy(variable) * -1.5)
    fit(model, x, y)
    before = predicted(model, x)
    if change == "assign":
        kernel = model.cut.fast.blocks[0]._feedforward_output_dense.kernel
        kernel.assign(-1 * numpy(kernel))
    elif change == "load_weights":
        path = str(tmp_path / "w.weights.h5")
        other.optimizer.build(other.trainable_variables)
        other.save_weights(path)
        model.load_weights(path)
    elif change == "set_policy":
        model.set_policy("fpt+feedforward")
        model.compile(keras.optimizers.SGD(0.1), jit_compile=jit_compile())
        fit(model, x, y)
        model.set_policy("fpt")
    else:
        kernels = [v for v in model.backbone.weights if "kernel" in v.path]

        class Change(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                for kernel in kernels:
                    kernel.assign(-1 * numpy(kernel))

        fit(model, x, y, epochs=2, callbacks=[Change()])
    assert np.abs(predicted(model, x) - before).max() > 1e-3
    assert_up_to_date(model, x)
    np.testing.assert_allclose(
        numpy(model(x, training=False)), predicted(model, x), atol=1e-5
    )


def test_a_copy_has_the_same_precision_and_an_adapter_none(tmp_path):
    low, exact = pair()
    x, y = padded(low)
    copy = FPTClassifier.from_config(low.get_config())
    assert copy.options.precision == "bfloat16"
    fit(low, x, y)
    low.save_adapter(tmp_path / "adapter.safetensors")
    exact.load_adapter(tmp_path / "adapter.safetensors")
    assert exact.options.precision == "float32"
    np.testing.assert_allclose(predicted(low, x), predicted(exact, x), atol=0.1)


def test_features_computed_once_are_those_of_the_model():
    model = model_of("bfloat16", policy="output_only", dropout=0)
    x, _ = padded(model)
    head = model.feature_head()
    np.testing.assert_allclose(
        head.predict(model.frozen_features(x), verbose=0),
        predicted(model, x),
        atol=1e-5,
    )


def test_a_stack_computes_as_one_model_does():
    models = [model_of("bfloat16", dropout=0.0) for _ in range(2)]
    for model, rate in zip(models, (1e-3, 1e-2), strict=True):
        model.compile(paper_optimizer(rate), jit_compile=jit_compile())
    alone = model_of("bfloat16", dropout=0.0)
    alone.compile(paper_optimizer(1e-2), jit_compile=jit_compile())
    x, y = padded(alone)
    stack = StackedClassifiers(models)
    fit(stack, x, y)
    stack.unstack()
    fit(alone, x, y)
    np.testing.assert_allclose(
        predicted(models[1], x), predicted(alone, x), atol=1e-2
    )
    with pytest.raises(ValueError, match="same precision"):
        StackedClassifiers([models[0], model_of("float32", dropout=0.0)])


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fast": False}, "computed by KerasHub's layers"),
        ({"quantize": "int8"}, "is quantized"),
        ({"dtype": "mixed_bfloat16"}, "dtype is mixed_bfloat16"),
    ],
    ids=str,
)
def test_what_cannot_compute_in_bfloat16(arguments, message, messages):
    dtype = arguments.pop("dtype", None)

    def make(precision):
        backbone = gpt2_backbone(dtype=dtype)
        return FPTClassifier(
            backbone, input_dim=4, precision=precision, **arguments
        )

    with pytest.raises(ValueError, match=message):
        make("bfloat16")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(precision, "_device", lambda backbone: ("tpu", None))
        assert make("auto").options.precision == "float32"
    assert message in messages[-1]


@pytest.mark.backend_free
def test_a_model_in_bfloat16_is_not_quantized_later():
    model = model_of("bfloat16")
    with pytest.raises(ValueError, match="precision='bfloat16'"):
        model.quantize("int8")
    with pytest.raises(ValueError, match="Unknown precision 'half'"):
        model_of("half")


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("kind", "capability", "flags", "chosen", "reason"),
    [
        ("cpu", None, "fma avx2", "float32", "neither amx_bf16 nor avx512"),
        ("cpu", None, "avx512_bf16", "bfloat16", "has avx512_bf16"),
        ("cpu", None, "amx_bf16 avx2", "bfloat16", "has amx_bf16"),
        ("cpu", None, None, "float32", "are unknown"),
        ("gpu", (7, 5), None, "float32", "7.5"),
        ("gpu", (9, 0), None, "bfloat16", "9.0"),
        ("gpu", None, None, "float32", "unknown"),
        ("tpu", None, None, "bfloat16", "TPU"),
        ("mps", None, None, "float32", "mps"),
    ],
)
def test_auto_asks_the_processor(
    kind, capability, flags, chosen, reason, tmp_path, monkeypatch, messages
):
    monkeypatch.setattr(precision, "_device", lambda _: (kind, capability))
    path = tmp_path / "cpuinfo"
    if flags is not None:
        path.write_text(f"processor : 0\nflags\t\t: fpu {flags}\nbugs :\n")
    monkeypatch.setattr(precision, "_CPU_INFO", path)
    model = FPTClassifier(gpt2_backbone(), precision="auto")
    assert model.options.precision == chosen
    assert chosen in messages[-1] and reason in messages[-1]


def test_the_processor_of_this_machine_can_be_asked():
    choice = precision.of_processor(gpt2_backbone())
    assert choice.precision in ("float32", "bfloat16")
