"""The paper's questions as data: reads the files in `questions/`.

What they share is in `questions/defaults.toml`.
"""

import dataclasses
import pathlib
import tomllib
from typing import Any

from keras_fpt.files import json_files
from keras_fpt.runs import RunConfig

FOLDER = pathlib.Path(__file__).parent / "questions"
_DEFAULTS = "defaults"
BUDGETS = ("minutes", "hours", "paper")


@dataclasses.dataclass(frozen=True)
class Budget:
    """The amount of training to answer a question with.

    Args:
        preset: string, preset of every variant that names none.
        learning_rates: tuple of floats that each variant tries, the most
            promising first.
        seeds: int, number of runs of each variant at its best rate.
        steps: dict from the tasks' names to the gradient steps of a run.
        variants: tuple of dicts, used in place of the question's.
        batch_size: int, or `None` for that of each task.
    """

    preset: str
    learning_rates: tuple[float, ...]
    seeds: int
    steps: dict[str, int]
    variants: tuple[dict[str, Any], ...] = ()
    batch_size: int | None = None


@dataclasses.dataclass(frozen=True)
class Question:
    """One of the questions that the paper asks.

    Args:
        title: string, the question.
        outcome: string, the table or picture that it results in.
        variants: tuple of dicts of settings of a run: what is compared.
        budgets: dict from names to `Budget`.
        draws_attention: bool, whether attention maps are drawn.
        name: string.
    """

    title: str
    outcome: str
    variants: tuple[dict[str, Any], ...]
    budgets: dict[str, Budget]
    draws_attention: bool = False
    name: str = ""

    def budget(self, name: str) -> Budget:
        """A `Budget` by its name.

        Raises:
            ValueError: the name is unknown.
        """
        if name not in self.budgets:
            raise ValueError(
                f"Unknown budget '{name}'. Expected one of "
                f"{', '.join(self.budgets)}."
            )
        return self.budgets[name]

    def configs(
        self, budget: str, data_dir: str | None = None
    ) -> list[RunConfig]:
        """The `RunConfig` of each variant on each task.

        Args:
            budget: string, a budget's name.
            data_dir: string, the folder of the tasks' data, or `None`.
        """
        chosen = self.budget(budget)
        return [
            RunConfig(
                task,
                steps=steps,
                batch_size=chosen.batch_size,
                data_dir=data_dir,
            ).with_settings(
                # A ViT has a preset of another kind.
                **_preset(variant, chosen.preset),
                **variant,
            )
            for task, steps in chosen.steps.items()
            for variant in chosen.variants or self.variants
        ]


def _preset(variant: dict[str, Any], preset: str) -> dict[str, str]:
    is_own = "preset" in variant or variant["arm"] == "vit"
    return {} if is_own else {"preset": preset}


def names() -> list[str]:
    """The names of all questions."""
    found = {path.stem for path in FOLDER.glob("*.toml")}
    return sorted(found - {_DEFAULTS})


def load_question(name: str) -> Question:
    """A `Question` by its name, in which `-` and `_` are the same.

    Raises:
        ValueError: the name is unknown.
    """
    key = name.replace("_", "-")
    if key not in names():
        raise ValueError(
            f"Unknown question '{name}'. Expected one of {', '.join(names())}."
        )
    entry, defaults = _read(key), _read(_DEFAULTS)
    budgets = {
        budget: _budget(
            entry.pop(budget), defaults[budget], f"{key}.toml, {budget}"
        )
        for budget in BUDGETS
    }
    entry |= {"budgets": {}, "name": key}
    question = json_files.from_dict(Question, entry, f"{key}.toml")
    return dataclasses.replace(question, budgets=budgets)


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


def _budget(
    entry: dict[str, Any], defaults: dict[str, Any], where: str
) -> Budget:
    """A budget of a question, with the steps of the tasks that it names."""
    if "tasks" in entry:
        entry["steps"] = {
            task: defaults["steps"][task] for task in entry.pop("tasks")
        }
    return json_files.from_dict(Budget, {**defaults, **entry}, where)
