"""A scikit-learn estimator of frozen pretrained transformers."""

import json
import os
import pathlib
from typing import Any

import keras
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state, compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from keras_fpt import files, models, tasks
from keras_fpt.files import json_files
from keras_fpt.tasks import sequences

_ADAPTER, _ESTIMATOR = "adapter.safetensors", "estimator.json"
_FITTED = ("classes_", "mean_", "scale_", "n_features_in_", "rank_")


class FPTClassifier(ClassifierMixin, BaseEstimator):
    """A frozen pretrained transformer as a scikit-learn classifier.

    It works in pipelines, `cross_val_score` and `GridSearchCV`. Numbers are
    standardized with the mean and the standard deviation of the training
    examples: each column of a table, or each channel of sequences.

    Args:
        preset: string, as for `keras_fpt.FPTClassifier.from_preset`.
        load_weights: bool; `False` draws random weights, the control.
        policy: string, which parameter groups train.
        depth: int, the number of blocks to use; `None` uses all.
        readout: string, `"last"`, `"first"` or `"mean"`.
        steps: int, training steps.
        batch_size: int, examples per step.
        learning_rate: float, Adam's learning rate.
        dropout: float, dropout rate of the backbone.
        class_weight: dict from classes to floats, `"balanced"`, or `None`.
        random_state: int, `numpy.random.RandomState` or `None`.

    Attributes:
        classes_: array of the classes.
        model_: the fitted `keras_fpt.FPTClassifier`.
        n_features_in_: int, columns of a table, or channels of sequences.

    Example:

    ```python
    from sklearn.datasets import load_iris
    from sklearn.model_selection import cross_val_score

    from keras_fpt.sklearn import FPTClassifier

    x, y = load_iris(return_X_y=True)
    print(cross_val_score(FPTClassifier(steps=50), x, y, cv=3))
    ```
    """

    def __init__(
        self,
        preset: str = "gpt2_tiny_en",
        *,
        load_weights: bool = True,
        policy: str = "fpt",
        depth: int | None = None,
        readout: str = "last",
        steps: int = 1000,
        batch_size: int = 64,
        learning_rate: float = 1e-3,
        dropout: float = 0.1,
        class_weight: dict | str | None = None,
        random_state: Any = None,
    ) -> None:
        self.preset = preset
        self.load_weights = load_weights
        self.policy = policy
        self.depth = depth
        self.readout = readout
        self.steps = steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.dropout = dropout
        self.class_weight = class_weight
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> "FPTClassifier":
        """Trains on labeled examples.

        Args:
            X: float array `(n, columns)`, whose columns are tokens of width
                1; float array `(n, tokens, channels)`; or a list of n
                sequences `(tokens, channels)` of any lengths.
            y: array `(n,)` of classes.

        Returns:
            The estimator.

        Raises:
            ValueError: the examples or the labels cannot be used.
        """
        x, y = self._check_fit(X, y)
        self.mean_, self.scale_ = _statistics(x)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        keras.utils.set_random_seed(seed)
        self.model_ = self._new_model()
        data = _stored(self._tokens(x), y)
        self.model_.compile(
            optimizer=models.paper_optimizer(self.learning_rate),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        self.model_.fit(
            data.train(min(self.batch_size, len(y)), seed, 0),
            steps_per_epoch=self.steps,
            class_weight=self._class_weight(y),
            verbose=0,
        )
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, `(n, classes)`, as in `classes_`."""
        check_is_fitted(self, "model_")
        x = self._tokens(self._check_new(X))
        order = np.argsort(sequences.lengths(x), kind="stable")
        logits = np.empty((len(order), len(self.classes_)), np.float32)
        batches = tasks.Stored(dict).in_order(x, order, self.batch_size)
        logits[order] = self.model_.predict(batches, verbose=0)
        return keras.ops.convert_to_numpy(keras.ops.softmax(logits))

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each example, `(n,)`."""
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def save(self, folder: str | os.PathLike) -> None:
        """Saves the fitted estimator as plain files, without a pickle.

        The frozen weights are not saved: `load` takes them from the preset.

        Args:
            folder: path; it is made if it does not exist.
        """
        check_is_fitted(self, "model_")
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.model_.save_adapter(folder / _ADAPTER)
        fitted = {name: np.asarray(getattr(self, name)) for name in _FITTED}
        entry = {
            "parameters": self.get_params(),
            "fitted": {name: value.tolist() for name, value in fitted.items()},
        }
        files.write_text(folder / _ESTIMATOR, json.dumps(entry, indent=2))

    @classmethod
    def load(cls, folder: str | os.PathLike) -> "FPTClassifier":
        """Loads what `save` wrote.

        Raises:
            FileNotFoundError: there is no such estimator.
            ValueError: a file is damaged, or the preset has other weights.
        """
        folder = pathlib.Path(folder)
        entry = json_files.read_object(folder / _ESTIMATOR)
        if not {*_FITTED} <= {*entry.get("fitted", ())}:
            raise ValueError(f"`{folder / _ESTIMATOR}` is damaged.")
        self = cls(**entry["parameters"])
        for name in _FITTED:
            setattr(self, name, np.asarray(entry["fitted"][name])[()])
        self.model_ = self._new_model()
        self.model_.load_adapter(folder / _ADAPTER)
        return self

    def _check_fit(self, X: Any, y: Any) -> tuple[Any, np.ndarray]:
        if _is_of_sequences(X):
            x, self.rank_ = _stack(X), 3
            self.n_features_in_ = x.shape[-1]
            y = np.asarray(y)
        else:
            x, y = validate_data(self, X, y, dtype=np.float64)
            self.rank_ = 2
        check_classification_targets(y)
        if len(y) != x.shape[0]:
            raise ValueError(
                f"Expected as many labels as examples but received {len(y):,} "
                f"and {x.shape[0]:,}."
            )
        self.classes_, y = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                "Expected at least two classes but every label is "
                f"{self.classes_[0]!r}: one class."
            )
        return x, y.astype(np.int32)

    def _check_new(self, X: Any) -> Any:
        if self.rank_ == 2:
            return validate_data(self, X, dtype=np.float64, reset=False)
        x = _stack(X)
        if x.shape[-1] != self.n_features_in_:
            raise ValueError(
                f"Expected sequences of {self.n_features_in_} channels but "
                f"received {x.shape[-1]}."
            )
        return x

    def _tokens(self, x: Any) -> Any:
        x = sequences.standardized(x, self.mean_, self.scale_)
        return x[:, :, None] if self.rank_ == 2 else x

    def _new_model(self) -> Any:
        return models.FPTClassifier.from_preset(
            self.preset,
            load_weights=self.load_weights,
            num_classes=len(self.classes_),
            input_dim=1 if self.rank_ == 2 else int(self.n_features_in_),
            policy=self.policy,
            depth=self.depth,
            readout=self.readout,
            dropout=self.dropout,
        )

    def _class_weight(self, y: np.ndarray) -> dict[int, float] | None:
        if self.class_weight is None:
            return None
        labels = self.classes_[y]
        weights = compute_class_weight(
            self.class_weight, classes=self.classes_, y=labels
        )
        return dict(enumerate(weights.tolist()))


def _is_of_sequences(X: Any) -> bool:
    """Whether examples are sequences of vectors, not rows of a table."""
    if hasattr(X, "ndim"):
        return X.ndim == 3 or (X.ndim == 1 and np.ndim(X[0]) == 2)
    return isinstance(X, (list, tuple)) and len(X) > 0 and np.ndim(X[0]) == 2


def _stack(X: Any) -> Any:
    rows = [np.asarray(row, np.float64) for row in X]
    for index, row in enumerate(rows):
        if row.ndim != 2 or row.shape[1] != rows[0].shape[1] or not len(row):
            raise ValueError(
                f"Example {index} has shape {row.shape}. Expected sequences "
                f"(tokens, channels) of one width, as {rows[0].shape}."
            )
        if not np.isfinite(row).all():
            raise ValueError(f"Example {index} holds NaN or infinity.")
    return sequences.stack(rows)


def _statistics(x: Any) -> tuple[np.ndarray, np.ndarray]:
    is_table = not sequences.is_ragged(x) and x.ndim == 2
    return sequences.statistics(x if is_table else sequences.concatenate(x))


def _stored(x: Any, y: np.ndarray) -> Any:
    return tasks.Stored(lambda: {"train": tasks.Examples(x, y)})
