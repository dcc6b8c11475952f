"""Models that are changed, saved and shared the way Keras users do it."""

import keras
import numpy as np
import pytest
from conftest import gpt2_backbone, jit_compile, snapshot
from keras import ops

from keras_fpt.models import FPTClassifier

X = np.random.default_rng(0).normal(size=(16, 4, 3)).astype("float32")
Y = (X.sum((1, 2)) > 0).astype("int32")
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def new_model(backbone=None, **options):
    """A model of one block that learns quickly."""
    backbone = backbone or new_backbone()
    options = {"input_dim": 3, **options}
    model = FPTClassifier(backbone, **options)
    compile_model(model)
    return model


def compile_model(model, optimizer=None, loss=LOSS):
    optimizer = optimizer or keras.optimizers.Adam(0.01)
    model.compile(optimizer, loss, jit_compile=jit_compile())


def new_backbone(**options):
    return gpt2_backbone(num_layers=1, hidden_dim=8, **options)


def called(model):
    return ops.convert_to_numpy(model(X, training=False))


def moved(model):
    """The weights that a `fit` changes."""
    before = snapshot(model.weights)
    model.fit(X, Y, verbose=0)
    after = snapshot(model.weights)
    return {p for p in after if not np.array_equal(before[p], after[p])}


class Changes(keras.callbacks.Callback):
    """Calls a function of the model after the first step of an epoch."""

    def __init__(self, change):
        super().__init__()
        self.change = change

    def on_train_batch_end(self, batch, logs=None):
        if batch == 0:
            self.change(self.model)


class TestCompiledFunctions:
    """Whatever changes what is computed drops what was compiled before."""

    def test_validation_follows_a_policy_set_after_evaluation(self):
        model = new_model()
        model.evaluate(X, Y, verbose=0)
        model.set_policy("low_rank+output")
        model.optimizer.learning_rate = 0.05
        history = model.fit(
            X, Y, epochs=2, validation_data=(X, Y), verbose=0
        ).history
        losses = history["val_loss"]
        assert losses[0] != losses[1]
        now = float(ops.convert_to_numpy(LOSS(Y, called(model))))
        np.testing.assert_allclose(losses[-1], now, rtol=1e-4)

    def test_predictions_follow_an_adapter_with_low_rank_weights(
        self, tmp_path
    ):
        path = tmp_path / "a.safetensors"
        trained = new_model(policy="low_rank+output")
        trained.fit(X, Y, epochs=2, verbose=0)
        trained.save_adapter(path)
        model = new_model()
        for old, new in zip(
            model.backbone.weights,
            (v for v in trained.backbone.weights if "lora" not in v.path),
            strict=True,
        ):
            old.assign(ops.convert_to_numpy(new))
        model.predict(X, verbose=0)
        model.load_adapter(path)
        np.testing.assert_allclose(
            model.predict(X, verbose=0), called(trained), atol=1e-6
        )

    @pytest.mark.parametrize(
        ("change", "trained"),
        [
            (lambda model: model.set_policy("output_only"), 2),
            (lambda model: setattr(model, "trainable", False), 0),
            (lambda model: model.set_policy("low_rank+output"), 14),
        ],
    )
    def test_a_callback_may_change_what_trains(self, change, trained):
        model = new_model()
        model.fit(X, Y, batch_size=8, verbose=0, callbacks=[Changes(change)])
        assert len(model.trainable_variables) == trained
        assert len(moved(model)) >= trained / 2  # Half of low rank waits.

    @pytest.mark.skipif(
        keras.backend.backend() == "jax",
        reason="Keras refuses the next step on JAX, as it says it does",
    )
    def test_a_flag_set_during_fit_waits_for_the_next(self):
        def freeze(model):
            model.backbone.get_layer("layer_norm").trainable = False

        model = new_model()
        model.fit(
            X,
            Y,
            epochs=3,
            validation_data=(X, Y),
            verbose=0,
            callbacks=[Changes(freeze)],
        )
        assert len(moved(model)) == len(model.trainable_variables) == 9

    def test_a_flag_set_in_the_last_step_moves_no_values(self):
        def freeze(model):
            model.backbone.get_layer("layer_norm").trainable = False

        values = []
        for callbacks in ([], [Changes(freeze)]):
            keras.utils.set_random_seed(0)
            model = new_model()
            model.fit(X, Y, verbose=0, shuffle=False, callbacks=callbacks)
            values.append([ops.convert_to_numpy(w) for w in model.weights])
        for old, new in zip(*values, strict=True):
            np.testing.assert_array_equal(old, new)

    def test_weights_spared_from_decay_stay_spared(self):
        model = new_model()
        optimizer = keras.optimizers.AdamW(0.0, weight_decay=100.0)
        optimizer.exclude_from_weight_decay(var_names=["gamma"])
        compile_model(model, optimizer)
        model.fit(X, Y, verbose=0)
        model.set_policy("layer_norm+output")
        model.optimizer.learning_rate = 1e-3
        model.fit(X, Y, verbose=0)
        gammas = [v for v in model.trainable_variables if v.name == "gamma"]
        assert min(float(ops.min(gamma)) for gamma in gammas) > 0.99
        kernel = ops.convert_to_numpy(model.output_layer.kernel)
        model.fit(X, Y, verbose=0)  # Others do decay.
        new = ops.convert_to_numpy(model.output_layer.kernel)
        assert np.abs(new).mean() < 0.95 * np.abs(kernel).mean()


