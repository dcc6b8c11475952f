"""Pretrains a GPT-2 by next-token prediction on plain text."""

import csv
import dataclasses
import json
import logging
import math
import os
import shutil
import time
from typing import Any

import keras
import numpy as np

from keras_fpt import random_weights
from keras_fpt.files import checkpoints
from keras_fpt.pretraining import text
from keras_fpt.pretraining.config import LanguageModelConfig
from keras_fpt.pretraining.model_card import measure, write_model_card
from keras_fpt.pretraining.next_token import token_losses, with_logits
from keras_fpt.pretraining.schedule import WarmupStableDecay
from keras_fpt.pretraining.token_blocks import TokenBlocks
from keras_fpt.progress import StepProgress

LOGGER = logging.getLogger(__name__)
WORK_FOLDER = "training"
STEPS_PER_CHECKPOINT = 200
QUICK_VALIDATION_TOKENS = 32_768


# These may change when a run is resumed: they affect the remaining steps, or
# how they are computed, and not the steps that are done.
MAY_CHANGE_ON_RESUME = ("tokens", "dtype")


def pretrain_language_model(
    config: LanguageModelConfig, output: str, resume: bool = False
) -> dict[str, Any]:
    """Trains a tokenizer and a GPT-2 and writes them as a KerasHub preset.

    Args:
        config: a `LanguageModelConfig`.
        output: folder for the preset. Its subfolder `training/` holds what is
            needed to resume the run.
        resume: bool, whether to resume an existing run in `output`.

    Returns:
        A dict of the measurements that the model card reports.

    Raises:
        FileExistsError: `output` holds a run and `resume` is false.
        ValueError: the run in `output` has another configuration, or the
            text is too short.
    """
    work = os.path.join(output, WORK_FOLDER)
    text.check_files(config.texts)
    is_new = _check_output(config, output, work, resume)
    try:
        train_tokens, validation_tokens = _prepare_tokens(config, work)
    except BaseException:
        if is_new:
            shutil.rmtree(work)
        raise
    if is_new:
        _write_config(config, work)
    steps = (config.tokens or len(train_tokens)) // config.batch_tokens
    backbone, model = _build(config, steps)
    state_path = os.path.join(work, "state.safetensors")
    step = 0
    if os.path.exists(state_path):
        step = checkpoints.load_state(state_path, model)["step"]
        LOGGER.info(f"Resuming at step {step:,} of {steps:,}.")
    LOGGER.info(
        f"{len(train_tokens):,} tokens to train on, "
        f"{len(validation_tokens):,} to validate; {steps:,} steps of "
        f"{config.batch_tokens:,} tokens; {model.count_params():,} weights."
    )

    short_steps = int(steps * config.short_fraction)
    progress = StepProgress(
        "Pretraining", steps, step, config.batch_tokens, "tokens"
    )
    with progress:
        while step < steps:
            is_short = step < short_steps
            stop = min(
                step + STEPS_PER_CHECKPOINT, short_steps if is_short else steps
            )
            length = (
                config.short_sequence_length
                if is_short
                else config.max_sequence_length
            )
            blocks = TokenBlocks(
                train_tokens,
                config.max_sequence_length,
                length,
                config.batch_tokens,
                config.seed,
                range(step, stop),
            )
            started = time.perf_counter()
            history = model.fit(
                blocks, shuffle=False, verbose=0, callbacks=[progress]
            )
            seconds = time.perf_counter() - started
            quick = validation_tokens[: QUICK_VALIDATION_TOKENS + 1]
            row = {
                "tokens": stop * config.batch_tokens,
                "sequence_length": length,
                "loss": history.history["loss"][-1],
                "validation_loss": token_losses(model, quick, length).mean(),
                "tokens_per_second": (stop - step)
                * config.batch_tokens
                / seconds,
            }
            if not math.isfinite(row["loss"] + row["validation_loss"]):
                raise FloatingPointError(
                    f"The loss became {row['loss']} between steps {step} and "
                    f"{stop}. The last finite state is kept; try a lower "
                    f"learning rate than {config.learning_rate}."
                )
            step = stop
            checkpoints.save_state(state_path, model, {"step": step})
            _append_row(os.path.join(work, "history.csv"), row)
            LOGGER.info(
                f"step {step:>6,}/{steps:,}  loss {row['loss']:.4f}  "
                f"validation {row['validation_loss']:.4f}  "
                f"{row['tokens_per_second']:,.0f} tokens/s"
            )

    _export(config, backbone, work, output)
    LOGGER.info("Evaluating the preset.")
    results = measure(output, train_tokens, validation_tokens)
    results["tokens_seen"] = steps * config.batch_tokens
    results["epochs"] = results["tokens_seen"] / len(train_tokens)
    write_model_card(output, config, results)
    return results


