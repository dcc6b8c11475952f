"""The frozen pretrained transformer as a forecaster."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_fpt.layers import TargetScale
from keras_fpt.models import (
    input_checks,
    label_rules,
    model_settings,
    paper_recipe,
    quantiles,
    target_statistics,
)
from keras_fpt.models.fpt_model import FPTModel

_LOSSES = {
    "mse": keras.losses.MeanSquaredError,
    "mae": keras.losses.MeanAbsoluteError,
    "huber": keras.losses.Huber,
}


@keras.saving.register_keras_serializable(package="keras_fpt")
class FPTForecaster(FPTModel):
    """A language model's frozen blocks that forecast a series.

    It is built like `keras_fpt.FPTClassifier`, but reads the last steps of a
    series, the context, and predicts its next steps, the horizon, for every
    channel and in the unit of the series.

    Within the model, each channel is standardized twice. The first time it is
    by the mean and the standard deviation of the steps that the model was first
    trained to forecast, so that one learning rate suits all units. The second
    time it is by those of the context itself, the instance norm, so that the
    model forecasts how a series continues relative to its own level. Both are
    undone in the forecast.

    Some channels may be known over the horizon as well, such as holidays, and
    are not forecast themselves. The model then reads the context and the
    horizon as one sequence, whose last `horizon` steps hold only these
    channels: whatever the others hold there is replaced by 0. Known channels
    are not standardized within the model; give them at a scale of about 1.

    Args:
        backbone: a KerasHub text backbone.
        horizon: int, how many steps are forecast.
        input_dim: int, the number of channels of the series, with those that
            are known over the horizon.
        policy, dropout: as of `keras_fpt.FPTClassifier`.
        readout: string, see `keras_fpt.layers.Readout`. `"flatten"` takes
            contexts of one length, without a padding mask.
        instance_norm: bool, whether each context is standardized separately.
        loss: string, what `compile` minimizes by default: `"mse"`, the mean
            squared error, `"mae"`, the mean absolute error, or `"huber"`.
        quantiles: sequence of floats between 0 and 1 that increase, such as
            `(0.1, 0.5, 0.9)`, to forecast these quantiles of each step with
            the pinball loss. They are always in order. `None` forecasts one
            number.
        future_dim: int, how many channels, the last ones, are known over the
            horizon as well.
        compile: bool, whether to compile the model; see `compile`.
        **kwargs: the other options of `keras_fpt.models.ModelOptions`, and
            arguments of `keras.Model`. `patch_size` and `patch_stride` make
            tokens of several steps. `channel_independent="each"` forecasts each
            channel only from itself, with the same weights.

    Call arguments:
        x: float tensor `(batch, time, channels)`, or a dict of such `tokens`
            and a `padding_mask` `(batch, time)`, 1 where a step is real.
            Padding is on the right. With channels that are known in advance,
            `(batch, context + horizon, channels)`, without a mask.

    Returns:
        Float tensor `(batch, horizon, channels)`, or with quantiles
        `(batch, horizon, channels, quantiles)`, of the channels that are
        forecast.

    Raises:
        ValueError: an argument or a batch does not fit the model.

    Example:

    ```python
    model = keras_fpt.FPTForecaster.from_preset(
        "gpt2_tiny_en", horizon=12, patch_size=8
    )
    series = np.sin(np.arange(400) / 5)[:, None].astype("float32")
    windows = np.stack([series[i : i + 60] for i in range(0, 340, 5)])
    model.fit(windows[:, :48], windows[:, 48:], epochs=2)
    forecast = model.predict(series[None, -48:])  # Of shape (1, 12, 1).
    ```

    Source: Zhou et al., 2023, "One Fits All: Power General Time Series Analysis
    by Pretrained LM" (GPT4TS), arXiv 2302.11939; Nie et al., 2023, "A Time
    Series is Worth 64 Words" (PatchTST), arXiv 2211.14730; Kim et al., 2022,
    "Reversible Instance Normalization" (RevIN), without its learned scale and
    shift; Zhou et al., 2021, "Informer", arXiv 2012.07436, whose decoder also
    reads zeros for what is forecast, together with what is known of that time.
    """

    head = model_settings.ForecastShape.head
    num_answers = 1
    num_output_tokens = 1
    vocabulary_size = None
    # Of the task's shape.
    horizon: int
    input_dim: int
    quantiles: tuple[float, ...] | None
    future_dim: int

    def __init__(
        self,
        backbone: Any,
        horizon: int,
        input_dim: int = 1,
        policy: str | None = "fpt",
        readout: str = "flatten",
        dropout: float | None = None,
        *,
        instance_norm: bool = True,
        loss: str = "mse",
        quantiles: Sequence[float] | None = None,
        future_dim: int = 0,
        compile: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            backbone,
            model_settings.ForecastShape(
                horizon,
                input_dim,
                loss,
                None if quantiles is None else tuple(quantiles),
                future_dim,
            ),
            compile=compile,
            policy=policy,
            readout=readout,
            dropout=dropout,
            instance_norm=instance_norm,
            **kwargs,
        )

    @property
    def least_length(self) -> int:
        """The number of steps of the shortest sequence that it takes."""
        return self.horizon + 1 if self.future_dim else 1

    @property
    def label_size(self) -> int:
        """The number of numbers in a label."""
        return self.horizon * self.label_shape[1]

    @property
    def label_shape(self) -> tuple[int, ...]:
        """The shape of a label."""
        return self.horizon, self.input_dim - self.future_dim

    @property
    def answer_shape(self) -> tuple[int, ...]:
        """The shape of the forecast of one example."""
        if self.quantiles is None:
            return self.label_shape
        return *self.label_shape, len(self.quantiles)

    def make_target_layer(self, shape: Any) -> TargetScale:
        is_double = self.output_layer.compute_dtype == "float64"
        return TargetScale(
            shape.input_dim - shape.future_dim,
            axis=2,  # Quantiles may follow.
            dtype="float64" if is_double else "float32",
            name="targets",
        )

    def label_rule(self) -> label_rules.LabelRule:
        """The kind of labels that the model takes, as compiled."""
        is_known = label_rules.trains_as(self, FPTForecaster.compute_loss)
        return label_rules.LabelRule(
            "targets" if is_known else "unknown",
            size="horizon",
            shape=self.label_shape,
        )

    def received(self, x: Any) -> tuple[Any, Any]:
        """The context, standardized as the targets are, and its mask."""
        steps, mask = super().received(x)
        if not self.future_dim:
            return self.target_layer.standardize(steps), mask
        self._check_future(steps, mask)
        series = self.target_layer.standardize(steps[..., : -self.future_dim])
        known = ops.cast(steps[..., -self.future_dim :], series.dtype)
        return ops.concatenate([series, known], axis=-1), mask

    def _check_future(self, steps: Any, mask: Any) -> None:
        """Checks that steps hold a context, and the horizon after it."""
        if mask is not None:
            raise ValueError(
                "With channels that are known over the horizon (future_dim), "
                "contexts have one length. Give them without a padding_mask."
            )
        length = input_checks.known_sizes(steps.shape)[1]
        if length is not None and length < self.least_length:
            raise ValueError(
                f"Expected a context and the {self.horizon} steps of the "
                "horizon, whose channels that are known in advance the model "
                f"reads (future_dim={self.future_dim}), but received {length} "
                "steps."
            )

    def answers(self, hidden: Any, training: bool | None = None) -> Any:
        """The numbers that the output layer computes from hidden states.

        Args:
            hidden: float tensor `(batch, 1, dim)`, or `(batch, channels, dim)`
                where each channel is forecast only from itself.
            training: bool.

        Returns:
            Float tensor `(batch, horizon, channels)`, with quantiles
            `(batch, horizon, channels, quantiles)`, standardized.
        """
        numbers = self.project(hidden, training)
        shape = self.answer_shape
        if self.front.answers_channels:
            # A vector of numbers for each channel.
            steps, channels, *more = shape
            numbers = ops.reshape(numbers, (-1, channels, steps, *more))
            numbers = ops.swapaxes(numbers, 1, 2)
        else:
            numbers = ops.reshape(numbers, (-1, *shape))
        if self.quantiles is None:
            return numbers
        return quantiles.in_order(numbers)

    def in_own_units(self, answers: Any, x: Any) -> Any:
        """The forecast in the unit of the series.

        Args:
            answers: what `answers` returns.
            x: as the model's call takes it.
        """
        if self.front.norm is not None:
            steps, mask = self.received(x)
            _, mean, scale = self.front.norm(self.front.past(steps), mask)
            if self.quantiles is not None:
                mean, scale = mean[..., None], scale[..., None]
            answers = answers * scale + mean
        return self.target_layer(answers)

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

        Every loss receives the numbers of an example, standardized by the
        statistics of train, in one vector; metrics receive them in the unit of
        the series, and of several quantiles the one that is closest to the
        median.

        Args:
            optimizer: as of `keras_fpt.FPTClassifier`.
            loss: a Keras loss or its name. `"auto"` is the one that the
                constructor names, or the pinball loss.
            loss_weights: as in Keras.
            metrics: list of Keras metrics or their names. `"auto"` is the mean
                squared error (`mse`) and the mean absolute error (`mae`).
            weighted_metrics: as in Keras.
            **kwargs: other arguments of `keras.Model.compile`.
        """
        if metrics == "auto":
            metrics = [
                keras.metrics.MeanSquaredError(name="mse"),
                keras.metrics.MeanAbsoluteError(name="mae"),
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
        return _LOSSES[self.task_shape.loss]()

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """`keras.Model.compute_loss`, of standardized numbers."""
        standardize = self.target_layer.standardize
        return super().compute_loss(
            x,
            None if y is None else self._as_vectors(self._standardized(y)),
            self._as_vectors(standardize(y_pred)),
            sample_weight,
            training,
        )

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """`keras.Model.compute_metrics`, in the unit of the series."""
        y = None if y is None else ops.reshape(y, (-1, self.label_size))
        if self.quantiles is not None:
            y_pred = y_pred[..., quantiles.middle(self.quantiles)]
        y_pred = ops.reshape(y_pred, (-1, self.label_size))
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def _standardized(self, y: Any) -> Any:
        # Labels of one channel may come without its axis.
        y = ops.reshape(y, (-1, *self.label_shape))
        return self.target_layer.standardize(y)

    def _as_vectors(self, y: Any) -> Any:
        # An axis of steps would be one of weights that an example lacks.
        more = y.shape[3:]
        return ops.reshape(y, (-1, self.label_size, *more))
