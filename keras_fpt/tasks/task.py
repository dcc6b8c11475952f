"""What a task is."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf


class Splits(NamedTuple):
    """The three batched `tf.data.Dataset`s of a task, of `(x, y)`.

    Args:
        train: shuffled and endless.
        validation: one pass, in a fixed order.
        test: one pass, in a fixed order.
    """

    train: tf.data.Dataset
    validation: tf.data.Dataset
    test: tf.data.Dataset


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What `keras-fpt train` uses for a task where nothing else is said.

    Args:
        steps: int, gradient steps.
        batch_size: int, examples a step.
        learning_rate: float, of Adam.
        dropout: float, the dropout rate of the backbone.
    """

    steps: int
    batch_size: int = 64
    learning_rate: float = 1e-3
    dropout: float = 0.1


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where a task's data comes from, for those who report on it.

    Args:
        source: string, who made it and where it is.
        licence: string.
        citation: string, the paper to cite.
    """

    source: str
    licence: str
    citation: str


@dataclasses.dataclass(frozen=True)
class Task:
    """A classification task on sequences that are not language.

    Args:
        name: string.
        description: string, one line: what goes in and what comes out.
        num_classes: int, classes of each answer.
        sequence_length: int, the tokens of the longest example.
        data: what makes the examples: a `Generated` or a `Stored`.
        recipe: a `Recipe`.
        input_dim: int, width of float tokens, or `None`.
        vocabulary_size: int, for integer tokens, or `None`.
        num_output_tokens: int, how many of the last tokens answer.
        labels_per_token: int, answers of each of them.
        class_names: tuple of strings, or `None` where they are numbers.
        top_5: bool, whether top-5 accuracy is reported as well.
        origin: an `Origin`, or `None`.
        picture: function from tokens `(tokens, dim)` to the image that they
            were cut from, `(height, width)` or `(height, width, 3)` in
            [0, 1]; `None` where they were not an image.
        symbols: tuple of strings, what integer tokens stand for, or `None`.
        reader: what turns new files into tokens as this task's were, for a
            task on a person's own data; else `None`.
    """

    name: str
    description: str
    num_classes: int
    sequence_length: int
    data: Any
    recipe: Recipe
    input_dim: int | None = None
    vocabulary_size: int | None = None
    num_output_tokens: int = 1
    labels_per_token: int = 1
    class_names: tuple[str, ...] | None = None
    top_5: bool = False
    origin: Origin | None = None
    picture: Callable | None = None
    symbols: tuple[str, ...] | None = None
    reader: Any = None

    @property
    def held_out_splits(self):
        """Names of the splits that do not train: validation, test, others."""
        return self.data.held_out_splits

    def datasets(self, batch_size=64, seed=0, first_batch=0):
        """The task's data as batched `tf.data.Dataset`s of `(x, y)`.

        Args:
            batch_size: int.
            seed: int. The training examples and their order follow from it,
                the same on every backend and in every run. Validation and
                test examples are the same for every seed.
            first_batch: int, the number of the training batch to begin with,
                for a run that goes on.

        Returns:
            `Splits`: `train` is endless; `validation` and `test` are one
            pass each. Where examples have different lengths, `x` is
            `{"tokens": ..., "padding_mask": ...}`.
        """
        if batch_size < 1:
            raise ValueError(
                f"Expected a batch size of at least 1 but received "
                f"{batch_size}."
            )
        return Splits(
            self.data.train(batch_size, seed, first_batch),
            self.data.held_out("validation", batch_size),
            self.data.held_out("test", batch_size),
        )

    def held_out(self, split, batch_size=64):
        """One pass over a held-out split, in a fixed order.

        Args:
            split: string, one of `held_out_splits`.
            batch_size: int.

        Raises:
            ValueError: there is no such split.
        """
        if split not in self.held_out_splits:
            raise ValueError(
                f"Unknown split '{split}'. Expected one of "
                f"{', '.join(self.held_out_splits)}."
            )
        return self.data.held_out(split, batch_size)

    def class_counts(self, split):
        """How often each class is the answer, `(num_classes,)`, or `None`.

        It is `None` for training examples that are generated.
        """
        labels = self.data.labels(split)
        if labels is None:
            return None
        return np.bincount(labels.ravel(), minlength=self.num_classes)

    def majority_accuracy(self, split):
        """The accuracy of always giving the commonest answer of train."""
        train = self.class_counts("train")
        counts = self.class_counts(split)
        commonest = np.argmax(counts if train is None else train)
        return float(counts[commonest] / counts.sum())

    def model_arguments(self):
        """The arguments of `FPTClassifier` that fit this task."""
        return {
            "num_classes": self.num_classes,
            "input_dim": self.input_dim,
            "vocabulary_size": self.vocabulary_size,
            "num_output_tokens": self.num_output_tokens,
            "labels_per_token": self.labels_per_token,
            "dropout": self.recipe.dropout,
        }
