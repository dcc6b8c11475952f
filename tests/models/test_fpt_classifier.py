import dataclasses
import subprocess
import sys

import keras
import numpy as np
import pytest
from conftest import gpt2_backbone, jit_compile, snapshot

import keras_fpt
from keras_fpt import FPTClassifier, freezing
from keras_fpt.models import ModelOptions, paper_optimizer


@pytest.fixture
def one_block():
    """For what does not depend on the number of blocks."""
    return gpt2_backbone(num_layers=1)


def logits(model, x):
    return keras.ops.convert_to_numpy(model(x, training=False))


@pytest.mark.backend_free
def test_logits_have_one_row_per_example(backbone, data):
    model = FPTClassifier(backbone, num_classes=4)
    assert model.predict(data[0], verbose=0).shape == (12, 4)
    assert model.input_dim == 3


@pytest.mark.backend_free
def test_several_answers_are_ordered_token_by_token(backbone, data):
    model = FPTClassifier(
        backbone, num_classes=2, num_output_tokens=3, labels_per_token=4
    )
    x = data[0]
    assert logits(model, x).shape == (12, 12, 2)
    # The first four answers come only from the third last token.
    changed = x.copy()
    changed[:, -1] += 1.0
    before, after = logits(model, x), logits(model, changed)
    np.testing.assert_array_equal(before[:, :8], after[:, :8])
    assert np.abs(before[:, 8:] - after[:, 8:]).max() > 1e-4


def test_integer_tokens(backbone):
    model = FPTClassifier(backbone, num_classes=3, vocabulary_size=20)
    x = np.random.randint(0, 20, (4, 7)).astype("int32")
    assert logits(model, x).shape == (4, 3)
    report = model.parameter_report()
    assert report.loc["input", "parameters"] == 20 * 16


def test_padding_changes_nothing(backbone, data):
    model = FPTClassifier(backbone, num_output_tokens=2, num_classes=3)
    x = data[0][:3]
    alone = [logits(model, x[:1, :4]), logits(model, x[1:2, :7])]
    mask = np.arange(10)[None] < np.array([4, 7, 10])[:, None]
    padded = np.where(mask[..., None], x, 99.0).astype("float32")
    batch = {"tokens": padded, "padding_mask": mask.astype("int32")}
    together = logits(model, batch)
    np.testing.assert_allclose(together[:1], alone[0], atol=1e-5)
    np.testing.assert_allclose(together[1:2], alone[1], atol=1e-5)
    np.testing.assert_allclose(together[2:], logits(model, x[2:]), atol=1e-5)


def test_default_recipe_is_the_papers(backbone):
    model = FPTClassifier(backbone)
    assert isinstance(model.optimizer, keras.optimizers.Adam)
    config = model.optimizer.get_config()
    assert config["learning_rate"] == pytest.approx(1e-3)
    assert config["epsilon"] == pytest.approx(1e-8)
    assert config["global_clipnorm"] == 1.0


@pytest.mark.backend_free
def test_paper_optimizer_takes_another_rate_and_accumulation(backbone):
    default = FPTClassifier(backbone).optimizer.get_config()
    changed = {"learning_rate": 0.25, "gradient_accumulation_steps": 4}
    config = paper_optimizer(**changed).get_config()
    assert {**config, "name": ""} == {**default, **changed, "name": ""}


