"""Recipes: named sets of defaults for a run's options.

Options that are given override them.
"""

import dataclasses
from typing import Any

from keras_fpt.runs.arms import Arm
from keras_fpt.runs.config import RunConfig
from keras_fpt.tasks import Task


@dataclasses.dataclass(frozen=True)
class Defaults:
    """Defaults of a run's options.

    Args:
        options: dict, for every run.
        dropout: float, the dropout rate of backbones that have dropout.
        drawn: dict, for arms whose weights are drawn at random.
        lstm: dict, for arms with an LSTM.
        tasks: dict from a task's name to a dict, for runs on it.
        variants: dict from a task's name to the variant that replaces it.
    """

    options: dict[str, Any]
    dropout: float
    drawn: dict[str, Any]
    lstm: dict[str, Any]
    tasks: dict[str, dict[str, Any]]
    variants: dict[str, str]


RECIPES = {
    # Source: https://github.com/kzl/universal-computation, `scripts/run.py`,
    # `universal_computation/fpt.py` and `trainer.py`, with transformers 4.1.1;
    # for the rates of LSTMs and of homology, Lu et al., 2021.
    "reference": Defaults(
        options={
            "learning_rate": 1e-3,
            "batch_size": 2,
            "input_dropout": 0.1,
            "embedding_init": "normal",
            "output_init": "pytorch",
        },
        dropout=0.1,
        drawn={"random_init": "flat"},
        lstm={"random_init": "uniform", "learning_rate": 3e-4},
        tasks={"remote_homology": {"learning_rate": 1e-4}},
        variants=dict.fromkeys(
            (
                "bit_xor",
                "listops",
                "mnist",
                "cifar10",
                "cifar10_lra",
                "remote_homology",
            ),
            "reference",
        ),
    )
}


def apply(config: RunConfig, arm: Arm) -> RunConfig:
    """A configuration in which the defaults of its recipe are filled in.

    Args:
        config: a `RunConfig`. Without a recipe it is returned unchanged.
        arm: the `Arm` that it names.

    Raises:
        ValueError: the recipe is unknown.
    """
    if config.recipe is None:
        return config
    if config.recipe not in RECIPES:
        raise ValueError(
            f"Unknown recipe '{config.recipe}'. Expected one of "
            f"{', '.join(RECIPES)}."
        )
    recipe = RECIPES[config.recipe]
    task, _, variant = config.task.replace("-", "_").partition(":")
    defaults = {**recipe.options, **recipe.tasks.get(task, {})}
    if arm.takes_init:
        defaults |= recipe.drawn
    if arm.is_lstm:
        defaults |= recipe.lstm
    given = config.settings()
    options = dict(config.options)
    is_own = config.source is not None
    if task in recipe.variants and not variant and not is_own:
        options.setdefault("variant", recipe.variants[task])
    return config.with_settings(
        options=options,
        **{k: v for k, v in defaults.items() if given[k] is None},
    )


def dropout(config: RunConfig, task: Task) -> float:
    """The dropout rate of a run for which none was given.

    Args:
        config: a `RunConfig`, which `apply` returned.
        task: the run's `Task`.
    """
    if config.recipe is None:
        return task.recipe.dropout
    return RECIPES[config.recipe].dropout
