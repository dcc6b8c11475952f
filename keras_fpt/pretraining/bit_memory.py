"""Pretrains a backbone on bit memory instead of language."""

import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import tempfile

import keras

from keras_fpt import tasks
from keras_fpt.files import cache
from keras_fpt.models import FPTClassifier
from keras_fpt.presets import load_backbone
from keras_fpt.progress import StepProgress

RECORD = "bit_memory.json"


@dataclasses.dataclass(frozen=True)
class BitMemoryConfig:
    """What a bit-memory pretraining is.

    The defaults are the budget that the arm `bit` pretrains with where
    nothing else was pretrained before: a small one.

    Args:
        preset: string, whose architecture is pretrained, from fresh weights.
        steps: int, gradient steps.
        batch_size: int.
        learning_rate: float, of Adam.
        seed: int, of the fresh weights and the examples.
    """

    preset: str = "gpt2_tiny_en"
    steps: int = 200
    batch_size: int = 64
    learning_rate: float = 1e-3
    seed: int = 0

    def __post_init__(self):
        for name in ("steps", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"Expected {name} to be at least 1 but received "
                    f"{getattr(self, name)}."
                )
        if not 0 < self.learning_rate < float("inf"):
            raise ValueError(
                "Expected a learning rate above 0 but received "
                f"{self.learning_rate}."
            )


def pretrain_bit_memory(config, output=None, log=print):
    """Trains every weight of a fresh backbone on bit memory.

    Args:
        config: a `BitMemoryConfig`.
        output: folder for the preset. `None` is the place in the cache where
            the arm `bit` looks, and replaces what is there.
        log: function that takes a line of text.

    Returns:
        A dict of the configuration, `accuracy` on bit memory's validation
        examples, and the `folder` of the preset.

    Raises:
        FileExistsError: `output` is there and not empty.
        FloatingPointError: the loss became NaN or infinite.
        ValueError: the preset is unknown or has too few positions.
    """
    if output is not None and os.path.isdir(output) and os.listdir(output):
        raise FileExistsError(f"The output folder `{output}` is not empty.")
    keras.utils.set_random_seed(config.seed)
    backbone = load_backbone(
        config.preset, load_weights=False, seed=config.seed
    )
    folder = pathlib.Path(output or cached_folder(backbone))
    task = tasks.get("bit_memory")
    model = FPTClassifier(backbone, policy="full", **task.model_arguments())
    model.optimizer.learning_rate = config.learning_rate
    log(
        f"Pretraining {model.backbone.count_params():,} weights of "
        f"{config.preset} on bit memory, {config.steps:,} steps of "
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


def cached_preset(preset, log=print):
    """The folder of a preset's architecture, pretrained on bit memory.

    It is pretrained now, with the defaults of `BitMemoryConfig`, where it is
    not in the cache yet.

    Args:
        preset: string, a name or path that `from_preset` takes.
        log: function that takes a line of text.
    """
    folder = cached_folder(load_backbone(preset, load_weights=False))
    if not (folder / RECORD).is_file():
        log(
            "The arm `bit` finds nothing pretrained on bit memory for "
            f"'{preset}', so it does so once, with a small budget. "
            "`keras-fpt pretrain bit-memory` takes a larger one."
        )
        pretrain_bit_memory(BitMemoryConfig(preset), log=log)
    record = json.loads((folder / RECORD).read_text())
    log(
        f"Pretrained on bit memory for {record['steps']:,} steps: "
        f"{record['accuracy']:.1%} of its bits are right."
    )
    return str(folder)


def cached_folder(backbone):
    """Where the cache keeps what is pretrained for a backbone's settings."""
    settings = backbone.get_config()
    settings = {k: v for k, v in settings.items() if k not in ("name", "dtype")}
    digest = hashlib.sha256(
        json.dumps([type(backbone).__name__, settings], sort_keys=True).encode()
    )
    return cache.home() / "bit_memory" / digest.hexdigest()[:16]


def _write_preset(backbone, record, folder):
    """Writes a preset under another name first, so that it is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        whole = pathlib.Path(temporary, "preset")
        backbone.save_to_preset(str(whole))
        (whole / RECORD).write_text(json.dumps(record, indent=2) + "\n")
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(whole, folder)