class TestFlags:
    """The flags of layers and of weights say one thing, and are kept."""

    @pytest.mark.parametrize("input_dim", [3, None])
    def test_what_is_frozen_before_fit_stays_frozen(self, input_dim):
        model = new_model(input_dim=input_dim)
        model.backbone.trainable = False
        model.fit(X, Y, verbose=0)
        new = [*model.input_layer.weights, *model.output_layer.weights]
        assert moved(model) == {v.path for v in new}

    @pytest.mark.parametrize("input_dim", [3, None])
    def test_low_rank_weights_of_a_backbone_train(self, input_dim):
        model = new_model(input_dim=input_dim)
        model.backbone.enable_lora(2)
        compile_model(model)
        model.fit(X, Y, epochs=2, verbose=0)
        assert any("lora_kernel_b" in path for path in moved(model))

    def test_layers_say_what_their_weights_do(self):
        model = new_model()
        block = model.backbone.get_layer("transformer_layer_0")
        assert not block._feedforward_intermediate_dense.trainable
        assert block._feedforward_layer_norm.trainable
        block.trainable = True
        compile_model(model)
        assert len(moved(model)) >= len(block.weights)

    @pytest.mark.parametrize(
        "freeze",
        [
            lambda model: setattr(model, "trainable", False),
            lambda model: setattr(model.backbone, "trainable", False),
            lambda model: setattr(model.output_layer, "trainable", False),
            lambda model: setattr(
                model.backbone.get_layer("layer_norm"), "trainable", False
            ),
        ],
    )
    def test_flags_are_saved(self, freeze, tmp_path):
        model = new_model(input_dim=None)
        freeze(model)
        model.build((None, None, 3))
        model.save(tmp_path / "m.keras")
        loaded = keras.models.load_model(tmp_path / "m.keras")
        flags = [(v.path, v.trainable) for v in model.weights]
        assert flags == [(v.path, v.trainable) for v in loaded.weights]
        assert loaded.trainable == model.trainable
        assert loaded.backbone.trainable == model.backbone.trainable
        loaded.set_policy("fpt")
        assert len(loaded.trainable_variables) == 11


class TestLowRank:
    def test_it_trains_on_after_loading(self, tmp_path):
        model = new_model(policy="low_rank+output")
        model.fit(X, Y, epochs=2, verbose=0)
        model.save(tmp_path / "m.keras")
        model.save_weights(tmp_path / "m.weights.h5")
        loaded = keras.models.load_model(tmp_path / "m.keras")
        filled = new_model(policy="low_rank+output")
        filled.load_weights(tmp_path / "m.weights.h5")
        for other in (loaded, filled):
            np.testing.assert_array_equal(called(other), called(model))
            for old, new in zip(model.weights, other.weights, strict=True):
                np.testing.assert_array_equal(
                    ops.convert_to_numpy(old), ops.convert_to_numpy(new)
                )
            assert len(moved(other)) == len(other.trainable_variables) == 14

    def test_a_file_without_its_factors_starts_others(self, tmp_path):
        path = tmp_path / "m.weights.h5"
        plain = new_model()
        plain.save_weights(path)
        model = new_model(policy="low_rank+output")
        model.load_weights(path)
        np.testing.assert_allclose(called(model), called(plain), atol=1e-6)
        model.fit(X, Y, epochs=2, verbose=0)
        assert len(moved(model)) == 14

    def test_a_quantized_preset_with_it_loads_as_it_was(self, tmp_path):
        model = new_model(policy="low_rank+output", quantize="int8")
        model.fit(X, Y, epochs=2, verbose=0)
        model.save_to_preset(tmp_path / "preset")
        loaded = FPTClassifier.from_preset(tmp_path / "preset")
        np.testing.assert_allclose(called(loaded), called(model), atol=1e-6)


