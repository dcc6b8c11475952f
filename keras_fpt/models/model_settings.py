"""The settings of a model: the shape of its task, and its options.

Both come as arguments of constructors and from files, which may not be
trusted, so both are checked.

This file is longer than others, since it has the settings of every kind of
model.
"""

import dataclasses
import functools
import operator
import os
from collections.abc import Mapping
from typing import Any, ClassVar

import pydantic

from keras_fpt import options
from keras_fpt.models.options import ModelOptions


@dataclasses.dataclass(frozen=True)
class TaskShape:
    """The shape of an `FPTClassifier`'s task.

    Args:
        num_classes: int, the number of classes of each label. With 1, the
            model gives one logit for a yes or no.
        input_dim: int, the width of tokens that are vectors of floats. `None`
            takes it from the first batch.
        vocabulary_size: int, the number of different tokens where tokens are
            integers. `None` where they are vectors.
        num_output_tokens: int, how many of the last real tokens the output
            layer reads.
        labels_per_token: int, the number of labels for each of them.

    Raises:
        ValueError: a size is not an integer, or too small, or both kinds of
            tokens are named.
    """

    head: ClassVar[str] = "classifier"

    num_classes: int = 2
    input_dim: int | None = None
    vocabulary_size: int | None = None
    num_output_tokens: int = 1
    labels_per_token: int = 1

    def __post_init__(self) -> None:
        _require_integers(
            1,
            num_classes=self.num_classes,
            input_dim=self.input_dim,
            vocabulary_size=self.vocabulary_size,
            num_output_tokens=self.num_output_tokens,
            labels_per_token=self.labels_per_token,
        )
        _require_one_kind_of_tokens(self.input_dim, self.vocabulary_size)

    @staticmethod
    def units_of(sizes: Mapping[str, Any]) -> int:
        """How many numbers the output layer gives for what it reads.

        Args:
            sizes: dict of the settings, whose sizes may not be possible.
        """
        return sizes["labels_per_token"] * sizes["num_classes"]


@dataclasses.dataclass(frozen=True)
class RegressionShape:
    """The shape of an `FPTRegressor`'s task.

    Args:
        num_targets: int, how many numbers are predicted for each example.
        input_dim, vocabulary_size: as of `TaskShape`.
        loss: string, `"mse"` or `"huber"`.
        quantiles: tuple of floats between 0 and 1 that increase, or `None`.

    Raises:
        ValueError: a value is out of range.
    """

    head: ClassVar[str] = "regressor"
    num_output_tokens: ClassVar[int] = 1

    num_targets: int = 1
    input_dim: int | None = None
    vocabulary_size: int | None = None
    loss: str = "mse"
    quantiles: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        _require_integers(
            1,
            num_targets=self.num_targets,
            input_dim=self.input_dim,
            vocabulary_size=self.vocabulary_size,
        )
        _require_one_kind_of_tokens(self.input_dim, self.vocabulary_size)
        if self.loss not in ("mse", "huber"):
            raise ValueError(
                f"Unknown loss '{self.loss}'. Expected mse or huber; compile "
                "the model with any other loss."
            )
        _check_quantiles(self.quantiles, self.loss)

    @staticmethod
    def units_of(sizes: Mapping[str, Any]) -> int:
        """See `TaskShape.units_of`."""
        return sizes["num_targets"] * len(sizes["quantiles"] or (0.5,))


@dataclasses.dataclass(frozen=True)
class MultiLabelShape:
    """The shape of an `FPTMultiLabelClassifier`'s task.

    Args:
        num_labels: int, the number of labels that an example may have.
        input_dim, vocabulary_size: as of `TaskShape`.

    Raises:
        ValueError: a value is out of range.
    """

    head: ClassVar[str] = "multi_label"
    num_output_tokens: ClassVar[int] = 1

    num_labels: int
    input_dim: int | None = None
    vocabulary_size: int | None = None

    def __post_init__(self) -> None:
        _require_integers(
            1,
            num_labels=self.num_labels,
            input_dim=self.input_dim,
            vocabulary_size=self.vocabulary_size,
        )
        _require_one_kind_of_tokens(self.input_dim, self.vocabulary_size)

    @staticmethod
    def units_of(sizes: Mapping[str, Any]) -> int:
        """See `TaskShape.units_of`."""
        return sizes["num_labels"]


