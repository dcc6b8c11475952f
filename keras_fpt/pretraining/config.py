"""The options of pretraining runs."""

import dataclasses
import math

from keras_fpt.options import option


@dataclasses.dataclass(frozen=True)
class BitMemoryConfig:
    """The options of pretraining on bit memory.

    The arm `bit` pretrains with the defaults if no pretrained weights exist
    yet.

    Args:
        preset: string, the preset whose architecture is pretrained, from random
            weights.
        steps: int, the maximum number of training steps; training ends earlier
            once bit memory is solved.
        target_accuracy: float, the accuracy on held-out strings at which bit
            memory counts as solved. Copying the bits that are shown gives 0.75.
        batch_size: int, examples per step.
        learning_rate: float, Adam learning rate.
        seed: int, seed of the initial weights and of the examples.
    """

    preset: str = option(
        "gpt2_tiny_en",
        "Preset whose architecture is pretrained: a name or a folder.",
        topic="Model",
    )
    steps: int = option(
        2000,
        "Maximum number of training steps; training stops earlier once bit "
        "memory is solved.",
        topic="Training",
    )
    target_accuracy: float = option(
        0.99,
        "Accuracy on held-out strings at which bit memory counts as solved.",
        topic="Training",
        since="0.2.0",
    )
    batch_size: int = option(
        64,
        "Batch size.",
        topic="Training",
    )
    learning_rate: float = option(
        1e-3,
        "Adam learning rate.",
        topic="Training",
    )
    seed: int = option(
        0,
        "Seed of the initial weights and of the examples.",
        topic="Training",
    )

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"Expected {name} to be at least 1 but received "
                    f"{getattr(self, name)}."
                )
        if not 0 <= self.target_accuracy <= 1:
            raise ValueError(
                "Expected a target_accuracy from 0 to 1 but received "
                f"{self.target_accuracy}."
            )
        if not 0 < self.learning_rate < float("inf"):
            raise ValueError(
                "Expected a learning rate above 0 but received "
                f"{self.learning_rate}."
            )


@dataclasses.dataclass(frozen=True)
class LanguageModelConfig:
    """The options of pretraining a language model.

    Args:
        texts: tuple of paths of UTF-8 text files.
        num_layers: int, the number of transformer blocks.
        num_heads: int, attention heads per block.
        hidden_dim: int, width of the hidden states; the feedforward layers
            are four times as wide.
        vocabulary_size: int, tokens of the tokenizer that is trained first.
        max_sequence_length: int, the number of positions, and the length of
            the sequences at the end of training.
        short_sequence_length: int, the length of the sequences at the start
            of training. Shorter sequences cost less per token.
        short_fraction: float, the fraction of the steps with short sequences.
        tokens: int, the number of tokens to train on. `None` is one epoch.
        batch_tokens: int, tokens per step.
        learning_rate: float, the peak learning rate of AdamW.
        decay_fraction: float, the fraction of the steps, at the end, over
            which the learning rate decays linearly to zero. It is constant
            before, so until then a resumed run may change `tokens`.
        validation_fraction: float, the fraction of the text, at its end, that
            is held out for validation.
        seed: int, seed of the weights and of the order of the text.
        dtype: string, Keras dtype policy of the computation, e.g. `"float32"`
            or `"mixed_bfloat16"`.
    """

    texts: tuple[str, ...]
    num_layers: int = option(
        4,
        "Number of transformer blocks.",
        topic="Model",
    )
    num_heads: int = option(
        4,
        "Attention heads per block.",
        topic="Model",
    )
    hidden_dim: int = option(
        256,
        "Width of the hidden states.",
        topic="Model",
    )
    vocabulary_size: int = option(
        4096,
        "Vocabulary size of the tokenizer.",
        topic="Model",
    )
    max_sequence_length: int = option(
        1024,
        "Number of positions, and final sequence length.",
        topic="Model",
    )
    short_sequence_length: int = option(
        256,
        "Sequence length at the start of training.",
        topic="Training",
    )
    short_fraction: float = option(
        0.75,
        "Fraction of the steps with short sequences.",
        topic="Training",
    )
    tokens: int | None = option(
        None,
        "Number of tokens to train on.",
        topic="Training",
        default_text="one epoch",
    )
    batch_tokens: int = option(
        4096,
        "Tokens per step.",
        topic="Training",
    )
    learning_rate: float = option(
        3e-3,
        "Peak learning rate of AdamW.",
        topic="Training",
    )
    decay_fraction: float = option(
        0.3,
        "Fraction of the steps, at the end, over which the learning rate "
        "decays to 0.",
        topic="Training",
    )
    validation_fraction: float = option(
        0.01,
        "Fraction of the text, at its end, held out for validation.",
        topic="Training",
    )
    seed: int = option(
        0,
        "Seed of the weights and the order of the text.",
        topic="Training",
    )
    dtype: str = option(
        "float32",
        "Dtype policy: float32, or mixed_bfloat16 on hardware where it is "
        "faster.",
        topic="Training",
    )

    def __post_init__(self) -> None:
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