def _check_output(
    config: LanguageModelConfig, output: str, work: str, resume: bool
) -> bool:
    """Whether the run is a new one, rather than a resumed one.

    Raises:
        FileExistsError: `output` holds other files, or a run that is not to
            be resumed.
        ValueError: the run in `output` has another configuration.
    """
    path = os.path.join(work, "config.json")
    if not os.path.exists(path):
        if os.path.isdir(output) and set(os.listdir(output)) - {WORK_FOLDER}:
            raise FileExistsError(
                f"The output folder `{output}` is not empty and holds no "
                "pretraining run. Choose another one."
            )
        return True
    if not resume:
        raise FileExistsError(
            f"`{output}` already holds a pretraining run. Resume it with "
            "--resume, or choose another folder."
        )
    with open(path) as file:
        saved = json.load(file)
    for name, value in _fixed_settings(config).items():
        if saved.get(name) != value:
            raise ValueError(
                f"The run in `{output}` has {name}={saved.get(name)} but "
                f"received {name}={value}. Resume with the same settings."
            )
    return False


def _fixed_settings(config: LanguageModelConfig) -> dict[str, Any]:
    settings = json.loads(json.dumps(dataclasses.asdict(config)))
    return {
        name: value
        for name, value in settings.items()
        if name not in MAY_CHANGE_ON_RESUME
    }


def _write_config(config: LanguageModelConfig, work: str) -> None:
    path = os.path.join(work, "config.json")
    with open(path + ".tmp", "w") as file:
        json.dump(_fixed_settings(config), file, indent=2)
    os.replace(path + ".tmp", path)


def _prepare_tokens(
    config: LanguageModelConfig, work: str
) -> tuple[np.ndarray, np.ndarray]:
    """The tokens to train on and to validate on, memory-mapped.

    Raises:
        ValueError: the text is too short.
    """
    os.makedirs(work, exist_ok=True)
    path = os.path.join(work, "tokens.bin")
    if not os.path.exists(path):
        started = time.perf_counter()
        text.train_tokenizer(config.texts, config.vocabulary_size, work)
        LOGGER.info(
            f"Tokenizer trained in {time.perf_counter() - started:.0f} s."
        )
        started = time.perf_counter()
        count = text.tokenize(config.texts, text.load_tokenizer(work), path)
        LOGGER.info(
            f"{count:,} tokens written in "
            f"{time.perf_counter() - started:.0f} s."
        )
    tokens = np.memmap(path, dtype="<u2", mode="r")
    split = len(tokens) - max(
        int(len(tokens) * config.validation_fraction),
        config.max_sequence_length + 1,
    )
    if split <= config.batch_tokens:
        raise ValueError(
            f"Expected more than {config.batch_tokens:,} tokens, one step, "
            f"but there are {max(split, 0):,} to train on. Give more text, or "
            "a smaller batch_tokens."
        )
    return tokens[:split], tokens[split:]


def _build(config: LanguageModelConfig, steps: int) -> tuple[Any, Any]:
    """A GPT-2 backbone with fresh weights, and its compiled language model."""
    import keras_hub

    backbone = keras_hub.models.GPT2Backbone(
        vocabulary_size=config.vocabulary_size,
        num_layers=config.num_layers,
        num_heads=config.num_heads,
        hidden_dim=config.hidden_dim,
        intermediate_dim=4 * config.hidden_dim,
        max_sequence_length=config.max_sequence_length,
        # One epoch of text does not overfit.
        dropout=0.0,
        dtype=config.dtype,
    )
    random_weights.randomize(backbone, config.seed)
    model = with_logits(backbone)
    optimizer = keras.optimizers.AdamW(
        WarmupStableDecay(
            config.learning_rate,
            # In long runs a fixed number of tokens, so that a resumed run may
            # change its length.
            warmup_steps=min(1_000_000 // config.batch_tokens, steps // 10),
            decay_start=int(steps * (1 - config.decay_fraction)),
            total_steps=steps,
        ),
        beta_2=0.95,
        weight_decay=0.1,
        global_clipnorm=1.0,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(
        optimizer=optimizer,
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return backbone, model


def _export(
    config: LanguageModelConfig, backbone: Any, work: str, output: str
) -> None:
    """Writes the preset: float16 weights, the tokenizer and configs."""
    import keras_hub

    stored = keras_hub.models.GPT2Backbone.from_config(
        {**backbone.get_config(), "dtype": "float16"}
    )
    for target, source in zip(stored.weights, backbone.weights, strict=True):
        target.assign(source)
    preprocessor = keras_hub.models.GPT2CausalLMPreprocessor(
        keras_hub.models.GPT2Tokenizer(
            vocabulary=os.path.join(work, "vocabulary.json"),
            merges=os.path.join(work, "merges.txt"),
        ),
        sequence_length=config.max_sequence_length,
    )
    keras_hub.models.GPT2CausalLM(stored, preprocessor).save_to_preset(output)


def _append_row(path: str, row: dict[str, Any]) -> None:
    is_new = not os.path.exists(path)
    with open(path, "a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if is_new:
            writer.writeheader()
        writer.writerow(row)
