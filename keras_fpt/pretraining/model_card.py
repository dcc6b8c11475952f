"""What a pretrained language model has learned, measured and written down."""

import os

import numpy as np

from keras_fpt.pretraining.next_token import token_losses, with_logits

POSITION_BUCKETS = (0, 1, 4, 16, 64, 256, 512, 1024)


def measure(preset, train_tokens, validation_tokens):
    """Measures a preset on text that it was not trained on.

    The weights are read back from the preset's files, so the numbers are
    those of what is shipped.

    Args:
        preset: folder of a KerasHub GPT-2 preset with its tokenizer.
        train_tokens: int array `(n,)`, for the unigram and bigram models.
        validation_tokens: int array `(m,)`.

    Returns:
        A dict: `validation_loss` in nats a token, `bits_per_byte` of the
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

    def bits_per_byte(total_nats):
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


def _span(first, last):
    return str(first) if first == last else f"{first} to {last}"


def count_models(train_tokens, scored, vocabulary_size):
    """Total loss of a unigram and of a bigram model, in nats.

    The unigram counts have one added to each. The bigram model mixes pair
    counts with the unigram model as if it had been seen `strength` times
    after every token (a Dirichlet prior); 100 is not tuned.

    Args:
        train_tokens: int array `(n,)` that the counts come from.
        scored: int array `(m + 1,)`; the last m tokens are scored, each
            given the one before it.
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


def _bytes_per_token(tokenizer):
    """Text bytes of each token of a byte-level tokenizer."""
    lengths = np.zeros(tokenizer.vocabulary_size(), "int64")
    for name, index in tokenizer.vocabulary.items():
        # A byte-level token's name has one character a byte; the end-of-text
        # marker stands for none.
        lengths[index] = len(name) * (index != tokenizer.end_token_id)
    return lengths


def write_model_card(preset, config, results):
    """Writes `README.md` into a preset folder.

    Args:
        preset: the preset's folder.
        config: the `LanguageModelConfig` of the run.
        results: what `measure` returned, with `tokens_seen` and `epochs`.
    """
    texts = ", ".join(f"`{os.path.basename(path)}`" for path in config.texts)
    positions = "\n".join(
        f"| {bucket} | {loss:.3f} |"
        for bucket, loss in results["loss_by_position"].items()
    )
    command = " ".join(
        [
            "keras-fpt pretrain language-model",
            *(f"--text {os.path.basename(path)}" for path in config.texts),
            f"--num-layers {config.num_layers}",
            f"--num-heads {config.num_heads}",
            f"--hidden-dim {config.hidden_dim}",
            f"--vocabulary-size {config.vocabulary_size}",
            f"--max-sequence-length {config.max_sequence_length}",
            f"--short-sequence-length {config.short_sequence_length}",
            f"--short-fraction {config.short_fraction}",
            f"--tokens {results['tokens_seen']}",
            f"--learning-rate {config.learning_rate}",
            f"--dtype {config.dtype}",
            f"--seed {config.seed}",
            "--output DIR",
        ]
    )
    card = f"""---
library_name: keras-hub
pipeline_tag: text-generation
license: apache-2.0
language: en
---
# {os.path.basename(os.path.abspath(preset))}

A GPT-2 of {config.num_layers} layers, {config.num_heads} heads and width
{config.hidden_dim}, with {config.max_sequence_length} positions and a
byte-level BPE vocabulary of {config.vocabulary_size:,} tokens, pretrained by
next-token prediction. Weights are stored as float16.

- Data: {texts}; the last {config.validation_fraction:.0%} held out.
- Tokens seen: {results["tokens_seen"]:,} ({results["epochs"]:.2f} epochs).
- Licence of the weights: Apache-2.0.

## What it has learned

On {results["validation_tokens"]:,} held-out tokens
({results["validation_bytes"]:,} bytes of text), read
{config.max_sequence_length} at a time, with the stored weights:

| model | nats a token | bits a byte |
| --- | --- | --- |
| unigram | {results["unigram_loss"]:.3f} | {
        results["unigram_bits_per_byte"]:.3f} |
| bigram | {results["bigram_loss"]:.3f} | {
        results["bigram_bits_per_byte"]:.3f} |
| this model | {results["validation_loss"]:.3f} | {
        results["bits_per_byte"]:.3f} |

The loss falls with the position, so the model uses what came before:

| position | nats a token |
| --- | --- |
{positions}

## Command

```
{command}
```
"""
    with open(os.path.join(preset, "README.md"), "w") as file:
        file.write(card)
