"""Reads small JSON files that may be damaged or malicious."""

import dataclasses
import functools
import json
import os
import pathlib
import typing
from typing import Any, TypeVar

T = TypeVar("T")

# A run's files have a few kilobytes, and the index of a large Hugging Face
# model has some megabytes.
MAX_BYTES = 64 * 2**20


def read_object(path: str | os.PathLike) -> dict[str, Any]:
    """Reads the object in a small JSON file, as a dict.

    Args:
        path: string or path.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: it is too large, too deeply nested, or not a JSON object.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file `{path}`.")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(
            f"`{path}` has {size:,} bytes. Expected a JSON object of at most "
            f"{MAX_BYTES:,}."
        )
    return parse_object(path.read_bytes(), f"`{path}`")


def parse_object(text: str | bytes, where: str) -> dict[str, Any]:
    """Parses the object in some JSON text, as a dict.

    Args:
        text: string or bytes.
        where: string, what the text describes, the beginning of errors.

    Raises:
        ValueError: it is too deeply nested, or not a JSON object.
    """
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError(f"{where} is nested too deeply.") from error
    except ValueError as error:
        raise ValueError(f"{where} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(
            f"{where}: expected a JSON object but found a "
            f"{type(value).__name__}."
        )
    return value


def from_dict(cls: type[T], entry: Any, where: str) -> T:
    """Makes a dataclass from a dict of its fields, checked by annotation.

    Types are strict: `true` is not a number, and `1.0` is not an integer. An
    integer may stand for a float, and a list for a tuple.

    Args:
        cls: the dataclass.
        entry: dict, parsed JSON. Nested dataclasses are instances already.
        where: string, as in `parse_object`.

    Raises:
        ValueError: a field is unknown, missing, or of another type.
    """
    import pydantic

    if not isinstance(entry, dict):
        raise ValueError(f"{where}: expected an object but found {entry!r}.")
    lists = _lists(cls)  # type: ignore[arg-type]
    values = {
        name: tuple(value)
        if isinstance(value, list) and name not in lists
        else value
        for name, value in entry.items()
    }
    try:
        _schema(cls).model_validate(  # type: ignore[arg-type]
            _encodable(values)
        )
    except pydantic.ValidationError as error:
        raise ValueError(f"{where}: {_reason(error, cls, entry)}") from error
    # Not what pydantic returns, which has a float where JSON has an integer:
    # a file that is read and written again should be the same.
    return cls(**values)


def read_dataclass(cls: type[T], path: str | os.PathLike) -> T:
    """Makes a dataclass from the object in a JSON file, as `from_dict` does.

    Args:
        cls: the dataclass.
        path: string or path.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: it does not hold such an object.
    """
    return from_dict(cls, read_object(path), f"`{path}`")


def _is_list(hint: Any) -> bool:
    """Whether an annotation is a list, or a list or `None`."""
    parts = (hint, *typing.get_args(hint))
    return any(typing.get_origin(part) is list for part in parts)


def _encodable(value: Any) -> Any:
    """A value whose strings are UTF-8, which pydantic asks for.

    Names of files may contain other bytes, as lone surrogates.
    """
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list | tuple):
        return type(value)(map(_encodable, value))
    if isinstance(value, dict):
        return {_encodable(k): _encodable(v) for k, v in value.items()}
    return value


@functools.cache
def _lists(cls: type) -> frozenset[str]:
    """The fields of a dataclass that are annotated as lists."""
    hints = typing.get_type_hints(cls)
    return frozenset(
        field.name
        for field in dataclasses.fields(cls)
        if any(
            typing.get_origin(hint) is list
            for hint in (
                hints[field.name],
                *typing.get_args(hints[field.name]),
            )
        )
    )


@functools.cache
def _schema(cls: type) -> Any:
    """A pydantic model with the fields of a dataclass.

    pydantic's own support of dataclasses admits no dicts where types are
    strict.
    """
    import pydantic

    hints = typing.get_type_hints(cls)
    fields: dict[str, Any] = {
        field.name: (hints[field.name], ... if _is_required(field) else None)
        for field in dataclasses.fields(cls)
    }
    config = pydantic.ConfigDict(
        extra="forbid", strict=True, protected_namespaces=()
    )
    return pydantic.create_model(cls.__name__, __config__=config, **fields)


def _is_required(field: dataclasses.Field) -> bool:
    return (
        field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    )


def _reason(error: Any, cls: type, entry: dict[str, Any]) -> str:
    """Describes the first fault of an entry, as a sentence's end."""
    errors = error.errors(
        include_url=False, include_context=False, include_input=False
    )
    # A longer location is within a field's value.
    of_fields = {
        kind: [
            e["loc"][0]
            for e in errors
            if e["type"] == kind and len(e["loc"]) == 1
        ]
        for kind in ("extra_forbidden", "missing")
    }
    if of_fields["extra_forbidden"]:
        return f"unknown field '{min(of_fields['extra_forbidden'])}'."
    if of_fields["missing"]:
        return f"there is no field '{of_fields['missing'][0]}'."
    name = errors[0]["loc"][0]
    hint = typing.get_type_hints(cls)[name]
    kind = hint.__name__ if isinstance(hint, type) else hint
    shown = repr(entry[name])
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    return f"expected {name} to be {kind} but found {shown}."