@dataclasses.dataclass(frozen=True)
class TokenShape:
    """The shape of an `FPTTokenClassifier`'s task.

    Args:
        num_classes: int, the number of classes of a token.
        input_dim, vocabulary_size: as of `TaskShape`.

    Raises:
        ValueError: a value is out of range.
    """

    head: ClassVar[str] = "token_classifier"
    num_output_tokens: ClassVar[int] = 1

    num_classes: int = 2
    input_dim: int | None = None
    vocabulary_size: int | None = None

    def __post_init__(self) -> None:
        _require_integers(2, num_classes=self.num_classes)
        _require_integers(
            1,
            input_dim=self.input_dim,
            vocabulary_size=self.vocabulary_size,
        )
        _require_one_kind_of_tokens(self.input_dim, self.vocabulary_size)

    @staticmethod
    def units_of(sizes: Mapping[str, Any]) -> int:
        """See `TaskShape.units_of`."""
        return sizes["num_classes"]


@dataclasses.dataclass(frozen=True)
class ForecastShape:
    """The shape of an `FPTForecaster`'s task.

    Args:
        horizon: int, how many steps are forecast.
        input_dim: int, the number of channels of the series.
        loss: string, `"mse"`, `"mae"` or `"huber"`.
        quantiles: tuple of floats between 0 and 1 that increase, or `None`.
        future_dim: int, how many of the channels, the last ones, are known
            over the horizon as well, and are not forecast.

    Raises:
        ValueError: a value is out of range.
    """

    head: ClassVar[str] = "forecaster"
    num_output_tokens: ClassVar[int] = 1
    vocabulary_size: ClassVar[None] = None

    horizon: int
    input_dim: int = 1
    loss: str = "mse"
    quantiles: tuple[float, ...] | None = dataclasses.field(
        default=None, metadata={"since": "0.2.0"}
    )
    future_dim: int = dataclasses.field(default=0, metadata={"since": "0.2.0"})

    def __post_init__(self) -> None:
        for name in ("horizon", "input_dim"):
            value = getattr(self, name)
            _require_integers(1, **{name: 0 if value is None else value})
        _require_integers(0, future_dim=self.future_dim)
        if self.future_dim >= self.input_dim:
            raise ValueError(
                "Expected an input_dim above the future_dim of "
                f"{self.future_dim}, since both kinds of channels count, but "
                f"received {self.input_dim}."
            )
        if self.loss not in ("mse", "mae", "huber"):
            raise ValueError(
                f"Unknown loss '{self.loss}'. Expected mse, mae or huber; "
                "compile the model with any other loss."
            )
        _check_quantiles(self.quantiles, self.loss)

    @staticmethod
    def units_of(sizes: Mapping[str, Any]) -> int:
        """See `TaskShape.units_of`."""
        is_each = sizes["channel_independent"] == "each"
        channels = sizes["input_dim"] - sizes.get("future_dim", 0)
        steps = sizes["horizon"] * (1 if is_each else channels)
        return steps * len(sizes["quantiles"] or (0.5,))


def keeps_statistics(shape: Any) -> bool:
    """Whether tokens have the statistics of the instance norm as features.

    A forecast has them restored in its output, which therefore does not depend
    on the unit of the series.

    Args:
        shape: a `TaskShape` or another shape of this file, or its class.
    """
    return shape.head != ForecastShape.head


def _require_one_kind_of_tokens(
    input_dim: int | None, vocabulary_size: int | None
) -> None:
    if input_dim is not None and vocabulary_size is not None:
        raise ValueError(
            "Give input_dim for tokens that are vectors or "
            "vocabulary_size for tokens that are integers, not both: "
            f"received {input_dim} and {vocabulary_size}."
        )


_CHOICES = {
    "embedding_init": ("orthogonal", "normal"),
    "input_scale": ("pretrained",),
    "output_init": ("glorot", "pytorch"),
    "channel_independent": ("concat", "mean", "each"),
    "output_norm": ("layer", "batch"),
    "precision": ("float32", "bfloat16", "auto"),
}


