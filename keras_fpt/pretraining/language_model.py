"""Pretrains a GPT-2 by next-token prediction on plain text."""

import csv
import dataclasses
import json
import math
import os
import shutil
import time

import keras
import numpy as np

from keras_fpt import random_weights
from keras_fpt.files import checkpoints
from keras_fpt.pretraining import text
from keras_fpt.pretraining.model_card import measure, write_model_card
from keras_fpt.pretraining.next_token import token_losses, with_logits
from keras_fpt.pretraining.schedule import WarmupStableDecay
from keras_fpt.pretraining.token_blocks import TokenBlocks
from keras_fpt.progress import StepProgress

WORK_FOLDER = "training"
STEPS_PER_CHECKPOINT = 200
QUICK_VALIDATION_TOKENS = 32_768


@dataclasses.dataclass(frozen=True)
class LanguageModelConfig:
    """What a language-model pretraining run is.

    Args:
        texts: paths of UTF-8 text files.
        num_layers: int, transformer blocks.
        num_heads: int, attention heads a block.
        hidden_dim: int, width; the feedforward layers are four times as wide.
        vocabulary_size: int, tokens of the tokenizer that is trained first.
        max_sequence_length: int, positions, and the length of the sequences
            that training ends with.
        short_sequence_length: int, the length that training begins with.
            Shorter sequences cost less a token.
        short_fraction: float, the part of the steps at the short length.
        tokens: int, how many tokens to train on. `None` is one epoch.
        batch_tokens: int, tokens a step.
        learning_rate: float, the peak.
        decay_fraction: float, the last part of the steps, over which the
            learning rate falls to zero in a line. It is constant before, so
            `tokens` may be changed on resuming until then.
        validation_fraction: float, the part of the text, at its end, that is
            never trained on.
        seed: int.
        dtype: string, Keras dtype policy to compute with, e.g. `"float32"`
            or `"mixed_bfloat16"`.
    """

    texts: tuple[str, ...]
    num_layers: int = 4
    num_heads: int = 4
    hidden_dim: int = 256
    vocabulary_size: int = 4096
    max_sequence_length: int = 1024
    short_sequence_length: int = 256
    short_fraction: float = 0.75
    tokens: int | None = None
    batch_tokens: int = 4096
    learning_rate: float = 3e-3
    decay_fraction: float = 0.3
    validation_fraction: float = 0.01
    seed: int = 0
    dtype: str = "float32"

    def __post_init__(self):
        if not 257 <= self.vocabulary_size <= 65_536:
            raise ValueError(
                "Expected a vocabulary size between 257 (256 bytes and the "
                "end-of-text marker) and 65,536 but received "
                f"{self.vocabulary_size}."
            )
        if self.hidden_dim % self.num_heads:
            raise ValueError(
                f"Expected a width that {self.num_heads} heads divide but "
                f"received hidden_dim={self.hidden_dim}."
            )
        if self.max_sequence_length % self.short_sequence_length:
            raise ValueError(
                "Expected a short sequence length that divides "
                f"max_sequence_length={self.max_sequence_length} but received "
                f"{self.short_sequence_length}."
            )
        for name in ("short_fraction", "decay_fraction", "validation_fraction"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(
                    f"Expected {name} from 0 to below 1 but received "
                    f"{getattr(self, name)}."
                )
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(
                "Expected a learning rate above 0 but received "
                f"{self.learning_rate}."
            )
        if self.tokens is not None and self.tokens < self.batch_tokens:
            raise ValueError(
                f"Expected at least one step of {self.batch_tokens} tokens "
                f"but received tokens={self.tokens}."
            )
        if self.batch_tokens % self.max_sequence_length:
            raise ValueError(
                "Expected batch_tokens to be a multiple of "
                f"max_sequence_length={self.max_sequence_length} but received "
                f"{self.batch_tokens}."
            )


# These may differ between the parts of one run: they change what is still to
# come, or how it is computed, and not what was done.
MAY_CHANGE_ON_RESUME = ("tokens", "dtype")


def pretrain_language_model(config, output, resume=False, log=print):
    """Trains a tokenizer and a GPT-2 and writes them as a KerasHub preset.

    Args:
        config: a `LanguageModelConfig`.
        output: folder for the preset. What a run needs to go on is kept in
            its subfolder `training/`.
        resume: bool, whether to go on with the run in `output`, if any.
        log: function that takes a line of text.

    Returns:
        A dict of what was measured, as the model card reports it.

    Raises:
        FileExistsError: `output` holds a run and `resume` is false.
        ValueError: the run in `output` has another configuration, or the
            text is too short.
    """
    work = os.path.join(output, WORK_FOLDER)
    text.check_files(config.texts)
    is_new = _check_output(config, output, work, resume)
    try:
        train_tokens, validation_tokens = _prepare_tokens(config, work, log)
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
        log(f"Resuming at step {step:,} of {steps:,}.")
    log(
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
                    f"{stop}. The last good state is kept; try a lower "
                    f"learning rate than {config.learning_rate}."
                )
            step = stop
            checkpoints.save_state(state_path, model, {"step": step})
            _append_row(os.path.join(work, "history.csv"), row)
            log(
                f"step {step:>6,}/{steps:,}  loss {row['loss']:.4f}  "
                f"validation {row['validation_loss']:.4f}  "
                f"{row['tokens_per_second']:,.0f} tokens/s"
            )

    _export(config, backbone, work, output)
    log("Measuring what the preset has learned.")
    results = measure(output, train_tokens, validation_tokens)
    results["tokens_seen"] = steps * config.batch_tokens
    results["epochs"] = results["tokens_seen"] / len(train_tokens)
    write_model_card(output, config, results)
    return results


def _check_output(config, output, work, resume):
    """Whether a new run may begin in `output`; else the old one may go on.

    Raises:
        FileExistsError, ValueError: neither may.
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
            f"`{output}` already holds a pretraining run. Go on with it with "
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


def _fixed_settings(config):
    settings = json.loads(json.dumps(dataclasses.asdict(config)))
    return {
        name: value
        for name, value in settings.items()
        if name not in MAY_CHANGE_ON_RESUME
    }


def _write_config(config, work):
    path = os.path.join(work, "config.json")
    with open(path + ".tmp", "w") as file:
        json.dump(_fixed_settings(config), file, indent=2)
    os.replace(path + ".tmp", path)


def _prepare_tokens(config, work, log):
    """The text's tokens, memory-mapped: those to train on, and the rest.

    Raises:
        ValueError: there is too little text.
    """
    os.makedirs(work, exist_ok=True)
    path = os.path.join(work, "tokens.bin")
    if not os.path.exists(path):
        started = time.perf_counter()
        text.train_tokenizer(config.texts, config.vocabulary_size, work)
        log(f"Tokenizer trained in {time.perf_counter() - started:.0f} s.")
        started = time.perf_counter()
        count = text.tokenize(config.texts, text.load_tokenizer(work), path)
        log(
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


def _build(config, steps):
    """A freshly drawn GPT-2, and its language model, compiled."""
    import keras_hub

    backbone = keras_hub.models.GPT2Backbone(
        vocabulary_size=config.vocabulary_size,
        num_layers=config.num_layers,
        num_heads=config.num_heads,
        hidden_dim=config.hidden_dim,
        intermediate_dim=4 * config.hidden_dim,
        max_sequence_length=config.max_sequence_length,
        # One epoch over text is far from overfitting.
        dropout=0.0,
        dtype=config.dtype,
    )
    random_weights.randomize(backbone, config.seed)
    model = with_logits(backbone)
    optimizer = keras.optimizers.AdamW(
        WarmupStableDecay(
            config.learning_rate,
            # In long runs warming up takes a fixed number of tokens, and not
            # a part of the run, which keeps the horizon free to move.
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


def _export(config, backbone, work, output):
    """Writes the preset: float16 weights, the tokenizer, their configs."""
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


def _append_row(path, row):
    is_new = not os.path.exists(path)
    with open(path, "a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if is_new:
            writer.writeheader()
        writer.writerow(row)
