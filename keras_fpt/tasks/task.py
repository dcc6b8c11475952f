"""What a task is."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

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
class Task:
    """A classification task on sequences that are not language.

    Args:
        name: string.
        description: string, one line: what goes in and what comes out.
        num_classes: int, classes of each answer.
        sequence_length: int, the tokens of the longest example.
        make_splits: function of `(batch_size, seed, first_batch)` that
            returns `Splits`.
        recipe: a `Recipe`.
        input_dim: int, width of float tokens, or `None`.
        vocabulary_size: int, for integer tokens, or `None`.
        num_output_tokens: int, how many of the last tokens answer.
        labels_per_token: int, answers of each of them.
    """

    name: str
    description: str
    num_classes: int
    sequence_length: int
    make_splits: Callable[[int, int, int], Splits]
    recipe: Recipe
    input_dim: int | None = None
    vocabulary_size: int | None = None
    num_output_tokens: int = 1
    labels_per_token: int = 1

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
            pass each.
        """
        if batch_size < 1:
            raise ValueError(
                f"Expected a batch size of at least 1 but received "
                f"{batch_size}."
            )
        return self.make_splits(batch_size, seed, first_batch)

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
