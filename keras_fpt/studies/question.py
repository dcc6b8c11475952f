"""The paper's questions as data: see the files in `questions/`."""

import dataclasses
import pathlib
import tomllib

from keras_fpt.files import json_files
from keras_fpt.runs.config import RunConfig

FOLDER = pathlib.Path(__file__).parent / "questions"


@dataclasses.dataclass(frozen=True)
class Budget:
    """How much of a question is computed.

    Args:
        preset: string, of every variant that names none.
        learning_rates: tuple of floats, those that each variant tries,
            likeliest first.
        seeds: int, runs of each variant at its best rate.
        steps: dict from tasks to the gradient steps of a run.
        variants: tuple of dicts, in place of the question's.
    """

    preset: str
    learning_rates: tuple[float, ...]
    seeds: int
    steps: dict
    variants: tuple[dict, ...] = ()


@dataclasses.dataclass(frozen=True)
class Question:
    """One of the questions that the paper asks.

    Args:
        title: string, the question.
        outcome: string, what table or picture comes out.
        variants: tuple of dicts, each of fields of `RunConfig`: what is
            compared.
        budgets: dict from names to `Budget`.
        draws_attention: bool, whether attention maps are drawn.
        name: string.
    """

    title: str
    outcome: str
    variants: tuple[dict, ...]
    budgets: dict
    draws_attention: bool = False
    name: str = ""

    def budget(self, name):
        """A `Budget` by its name.

        Raises:
            ValueError: there is none.
        """
        if name not in self.budgets:
            raise ValueError(
                f"Unknown budget '{name}'. Expected one of "
                f"{', '.join(self.budgets)}."
            )
        return self.budgets[name]

    def configs(self, budget, data_dir=None):
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
                data_dir=data_dir,
                # The arm's own, where that is of another kind: a ViT.
                **_preset(variant, chosen.preset),
                **variant,
            )
            for task, steps in chosen.steps.items()
            for variant in chosen.variants or self.variants
        ]


def _preset(variant, preset):
    is_own = "preset" in variant or variant["arm"] == "vit"
    return {} if is_own else {"preset": preset}


def names():
    """The names of all questions."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_question(name):
    """A `Question` by its name, in which `-` and `_` are the same.

    Raises:
        ValueError: there is no such question.
    """
    known = name.replace("_", "-")
    if known not in names():
        raise ValueError(
            f"Unknown question '{name}'. Expected one of {', '.join(names())}."
        )
    path = FOLDER / f"{known}.toml"
    entry = tomllib.loads(path.read_text())
    budgets = {
        key: json_files.from_dict(Budget, entry.pop(key), f"{path.name}, {key}")
        for key in ("minutes", "hours", "paper")
    }
    entry |= {"budgets": budgets, "name": known}
    return json_files.from_dict(Question, entry, path.name)
