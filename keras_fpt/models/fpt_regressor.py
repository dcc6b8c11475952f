"""The frozen pretrained transformer as a regressor."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_fpt.layers import TargetScale
from keras_fpt.models import (
    label_rules,
    model_settings,
    paper_recipe,
    quantiles,
    target_statistics,
)
from keras_fpt.models.fpt_model import FPTModel


@keras.saving.register_keras_serializable(package="keras_fpt")
class FPTRegressor(FPTModel):
    """A language model's frozen blocks that predict numbers.

    It is built like `keras_fpt.FPTClassifier`, but predicts one or several
    numbers for each example. The targets are standardized by the mean and the
    standard deviation of those that it is first trained on, and the predictions
    are in the targets' own units. The statistics are saved with the model.

    Args:
        backbone: a KerasHub text backbone.
        num_targets: int, how many numbers are predicted for each example.
        input_dim, vocabulary_size, policy, readout, dropout: as of
            `keras_fpt.FPTClassifier`.
        loss: string, what `compile` minimizes by default: `"mse"`, the mean
            squared error, or `"huber"`, which is less sensitive to outliers.
        quantiles: sequence of floats between 0 and 1 that increase, such as
            `(0.1, 0.5, 0.9)`, to predict these quantiles of each target with
            the pinball loss. They are always in order. `None` predicts one
            number.
        compile: bool, whether to compile the model; see `compile`.
        **kwargs: the other options of `keras_fpt.models.ModelOptions`, and
            arguments of `keras.Model`.

    Call arguments:
        x: as of `keras_fpt.FPTClassifier`.

    Returns:
        Float tensor `(batch, num_targets)`, or with quantiles
        `(batch, num_targets, quantiles)`.

    Raises:
        ValueError: an argument or a batch does not fit the model.

    Example:

    ```python
    model = keras_fpt.FPTRegressor.from_preset("gpt2_tiny_en", num_targets=1)
    x = np.random.normal(size=(32, 20, 6)).astype("float32")
    y = 100 + 20 * x.mean(axis=(1, 2))
    model.fit(x, y, epochs=2)
    predicted = model.predict(x)  # Around 100.
    ```
    """

    head = model_settings.RegressionShape.head
    num_answers = 1
    num_output_tokens = 1
    # Of the task's shape.
    num_targets: int
    quantiles: tuple[float, ...] | None

    def __init__(
        self,
        backbone: Any,
        num_targets: int = 1,
        input_dim: int | None = None,
        vocabulary_size: int | None = None,
        policy: str | None = "fpt",
        readout: str = "last",
        dropout: float | None = None,
        *,
        loss: str = "mse",
        quantiles: Sequence[float] | None = None,
        compile: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            backbone,
            model_settings.RegressionShape(
                num_targets,
                input_dim,
                vocabulary_size,
                loss,
                None if quantiles is None else tuple(quantiles),
            ),
            compile=compile,
            policy=policy,
            readout=readout,
            dropout=dropout,
            **kwargs,
        )

    @property
    def label_size(self) -> int:
        """The number of numbers in a label."""
        return self.num_targets

    @property
    def label_shape(self) -> tuple[int, ...]:
        """The shape of a label."""
        return (self.num_targets,)

    @property
    def answer_shape(self) -> tuple[int, ...]:
        """The shape of the answer to one example."""
        if self.quantiles is None:
            return (self.num_targets,)
        return self.num_targets, len(self.quantiles)

    def make_target_layer(self, shape: Any) -> TargetScale:
        is_double = self.output_layer.compute_dtype == "float64"
        return TargetScale(
            shape.num_targets,
            dtype="float64" if is_double else "float32",
            name="targets",
        )

    def label_rule(self) -> label_rules.LabelRule:
        """The kind of labels that the model takes, as compiled."""
        if label_rules.trains_as(self, FPTRegressor.compute_loss):
            return label_rules.LabelRule("targets")
        return label_rules.LabelRule()

    def answers(self, hidden: Any, training: bool | None = None) -> Any:
        """The numbers that the output layer computes from hidden states.

        Args:
            hidden: float tensor `(batch, 1, dim)`.
            training: bool.

        Returns:
            What the model's call returns.
        """
        numbers = self.project(hidden, training)[:, 0]
        if self.quantiles is not None:
            numbers = ops.reshape(numbers, (-1, *self.answer_shape))
            numbers = quantiles.in_order(numbers)
        return self.target_layer(numbers)

    adapt = target_statistics.adapt
    fit = target_statistics.fit

    def compile(
        self,
        optimizer: Any = "auto",
        loss: Any = "auto",
        loss_weights: Any = None,
        metrics: Any = "auto",
        weighted_metrics: Any = None,
        **kwargs: Any,
    ) -> None:
        """`keras.Model.compile`, with defaults for what is `"auto"`.

        Every loss receives standardized targets and answers, so that one
        learning rate suits all units. Metrics receive them in the targets' own
        units, and of several quantiles the one that is closest to the median.

        Args:
            optimizer: as of `keras_fpt.FPTClassifier`.
            loss: a Keras loss or its name. `"auto"` is the one that the
                constructor names, or the pinball loss.
            loss_weights: as in Keras.
            metrics: list of Keras metrics or their names. `"auto"` is the mean
                absolute error (`mae`), the root of the mean squared error
                (`rmse`) and the coefficient of determination (`r2`).
            weighted_metrics: as in Keras.
            **kwargs: other arguments of `keras.Model.compile`.
        """
        if metrics == "auto":
            metrics = [
                keras.metrics.MeanAbsoluteError(name="mae"),
                keras.metrics.RootMeanSquaredError(name="rmse"),
                keras.metrics.R2Score(name="r2"),
            ]
        if loss == "auto":
            loss = self._own_loss()
            kwargs.setdefault("jit_compile", paper_recipe.default_jit_compile())
        super().compile(
            optimizer, loss, loss_weights, metrics, weighted_metrics, **kwargs
        )

    def _own_loss(self) -> keras.losses.Loss:
        if self.quantiles is not None:
            return quantiles.QuantileLoss(self.quantiles)
        if self.task_shape.loss == "huber":
            return keras.losses.Huber()
        return keras.losses.MeanSquaredError()

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """`keras.Model.compute_loss`, of standardized numbers."""
        y, y_pred = self.loss_arguments(y, y_pred)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """`keras.Model.compute_metrics`, in the targets' own units."""
        y, y_pred = self.metric_arguments(y, y_pred)
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def loss_arguments(self, y: Any, y_pred: Any) -> tuple[Any, Any]:
        """Labels and answers as losses receive them: standardized."""
        standardize = self.target_layer.standardize
        y = None if y is None else standardize(self._as_rows(y))
        return y, standardize(y_pred)

    def metric_arguments(self, y: Any, y_pred: Any) -> tuple[Any, Any]:
        """Labels and answers as metrics receive them: a number per target."""
        if self.quantiles is not None:
            y_pred = y_pred[..., quantiles.middle(self.quantiles)]
        return None if y is None else self._as_rows(y), y_pred

    def _as_rows(self, y: Any) -> Any:
        return ops.reshape(y, (-1, self.num_targets))
