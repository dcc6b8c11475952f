"""`Task`: labeled sequences and what a model needs to know about them.

This file is longer than others, since it has one large public class.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from keras_fpt.tasks import (
    forecast_history,
    forecast_scores,
    sequence_store,
    task_floors,
    task_words,
)

# The number of examples that are counted at a time.
_COUNTED = 1000


class Splits(NamedTuple):
    """The three batched `tf.data.Dataset`s of `(x, y)` of a task.

    Args:
        train: `tf.data.Dataset`, shuffled and endless.
        validation: `tf.data.Dataset`, one pass in a fixed order.
        test: `tf.data.Dataset`, one pass in a fixed order.
    """

    train: tf.data.Dataset
    validation: tf.data.Dataset
    test: tf.data.Dataset


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The default hyperparameters of `keras-fpt train` for a task.

    Args:
        steps: int, training steps.
        batch_size: int, examples per step.
        learning_rate: float, Adam learning rate.
        dropout: float, dropout rate of the backbone.
    """

    steps: int
    batch_size: int = 64
    learning_rate: float = 1e-3
    dropout: float = 0.1


@dataclasses.dataclass(frozen=True)
class Origin:
    """The origin of a task's data.

    Args:
        source: string, who published the data, and where.
        licence: string, the license of the data.
        citation: string, the paper to cite.
    """

    source: str
    licence: str
    citation: str


