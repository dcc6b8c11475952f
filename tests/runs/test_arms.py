import functools
import json

import numpy as np
import pytest
from conftest import snapshot
from keras import ops

from keras_fpt import freezing, presets
from keras_fpt.pretraining import BitMemoryConfig, bit_memory
from keras_fpt.runs import (
    RunConfig,
    arms,
    build_model,
    evaluate,
    resolve,
    train,
)

# Twelve layers take long. What freezes and trains one of the others does so for
# all, on every backend.
MARKS = {"random_lstm_deep": pytest.mark.slow, "fpt": (), "one_attention": ()}
QUICK = [
    pytest.param(name, marks=MARKS.get(name, pytest.mark.backend_free))
    for name in arms.ARMS
]


@pytest.fixture(autouse=True)
def home(small_evaluations, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_FPT_HOME", str(tmp_path / "home"))
    small = functools.partial(
        BitMemoryConfig, steps=2, batch_size=8, target_accuracy=0.0
    )
    monkeypatch.setattr(bit_memory, "BitMemoryConfig", small)


@pytest.fixture(scope="session")
def vit(tmp_path_factory):
    """A preset folder of a tiny random ViT."""
    import keras_hub

    folder = tmp_path_factory.mktemp("presets") / "vit"
    keras_hub.models.ViTBackbone(
        image_shape=(8, 8, 3),
        patch_size=4,
        num_layers=2,
        num_heads=2,
        hidden_dim=16,
        mlp_dim=32,
    ).save_to_preset(str(folder))
    return str(folder)


def make(arm, preset, **changes):
    config = RunConfig("bit_xor", preset, arm).with_settings(
        batch_size=8, **changes
    )
    run = resolve(config)
    return build_model(run), run.task


@pytest.mark.parametrize("arm", QUICK)
def test_what_an_arm_freezes_stays_bit_identical(arm, preset, vit):
    model, task = make(arm, vit if arm == "vit" else preset)
    # Two are enough to see that compiled steps do the same.
    model.run_eagerly = arm not in ("fpt", "full")
    trained = freezing.parse_policy(model.policy)
    groups = freezing.parameter_groups(model)
    frozen = [v for g, vs in groups.items() if g not in trained for v in vs]
    assert sum(map(len, groups.values())) == len(model.weights)
    assert arm == "vit" or groups["other"] == []
    before = snapshot(frozen)
    changing = snapshot(model.trainable_variables)
    model.fit(task.datasets(8).train, steps_per_epoch=5, verbose=0)
    for path, value in snapshot(frozen).items():
        np.testing.assert_array_equal(value, before[path], err_msg=path)
    after = snapshot(model.trainable_variables)
    assert all((after[path] != changing[path]).any() for path in after)


# What `bit` pretrains is compared below.
@pytest.mark.backend_free
@pytest.mark.parametrize(
    "arm", [arm for arm in QUICK if arm.values[0] not in ("bit", "vit")]
)
def test_an_arm_is_the_same_every_time(arm, preset):
    first, second = (make(arm, preset, seed=3)[0] for _ in range(2))
    for old, new in zip(
        first.backbone.get_weights(), second.backbone.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(old, new)


@pytest.mark.backend_free
def test_statistics_keeps_each_tensors_mean_and_deviation(preset):
    model, _ = make("statistics", preset)
    source = presets.load_backbone(preset)
    for new, old in zip(model.backbone.weights, source.weights, strict=True):
        new, old = ops.convert_to_numpy(new), ops.convert_to_numpy(old)
        error = 5 * old.std() / np.sqrt(old.size)
        assert abs(new.mean() - old.mean()) <= error
        assert abs(new.std() - old.std()) <= error
        assert old.std() == 0 or (new != old).any()


@pytest.mark.backend_free
def test_lstms_have_the_width_of_the_preset(preset):
    shallow, _ = make("random_lstm", preset)
    deep, task = make("random_lstm_deep", preset)
    assert (shallow.backbone.num_layers, deep.backbone.num_layers) == (3, 12)
    assert shallow.backbone.hidden_dim == deep.backbone.hidden_dim == 16
    groups = freezing.parameter_groups(shallow)
    assert groups["positions"] == []
    assert not any(v.trainable for v in groups["recurrent"])
    (positions,) = freezing.parameter_groups(deep)["positions"]
    assert tuple(positions.shape) == (task.sequence_length, 16)


@pytest.mark.backend_free
def test_the_seed_changes_what_is_drawn(preset):
    for arm in ("random", "statistics", "permuted", "spectrum", "lstm"):
        first, second = (make(arm, preset, seed=s)[0] for s in (0, 1))
        same = [
            np.array_equal(a, b)
            for a, b in zip(
                first.backbone.get_weights(),
                second.backbone.get_weights(),
                strict=True,
            )
        ]
        assert not all(same), arm


@pytest.mark.backend_free
def test_a_draw_is_for_arms_that_draw(preset):
    usual, wide, flat = (
        make("random", preset, **changes)[0].backbone.get_weights()
        for changes in ({}, {"init_scale": 2.0}, {"random_init": "flat"})
    )
    assert any((a != b).any() for a, b in zip(usual, wide, strict=True))
    assert any((a != b).any() for a, b in zip(usual, flat, strict=True))
    for arm in ("fpt", "permuted"):
        with pytest.raises(ValueError, match=f"'{arm}' does not.*random, full"):
            make(arm, preset, init_scale=2.0)
    with pytest.raises(ValueError, match="Unknown random_init 'flatter'"):
        make("random", preset, random_init="flatter")


@pytest.mark.backend_free
def test_bit_pretrains_once_and_then_takes_what_is_there(preset, capsys):
    first, _ = make("bit", preset)
    assert "They are trained now, once" in capsys.readouterr().out
    second, _ = make("bit", preset)
    assert "They are trained now, once" not in capsys.readouterr().out
    of_preset = presets.load_backbone(preset).get_weights()
    for one, two in zip(
        first.backbone.get_weights(), second.backbone.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, two)
    assert any(
        (one != other).any()
        for one, other in zip(
            first.backbone.get_weights(), of_preset, strict=True
        )
    )


@pytest.mark.backend_free
def test_bit_refuses_what_did_not_solve_bit_memory(preset, monkeypatch):
    monkeypatch.setattr(bit_memory, "STEPS_BETWEEN_TESTS", 1)
    config = BitMemoryConfig(preset, steps=5, batch_size=4, target_accuracy=0.2)
    # Guessing is right half of the time, so it ends after the first test.
    record = bit_memory.pretrain_bit_memory(config)
    assert record["steps"] == 1
    monkeypatch.setattr(bit_memory, "BitMemoryConfig", BitMemoryConfig)
    expected = (
        r"after 1 steps.*of 99% that.*bit-memory --preset .* --steps 2000"
    )
    with pytest.raises(ValueError, match=expected):
        make("bit", preset)


@pytest.mark.backend_free
def test_bit_pretraining_writes_a_preset(preset, tmp_path):
    config = BitMemoryConfig(preset, steps=3, batch_size=4)
    folder = tmp_path / "bits"
    record = bit_memory.pretrain_bit_memory(config, folder)
    assert json.loads((folder / bit_memory.RECORD).read_text())["steps"] == 3
    assert 0.4 < record["accuracy"] < 0.8
    assert presets.load_backbone(folder).num_layers == 2
    with pytest.raises(FileExistsError, match="not empty"):
        bit_memory.pretrain_bit_memory(config, folder)
    with pytest.raises(ValueError, match="steps"):
        BitMemoryConfig(preset, steps=0)


@pytest.mark.backend_free
def test_the_vit_arm_wants_a_vit(preset, vit):
    with pytest.raises(ValueError, match="needs a ViT.*vit_base_patch16"):
        make("vit", preset)
    model, task = make("vit", vit)
    assert model.learned_positions == task.sequence_length


@pytest.mark.backend_free
def test_a_depth_that_is_too_large(preset):
    model, _ = make("fpt", preset, depth=1)
    assert model.backbone.num_layers == 1
    bare, _ = make("no_blocks", preset)
    assert bare.options.depth == bare.backbone.num_layers == 0
    assert make("no_blocks", preset, depth=1)[0].backbone.num_layers == 1
    with pytest.raises(ValueError, match="depth from 0 to 2.*received 3"):
        make("fpt", preset, depth=3)


@pytest.mark.backend_free
def test_names_take_hyphens():
    assert arms.get("random-lstm") is arms.ARMS["random_lstm"]
    with pytest.raises(ValueError, match="Unknown arm 'lstms'.*random_lstm"):
        arms.get("lstms")


@pytest.mark.backend_free
@pytest.mark.parametrize(
    "arm",
    [
        "statistics",
        pytest.param("random_lstm", marks=pytest.mark.slow),
        pytest.param("bit", marks=pytest.mark.slow),
    ],
)
def test_runs_of_arms_can_be_evaluated_again(arm, preset, tmp_path):
    config = RunConfig("bit_xor", preset, arm).with_settings(
        depth=1, steps=2, batch_size=100
    )
    metrics = train(config, tmp_path / arm)
    result = evaluate(tmp_path / arm)
    assert result["loss"] == pytest.approx(metrics["test_loss"], rel=1e-5)
