"""What a run is, as data."""

import dataclasses
import json
import math
import pathlib

from keras_fpt import (freezing, tasks)
from keras_fpt.files import (json_files)
from keras_fpt.runs import (arms)
from keras_fpt.presets import packaged


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Everything that decides a run's result, apart from versions.

    Args:
        task: string, a name that `keras_fpt.tasks.get` takes.
        preset: string, a name or path that `from_preset` takes. `None` is
            the arm's own.
        arm: string, a key of `keras_fpt.runs.arms.ARMS`.
        policy: string, what trains. `None` is the arm's own.
        readout: string, see `keras_fpt.layers.Readout`.
        depth: int, use the first blocks alone. `None` uses all.
        learned_positions: bool, whether the input gets learned positions,
            as long as the task's sequences.
        quantize: string, `"int8"` or `"int4"`, how the frozen weights are
            stored; `None` keeps them as they are.
        dtype: string, Keras dtype policy of the backbone, e.g.
            `"mixed_bfloat16"`; `None` is Keras's own.
        cache_features: bool, whether the frozen features are computed once,
            and not in each epoch. It needs a policy that trains the output
            layer alone, no dropout, and examples that do not change.
        rematerialize: bool, whether blocks are computed again for the
            gradient, to keep less in memory.
        gradient_accumulation_steps: int, at least 2: the weights move every
            so many steps, by the mean of their gradients. `None` is every
            step.
        steps: int, gradient steps. `None` is the task's recipe; so it is for
            the three below.
        batch_size: int.
        learning_rate: float, of Adam.
        dropout: float.
        seed: int, of the new layers, the random arm's weights, the order of
            the training data and dropout.
        data_dir: string, see `keras_fpt.tasks.get`.
        options: dict, the task's own options; see there too.
        source: string, the path of a person's own data, or `None`.
    """

    task: str
    preset: str | None = None
    arm: str = "fpt"
    policy: str | None = None
    readout: str = "last"
    depth: int | None = None
    learned_positions: bool = False
    quantize: str | None = None
    dtype: str | None = None
    cache_features: bool = False
    rematerialize: bool = False
    gradient_accumulation_steps: int | None = None
    steps: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    dropout: float | None = None
    seed: int = 0
    data_dir: str | None = None
    options: dict = dataclasses.field(default_factory=dict)
    source: str | None = None

    def load_task(self, verbose=False):
        """The `Task`; `verbose` prints what is found in a person's own data.

        Raises:
            ValueError, FileNotFoundError: see `keras_fpt.tasks.get`.
        """
        name = self.source or self.task
        options = dict(self.options)
        if tasks.is_user_data(name):
            options["verbose"] = verbose
        return tasks.get(name, self.data_dir, **options)

    def resolve(self, task):
        """This configuration with every default filled in.

        Args:
            task: the `Task` of that name.

        Raises:
            ValueError: a value is out of range or unknown.
        """
        recipe = dataclasses.asdict(task.recipe)
        arm = arms.get(self.arm)
        options = json.loads(json.dumps(self.options))  # tuples become lists
        if "labels" in options:
            options["labels"] = _absolute(options["labels"])
        filled = dataclasses.replace(
            self,
            task=task.name,
            options=options,
            arm=self.arm.replace("-", "_"),
            preset=_absolute(self.preset or arm.preset),
            learned_positions=self.learned_positions or arm.learned_positions,
            source=str(pathlib.Path(self.task).resolve())
            if self.source is None and tasks.is_user_data(self.task)
            else self.source,
            policy=self.policy or arm.policy,
            **{
                name: default
                if getattr(self, name) is None
                else getattr(self, name)
                for name, default in recipe.items()
            },
        )
        filled.check()
        return filled

    def check(self):
        """Raises `ValueError` for the first value that is out of range."""
        freezing.parse_policy(self.policy)
        for name in ("steps", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"Expected {name} to be at least 1 but received "
                    f"{getattr(self, name)}."
                )
        accumulated = self.gradient_accumulation_steps
        if accumulated is not None and accumulated < 2:
            raise ValueError(
                "Expected gradient_accumulation_steps to be at least 2 but "
                f"received {accumulated}."
            )
        rate = self.learning_rate
        if not (math.isfinite(rate) and rate > 0):
            raise ValueError(
                f"Expected a learning rate above 0 but received {rate}."
            )
        if not 0 <= self.seed < 2**31:
            raise ValueError(
                f"Expected a seed from 0 to 2^31 - 1 but received {self.seed}."
            )

    def to_json(self):
        """The configuration as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def read(cls, path):
        """Reads a file with what `to_json` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is not a run's configuration.
        """
        where = f"This is not a run's configuration: `{path}`"
        return json_files.from_dict(cls, json_files.read_object(path), where)


def _absolute(name):
    """The whole path of a file or folder; any other name as it is."""
    if name.startswith("gguf:"):
        return f"gguf:{pathlib.Path(name[5:]).expanduser().absolute()}"
    is_path = name not in packaged.names() and pathlib.Path(name).exists()
    return str(pathlib.Path(name).absolute()) if is_path else name
