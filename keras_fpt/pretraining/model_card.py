"""Evaluates a pretrained language model and writes its model card."""

import dataclasses
import os
from typing import Any

import numpy as np

from keras_fpt import files
from keras_fpt.pretraining.next_token import token_losses, with_logits

POSITION_BUCKETS = (0, 1, 4, 16, 64, 256, 512, 1024)


def measure(
    preset: str, train_tokens: np.ndarray, validation_tokens: np.ndarray
) -> dict[str, Any]:
    """Evaluates a preset on text that it was not trained on.

    The weights are read from the preset's files, so that the results are
    those of the stored float16 weights.

    Args:
        preset: folder of a KerasHub GPT-2 preset with its tokenizer.
        train_tokens: int array `(n,)`, for the unigram and bigram models.
        validation_tokens: int array `(m,)`.

    Returns:
        A dict: `validation_loss` in nats per token, `bits_per_byte` of the
        model, a unigram and a bigram model, and `loss_by_position`.
    """
    import keras_hub

    model = keras_hub.models.GPT2CausalLM.from_preset(preset, dtype="float32")
    lengths = _bytes_per_token(model.preprocessor.tokenizer)
    sequence_length = model.backbone.max_sequence_length
    losses = token_losses(
        with_logits(model.backbone), validation_tokens, sequence_length
    )
    scored = np.asarray(validation_tokens[: losses.size + 1], "int64")
    num_bytes = lengths[scored[1:]].sum()
    unigram, bigram = count_models(
        train_tokens, scored, model.backbone.vocabulary_size
    )

    def bits_per_byte(total_nats: Any) -> float:
        return float(total_nats / np.log(2) / num_bytes)

    buckets = [b for b in POSITION_BUCKETS if b < sequence_length]
    buckets.append(sequence_length)
    return {
        "validation_tokens": int(losses.size),
        "validation_bytes": int(num_bytes),
        "validation_loss": float(losses.mean()),
        "unigram_loss": float(unigram / losses.size),
        "bigram_loss": float(bigram / losses.size),
        "bits_per_byte": bits_per_byte(losses.sum(dtype="float64")),
        "unigram_bits_per_byte": bits_per_byte(unigram),
        "bigram_bits_per_byte": bits_per_byte(bigram),
        "loss_by_position": {
            _span(first + 1, last): float(losses[:, first:last].mean())
            for first, last in zip(buckets, buckets[1:], strict=False)
        },
    }


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first} to {last}"


def count_models(
    train_tokens: np.ndarray, scored: np.ndarray, vocabulary_size: int
) -> tuple[float, float]:
    """Total loss of a unigram and of a bigram model, in nats.

    The unigram model has add-one smoothing. The bigram model mixes the counts
    of pairs with the unigram model, as if that had been observed `strength`
    times after every token (a Dirichlet prior); 100 is not tuned.

    Args:
        train_tokens: int array `(n,)` of the tokens that are counted.
        scored: int array `(m + 1,)`; the last m tokens are scored, each given
            the one before it.
        vocabulary_size: int.

    Returns:
        A tuple `(unigram, bigram)` of floats.
    """
    strength = 100.0
    train = np.asarray(train_tokens, "int64")
    counts = np.bincount(train, minlength=vocabulary_size)
    unigram = (counts + 1.0) / (counts.sum() + vocabulary_size)
    pairs, pair_counts = np.unique(
        train[:-1] * vocabulary_size + train[1:], return_counts=True
    )
    before, after = scored[:-1], scored[1:]
    wanted = before * vocabulary_size + after
    index = np.searchsorted(pairs, wanted).clip(max=len(pairs) - 1)
    seen = np.where(pairs[index] == wanted, pair_counts[index], 0)
    bigram = (seen + strength * unigram[after]) / (counts[before] + strength)
    return -np.log(unigram[after]).sum(), -np.log(bigram).sum()


def _bytes_per_token(tokenizer: Any) -> np.ndarray:
    """The number of bytes of each token of a byte-level tokenizer."""
    lengths = np.zeros(tokenizer.vocabulary_size(), "int64")
    for name, index in tokenizer.vocabulary.items():
        # A byte-level token's name has one character per byte. The end-of-text
        # marker is not text.
        lengths[index] = len(name) * (index != tokenizer.end_token_id)
    return lengths


def write_model_card(preset: str, config: Any, results: dict[str, Any]) -> None:
    """Writes `README.md` to a preset folder.

    Args:
        preset: the preset's folder.
        config: the `LanguageModelConfig` of the run.
        results: the dict from `measure`, with `tokens_seen` and `epochs`.
    """
    texts = ", ".join(f"`{os.path.basename(path)}`" for path in config.texts)
    positions = "\n".join(
        f"| {span} | {loss:.3f} |"
        for span, loss in results["loss_by_position"].items()
    )
    rows = "\n".join(
        f"| {name} | {results[f'{key}loss']:.3f} "
        f"| {results[f'{key}bits_per_byte']:.3f} |"
        for name, key in (("unigram", "unigram_"), ("bigram", "bigram_"))
    )
    card = f"""---
library_name: keras-hub
pipeline_tag: text-generation
---
# {os.path.basename(os.path.abspath(preset))}

A GPT-2 of {config.num_layers} layers, {config.num_heads} heads and width \
{config.hidden_dim}, with {config.max_sequence_length} positions and a
byte-level BPE vocabulary of {config.vocabulary_size:,} tokens, pretrained by
next-token prediction. Weights are stored as float16.

- Data: {texts}, of which the last {config.validation_fraction:.0%} was held
  out.
- Tokens seen: {results["tokens_seen"]:,} ({results["epochs"]:.2f} epochs).

## Evaluation

On {results["validation_tokens"]:,} held-out tokens
({results["validation_bytes"]:,} bytes of text), read
{config.max_sequence_length} at a time, with the stored weights:

| model | nats per token | bits per byte |
| --- | --- | --- |
{rows}
| this model | {results["validation_loss"]:.3f} | {
        results["bits_per_byte"]:.3f} |

If the loss decreases with the position, the model uses the context:

| position | nats per token |
| --- | --- |
{positions}

## Command

```
{_command(config, results["tokens_seen"])}
```
"""
    files.write_text(os.path.join(preset, "README.md"), card)


def _command(config: Any, tokens_seen: int) -> str:
    """The command that reproduces the preset."""
    settings = dataclasses.asdict(config)
    texts = settings.pop("texts")
    settings["tokens"] = tokens_seen
    parts = [f"--text {os.path.basename(path)}" for path in texts]
    parts += [
        f"--{name.replace('_', '-')} {value}"
        for name, value in settings.items()
    ]
    return " \\\n    ".join(
        ["keras-fpt pretrain language-model --output DIR", *parts]
    )
