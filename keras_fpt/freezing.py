"""Decides which weights of a model are trained: parameter groups and policies.

A policy is a set: the groups that train, and the groups of single blocks.
"""

import math
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from keras_fpt import backbones
from keras_fpt.compat import keras_internals

if TYPE_CHECKING:
    import pandas as pd

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
    # The token embedding is cut off, so training it would have no effect. A
    # model has low-rank weights only where its policy names them.
    "full": frozenset(GROUPS) - {"token_embedding", "low_rank"},
}
_TRAINABLE_GROUPS = tuple(g for g in GROUPS if g != "token_embedding")

# Of these, a policy can name the part that is in one block.
_BLOCK_GROUPS = ("layer_norm", "attention", "feedforward", "recurrent")
_OF_ONE_BLOCK = re.compile(rf"({'|'.join(_BLOCK_GROUPS)}):(-?\d+)")
_BLOCK_NUMBER = re.compile(r"(?:^|/)\w*?_(\d+)/")

# The group of a backbone's weight follows from its path: the first rule that
# matches decides, and weights that match none are `other`. Norms come early,
# since their paths contain the name of the block that they are part of.
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


def parse_policy(policy: str) -> frozenset[str]:
    """The set of groups that a policy's name stands for.

    Args:
        policy: string, a named policy (`"fpt"`, `"output_only"`, `"full"`)
            or groups joined by `+`, e.g. `"output+layer_norm"`. Both may be
            mixed: `"fpt+attention"`. Of layer norms, attention, feedforward
            and recurrent layers, one block's are named by its index, from 0,
            or from -1 backwards: `"fpt+attention:-1"` also trains the
            attention of the last block.

    Returns:
        A frozenset of names of groups, some with an index.

    Raises:
        ValueError: a part is neither a policy nor a group that can be trained.

    >>> sorted(parse_policy("output+layer_norm"))
    ['layer_norm', 'output']
    """
    groups: set[str] = set()
    for part in str(policy).split("+"):
        group, colon, index = part.strip().partition(":")
        name = group.replace("-", "_") + colon + index
        if name in NAMED_POLICIES:
            groups |= NAMED_POLICIES[name]
        elif name in _TRAINABLE_GROUPS or _OF_ONE_BLOCK.fullmatch(name):
            groups.add(name)
        else:
            raise ValueError(
                f"Unknown policy or parameter group '{part}' in policy "
                f"'{policy}'. Expected one of "
                f"{', '.join(NAMED_POLICIES)}, or a sum of the groups "
                f"{', '.join(_TRAINABLE_GROUPS)}, "
                "such as 'fpt+attention', or those of one block, such as "
                "'fpt+attention:-1'."
            )
    return frozenset(groups)


def backbone_group(path: str) -> str:
    """The parameter group of a backbone's weight, from its path."""
    for group, rule in _BACKBONE_RULES:
        if rule.search(path):
            return group
    return "other"


def names_weight(backbone: Any, policy: str) -> Callable[[str], bool]:
    """A function that tells whether a policy names a weight of a backbone.

    Args:
        backbone: a KerasHub backbone.
        policy: string. See `parse_policy`.

    Returns:
        A function of the weight's path.

    Raises:
        ValueError: the backbone has no block of an index that is named.
    """
    named = parse_policy(policy)
    found = {
        _block_number(backbone, variable.path)
        for variable in backbone.weights
        if backbone_group(variable.path) in _BLOCK_GROUPS
    }
    numbers = sorted(number for number in found if number is not None)
    of_one_block = set()
    for match in filter(None, map(_OF_ONE_BLOCK.fullmatch, named)):
        group, index = match[1], int(match[2])
        if not -len(numbers) <= index < len(numbers):
            raise ValueError(
                f"The policy '{policy}' names block {index}, but this "
                f"{type(backbone).__name__} has {len(numbers)} blocks, which "
                "count from 0, or from -1 backwards."
            )
        of_one_block.add((group, numbers[index]))

    def is_named(path: str) -> bool:
        group = backbone_group(path)
        if group in named:
            return True
        return (group, _block_number(backbone, path)) in of_one_block

    return is_named


def _block_number(backbone: Any, path: str) -> int | None:
    """The number that a weight's path gives its block, if it is in one."""
    match = _BLOCK_NUMBER.search(backbones.stable_path(backbone, path))
    return int(match[1]) if match else None


def parameter_groups(model: Any) -> dict[str, list]:
    """The weights of an `FPTClassifier`, by group.

    Every weight is in exactly one group. The states of random generators are
    not weights and are in no group.

    Args:
        model: an `FPTClassifier`.

    Returns:
        A dict from each group's name to a list of variables, in the order of
        `GROUPS`. An input layer that is not built yet has no weights.
    """
    groups: dict[str, list] = {group: [] for group in GROUPS}
    for group, layers in new_layers(model).items():
        for layer in layers:
            groups[group].extend(layer.weights)
    groups["output"].extend(_target_weights(model))
    for variable in backbones.weights_by_name(model.backbone).values():
        groups[backbone_group(variable.path)].append(variable)
    return groups


