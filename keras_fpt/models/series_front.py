"""The preprocessing of a series before the input layer."""

from typing import Any

from keras import ops

from keras_fpt import options
from keras_fpt.layers import InstanceNorm, Patches, num_patches
from keras_fpt.models import model_settings
from keras_fpt.models.options import ModelOptions


class SeriesFront:
    """Normalizes series, separates their channels and cuts them into patches.

    It has no weights. Steps that are off are skipped.

    Args:
        chosen: `ModelOptions`.
        keeps_statistics: bool, whether tokens have the statistics of the
            instance norm as features.
        horizon: int, how many of the last steps hold nothing but the channels
            that are known in advance.
        future_dim: int, how many of the last channels are known in advance.
            They are not normalized.
    """

    def __init__(
        self,
        chosen: ModelOptions,
        keeps_statistics: bool = True,
        horizon: int = 0,
        future_dim: int = 0,
    ) -> None:
        size = chosen.patch_size or 1
        self.stride = chosen.patch_stride or size
        self.patches = self.norm = None
        if size > 1:
            self.patches = Patches(size, self.stride)
        if chosen.instance_norm:
            self.norm = InstanceNorm()
        self.separates_channels = chosen.channel_independent is not None
        self.joins_channels = chosen.channel_independent == "concat"
        self.answers_channels = chosen.channel_independent == "each"
        self.joins_tokens = chosen.readout == "flatten"
        self.keeps_statistics = keeps_statistics and chosen.instance_norm
        self.horizon, self.future_dim = horizon, future_dim
        self._features = size + (2 if self.keeps_statistics else 0)

    def width(self, dim: int) -> int:
        """The width of the tokens that the input layer receives.

        Args:
            dim: int, the width of the tokens that the model receives.
        """
        return self._features * (1 if self.separates_channels else dim)

    def num_tokens(self, length: Any) -> Any:
        """The number of tokens that a series of some length becomes.

        Args:
            length: int, or a symbol of a traced graph.
        """
        return num_patches(length, self.stride)

    def num_series(self, dim: int | None) -> int:
        """The number of separate series that an example becomes."""
        return (dim or 1) if self.separates_channels else 1

    def for_each_series(self, mask: Any, dim: int | None) -> Any:
        """The mask of each series of the examples.

        Args:
            mask: int tensor `(batch, steps)`.
            dim: int, the width of the tokens that the model receives.

        Returns:
            int tensor `(series, steps)`.
        """
        length = ops.shape(mask)[1]
        # Not `repeat`, which PyTorch does not export to ONNX correctly.
        tiled = ops.tile(mask[:, None], (1, self.num_series(dim), 1))
        return ops.reshape(tiled, (-1, length))

    def num_joined(self, length: int | None, dim: int | None) -> int:
        """How many hidden states the output layer reads as one vector.

        Args:
            length: int, the number of tokens that the model receives.
            dim: int, their width.
        """
        channels = self.num_series(dim) if self.joins_channels else 1
        return channels * (
            self.num_tokens(length or 0) if self.joins_tokens else 1
        )

    def join(self, states: Any, dim: int | None) -> Any:
        """Joins the states of an example's series for the output layer.

        Args:
            states: float tensor `(series, 1, width)`.
            dim: int, the number of series of each example.

        Returns:
            Float tensor `(batch, 1, width)`, `(batch, 1, dim * width)` where
            channels are joined, or `(batch, dim, width)` where each has its own
            output.
        """
        if not self.separates_channels:
            return states
        width = states.shape[-1]
        if self.joins_channels:
            return ops.reshape(states, (-1, 1, dim * width))
        states = ops.reshape(states, (-1, dim, width))
        if self.answers_channels:
            return states
        return ops.mean(states, axis=1, keepdims=True)

    def __call__(self, steps: Any, mask: Any) -> tuple[Any, Any]:
        """The tokens for the input layer, and their `padding_mask`.

        Args:
            steps: tensor `(batch, steps, dim)`.
            mask: int tensor `(batch, steps)`, or `None`.

        Returns:
            Tuple of a tensor `(series, tokens, width)` and an int tensor
            `(series, tokens)` or `None`. The series of an example, if it has
            several, follow one another.
        """
        if self.separates_channels:
            _, length, dim = ops.shape(steps)
            steps = ops.transpose(steps, (0, 2, 1))
            steps = ops.reshape(steps, (-1, length, 1))
            mask = None if mask is None else self.for_each_series(mask, dim)
        statistics = []
        if self.future_dim:
            steps = self._with_future(steps)
        elif self.norm is not None:
            steps, mean, scale = self.norm(steps, mask)
            if self.keeps_statistics:
                # Of any size, they stay numbers that a network can take.
                statistics = [ops.arcsinh(mean), ops.log(scale)]
        if self.patches is not None:
            steps, mask = self.patches(steps, mask)
        if statistics:
            each = ops.zeros_like(steps[..., :1])
            statistics = [part + each for part in statistics]
            steps = ops.concatenate([steps, *statistics], axis=-1)
        return steps, mask

    def past(self, steps: Any) -> Any:
        """The steps and channels that answers are in the units of.

        Args:
            steps: tensor `(batch, steps, dim)`.
        """
        if not self.future_dim:
            return steps
        return steps[:, : -self.horizon, : -self.future_dim]

    def _with_future(self, steps: Any) -> Any:
        """Steps whose unknown part is 0, whatever it holds."""
        past = self.past(steps)
        if self.norm is not None:
            past, *_ = self.norm(past)
        series = ops.pad(past, [[0, 0], [0, self.horizon], [0, 0]])
        known = ops.cast(steps[..., -self.future_dim :], series.dtype)
        return ops.concatenate([series, known], axis=-1)


def of_settings(settings: dict[str, Any], shape: Any) -> SeriesFront:
    """The front of a model, from the settings that files store.

    Args:
        settings: dict.
        shape: the class of the model's shape, such as `TaskShape`.
    """
    stored = options.names(ModelOptions, stored=True)
    chosen = ModelOptions(**{n: settings[n] for n in stored})
    return SeriesFront(chosen, model_settings.keeps_statistics(shape))
