"""Pretrains a backbone on bit memory instead of language."""

import dataclasses
import hashlib
import json
import logging
import os
import pathlib
import tempfile
from typing import Any

import keras

from keras_fpt import tasks
from keras_fpt.files import atomic, cache, json_files, outputs
from keras_fpt.models import FPTClassifier
from keras_fpt.presets import Preset
from keras_fpt.pretraining.config import BitMemoryConfig
from keras_fpt.progress import StepProgress

LOGGER = logging.getLogger(__name__)
RECORD = "bit_memory.json"
STEPS_BETWEEN_TESTS = 100


def pretrain_bit_memory(
    config: BitMemoryConfig, output: str | os.PathLike | None = None
) -> dict[str, Any]:
    """Trains all weights of a new backbone until it solves bit memory.

    It ends at `config.steps` at the latest. The preset is written in any case,
    but the arm `bit` refuses one that did not solve bit memory.

    Args:
        config: a `BitMemoryConfig`.
        output: folder for the preset. `None` is the folder in the cache that
            the arm `bit` reads; an earlier preset there is replaced.

    Returns:
        A dict of the configuration, in which `steps` is how many there were;
        `accuracy` on bit memory's validation examples; and the `folder` of the
        preset.

    Raises:
        FileExistsError: `output` exists and is not an empty folder, or the
            folder in the cache contains something else.
        OSError: the folder cannot be written to.
        FloatingPointError: the loss became NaN or infinite.
        ValueError: the preset is unknown or has too few positions.
    """
    if output is not None:
        _check_output(pathlib.Path(output))
    keras.utils.set_random_seed(config.seed)
    backbone = Preset.parse(config.preset).load_backbone(
        load_weights=False, seed=config.seed
    )
    folder = pathlib.Path(output or cached_folder(backbone))
    if output is None:
        cache.make_folder(folder.parent)
        if not (folder / RECORD).is_file():
            _check_output(folder)
    task = tasks.get("bit_memory")
    model = FPTClassifier(backbone, policy="full", **task.model_arguments())
    model.optimizer.learning_rate = config.learning_rate
    LOGGER.info(
        f"Pretraining {model.backbone.count_params():,} weights of "
        f"{config.preset} on bit memory: until {config.target_accuracy:.0%} "
        f"of the bits are right, at most {config.steps:,} steps, batch size "
        f"{config.batch_size}."
    )
    steps, result = _train(model, task, config)
    record = {
        **dataclasses.asdict(config),
        "steps": steps,
        "backend": keras.backend.backend(),
        "accuracy": float(result["accuracy"]),
    }
    _write_preset(model.backbone, record, folder)
    return {**record, "folder": str(folder)}


def _train(
    model: FPTClassifier, task: tasks.Task, config: BitMemoryConfig
) -> tuple[int, dict[str, float]]:
    """Trains until bit memory is solved, or for `config.steps`.

    Returns:
        Tuple of the number of steps and the model's evaluation after them.

    Raises:
        FloatingPointError: the loss became NaN or infinite.
    """
    progress = StepProgress(
        "bit memory", config.steps, 0, config.batch_size, "examples"
    )
    steps = 0
    with progress:
        while True:
            count = min(STEPS_BETWEEN_TESTS, config.steps - steps)
            splits = task.datasets(config.batch_size, config.seed, steps)
            model.fit(
                splits.train,
                steps_per_epoch=count,
                verbose=0,
                callbacks=[progress, keras.callbacks.TerminateOnNaN()],
            )
            steps += count
            result = model.evaluate(
                splits.validation, verbose=0, return_dict=True
            )
            if not result["loss"] < float("inf"):
                raise FloatingPointError(
                    f"The loss became {result['loss']}. Try a lower learning "
                    f"rate than {config.learning_rate}."
                )
            is_solved = result["accuracy"] >= config.target_accuracy
            if is_solved or steps == config.steps:
                return steps, result


def _check_output(folder: pathlib.Path) -> None:
    """Checks, before any work is done, that a preset may be written there."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise FileExistsError(
            f"The output `{folder}` is a file or a link, not a folder."
        )
    if folder.is_dir() and any(folder.iterdir()):
        raise FileExistsError(f"The output folder `{folder}` is not empty.")
    outputs.check_writable(folder.parent)


def cached_preset(preset: str) -> str:
    """Finds or makes an architecture that is pretrained on bit memory.

    If it is not in the cache yet, it is pretrained with the defaults of
    `BitMemoryConfig`.

    Args:
        preset: string, a name or path that `from_preset` takes.

    Returns:
        The folder of the pretrained preset.

    Raises:
        ValueError: pretraining ended before bit memory was solved.
    """
    folder = cached_folder(
        Preset.parse(preset).load_backbone(load_weights=False)
    )
    if not (folder / RECORD).is_file():
        LOGGER.info(
            f"The arm `bit` has no weights of '{preset}' that are pretrained "
            "on bit memory. They are trained now, once, until they solve it."
        )
        pretrain_bit_memory(BitMemoryConfig(preset))
    record = json_files.read_object(folder / RECORD)
    target = BitMemoryConfig().target_accuracy
    if record["accuracy"] < target:
        raise ValueError(
            f"The weights of '{preset}' for the arm 'bit' do not solve bit "
            f"memory: after {record['steps']:,} steps of pretraining "
            f"{record['accuracy']:.1%} of the bits are right, of {target:.0%} "
            "that the arm asks for; copying the bits that are shown gives 75%. "
            "Pretrain them for longer, or at another learning rate: keras-fpt "
            f"pretrain bit-memory --preset {preset} --steps "
            f"{max(2 * record['steps'], BitMemoryConfig().steps)} "
            "--learning-rate 3e-4."
        )
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
    """Writes a preset to a temporary folder first, and then renames it.

    Where there is a preset already, its files are replaced one by one, each
    atomically, so that a process that reads it meanwhile finds complete files:
    both presets have one architecture, so only the weights differ.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        complete = pathlib.Path(temporary, "preset")
        backbone.save_to_preset(str(complete))
        text = json.dumps(record, indent=2) + "\n"
        atomic.write_text(complete / RECORD, text)
        try:
            # A folder that has been filled since it was checked is kept.
            os.replace(complete, folder)
        except OSError:
            if not (folder / RECORD).is_file():  # No earlier preset.
                raise
            for path in sorted(complete.iterdir(), key=_is_record):
                os.replace(path, folder / path.name)


def _is_record(path: pathlib.Path) -> bool:
    """Whether a file is the last one to write: it shows that all exist."""
    return path.name == RECORD
