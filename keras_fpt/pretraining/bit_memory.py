"""Pretrains a backbone on bit memory instead of language."""

import dataclasses
import hashlib
import json
import logging
import os
import pathlib
import shutil
import tempfile
from typing import Any

import keras

from keras_fpt import tasks
from keras_fpt.files import cache
from keras_fpt.models import FPTClassifier
from keras_fpt.presets import Preset
from keras_fpt.pretraining.config import BitMemoryConfig
from keras_fpt.progress import StepProgress

LOGGER = logging.getLogger(__name__)
RECORD = "bit_memory.json"


def pretrain_bit_memory(
    config: BitMemoryConfig, output: str | os.PathLike | None = None
) -> dict[str, Any]:
    """Trains all weights of a fresh backbone on bit memory.

    Args:
        config: a `BitMemoryConfig`.
        output: folder for the preset. `None` is the folder in the cache that
            the arm `bit` reads; an earlier preset there is replaced.

    Returns:
        A dict of the configuration, `accuracy` on bit memory's validation
        examples, and the `folder` of the preset.

    Raises:
        FileExistsError: `output` exists and is not empty.
        FloatingPointError: the loss became NaN or infinite.
        ValueError: the preset is unknown or has too few positions.
    """
    if output is not None and os.path.isdir(output) and os.listdir(output):
        raise FileExistsError(f"The output folder `{output}` is not empty.")
    keras.utils.set_random_seed(config.seed)
    backbone = Preset.parse(config.preset).load_backbone(
        load_weights=False, seed=config.seed
    )
    folder = pathlib.Path(output or cached_folder(backbone))
    task = tasks.get("bit_memory")
    model = FPTClassifier(backbone, policy="full", **task.model_arguments())
    model.optimizer.learning_rate = config.learning_rate
    LOGGER.info(
        f"Pretraining {model.backbone.count_params():,} weights of "
        f"{config.preset} on bit memory: {config.steps:,} steps, batch size "
        f"{config.batch_size}."
    )
    splits = task.datasets(config.batch_size, config.seed)
    progress = StepProgress(
        "bit memory", config.steps, 0, config.batch_size, "examples"
    )
    with progress:
        model.fit(
            splits.train,
            steps_per_epoch=config.steps,
            verbose=0,
            callbacks=[progress, keras.callbacks.TerminateOnNaN()],
        )
    result = model.evaluate(splits.validation, verbose=0, return_dict=True)
    if not result["loss"] < float("inf"):
        raise FloatingPointError(
            f"The loss became {result['loss']}. Try a lower learning rate "
            f"than {config.learning_rate}."
        )
    record = {
        **dataclasses.asdict(config),
        "backend": keras.backend.backend(),
        "accuracy": float(result["accuracy"]),
    }
    _write_preset(model.backbone, record, folder)
    return {**record, "folder": str(folder)}


def cached_preset(preset: str) -> str:
    """Finds or makes an architecture that is pretrained on bit memory.

    If it is not in the cache yet, it is pretrained with the defaults of
    `BitMemoryConfig`.

    Args:
        preset: string, a name or path that `from_preset` takes.

    Returns:
        The folder of the pretrained preset.
    """
    folder = cached_folder(
        Preset.parse(preset).load_backbone(load_weights=False)
    )
    if not (folder / RECORD).is_file():
        LOGGER.info(
            f"The arm `bit` has no weights of '{preset}' that are pretrained "
            "on bit memory. They are trained now, once, with a small budget. "
            "For a larger one, run `keras-fpt pretrain bit-memory`."
        )
        pretrain_bit_memory(BitMemoryConfig(preset))
    record = json.loads((folder / RECORD).read_text())
    LOGGER.info(
        f"Pretrained on bit memory for {record['steps']:,} steps: "
        f"{record['accuracy']:.1%} of the bits are predicted correctly."
    )
    return str(folder)


def cached_folder(backbone: Any) -> pathlib.Path:
    """The folder in the cache for pretrained weights of an architecture."""
    settings = backbone.get_config()
    settings = {k: v for k, v in settings.items() if k not in ("name", "dtype")}
    digest = hashlib.sha256(
        json.dumps([type(backbone).__name__, settings], sort_keys=True).encode()
    )
    return cache.home() / "bit_memory" / digest.hexdigest()[:16]


def _write_preset(
    backbone: Any, record: dict[str, Any], folder: pathlib.Path
) -> None:
    """Writes a preset to a temporary folder first, and then renames it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        complete = pathlib.Path(temporary, "preset")
        backbone.save_to_preset(str(complete))
        (complete / RECORD).write_text(json.dumps(record, indent=2) + "\n")
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(complete, folder)
