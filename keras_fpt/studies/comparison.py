"""What a comparison of a frozen language model with its rivals compares."""

import dataclasses
import logging
import os
from typing import Any, Self

from keras_fpt.files import json_files
from keras_fpt.runs import RunConfig
from keras_fpt.studies import rival_data
from keras_fpt.tasks import Stored, Task

LOGGER = logging.getLogger(__name__)
ARMS = ("fpt", "random")
_SERIES_DEFAULTS = "series_defaults"
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
        series_defaults: bool, whether series are read from the last hidden
            state and the mean of all, where the readout is left at its
            default, and are compared with the arm `no_blocks`. Forecasts and
            labels per token have no readout. Comparisons of earlier versions
            lack both.
    """

    run: RunConfig
    finetune: bool = False
    series_defaults: bool = True

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
        entry = {_SERIES_DEFAULTS: False} | entry | {"run": run}
        return json_files.from_dict(cls, entry, where)

    def as_begun(
        self, path: str | os.PathLike[str], within: str | None = None
    ) -> Self:
        """This comparison, without what the version that began it lacked.

        Args:
            path: the file that describes it, which may not exist yet.
            within: string, the entry of the file that has it; `None` is the
                file itself.
        """
        if not os.path.isfile(path):
            return self
        entry = json_files.read_object(path)
        entry = entry if within is None else entry.get(within, {})
        is_later = isinstance(entry, dict) and _SERIES_DEFAULTS in entry
        return dataclasses.replace(self, series_defaults=is_later)

    def described(self) -> dict[str, Any]:
        """What is written about it, as every version writes it."""
        found = {**vars(self), "run": self.run.identity()}
        if not self.series_defaults:
            del found[_SERIES_DEFAULTS]
        return found

    def settled(self, task: Task) -> Self:
        """A copy with the defaults of the task's kind of data.

        Args:
            task: the `Task` that `run` names.
        """
        is_read_once = not task.is_forecast and not task.is_per_token
        if (
            self.series_defaults
            and is_read_once
            and rival_data.data_kind(task) == rival_data.SERIES
            and self.run.model.readout == "last"
        ):
            LOGGER.info("Series are read with the readout last+mean, not last.")
            run = self.run.with_settings(readout="last+mean")
            return dataclasses.replace(self, run=run)
        return self

    def variants(self, task: Task) -> list[RunConfig]:
        """The compared runs, without learning rates, seeds and steps.

        Args:
            task: the `Task` that `run` names.
        """
        names = ARMS + TRAINED_ARMS * self.finetune
        kind = rival_data.data_kind(task)
        if kind == rival_data.SERIES and self.series_defaults:
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
            # Comparisons of earlier versions did not cache those.
            and (self.series_defaults or not task.is_regression)
        )
        probe = self.run.with_settings(
            arm="fpt",
            policy="output_only",
            dropout=0.0,
            cache_features=can_cache,
        )
        return [*trained, probe]