def settled(given: ModelOptions) -> ModelOptions:
    """Options with every default filled in.

    Raises:
        ValueError: a number is not an integer, or out of range; or a word is
            unknown.
    """
    for name, allowed in _CHOICES.items():
        value = getattr(given, name)
        if value is not None and value not in allowed:
            raise ValueError(
                f"Unknown {name} '{value}'. Expected one of "
                f"{', '.join(allowed)}."
            )
    rate = given.input_dropout or 0.0
    if not 0 <= rate < 1:
        raise ValueError(
            f"Expected an input_dropout from 0 to below 1 but received {rate}."
        )
    positions = given.learned_positions
    filled = dataclasses.replace(
        given,
        policy="fpt" if given.policy is None else given.policy,
        learned_positions=None if positions is False else positions,
        # Other readouts take sequences of any length.
        sequence_length=(
            given.sequence_length if given.readout == "flatten" else None
        ),
    )
    _require_integers(0, depth=filled.depth)
    _require_integers(
        1,
        learned_positions=filled.learned_positions,
        lora_rank=filled.lora_rank,
        patch_size=filled.patch_size,
        patch_stride=filled.patch_stride,
        sequence_length=filled.sequence_length,
    )
    size = filled.patch_size or 1
    if (filled.patch_stride or size) > size:
        raise ValueError(
            f"Expected a patch_stride of at most the patch_size of {size}, so "
            f"that no step is left out, but received {filled.patch_stride}."
        )
    return filled


def check_readout(chosen: ModelOptions, shape: Any) -> None:
    """Checks that the readout suits what the model answers.

    Args:
        chosen: `ModelOptions`.
        shape: as the constructor of `FPTModel` takes it.

    Raises:
        ValueError: it does not.
    """
    answers_tokens = shape.head == TokenShape.head
    if answers_tokens and chosen.readout not in ("last", "token+mean"):
        raise ValueError(
            "A model that classifies each token reads every token. Leave out "
            f"readout='{chosen.readout}', or use 'token+mean' to read each "
            "with the mean of all."
        )
    if chosen.readout == "token+mean" and not answers_tokens:
        raise ValueError(
            "readout='token+mean' is for an output for each token, as of an "
            "FPTTokenClassifier. Use 'last+mean'."
        )


def check_series_options(chosen: ModelOptions, shape: Any) -> None:
    """Checks that a task's tokens fit the options for series.

    Args:
        chosen: `ModelOptions`.
        shape: as the constructor of `FPTModel` takes it.

    Raises:
        ValueError: they do not.
    """
    used = [
        name
        for name, off in (
            ("patch_size", (None, 1)),
            ("instance_norm", (False,)),
            ("channel_independent", (None,)),
        )
        if getattr(chosen, name) not in off
    ]
    if used and shape.vocabulary_size is not None:
        raise ValueError(
            f"{used[0]}={getattr(chosen, used[0])} is for tokens that are "
            "vectors, but the model has vocabulary_size="
            f"{shape.vocabulary_size}. Leave it out."
        )
    answered = None
    if shape.num_output_tokens > 1:
        answered = f"each of its last {shape.num_output_tokens} tokens"
    elif shape.head == TokenShape.head:
        answered = "each of its tokens"
    if answered is not None:
        for name in used:
            if name != "instance_norm":
                raise ValueError(
                    f"{name}={getattr(chosen, name)} is for one output per "
                    f"series, but the model has an output for {answered}. "
                    "Leave it out."
                )
    is_forecast = shape.head == ForecastShape.head
    if is_forecast and shape.future_dim and chosen.channel_independent:
        raise ValueError(
            "With channels that are known over the horizon (future_dim), "
            "each token holds all channels. Leave out channel_independent."
        )
    only_other = "mean" if is_forecast else "each"
    if chosen.channel_independent == only_other:
        raise ValueError(
            "channel_independent='each' is for an output per channel, as of an "
            "FPTForecaster. Use 'concat' or 'mean'."
            if not is_forecast
            else "With channel_independent='mean', a forecast could not "
            "distinguish the channels. Use 'each' or 'concat'."
        )
    if chosen.channel_independent is not None and chosen.readout == "pooled":
        raise ValueError(
            "channel_independent joins hidden states of tokens. Use "
            "readout='last', 'mean' or 'flatten'."
        )


_STORED = options.names(ModelOptions, stored=True)
# By the name that files give the kind of model.
SHAPES: dict[str, Any] = {
    shape.head: shape
    for shape in (
        TaskShape,
        RegressionShape,
        MultiLabelShape,
        TokenShape,
        ForecastShape,
    )
}


def settings_of(model: Any) -> dict[str, Any]:
    """The settings that files store: the task's shape and stored options.

    Options that the first version lacks are left out at their defaults, so
    that earlier versions read the files of models without them.

    Args:
        model: an `FPTModel`.
    """
    shape = {
        field.name: getattr(model.task_shape, field.name)
        for field in dataclasses.fields(model.task_shape)
    }
    stored = {name: getattr(model.options, name) for name in _STORED}
    later = _later(model.head)
    # The width may be known only since the model was built.
    every = shape | {"input_dim": model.input_dim} | stored
    return {
        name: value
        for name, value in every.items()
        if name not in later or value != later[name]
    }


