"""The settings of a classifier: the sizes of its task, and its options.

Both come as arguments of `FPTClassifier` and from files, which may not be
trusted, so both are checked.
"""

import dataclasses
import operator
import os
from collections.abc import Mapping
from typing import Any

import pydantic

from keras_fpt import options
from keras_fpt.models.options import ModelOptions


@dataclasses.dataclass(frozen=True)
class TaskShape:
    """What an `FPTClassifier` must know about its task.

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
        if self.input_dim is not None and self.vocabulary_size is not None:
            raise ValueError(
                "Give input_dim for tokens that are vectors or "
                "vocabulary_size for tokens that are integers, not both: "
                f"received {self.input_dim} and {self.vocabulary_size}."
            )

    @property
    def units(self) -> int:
        """How many numbers the output layer gives for each token it reads."""
        return self.labels_per_token * self.num_classes


_CHOICES = {
    "embedding_init": ("orthogonal", "normal"),
    "input_scale": ("pretrained",),
    "output_init": ("glorot", "pytorch"),
    "channel_independent": ("concat", "mean"),
    "output_norm": ("layer", "batch"),
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


def check_series_options(chosen: ModelOptions, shape: TaskShape) -> None:
    """Checks that a task's tokens fit the options for series.

    Args:
        chosen: `ModelOptions`.
        shape: a `TaskShape`.

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
    if shape.num_output_tokens > 1:
        for name in used:
            if name != "instance_norm":
                raise ValueError(
                    f"{name}={getattr(chosen, name)} is for one answer to a "
                    "series, but the model answers each of its last "
                    f"{shape.num_output_tokens} tokens. Leave it out."
                )
    if chosen.channel_independent is not None and chosen.readout == "pooled":
        raise ValueError(
            "channel_independent joins hidden states of tokens. Use "
            "readout='last', 'mean' or 'flatten'."
        )


_SIZES = [field.name for field in dataclasses.fields(TaskShape)]
_STORED = options.names(ModelOptions, stored=True)


def settings_of(model: Any) -> dict[str, Any]:
    """The settings that files store: the task's sizes and stored options.

    Options that the first version lacks are left out at their defaults, so
    that earlier versions read the files of models without them.

    Args:
        model: an `FPTClassifier`.
    """
    stored = {name: getattr(model.options, name) for name in _STORED}
    return {
        **{name: getattr(model, name) for name in _SIZES},
        **{
            name: value
            for name, value in stored.items()
            if name not in _LATER or value != _LATER[name]
        },
    }


def complete(settings: dict[str, Any]) -> dict[str, Any]:
    """What `settings_of` returned, with what it left out."""
    return {**_LATER, **settings}


_FIELDS = [*dataclasses.fields(TaskShape), *dataclasses.fields(ModelOptions)]
_TYPES = {
    field.name: field.type
    for field in _FIELDS
    if field.name in (*_SIZES, *_STORED)
} | {
    # Once settled, these can no longer be all that the constructor takes.
    "policy": str,
    "learned_positions": int | None,
}
# Files of older versions lack them.
_LATER = {
    name: default
    for name, default in options.later(ModelOptions).items()
    if name in _STORED
}
_SETTINGS = pydantic.TypeAdapter(
    pydantic.create_model(  # type: ignore[call-overload]
        "Settings",
        # Strict: `true` is not the integer 1.
        __config__=pydantic.ConfigDict(extra="forbid", strict=True),
        **{
            name: (kind, _LATER.get(name, ...)) for name, kind in _TYPES.items()
        },
    )
)


def check_settings(
    settings: Any, path: str | os.PathLike[str]
) -> dict[str, Any]:
    """Checks that settings are those of an `FPTClassifier`.

    Args:
        settings: what a file's header has under `model`.
        path: the file, for errors.

    Returns:
        The settings, with the defaults of options that the file's version did
        not have.

    Raises:
        ValueError: a setting is missing, unknown, or of another type.
    """
    if isinstance(settings, dict):
        settings = complete(settings)
    try:
        _SETTINGS.validate_python(settings)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ValueError(f"`{path}` is damaged: {_words(first)}") from None
    return settings


def _words(error: Mapping[str, Any]) -> str:
    """One of pydantic's errors about settings, in this package's words."""
    if error["type"] in ("missing", "extra_forbidden", "model_type"):
        return f"expected the settings {', '.join(_TYPES)} of its model."
    return f"its model has {error['loc'][0]}={error['input']!r}."


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
