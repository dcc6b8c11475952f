"""Pretrains a GPT-2 by next-token prediction on plain text."""

import csv
import dataclasses
import json
import logging
import math
import os
import shutil
import tempfile
import time
from typing import Any

import keras
import numpy as np

from keras_fpt import files, random_weights
from keras_fpt.files import checkpoints, folder_lock, json_files, outputs
from keras_fpt.pretraining import leftovers, text, token_files
from keras_fpt.pretraining.config import LanguageModelConfig
from keras_fpt.pretraining.leftovers import CONFIG, STATE, WORK_FOLDER
from keras_fpt.pretraining.model_card import measure, write_model_card
from keras_fpt.pretraining.next_token import token_losses, with_logits
from keras_fpt.pretraining.schedule import WarmupStableDecay
from keras_fpt.pretraining.token_blocks import TokenBlocks
from keras_fpt.progress import StepProgress

LOGGER = logging.getLogger(__name__)
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
        FileExistsError: `output` contains a run and `resume` is false, or it
            contains something else, or links.
        BlockingIOError: another process is writing a run to `output`.
        ValueError: the run in `output` has another configuration, other text
            or damaged tokens, or the text is too short.
    """
    work = os.path.join(output, WORK_FOLDER)
    text.check_files(config.texts)
    _check_output(config, output, work, resume)
    with folder_lock.lock(output, "a pretraining run"):
        return _pretrain(config, output, work, resume)


def _pretrain(
    config: LanguageModelConfig, output: str, work: str, resume: bool
) -> dict[str, Any]:
    """Trains and writes the preset, in a folder that is locked."""
    # Again, since another process may have ended in the meantime.
    is_new = _check_output(config, output, work, resume)
    leftovers.remove(output)
    if is_new:
        _start(config, work)
    else:
        token_files.check_unchanged(work, config.texts)
    train_tokens, validation_tokens = _map_tokens(config, work)
    steps = (config.tokens or len(train_tokens)) // config.batch_tokens
    backbone, model = _build(config, steps)
    state_path = os.path.join(work, STATE)
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
        FileExistsError: `output` contains other files, or a run that is not to
            be resumed.
        ValueError: the run in `output` has another configuration.
    """
    outputs.check_writable(output)
    files.refuse_links(output, (folder_lock.LOCK, WORK_FOLDER))
    path = os.path.join(work, CONFIG)
    if not os.path.exists(path):
        if os.path.lexists(output) and not (
            os.path.isdir(output) and all(map(_is_leftover, os.listdir(output)))
        ):
            raise FileExistsError(
                f"The output folder `{output}` is not empty and contains no "
                "pretraining run. Choose another one."
            )
        return True
    if not resume:
        raise FileExistsError(
            f"`{output}` already contains a pretraining run. Resume it with "
            "--resume, or choose another folder."
        )
    files.refuse_links(output, os.listdir(output))
    saved = json_files.read_object(path)
    by_content = {"texts"} if token_files.has_manifest(work) else set()
    for name, value in _fixed_settings(config).items():
        if name not in by_content and saved.get(name) != value:
            raise ValueError(
                f"The run in `{output}` has {name}={saved.get(name)} but "
                f"received {name}={value}. Resume with the same settings."
            )
    return False


def _start(config: LanguageModelConfig, work: str) -> None:
    """Makes the folder of a new run, with its tokens and configuration.

    It is made under another name and then renamed, so that a folder of the
    final name is complete, and one that another process made is never touched.

    Raises:
        ValueError: the text is too short.
    """
    os.makedirs(os.path.dirname(work), exist_ok=True)
    started = tempfile.mkdtemp(".tmp", f"{WORK_FOLDER}.", os.path.dirname(work))
    try:
        new = os.path.join(started, WORK_FOLDER)
        os.mkdir(new)
        _write_tokens(config, new)
        token_files.write_manifest(new, config.texts)
        _map_tokens(config, new)
        _write_config(config, new)
        os.rename(new, work)
    finally:
        shutil.rmtree(started)


def _is_leftover(name: str) -> bool:
    """Whether a process left a file or folder when it started a run."""
    return leftovers.is_start(name) or name == folder_lock.LOCK


def _fixed_settings(config: LanguageModelConfig) -> dict[str, Any]:
    settings = json.loads(json.dumps(dataclasses.asdict(config)))
    return {
        name: value
        for name, value in settings.items()
        if name not in MAY_CHANGE_ON_RESUME
    }


def _write_config(config: LanguageModelConfig, work: str) -> None:
    settings = json.dumps(_fixed_settings(config), indent=2)
    files.write_text(os.path.join(work, CONFIG), settings)


def _write_tokens(config: LanguageModelConfig, work: str) -> None:
    """Writes the tokenizer and the tokens of the text."""
    started = time.perf_counter()
    text.train_tokenizer(config.texts, config.vocabulary_size, work)
    LOGGER.info(f"Tokenizer trained in {time.perf_counter() - started:.0f} s.")
    started = time.perf_counter()
    path = os.path.join(work, token_files.TOKENS)
    count = text.tokenize(config.texts, text.load_tokenizer(work), path)
    LOGGER.info(
        f"{count:,} tokens written in {time.perf_counter() - started:.0f} s."
    )


def _map_tokens(
    config: LanguageModelConfig, work: str
) -> tuple[np.ndarray, np.ndarray]:
    """The tokens to train on and to validate on, memory-mapped.

    Args:
        config: a `LanguageModelConfig`.
        work: the run's folder `training/`.

    Raises:
        ValueError: the text is too short.
    """
    path = os.path.join(work, token_files.TOKENS)
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
    """A GPT-2 backbone with random weights, and its compiled language model."""
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
    with open(path, "a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, row)
        if is_new:
            writer.writeheader()
        writer.writerow(row)
