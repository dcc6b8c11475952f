"""The frozen pretrained transformer as a scikit-learn regressor."""

import dataclasses
from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin

from keras_fpt import models
from keras_fpt.sklearn.estimator import FPTEstimator


@dataclasses.dataclass(eq=False, repr=False, kw_only=True)
class FPTRegressor(RegressorMixin, FPTEstimator):
    """A frozen pretrained transformer as a scikit-learn regressor.

    It works in pipelines, `cross_val_score` and `GridSearchCV`. Targets are
    standardized within the model; predictions are in their own units.

    Args:
        loss: string, `"mse"`, or `"huber"`, which is less sensitive to
            outliers.
        preset, ..., random_state: see `FPTEstimator`.

    Attributes:
        model_: the fitted `keras_fpt.FPTRegressor`.
        n_features_in_: int, columns of a table, or channels of sequences.
        n_outputs_: int, how many numbers are predicted for each example.
        n_steps_: int, how many steps were trained.

    Example:

    ```python
    from sklearn.datasets import load_diabetes
    from sklearn.model_selection import cross_val_score

    from keras_fpt.sklearn import FPTRegressor

    x, y = load_diabetes(return_X_y=True)
    print(cross_val_score(FPTRegressor(steps=50), x, y, cv=3))
    ```
    """

    loss: str = "mse"

    _fitted = ("n_outputs_", "target_rank_", *FPTEstimator._fitted)

    def fit(self, X: Any, y: Any) -> Self:
        """Trains on examples with targets.

        Args:
            X: as of `FPTClassifier.fit`.
            y: float array `(n,)`, or `(n, outputs)` for several numbers.

        Returns:
            The estimator.

        Raises:
            ValueError: the examples or the targets cannot be used.
        """
        x, y = self._check_fit(X, y, multi_output=True, y_numeric=True)
        self.target_rank_ = y.ndim
        self.n_outputs_ = 1 if y.ndim == 1 else y.shape[1]
        self._train(x, y, stratify=None)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The predicted numbers, of the shape of the targets in `fit`."""
        numbers = self._answers(X)
        numbers = numbers[:, 0] if self.target_rank_ == 1 else numbers
        return numbers.astype(np.float64)

    def _new_model(self) -> Any:
        return self._make(
            models.FPTRegressor,
            num_targets=int(self.n_outputs_),
            loss=self.loss,
        )

    def _compile(self, y: np.ndarray) -> None:
        self.model_.adapt(y)
        super()._compile(y)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
