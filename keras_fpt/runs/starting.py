"""The start of a run: its model is built, and its folder described."""

import dataclasses

import keras

from keras_fpt import backbones
from keras_fpt.models import FPTModel
from keras_fpt.runs import (
    agreement,
    audit_file,
    data_description,
    folder,
    manifest,
)
from keras_fpt.runs.model import build_model, make_backbone
from keras_fpt.runs.resolved import ResolvedRun


@dataclasses.dataclass(frozen=True, eq=False)
class BuiltRun:
    """A run whose model is built, with the initial weights of its seed.

    Args:
        run: the `ResolvedRun`, as the model was built.
        model: its compiled model.
        made_of: its `Manifest`.
    """

    run: ResolvedRun
    model: FPTModel
    made_of: manifest.Manifest


def build(run: ResolvedRun) -> BuiltRun:
    """Builds the model of a run.

    Args:
        run: a `ResolvedRun`.

    Raises:
        FileNotFoundError, ValueError: the preset cannot be loaded.
    """
    keras.utils.set_random_seed(run.seed)
    backbone = make_backbone(run)
    weights = backbones.digest(backbone)
    agreement.require({"weights": weights})
    model = build_model(run, backbone)
    if run.model.precision == "auto":  # Their processors may differ.
        agreement.require({"precision": model.options.precision})
    run = run.as_built(model)
    return BuiltRun(run, model, manifest.Manifest.of(run, weights))


def describe(
    built: BuiltRun,
    run_folder: folder.Path,
    resume: bool,
    overwrite: bool = False,
) -> None:
    """Writes the description of a run into its folder, which is locked.

    In the folder of a run that is resumed, it is compared with the run.

    Args:
        built: a `BuiltRun`.
        run_folder: path.
        resume, overwrite: bools, as of `train`.

    Raises:
        ValueError: the run in the folder is another one.
    """
    run = built.run
    folder.initialize(run_folder, run, resume, overwrite)
    if run.task.reader is not None:
        data_description.save_description(run.task, run_folder)
        audit_file.save_findings(run.task, run_folder)
    manifest.save_or_check(run, built.made_of, run_folder)
