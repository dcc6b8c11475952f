import pytest
from conftest import gpt2_backbone

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
)


def test_every_row_of_the_ablations_trains_its_groups_alone():
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
