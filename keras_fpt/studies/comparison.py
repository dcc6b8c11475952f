"""What a comparison of a frozen language model with its rivals compares."""

import dataclasses
import logging
import os
from typing import Any, Self

from keras_fpt.files import json_files
from keras_fpt.results import baselines
from keras_fpt.runs import RunConfig
from keras_fpt.studies import kind_defaults, rival_data, stack_size
from keras_fpt.tasks import Stored, Task

LOGGER = logging.getLogger(__name__)
ARMS = ("fpt", "random")
# What the files of earlier versions lack, and what it was.
_LATER = {
    "series_defaults": False,
    "kind_defaults": False,
    "table_defaults": False,
    "token_defaults": False,
    "overlap_defaults": False,
    "probes_steps": False,
    "probes_random": False,
    "chooses_readout": True,
    "stack": stack_size.OFF,
}
TRAINED_ARMS = ("finetune", "full")
# The kinds of data for which numbers are also predicted by an LSTM.
_SEQUENCES = (rival_data.SERIES, rival_data.STRINGS)
# Without blocks, input layer and output layer alone often do as well.
_WITHOUT_BLOCKS = "no_blocks"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What a comparison compares.

    Args:
        run: `RunConfig`, what all runs have in common. The comparison chooses
            the arm, policy, learning rate and steps.
        finetune: bool, whether arms that train every weight take part.
        series_defaults: bool, whether series are read from the last hidden
            state and the mean of all, and are compared with the arm
            `no_blocks`. Forecasts have a readout of their own. Comparisons of
            earlier versions lack both.
        kind_defaults: bool, whether series are cut into patches, strings are
            read as series are, and images are read from all hidden states and
            compared with `no_blocks`; likewise.
        table_defaults: bool, whether tables with an example per row are read
            from all hidden states; likewise.
        token_defaults: bool, whether tokens that have a label each are read
            together with the mean of all; likewise.
        overlap_defaults: bool, whether the patches of series overlap; likewise.
        probes_steps: bool, whether a series that is cut into patches by
            default is also read with a token for each step, by one more
            linear probe; likewise.
        probes_random: bool, whether each linear probe is compared with one of
            a model with random frozen weights; likewise.
        chooses_readout: bool, whether the readout follows from the kind of
            data if it is the default; `False` keeps that of `run`.
        stack: string, how many runs of an arm train in one step, as of
            `SweepConfig`. Comparisons of earlier versions have `"off"`.
    """

    run: RunConfig
    finetune: bool = False
    series_defaults: bool = True
    kind_defaults: bool = True
    table_defaults: bool = True
    token_defaults: bool = True
    overlap_defaults: bool = True
    probes_steps: bool = True
    probes_random: bool = True
    chooses_readout: bool = True
    stack: str = stack_size.AUTO

    def __post_init__(self) -> None:
        stack_size.check(self.stack)

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
        entry = _LATER | entry | {"run": run}
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
        entry = entry if isinstance(entry, dict) else {}
        begun: dict[str, Any] = {
            name: bool(entry.get(name))
            for name, before in _LATER.items()
            if before is False
        }
        if not begun["kind_defaults"]:  # It could not tell the difference.
            begun["chooses_readout"] = True
        if self.stack == stack_size.AUTO:
            begun["stack"] = str(entry.get("stack", stack_size.OFF))
        return dataclasses.replace(self, **begun)

    def described(self) -> dict[str, Any]:
        """What is written about it, as every version writes it."""
        found = {**vars(self), "run": self.run.identity()}
        return {
            name: value
            for name, value in found.items()
            if name not in _LATER or value != _LATER[name]
        }

    def probes(self, is_patched: bool) -> list[str]:
        """The names of the linear probes.

        Args:
            is_patched: bool, whether a series is cut into patches by default.
        """
        found = [baselines.LINEAR_PROBE]
        controls = [baselines.RANDOM_PROBE]
        if is_patched and self.probes_steps:
            found.append(baselines.STEPS_PROBE)
            controls.append(baselines.RANDOM_STEPS_PROBE)
        return [*found, *controls] if self.probes_random else found

    def settled(self, task: Task) -> Self:
        """A copy with the defaults of the task's kind of data.

        Args:
            task: the `Task` that `run` names.
        """
        chosen = self.run.model
        reads_more = {
            rival_data.SERIES: self.series_defaults,
            rival_data.TABLE: self.table_defaults,
        }.get(rival_data.data_kind(task), self.kind_defaults)
        if task.is_per_token:
            reads_more = self.token_defaults
        defaults = kind_defaults.of_kind(task)
        if "patch_stride" in defaults and not self.overlap_defaults:
            defaults["patch_size"] = defaults.pop("patch_stride")
        cuts = self.kind_defaults and not (
            chosen.patch_size or chosen.patch_stride
        )
        known = {
            "patch_size": cuts,
            "patch_stride": cuts,
            "readout": reads_more
            and self.chooses_readout
            and chosen.readout == "last",
        }
        found = {name: value for name, value in defaults.items() if known[name]}
        if not found:
            return self
        LOGGER.info(f"Of all arms: {kind_defaults.in_words(found)}.")
        return dataclasses.replace(self, run=self.run.with_settings(**found))

    def variants(self, task: Task) -> list[RunConfig]:
        """The compared runs, without learning rates, seeds and steps.

        Args:
            task: the `Task` that `run` names.
        """
        names = ARMS + TRAINED_ARMS * self.finetune
        kind = rival_data.data_kind(task)
        if (kind == rival_data.SERIES and self.series_defaults) or (
            kind == rival_data.IMAGES and self.kind_defaults
        ):
            names += (_WITHOUT_BLOCKS,)
        if task.is_regression and kind in _SEQUENCES:
            names += ("lstm",)
        trained = [dataclasses.replace(self.run, arm=arm) for arm in names]
        # It has the depth that its name says.
        trained = [
            each.with_settings(depth=None)
            if each.arm == _WITHOUT_BLOCKS
            else each
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
