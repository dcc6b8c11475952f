"""Which weights of a model train: parameter groups and policies.

A policy is a value: the set of the groups that train.
"""

import math
import re

from keras_fpt import backbones

GROUPS = (
    "input",
    "positions",
    "layer_norm",
    "attention",
    "feedforward",
    "output",
    "recurrent",
    "low_rank",
    "token_embedding",
    "other",
)
NAMED_POLICIES = {
    "fpt": frozenset({"input", "positions", "layer_norm", "output"}),
    "output_only": frozenset({"output"}),
    # The token embedding is cut off, so there is nothing in it to train; and
    # a model has weights of low rank only where its policy names them.
    "full": frozenset(GROUPS) - {"token_embedding", "low_rank"},
}
_TRAINABLE_GROUPS = tuple(g for g in GROUPS if g != "token_embedding")

# The group of a backbone's weight, by its path: the first match decides. What
# matches none is `other`. Norms come early, since their paths name the block
# that they are part of.
_BACKBONE_RULES = tuple(
    (group, re.compile(pattern, re.VERBOSE))
    for group, pattern in (
        ("low_rank", r"/lora_\w+_[ab]$"),
        ("layer_norm", r"norm[^/]*/[^/]+$ | /ln(_\d)?/[^/]+$"),
        # The last two: T5's bias of relative positions, DeBERTa's table.
        (
            "positions",
            r"(^|/)((en|de)coder_)?position_embedding/ "
            r"| self_attention/embeddings$ | rel_embedding/rel_embedding$",
        ),
        ("token_embedding", r"token_embedding/"),
        ("recurrent", r"recurrent"),
        (
            "attention",
            r"(^|/)((self_|cross_)?attention(_layer)?|\w+_attn|mha|o_proj)/",
        ),
        (
            "feedforward",
            r"feedforward | ffw_ | mlp | moe_block(_\d+)?/ "
            # Falcon, T5, FNet.
            r"| dense_(h_to_4h|4h_to_h)/ "
            r"| transformer_\w+/(input|gate|output)_projector/ "
            r"| f_net_layer_\d+/\w+_dense/",
        ),
    )
)


def parse_policy(policy):
    """The set of groups that a policy's name stands for.

    Args:
        policy: string, a named policy (`"fpt"`, `"output_only"`, `"full"`)
            or groups joined by `+`, e.g. `"output+layer_norm"`. Both may be
            mixed: `"fpt+attention"`.

    Returns:
        A frozenset of group names.

    Raises:
        ValueError: a part is neither a policy nor a group that can train.

    >>> sorted(parse_policy("output+layer_norm"))
    ['layer_norm', 'output']
    """
    groups = set()
    for part in str(policy).split("+"):
        name = part.strip().replace("-", "_")
        if name in NAMED_POLICIES:
            groups |= NAMED_POLICIES[name]
        elif name in _TRAINABLE_GROUPS:
            groups.add(name)
        else:
            raise ValueError(
                f"Unknown policy or parameter group '{part}' in policy "
                f"'{policy}'. Expected one of "
                f"{', '.join(NAMED_POLICIES)}, or a sum of the groups "
                f"{', '.join(_TRAINABLE_GROUPS)}, "
                "such as 'fpt+attention'."
            )
    return frozenset(groups)


def backbone_group(path):
    """The parameter group of a backbone's weight, from its path."""
    for group, rule in _BACKBONE_RULES:
        if rule.search(path):
            return group
    return "other"


def parameter_groups(model):
    """The weights of an `FPTClassifier`, by group.

    Every weight is in exactly one group. States of random generators are
    weights of nothing and in none.

    Args:
        model: an `FPTClassifier`.

    Returns:
        A dict from each group's name to a list of variables, in the order of
        `GROUPS`. An input layer that is not built yet has no weights.
    """
    groups = {group: [] for group in GROUPS}
    groups["input"].extend(model.input_layer.weights)
    groups["output"].extend(model.output_layer.weights)
    if model.position_layer is not None:
        groups["positions"].extend(model.position_layer.weights)
    for variable in backbones.weights_by_name(model.backbone).values():
        groups[backbone_group(variable.path)].append(variable)
    return groups


def apply_policy(model, policy):
    """Makes the groups of a policy trainable and all other weights frozen.

    Weights that nothing is computed with, such as a pooler where the last
    token is read, and constants, such as rotary frequencies, stay frozen
    whatever the policy.
    """
    trained = parse_policy(policy)
    frozen = {id(v) for v in model.backbone.weights}
    used = {id(v) for v in model.cut.weights}
    for variable in backbones.parameters_by_name(model.backbone).values():
        if id(variable) in used:
            frozen.discard(id(variable))
    for group, variables in parameter_groups(model).items():
        for variable in variables:
            variable.trainable = group in trained and id(variable) not in frozen


def parameter_report(model):
    """A table of what trains and what is frozen.

    Args:
        model: an `FPTClassifier`.

    Returns:
        A pandas `DataFrame` with a row for each group that has weights, and
        a total; columns `trains` (bool), `parameters` (int) and `share` (of
        all parameters, between 0 and 1). In the total's row, `trains` is
        whether anything does.
    """
    import pandas as pd

    rows = {}
    for group, variables in parameter_groups(model).items():
        if variables:
            rows[group] = {
                "trains": any(v.trainable for v in variables),
                "parameters": count_parameters(variables),
            }
    report = pd.DataFrame.from_dict(rows, orient="index")
    total = report["parameters"].sum()
    report.loc["total"] = {
        "trains": bool(report["trains"].any()),
        "parameters": total,
    }
    report["share"] = report["parameters"] / total
    report.index.name = "group"
    return report


def count_parameters(variables):
    """The number of scalars in a list of variables."""
    return sum(math.prod(variable.shape) for variable in variables)