def complete(settings: dict[str, Any], head: str) -> dict[str, Any]:
    """The result of `settings_of`, completed with defaults.

    Args:
        settings: dict.
        head: string, a key of `SHAPES`.
    """
    return {**_later(head), **settings}


def head_of(header: Mapping[str, Any], path: str | os.PathLike[str]) -> str:
    """The kind of model that a file's header names, a key of `SHAPES`.

    Raises:
        ValueError: this version does not know it.
    """
    head = header.get("head", TaskShape.head)
    if head not in SHAPES:
        raise ValueError(
            f"`{path}` is of a '{head}', which this version does not know. "
            f"Expected one of {', '.join(SHAPES)}."
        )
    return head


@functools.cache
def _later(head: str) -> dict[str, Any]:
    """What files of older versions lack, and its defaults."""
    stored = {
        name: default
        for name, default in options.later(ModelOptions).items()
        if name in _STORED
    }
    return options.later(SHAPES[head]) | stored


@functools.cache
def _types(head: str) -> dict[str, Any]:
    """The types of the settings that a kind of model stores."""
    fields = dataclasses.fields(SHAPES[head])
    stored = [f for f in dataclasses.fields(ModelOptions) if f.name in _STORED]
    types = {field.name: field.type for field in (*fields, *stored)}
    # Once settled, these can no longer be all that the constructor takes.
    types |= {"policy": str, "learned_positions": int | None}
    if "quantiles" in types:  # JSON has no tuples.
        types["quantiles"] = list[float] | None
    return types


@functools.cache
def _schema(head: str) -> pydantic.TypeAdapter:
    return pydantic.TypeAdapter(
        pydantic.create_model(  # type: ignore[call-overload]
            "Settings",
            # Strict: `true` is not the integer 1.
            __config__=pydantic.ConfigDict(extra="forbid", strict=True),
            **{
                name: (kind, _later(head).get(name, ...))
                for name, kind in _types(head).items()
            },
        )
    )


def check_settings(
    settings: Any, path: str | os.PathLike[str], head: str = TaskShape.head
) -> dict[str, Any]:
    """Checks that settings are those of a model.

    Args:
        settings: what a file's header has under `model`.
        path: the file, for errors.
        head: string, a key of `SHAPES`.

    Returns:
        The settings, with the defaults of options that the file's version did
        not have.

    Raises:
        ValueError: a setting is missing, unknown, or of another type.
    """
    if isinstance(settings, dict):
        settings = complete(settings, head)
    try:
        _schema(head).validate_python(settings)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ValueError(
            f"`{path}` is damaged: {_words(first, head)}"
        ) from None
    if settings.get("quantiles") is not None:
        settings["quantiles"] = tuple(settings["quantiles"])
    return settings


def _words(error: Mapping[str, Any], head: str) -> str:
    """One of pydantic's errors about settings, in this package's words."""
    if error["type"] in ("missing", "extra_forbidden", "model_type"):
        return f"expected the settings {', '.join(_types(head))} of its model."
    return f"its model has {error['loc'][0]}={error['input']!r}."


def _check_quantiles(quantiles: tuple[float, ...] | None, loss: str) -> None:
    if quantiles is None:
        return
    bounds = (0.0, *quantiles, 1.0)
    if len(bounds) < 3 or not all(map(operator.lt, bounds, bounds[1:])):
        raise ValueError(
            "Expected quantiles that increase, between 0 and 1, such as "
            f"(0.1, 0.5, 0.9), but received {quantiles}."
        )
    if loss != "mse":
        raise ValueError(
            "Quantiles are trained with the pinball loss: leave out "
            f"loss='{loss}'."
        )


def _require_integers(minimum: int, **values: Any) -> None:
    """Raises a `ValueError` for the first value that is not an integer.

    Args:
        minimum: int, the smallest value that is allowed.
        **values: by the names that the error gives them; `None` is allowed.
    """
    for name, value in values.items():
        if value is None:
            continue
        if not _is_integer(value) or value < minimum:
            raise ValueError(
                f"Expected {name} to be an integer of at least {minimum} but "
                f"received {value}."
            )


def _is_integer(value: Any) -> bool:
    try:
        operator.index(value)
    except TypeError:
        return False
    return not isinstance(value, bool)