class TestQuantize:
    def test_what_is_saved_loads_as_it_was(self, tmp_path):
        model = new_model()
        model.predict(X, verbose=0)
        model.quantize("int8")
        expected = model.predict(X, verbose=0)
        np.testing.assert_allclose(expected, called(model), atol=1e-6)
        model.save_to_preset(tmp_path / "preset")
        preset = FPTClassifier.from_preset(tmp_path / "preset")
        model.save(tmp_path / "1.keras")
        first = keras.models.load_model(tmp_path / "1.keras")
        first.save(tmp_path / "2.keras")  # Loaded and saved again.
        second = keras.models.load_model(tmp_path / "2.keras")
        for loaded in (preset, first, second):
            assert loaded.quantize_mode == "int8"
            np.testing.assert_array_equal(called(loaded), called(model))

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"mode": "float8"}, "Unknown quantization 'float8'"),
            ({"mode": "int8", "filters": "attention"}, "only a mode"),
            (
                {
                    "config": keras.quantizers.Int4QuantizationConfig(
                        block_size=4
                    )
                },
                "only a mode",
            ),
        ],
    )
    def test_what_would_be_lost_is_refused(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            new_model().quantize(**arguments)

    def test_low_rank_weights_are_not_rounded(self):
        with pytest.raises(ValueError, match="low-rank weights already"):
            new_model(policy="low_rank+output").quantize("int8")


class TestTypes:
    def test_a_mixed_float16_backbone_scales_the_loss(self):
        def small_loss(y, logits):
            return 1e-6 * LOSS(y, logits)

        model = new_model(new_backbone(dtype="mixed_float16"))
        compile_model(model, loss=small_loss)
        assert len(moved(model)) == len(model.trainable_variables)

    @pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
    def test_other_types_train(self, dtype):
        model = FPTClassifier(new_backbone(dtype=dtype), input_dim=3)
        assert model.compute_dtype == dtype
        assert np.isfinite(model.fit(X, Y, verbose=0).history["loss"][0])
        logits = model.predict(X, verbose=0)
        has_float64 = keras.backend.backend() != "jax"  # Not by default.
        is_double = dtype == "float64" and has_float64
        assert logits.dtype == ("float64" if is_double else "float32")

    def test_another_type_than_the_backbone_s_is_refused(self):
        assert new_model(dtype="float32").dtype_policy.name == "float32"
        with pytest.raises(ValueError, match="backbone's dtype policy, 'float"):
            new_model(dtype="mixed_bfloat16")


class TestSharing:
    """A model's weights are its own, whatever it was made of."""

    @pytest.mark.parametrize("options", [{}, {"dropout": 0.1}])
    def test_training_one_changes_no_other(self, options):
        backbone = new_backbone()
        first, second = new_model(backbone), new_model(backbone, **options)
        expected = called(first)
        second.fit(X, Y, verbose=0)
        second.set_policy("output_only")
        np.testing.assert_array_equal(called(first), expected)
        assert len(first.trainable_variables) == 11
        first.fit(X, Y, verbose=0)  # On JAX, a step deletes shared arrays.

    def test_the_backbone_stays_usable(self):
        backbone = new_backbone()
        model = new_model(backbone, dropout=0.1)
        ids = np.ones((2, 4), "int32")
        tokens = {"token_ids": ids, "padding_mask": ids}
        before = backbone.predict(tokens, verbose=0)
        model.fit(X, Y, verbose=0)
        after = backbone.predict(tokens, verbose=0)
        np.testing.assert_array_equal(before, after)

    def test_a_copy_has_low_rank_and_integer_weights_too(self):
        backbone = new_backbone()
        model = new_model(backbone, quantize="int8", policy="low_rank+output")
        model.fit(X, Y, epochs=2, verbose=0)
        copy = new_model(backbone, policy="low_rank+output")
        ids = np.ones((2, 4), "int32")
        tokens = {"token_ids": ids, "padding_mask": ids}
        np.testing.assert_allclose(
            copy.backbone.predict(tokens, verbose=0),
            model.backbone.predict(tokens, verbose=0),
            atol=1e-6,
        )
        assert copy.backbone is not model.backbone is backbone

    def test_two_models_in_one_are_saved(self, tmp_path):
        first, second = new_model(), new_model()
        tokens = keras.Input((4, 3))
        both = keras.Model(tokens, first(tokens) - second(tokens))
        both.save(tmp_path / "both.keras")
        loaded = keras.models.load_model(tmp_path / "both.keras")
        np.testing.assert_array_equal(called(loaded), called(both))