def apply_policy(model: Any, policy: str) -> None:
    """Makes the groups of a policy trainable and all other weights frozen.

    The `trainable` flags of layers say the same as those of their weights: a
    layer whose weights are all frozen is frozen. Constants, such as rotary
    frequencies, stay frozen under every policy. So do weights that the output
    does not depend on, such as a pooler where the last token is read.

    Args:
        model: an `FPTClassifier`. Its input layer need not be built: the
            weights that it is built with later follow its flag.
        policy: string. See `parse_policy`.
    """
    trained = parse_policy(policy)
    for group, layers in new_layers(model).items():
        for layer in layers:
            layer.trainable = group in trained
    model.backbone.trainable = True  # Of every layer; they are frozen below.
    in_policy = {id(v) for v in policy_weights(model, policy)}
    for variable in model.backbone.weights:
        variable.trainable = id(variable) in in_policy
    _freeze_layers(model.backbone)


def policy_weights(model: Any, policy: str) -> list:
    """The weights that a policy trains, whatever their flags say now.

    Args:
        model: an `FPTClassifier`.
        policy: string. See `parse_policy`.

    Returns:
        List of variables, in the order of `parameter_groups`.
    """
    trained = parse_policy(policy)
    is_named = names_weight(model.backbone, policy)
    in_backbone = {id(v) for v in model.backbone.weights}
    fixed = in_backbone | {id(v) for v in _target_weights(model)}
    used = {id(v) for v in model.cut.weights}
    for layers in new_layers(model).values():  # The averages of a batch norm.
        for layer in layers:
            fixed |= {id(v) for v in keras_internals.constants(layer)}
    for variable in backbones.parameters_by_name(model.backbone).values():
        if id(variable) in used:
            fixed.discard(id(variable))
    return [
        variable
        for group, variables in parameter_groups(model).items()
        for variable in variables
        if id(variable) not in fixed
        and (
            is_named(variable.path)
            if id(variable) in in_backbone
            else group in trained
        )
    ]


def changed_flags(model: Any) -> dict[str, bool]:
    """The `trainable` flags that differ from those of the model's policy.

    They were set by hand, on a layer, a weight or the whole model.

    Args:
        model: an `FPTClassifier`.

    Returns:
        Dict from the name of a weight, or of a new layer that is not built
        yet, to its flag.
    """
    in_policy = {id(v) for v in policy_weights(model, model.policy)}
    trained = parse_policy(model.policy)
    flags = {
        name: variable.trainable
        for name, variable in named_weights(model).items()
        if variable.trainable != (id(variable) in in_policy)
    }
    for group, layers in new_layers(model).items():
        for layer in layers:
            if not layer.weights and layer.trainable != (group in trained):
                flags[layer.name] = layer.trainable
    return flags


def set_flags(model: Any, flags: dict[str, bool]) -> None:
    """Sets `trainable` flags that `changed_flags` returned.

    Args:
        model: an `FPTClassifier` whose flags are those of its policy.
        flags: dict. Names that the model lacks are ignored.
    """
    if not flags:
        return
    named = named_weights(model)
    added = [layer for group in new_layers(model).values() for layer in group]
    for layer in added:
        if layer.name in flags:
            layer.trainable = flags[layer.name]
    changed = {
        id(named[name]): flag for name, flag in flags.items() if name in named
    }
    for layer in (*added, model.backbone):
        final = {id(v): changed.get(id(v), v.trainable) for v in layer.weights}
        if any(final.values()):
            layer.trainable = True
        for variable in layer.weights:
            variable.trainable = final[id(variable)]
        _freeze_layers(layer)


def new_layers(model: Any) -> dict[str, list]:
    """The layers that are not part of the backbone, by group.

    Args:
        model: an `FPTClassifier`.
    """
    layers = {
        "input": [model.input_layer],
        "positions": [model.position_layer],
        "output": [model.output_layer, model.output_norm_layer],
    }
    return {
        group: [layer for layer in found if layer is not None]
        for group, found in layers.items()
    }


def _target_weights(model: Any) -> list:
    """The statistics of the targets, which no policy trains."""
    layer = model.target_layer
    return [] if layer is None else layer.weights


def named_weights(model: Any) -> dict[str, Any]:
    """The weights of a model's new layers and of its backbone, by name.

    Args:
        model: an `FPTClassifier`.

    Returns:
        Dict from names, the same in every model of the same shape, to
        variables.
    """
    named = {
        f"{layer.name}/{variable.name}": variable
        for layers in (*new_layers(model).values(), [model.target_layer])
        for layer in layers
        if layer is not None
        for variable in layer.weights
    }
    for name, variable in backbones.weights_by_name(model.backbone).items():
        named[f"backbone/{name}"] = variable
    return named


def _freeze_layers(layer: Any) -> None:
    """Sets the flags of layers, at any depth, whose weights are all frozen."""
    for part in keras_internals.flatten_layers(layer):
        weights = part.weights
        if weights and not any(v.trainable for v in weights):
            part.trainable = False


def parameter_report(model: Any) -> "pd.DataFrame":
    """A table of trainable and frozen parameters.

    Args:
        model: an `FPTClassifier`.

    Returns:
        A pandas `DataFrame` with one row per group that has weights, and one
        for the total. Its columns are `trains` (bool), `parameters` (int) and
        `share` (of all parameters, between 0 and 1). In the row of the total,
        `trains` is whether any group does.
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


def count_parameters(variables: Iterable[Any]) -> int:
    """The number of scalars in some variables."""
    return sum(math.prod(variable.shape) for variable in variables)