class TestCompile:
    """Arguments that are left out are the paper's."""

    def test_once_by_the_user(self, one_block, data):
        model = FPTClassifier(one_block, input_dim=3, compile=False)
        assert not model.compiled
        with pytest.raises(ValueError, match="compile"):
            model.fit(*data, verbose=0)
        model.compile(optimizer=paper_optimizer(0.25))
        assert float(model.optimizer.learning_rate) == 0.25
        history = model.fit(*data, verbose=0).history
        assert history.keys() == {"accuracy", "loss"}

    def test_another_loss_brings_no_metrics(self, one_block, data):
        model = FPTClassifier(one_block, input_dim=3, compile=False)
        model.compile("sgd", "sparse_categorical_crossentropy")
        assert isinstance(model.optimizer, keras.optimizers.SGD)
        assert model.fit(*data, verbose=0).history.keys() == {"loss"}

    @pytest.mark.backend_free
    def test_other_metrics_replace_the_papers(self, backbone, data):
        model = FPTClassifier(backbone, input_dim=3)
        top_2 = keras.metrics.SparseTopKCategoricalAccuracy(2, name="top_2")
        model.compile(metrics=[top_2])
        assert model.fit(*data, verbose=0).history.keys() == {"loss", "top_2"}

    @pytest.mark.backend_free
    def test_arguments_in_keras_order(self, backbone, data):
        model = FPTClassifier(backbone, input_dim=3)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("sgd", loss, None, ["accuracy"], steps_per_execution=1)
        history = model.fit(*data, verbose=0).history
        assert history.keys() == {"accuracy", "loss"}

    def test_keras_decides_on_xla_where_the_loss_is_another(self, backbone):
        model = FPTClassifier(backbone)
        on_jax = keras.backend.backend() == "jax"
        assert model.jit_compile == on_jax
        plain = keras.Sequential([keras.layers.Dense(2)])
        plain.compile("sgd", "sparse_categorical_crossentropy")
        model.compile("sgd", "sparse_categorical_crossentropy")
        assert model.jit_compile == plain.jit_compile
        model.compile("sgd", jit_compile=False)
        assert model.jit_compile is False

    def test_a_saved_model_is_compiled_as_it_was(
        self, one_block, data, tmp_path
    ):
        model = FPTClassifier(one_block, input_dim=3)
        model.compile(
            "sgd", "sparse_categorical_crossentropy", jit_compile=jit_compile()
        )
        model.fit(*data, verbose=0)
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        assert isinstance(loaded.optimizer, keras.optimizers.SGD)
        assert loaded.loss == "sparse_categorical_crossentropy"
        assert loaded.jit_compile == model.jit_compile
        assert int(loaded.optimizer.iterations) == 1
        history = loaded.fit(*data, verbose=0).history
        assert history.keys() == {"loss"}


@pytest.mark.backend_free
class TestOptions:
    def test_every_option_is_an_argument(self, backbone):
        given = ModelOptions(
            policy="fpt+low_rank",
            readout="mean",
            depth=1,
            learned_positions=5,
            lora_rank=2,
            dropout=0.25,
            rematerialize=True,
        )
        arguments = {
            name: value
            for name, value in dataclasses.asdict(given).items()
            if name != "dtype"
        }
        model = FPTClassifier(backbone, name="mine", **arguments)
        assert model.options == given
        assert model.name == "mine"
        assert (model.lora_rank, model.learned_positions) == (2, 5)
        assert model.max_sequence_length == 5
        copy = FPTClassifier.from_config(model.get_config())
        assert copy.backbone.num_layers == 1
        # Depth and dropout are the backbone's by now.
        assert copy.options == dataclasses.replace(
            given, depth=None, dropout=None
        )

    def test_defaults_are_filled_in(self, backbone):
        model = FPTClassifier(backbone, policy=None, learned_positions=False)
        assert model.options == ModelOptions(
            policy="fpt", learned_positions=None
        )
        model.set_policy("output_only")
        assert model.options.policy == model.policy == "output_only"


@pytest.mark.backend_free
def test_paper_counts_for_gpt2_base():
    backbone = gpt2_backbone(
        num_layers=12,
        num_heads=12,
        hidden_dim=768,
        intermediate_dim=3072,
        max_sequence_length=1024,
    )
    report = FPTClassifier(backbone, input_dim=16).parameter_report()
    assert report.loc["layer_norm", "parameters"] == 38_400
    assert report.loc["positions", "parameters"] == 786_432
    assert list(report.index[report["trains"]]) == [
        "input",
        "positions",
        "layer_norm",
        "output",
        "total",
    ]


def test_frozen_stay_identical_and_trained_move(backbone, data):
    model = FPTClassifier(backbone, input_dim=3)
    x = np.tile(data[0], (1, 12, 1))  # all of the 128 positions but eight
    x = np.concatenate([x, x[:, :8]], axis=1)
    before = snapshot(model.weights)
    model.fit(x, data[1], batch_size=12, epochs=50, verbose=0)
    after = snapshot(model.weights)
    trained = {v.path for v in model.trainable_variables}
    assert len(trained) == 2 + 1 + 10 + 2
    for path in before:
        same = before[path] == after[path]
        assert same.all() != (path in trained), path


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="Keras makes the optimizer's slots before the first step elsewhere",
)
def test_a_step_is_traced_once(one_block, data, monkeypatch):
    model = FPTClassifier(one_block, input_dim=3)
    train_step, traces = model.train_step, []

    def counted(batch):
        traces.append(batch)
        return train_step(batch)

    monkeypatch.setattr(model, "train_step", counted)
    model.fit(*data, batch_size=4, epochs=2, verbose=0)
    assert len(traces) == 1


