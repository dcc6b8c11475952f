"""What a comparison of a frozen language model with its rivals compares."""

import dataclasses
import os
from typing import Any

from keras_fpt.files import json_files
from keras_fpt.runs import RunConfig
from keras_fpt.studies import rival_data
from keras_fpt.tasks import Stored, Task

ARMS = ("fpt", "random")
TRAINED_ARMS = ("finetune", "full")
# The kinds of data for which numbers are also predicted by an LSTM.
_SEQUENCES = (rival_data.SERIES, rival_data.STRINGS)
# On series, input layer and output layer alone often do as well.
_OF_SERIES = ("no_blocks",)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What a comparison compares.

    Args:
        run: `RunConfig`, what all runs have in common. The comparison chooses
            the arm, policy, learning rate and steps.
        finetune: bool, whether arms that train every weight take part.
    """

    run: RunConfig
    finetune: bool = False

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "Comparison":
        """Reads the comparison that an earlier call has written.

        Raises:
            FileNotFoundError: the file does not exist.
            ValueError: it does not describe a comparison.
        """
        where = f"This is not a comparison's configuration: `{path}`"
        return cls.from_entry(json_files.read_object(path), where)

    @classmethod
    def from_entry(cls, entry: dict[str, Any], where: str) -> "Comparison":
        """The comparison that a JSON object describes.

        Args:
            entry: dict, parsed JSON.
            where: string, with which errors begin.

        Raises:
            ValueError: it does not describe a comparison.
        """
        if not isinstance(entry.get("run"), dict):
            raise ValueError(f"{where}: expected an object 'run'.")
        run = RunConfig.from_settings(entry["run"], where)
        return json_files.from_dict(cls, entry | {"run": run}, where)

    def variants(self, task: Task) -> list[RunConfig]:
        """The compared runs, without learning rates, seeds and steps.

        Args:
            task: the `Task` that `run` names.
        """
        names = ARMS + TRAINED_ARMS * self.finetune
        kind = rival_data.data_kind(task)
        if kind == rival_data.SERIES:
            names += _OF_SERIES
        if task.is_regression and kind in _SEQUENCES:
            names += ("lstm",)
        trained = [dataclasses.replace(self.run, arm=arm) for arm in names]
        # These have the depth that their name says.
        trained = [
            each.with_settings(depth=None) if each.arm in _OF_SERIES else each
            for each in trained
        ]
        # Only the output layer trains, on frozen features.
        can_cache = (
            isinstance(task.data, Stored)
            and not task.data.augment
            and not task.is_forecast
            and not task.is_per_token
        )
        probe = self.run.with_settings(
            arm="fpt",
            policy="output_only",
            dropout=0.0,
            cache_features=can_cache,
        )
        return [*trained, probe]
