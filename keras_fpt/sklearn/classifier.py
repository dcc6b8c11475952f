"""The frozen pretrained transformer as a scikit-learn classifier."""

import dataclasses
from typing import Any, Self

import keras
import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from keras_fpt import models
from keras_fpt.sklearn.estimator import FPTEstimator


@dataclasses.dataclass(eq=False, repr=False, kw_only=True)
class FPTClassifier(ClassifierMixin, FPTEstimator):
    """A frozen pretrained transformer as a scikit-learn classifier.

    It works in pipelines, `cross_val_score` and `GridSearchCV`.

    Args:
        class_weight: dict from classes to floats, `"balanced"`, or `None`.
        preset, ..., random_state: see `FPTEstimator`.

    Attributes:
        classes_: array of the classes.
        model_: the fitted `keras_fpt.FPTClassifier`.
        n_features_in_: int, columns of a table, or channels of sequences.
        n_steps_: int, how many steps were trained.

    Example:

    ```python
    from sklearn.datasets import load_iris
    from sklearn.model_selection import cross_val_score

    from keras_fpt.sklearn import FPTClassifier

    x, y = load_iris(return_X_y=True)
    print(cross_val_score(FPTClassifier(steps=50), x, y, cv=3))
    ```
    """

    class_weight: dict | str | None = None

    _fitted = ("classes_", *FPTEstimator._fitted)

    def fit(self, X: Any, y: Any) -> Self:
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
        check_classification_targets(y)
        self.classes_, y = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                "Expected at least two classes but every label is "
                f"{self.classes_[0]!r}: one class."
            )
        weights = self._class_weight(y)
        self._train(x, y.astype(np.int32), stratify=y, class_weight=weights)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, `(n, classes)`, as in `classes_`."""
        return keras.ops.convert_to_numpy(keras.ops.softmax(self._answers(X)))

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each example, `(n,)`."""
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def _new_model(self) -> Any:
        return self._make(models.FPTClassifier, num_classes=len(self.classes_))

    def _compile(self, y: np.ndarray) -> None:
        self.model_.compile(
            optimizer=models.paper_optimizer(self.learning_rate),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )

    def _class_weight(self, y: np.ndarray) -> dict[int, float] | None:
        if self.class_weight is None:
            return None
        labels = self.classes_[y]
        weights = compute_class_weight(
            self.class_weight, classes=self.classes_, y=labels
        )
        return dict(enumerate(weights.tolist()))