def test_accumulated_gradients_move_weights_as_one_batch_does():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(24, 5, 3)).astype("float32")
    y = generator.integers(0, 2, 24)
    predictions = []
    for steps, batch_size in ((None, 12), (3, 4)):
        keras.utils.set_random_seed(0)
        model = FPTClassifier(gpt2_backbone(num_layers=1), input_dim=3)
        model.compile(paper_optimizer(gradient_accumulation_steps=steps))
        model.fit(x, y, batch_size=batch_size, shuffle=False, verbose=0)
        predictions.append(model.predict(x, verbose=0))
    np.testing.assert_allclose(*predictions, atol=1e-5)


def test_paths_are_unique(backbone, data):
    model = FPTClassifier(backbone, input_dim=3)
    paths = [v.path for v in model.variables]
    assert len(paths) == len(set(paths))


@pytest.mark.backend_free
@pytest.mark.parametrize("positions", ["zero", "random"])
def test_bit_xor_trains_without_nan(backbone, positions):
    if positions == "zero":
        embeddings = backbone.position_embedding.position_embeddings
        embeddings.assign(np.zeros(embeddings.shape))
    task = keras_fpt.tasks.get("bit_xor")
    model = FPTClassifier(backbone, **task.model_arguments())
    train = task.datasets(batch_size=16).train
    history = model.fit(train, steps_per_epoch=60, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


class TestSetPolicy:
    def moved(self, model, data):
        before = snapshot(model.weights)
        model.fit(*data, batch_size=6, epochs=3, verbose=0)
        after = snapshot(model.weights)
        return {p for p in before if (before[p] != after[p]).any()}

    def test_takes_effect_at_the_next_fit(self, one_block, data):
        model = FPTClassifier(one_block, input_dim=3)
        groups = {
            variable.path: group
            for group, variables in freezing.parameter_groups(model).items()
            for variable in variables
        }
        for policy in ("fpt", "output_only", "fpt+attention", "layer_norm"):
            model.set_policy(policy)
            moved = {groups[path] for path in self.moved(model, data)}
            assert moved == freezing.parse_policy(policy), policy

    @pytest.mark.backend_free
    def test_full_trains_all_but_the_token_embedding(self, backbone, data):
        model = FPTClassifier(backbone, input_dim=3)
        self.moved(model, data)
        model.set_policy("full")
        moved = self.moved(model, data)
        # Biases of keys get no gradient from softmax, up to rounding.
        still = {v.path for v in model.weights} - moved
        assert {p for p in still if "key/bias" not in p} == {
            "token_embedding/embeddings"
        }

    def test_keeps_the_optimizers_settings(self, one_block, data):
        model = FPTClassifier(one_block, input_dim=3)
        model.optimizer.learning_rate = 0.02
        model.set_policy("output_only")
        assert float(model.optimizer.learning_rate) == pytest.approx(0.02)
        model.fit(*data, verbose=0)
        assert int(model.optimizer.iterations) == 1

    def test_trainable_means_what_the_policy_says(self, backbone):
        model = FPTClassifier(backbone, input_dim=3)
        paths = [v.path for v in model.trainable_variables]
        model.trainable = False
        assert model.trainable_variables == []
        model.trainable = True
        assert [v.path for v in model.trainable_variables] == paths

    def test_unknown_group_changes_nothing(self, backbone):
        model = FPTClassifier(backbone)
        with pytest.raises(ValueError, match="'atention'"):
            model.set_policy("fpt+atention")
        assert model.policy == "fpt"


@pytest.mark.backend_free
def test_weights_of_samples_and_classes(backbone, data):
    x, y = data
    model = FPTClassifier(backbone, input_dim=3, policy="output_only")
    even = model.evaluate(x, y, verbose=0)[0]
    only = model.evaluate(
        x, y, sample_weight=(y == 1).astype("float32"), verbose=0
    )[0]
    ones = model.evaluate(x[y == 1], y[y == 1], verbose=0)[0]
    assert only == pytest.approx(ones * (y == 1).mean(), rel=1e-4)
    assert only != pytest.approx(even)
    history = model.fit(x, y, class_weight={0: 0.0, 1: 1.0}, verbose=0)
    assert history.history["loss"][0] == pytest.approx(only, rel=1e-4)


def test_keras_file_gives_back_the_model(one_block, data, tmp_path):
    model = FPTClassifier(one_block, num_classes=3, policy="output_only")
    model.fit(*data, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        model.predict(data[0], verbose=0), loaded.predict(data[0], verbose=0)
    )
    assert loaded.policy == "output_only"
    assert [v.path for v in loaded.trainable_variables] == [
        v.path for v in model.trainable_variables
    ]
    loaded.fit(*data, verbose=0)
    assert int(loaded.optimizer.iterations) == 2


@pytest.mark.slow
def test_keras_file_loads_in_another_process(backbone, tmp_path):
    FPTClassifier(backbone, input_dim=3).save(tmp_path / "model.keras")
    program = (
        "import keras_fpt, keras\n"
        f"model = keras.saving.load_model({str(tmp_path / 'model.keras')!r})\n"
        "print(type(model).__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True
    )
    assert done.stdout.split() == ["FPTClassifier"], done.stderr


@pytest.mark.backend_free
def test_config_round_trip(backbone):
    model = FPTClassifier(backbone, num_classes=7, vocabulary_size=9)
    copy = FPTClassifier.from_config(model.get_config())
    assert copy.head_config() == model.head_config()


@pytest.mark.backend_free
def test_is_a_layer_of_a_larger_model(backbone, data):
    inputs = keras.Input((10, 3))
    part = FPTClassifier(backbone, num_classes=4)
    outputs = keras.layers.Dense(2)(part(inputs))
    model = keras.Model(inputs, outputs)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    before = snapshot(part.weights)
    model.fit(*data, verbose=0)
    frozen = snapshot(part.non_trainable_weights)
    assert frozen
    for path, value in frozen.items():
        np.testing.assert_array_equal(before[path], value)


@pytest.mark.backend_free
def test_dropout_argument_replaces_the_backbones(backbone, data):
    model = FPTClassifier(backbone, dropout=0.5, input_dim=3)
    for old, new in zip(
        backbone.get_weights(), model.backbone.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(old, new)
    one = keras.ops.convert_to_numpy(model(data[0], training=True))
    two = keras.ops.convert_to_numpy(model(data[0], training=True))
    assert np.abs(one - two).max() > 1e-3
    np.testing.assert_array_equal(
        logits(model, data[0]), logits(model, data[0])
    )


@pytest.mark.backend_free
@pytest.mark.parametrize("readout", ["first", "mean", "pooled", "last"])
def test_bert_with_every_readout(data, readout):
    import keras_hub

    bert = keras_hub.models.BertBackbone(
        vocabulary_size=50,
        num_layers=1,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=32,
        max_sequence_length=16,
    )
    model = FPTClassifier(bert, readout=readout, num_classes=3)
    history = model.fit(data[0], data[1], verbose=0)
    assert np.isfinite(history.history["loss"][0])
    groups = freezing.parameter_groups(model)
    assert sum(map(len, groups.values())) == len(model.weights)


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"policy": "norms"}, "Unknown policy or parameter group 'norms'"),
        ({"readout": "middle"}, "Unknown readout 'middle'"),
        ({"readout": "pooled"}, "no pooled output"),
        ({"readout": "mean", "num_output_tokens": 2}, "reads one token"),
        ({"num_classes": 0}, "num_classes to be an integer of at least 1"),
        ({"input_dim": True}, "input_dim to be an integer .* received True"),
        ({"learned_positions": True}, "learned_positions to be an integer"),
        ({"depth": 1.5}, "depth to be an integer of at least 0"),
        ({"input_dim": 0}, "input_dim to be an integer of at least 1"),
        ({"input_dim": 3, "vocabulary_size": 5}, "not both"),
        ({"dropout": 1.0}, "dropout rate from 0 to below 1"),
    ],
)
def test_bad_arguments(backbone, change, message):
    with pytest.raises(ValueError, match=message):
        FPTClassifier(backbone, **change)


def test_only_text_backbones_can_be_cut():
    with pytest.raises(ValueError, match="received Sequential"):
        FPTClassifier(keras.Sequential([keras.layers.Dense(3)]))