@dataclasses.dataclass(frozen=True, repr=False)
class Task:
    """A task on sequences that are not language.

    It is a classification, with `num_targets` a regression, or with `horizon` a
    forecast. An example may have several labels (`is_multilabel`), or one for
    each token (`is_per_token`).

    Args:
        name: string.
        description: string, one line: the inputs and the labels.
        num_classes: int, the classes of each label; how many labels an example
            may have; 0 for a regression.
        sequence_length: int, tokens of the longest example.
        data: a `Generated` or a `Stored`, which makes the examples.
        recipe: a `Recipe`.
        input_dim: int, width of float tokens, or `None`.
        vocabulary_size: int, for integer tokens, or `None`.
        num_output_tokens: int, how many of the last tokens have labels.
        labels_per_token: int, the labels of each of them.
        class_names: tuple of strings, the names of the classes, or of the
            labels that an example may have; `None` if classes are numbers.
        top_5: bool, whether to report top-5 accuracy as well.
        origin: an `Origin`, or `None`.
        picture: function from tokens `(tokens, dim)` to the image that they
            were cut from, `(height, width)` or `(height, width, 3)` in
            [0, 1]; `None` if they were not cut from an image.
        symbols: tuple of strings that integer tokens stand for, or `None`.
        simple_rules: dict from names to functions of a batch of inputs (as
            in `datasets`, in NumPy) that return answers in the shape of the
            labels: predictions without learning the task.
        answer_tokens: function from a batch of inputs to an int array
            `(batch, num_output_tokens)`, the position of the token that holds
            the answer of each output token; `None` if no single one does.
        reader: reads new files in the same way as the task's data, for
            predictions, if that is the user's own data; otherwise `None`.
        findings: tuple of the findings of the audit of the user's own data.
        num_targets: int, the numbers that a regression or a forecast predicts
            for each example; `None` for a classification.
        is_multilabel: bool, whether an example may have any number of labels,
            which are then arrays `(n, labels)` of 0 and 1.
        is_per_token: bool, whether each token has a class, in arrays
            `(n, tokens)`, -1 where it has none.
        horizon: int, how many steps a forecast predicts, each of as many
            numbers as tokens have; `None` for another task.
        history: a `History`, the series that a forecast's examples were cut
            from; `None` for another task, or if it is not known.
        future_dim: int, how many numbers of a forecast's tokens, the last
            ones, are known over the horizon as well, and are not forecast.
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
    simple_rules: Mapping[str, Callable] = dataclasses.field(
        default_factory=dict
    )
    answer_tokens: Callable | None = None
    reader: Any = None
    findings: tuple[Any, ...] = ()
    num_targets: int | None = None
    is_multilabel: bool = False
    is_per_token: bool = False
    horizon: int | None = None
    history: forecast_history.History | None = None
    future_dim: int = 0

    @property
    def is_regression(self) -> bool:
        """Whether the labels are numbers to predict, and not classes."""
        return self.num_targets is not None

    @property
    def has_one_class(self) -> bool:
        """Whether each example has one class, and nothing else."""
        answers = self.num_output_tokens * self.labels_per_token
        is_other = self.is_regression or self.is_multilabel or self.is_per_token
        return answers == 1 and not is_other

    @property
    def word_for_classes(self) -> str:
        """What `class_names` names: `"classes"` or `"labels"`."""
        return "labels" if self.is_multilabel else "classes"

    @property
    def is_forecast(self) -> bool:
        """Whether the numbers are the next steps of a series."""
        return self.horizon is not None

    @property
    def main_metric(self) -> str:
        """The main metric of runs: `"accuracy"`, `"rmse"` or `"mse"`."""
        if self.is_forecast:
            return "mse"
        return "rmse" if self.is_regression else "accuracy"

    @property
    def head(self) -> str:
        """The kind of the task's models, as in `keras_fpt.models`."""
        if self.is_multilabel:
            return "multi_label"
        if self.is_per_token:
            return "token_classifier"
        if self.is_forecast:
            return "forecaster"
        return "regressor" if self.is_regression else "classifier"

    def __repr__(self) -> str:
        return task_words.text(self)

    def _repr_html_(self) -> str:
        return task_words.table(self)

    @property
    def held_out_splits(self) -> tuple[str, ...]:
        """The names of the splits that are not for training."""
        return self.data.held_out_splits

    def datasets(
        self, batch_size: int = 64, seed: int = 0, first_batch: int = 0
    ) -> Splits:
        """The task's data as batched `tf.data.Dataset`s of `(x, y)`.

        Args:
            batch_size: int.
            seed: int. Training examples and their order depend only on it,
                and are the same on every backend and in every run. Validation
                and test examples are the same for every seed.
            first_batch: int, the number of the training batch to start from,
                for a resumed run.

        Returns:
            `Splits`: `train` is endless; `validation` and `test` are one
            pass each. If examples have different lengths, `x` is
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

    def held_out(self, split: str, batch_size: int = 64) -> tf.data.Dataset:
        """One pass over a held-out split, in a fixed order.

        Args:
            split: string, one of `held_out_splits`.
            batch_size: int.

        Raises:
            ValueError: the split is unknown.
        """
        if split not in self.held_out_splits:
            raise ValueError(
                f"Unknown split '{split}'. Expected one of "
                f"{', '.join(self.held_out_splits)}."
            )
        return self.data.held_out(split, batch_size)

    def describe_targets(self, split: str) -> str:
        """The numbers of a regression's split, in words.

        Args:
            split: string, `"train"` or one of `held_out_splits`.
        """
        labels = self.data.labels(split)
        if self.is_forecast:
            return self.reader.describe(labels)
        labels = labels.astype(np.float64)
        return "; ".join(
            f"from {each.min():.6g} to {each.max():.6g}, mean "
            f"{each.mean():.6g}, standard deviation {each.std():.6g}"
            for each in labels.T
        )

    def target_floors(self, split: str) -> dict[str, float]:
        """The errors of always predicting one number, for a regression.

        A useful model must be better. Of several targets, errors are
        averaged as the metrics of `keras_fpt.FPTRegressor` are.

        Args:
            split: string, `"train"` or one of `held_out_splits`.

        Returns:
            Dict of `floor_rmse`, of the mean of train, and `floor_mae`, of
            its median; for a forecast of `floor_mse` and `floor_mae`, of the
            last value.
        """
        if self.is_forecast:
            return forecast_scores.naive_errors(self, split)
        return task_floors.target_floors(self, split)

    def class_counts(self, split: str) -> np.ndarray | None:
        """Counts the labels of each class.

        Args:
            split: string, `"train"` or one of `held_out_splits`.

        Returns:
            int array `(num_classes,)`: how many labels are of each class, or
            how many examples have each of several labels; `None` if the split
            is endless.
        """
        labels = self.data.labels(split)
        if labels is None:
            return None
        if self.is_multilabel:
            return labels.sum(axis=0, dtype=int)
        counts = np.zeros(self.num_classes, int)
        for part in sequence_store.chunks(labels):
            flat = part[part >= 0] if self.is_per_token else part.ravel()
            counts += np.bincount(flat, minlength=self.num_classes)
        return counts

    @functools.cached_property
    def majority_class(self) -> Any:
        """The most common class of train.

        If train is endless, it is that of its first examples. Of several
        labels it is an int array `(num_classes,)`: 1 for each that more than
        half of train has.
        """
        if self.is_multilabel:
            labels = self.data.labels("train")
            return (labels.mean(axis=0) > 0.5).astype(int)
        counts = self.class_counts("train")
        if counts is None:
            batches = self.data.train(_COUNTED, 0, 0).take(1)
            ((_, y),) = batches.as_numpy_iterator()
            counts = np.bincount(y.ravel(), minlength=self.num_classes)
        return int(np.argmax(counts))

    def majority_accuracy(self, split: str) -> float:
        """The accuracy of always predicting the majority class of train.

        Args:
            split: string, `"train"` or one of `held_out_splits`.
        """
        labels = self.data.labels(split)
        if labels is None:
            raise ValueError(f"The split '{split}' is endless.")
        if self.is_per_token:
            labels = labels[labels >= 0]
        return float(np.mean(labels == self.majority_class))

    def floors(self, split: str) -> dict[str, np.ndarray]:
        """The scores of simple rules, which a model must do better than.

        Args:
            split: string, one of `held_out_splits`.

        Returns:
            Dict from names, `"majority class"` and those of `simple_rules`,
            to float arrays `(examples,)`, in the order of `held_out`: the
            share of each example's answers that is correct. The rules of a
            regression are `"mean of train"` and `"median of train"`, with the
            mean squared error of each example's targets, negative. Those of a
            forecast are its `simple_rules`, with the same.
        """
        if self.is_forecast:
            return forecast_scores.scores(self, split)
        return task_floors.floors(self, split)

    def test_labels(self) -> np.ndarray:
        """The labels of the test examples, in the order of `held_out`.

        Returns:
            int array `(examples, answers)`, where tokens without a label
            have -1, or float array `(examples, targets)`.
        """
        labels = self.data.labels("test")[self.data.order("test")]
        return labels.reshape(len(labels), -1)

    def test_groups(self) -> np.ndarray | None:
        """The groups of the test examples, in the order of `held_out`.

        Returns:
            int array `(examples,)`; `None` if examples are not grouped.
        """
        groups = self.data.groups("test")
        return None if groups is None else groups[self.data.order("test")]

    def split_table(self) -> Any:
        """A table of examples and splits; see `split_tables.split_table`.

        Returns:
            `pandas.DataFrame` with the columns `example`, `split`, `label` and
            `group`.
        """
        from keras_fpt.tasks import split_tables

        return split_tables.split_table(self)

    def model_arguments(self) -> dict[str, Any]:
        """The arguments that fit this task, of the class that `head` names."""
        if self.is_forecast:
            return {
                "horizon": self.horizon,
                "input_dim": self.input_dim,
                "dropout": self.recipe.dropout,
                **({"future_dim": self.future_dim} if self.future_dim else {}),
            }
        if self.is_regression:
            return {
                "num_targets": self.num_targets,
                "input_dim": self.input_dim,
                "vocabulary_size": self.vocabulary_size,
                "dropout": self.recipe.dropout,
            }
        if self.is_multilabel or self.is_per_token:
            name = "num_labels" if self.is_multilabel else "num_classes"
            return {
                name: self.num_classes,
                "input_dim": self.input_dim,
                "vocabulary_size": self.vocabulary_size,
                "dropout": self.recipe.dropout,
            }
        return {
            "num_classes": self.num_classes,
            "input_dim": self.input_dim,
            "vocabulary_size": self.vocabulary_size,
            "num_output_tokens": self.num_output_tokens,
            "labels_per_token": self.labels_per_token,
            "dropout": self.recipe.dropout,
        }
