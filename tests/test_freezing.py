import numpy as np
import pytest
from conftest import gpt2_backbone, snapshot

from keras_fpt import FPTClassifier, freezing


@pytest.mark.parametrize(
    ("policy", "groups"),
    [
        ("fpt", {"input", "positions", "layer_norm", "output"}),
        ("output_only", {"output"}),
        ("output-only", {"output"}),
        ("output+layer_norm", {"output", "layer_norm"}),
        (
            "fpt + attention",
            {"input", "positions", "layer_norm", "output", "attention"},
        ),
    ],
)
def test_policy_is_a_set_of_groups(policy, groups):
    assert freezing.parse_policy(policy) == groups


# The rows of the paper's ablations, and adapters of low rank.
ABLATIONS = (
    "output",
    "input",
    "positions",
    "layer_norm",
    "output+input",
    "output+input+positions",
    "output+input+positions+layer_norm",
    "fpt+feedforward",
    "fpt+attention",
    "fpt+feedforward+attention",
    "fpt+low_rank",
    # Norms frozen, as in the paper's table 16.
    "input+positions+output",
)


def test_every_row_of_the_ablations_trains_only_its_groups():
    model = FPTClassifier(gpt2_backbone(), input_dim=3, lora_rank=2)
    for policy in ABLATIONS:
        model.set_policy(policy)
        trained = {id(v) for v in model.trainable_variables}
        groups = freezing.parameter_groups(model)
        assert trained == {
            id(variable)
            for group in freezing.parse_policy(policy)
            for variable in groups[group]
        }, policy


@pytest.mark.parametrize("policy", ["", "fpt+", "token_embedding", "all", None])
def test_unknown_policy_names_what_is_known(policy):
    with pytest.raises(ValueError, match="output_only"):
        freezing.parse_policy(policy)


def test_every_weight_is_in_exactly_one_group():
    model = FPTClassifier(gpt2_backbone(dropout=0.1), input_dim=3)
    groups = freezing.parameter_groups(model)
    in_groups = [id(v) for variables in groups.values() for v in variables]
    assert sorted(in_groups) == sorted(id(v) for v in model.weights)
    assert groups["other"] == []
    # Generators' states are variables, but not weights.
    assert len(model.variables) > len(model.weights)


def test_groups_of_gpt2():
    model = FPTClassifier(gpt2_backbone(), input_dim=3)
    counts = {
        group: freezing.count_parameters(variables)
        for group, variables in freezing.parameter_groups(model).items()
        if variables
    }
    assert counts == {
        "input": 3 * 16 + 16,
        "positions": 128 * 16,
        "layer_norm": (2 * 2 + 1) * 2 * 16,
        "attention": 2 * 4 * (16 * 16 + 16),
        "feedforward": 2 * (2 * 16 * 32 + 32 + 16),
        "output": 16 * 2 + 2,
        "token_embedding": 50 * 16,
    }


def test_report_adds_up():
    report = FPTClassifier(gpt2_backbone(), input_dim=3).parameter_report()
    parts = report.drop(index="total")
    assert parts["parameters"].sum() == report.loc["total", "parameters"]
    assert parts["share"].sum() == pytest.approx(1.0)
    assert not report.loc["attention", "trains"]


def test_report_before_the_first_batch_lacks_the_input():
    report = FPTClassifier(gpt2_backbone()).parameter_report()
    assert "input" not in report.index


@pytest.mark.parametrize(
    ("policy", "part"),
    [
        ("fpt+attention:-1", "transformer_layer_1/self_attention/"),
        ("fpt+feedforward:0", "transformer_layer_0/feedforward_"),
        ("output+layer_norm:1", "transformer_layer_1/"),
    ],
)
def test_a_part_of_one_block_trains_and_nothing_else(policy, part, data):
    x, y = data
    model = FPTClassifier(gpt2_backbone(), input_dim=3, policy=policy)
    named = freezing.parse_policy(policy)
    (of_block,) = {name.split(":")[0] for name in named if ":" in name}
    expected = {
        variable.path
        for group, variables in freezing.parameter_groups(model).items()
        for variable in variables
        if group in named or (group == of_block and part in variable.path)
    }
    assert {v.path for v in model.trainable_variables} == expected
    before = snapshot(model.weights)
    model.train_on_batch(x, y)
    for path, value in snapshot(model.weights).items():
        assert (value != before[path]).any() == (path in expected), path


def test_an_adapter_holds_the_part_of_one_block(data, tmp_path):
    x, y = data
    policy = "fpt+attention:-1"
    trained, other = (
        FPTClassifier(gpt2_backbone(), input_dim=3, policy=policy)
        for _ in range(2)
    )
    other.backbone.set_weights(trained.backbone.get_weights())
    trained.train_on_batch(x, y)
    trained.save_adapter(tmp_path / "a.safetensors")
    other.load_adapter(tmp_path / "a.safetensors")
    for one, two in zip(
        trained.get_weights(), other.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, two)


@pytest.mark.backend_free
def test_a_block_that_does_not_exist():
    with pytest.raises(ValueError, match="names block 2, but.*has 2 blocks"):
        FPTClassifier(gpt2_backbone(), policy="fpt+attention:2")
    with pytest.raises(ValueError, match="attention:-1"):
        freezing.parse_policy("fpt+positions:0")
