"""Small JSON files, which may come from strangers, read with limits."""

import dataclasses
import json
import pathlib
import types
import typing

# A run's files have kilobytes, and the index of a large Hugging Face model
# some megabytes.
MOST_BYTES = 64 * 2**20


def read_object(path):
    """The dict in a small JSON file.

    Args:
        path: string or path.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is too large, too deeply nested, or no JSON object.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file `{path}`.")
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise ValueError(
            f"`{path}` has {size:,} bytes. Expected a JSON object of at most "
            f"{MOST_BYTES:,}."
        )
    return parse_object(path.read_bytes(), f"`{path}`")


def parse_object(text, where):
    """The dict in some JSON text.

    Args:
        text: string or bytes.
        where: string, where the text is from, for errors.

    Raises:
        ValueError: it is too deeply nested, or no JSON object.
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


def make(cls, entry, where):
    """A dataclass from a dict of its fields, checked by their annotations.

    Args:
        cls: the dataclass. Lists become tuples where it has tuples.
        entry: dict, what JSON gave.
        where: string, as in `parse_object`.

    Raises:
        ValueError: a field is unknown, missing, or of another type.
    """
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}
    if not isinstance(entry, dict):
        raise ValueError(f"{where}: expected an object but found {entry!r}.")
    unknown = sorted(entry.keys() - fields.keys())
    if unknown:
        raise ValueError(f"{where}: unknown field '{unknown[0]}'.")
    for name, field in fields.items():
        has_default = (
            field.default is not dataclasses.MISSING
            or field.default_factory is not dataclasses.MISSING
        )
        if name not in entry and not has_default:
            raise ValueError(f"{where}: there is no field '{name}'.")
    values = {}
    for name, value in entry.items():
        if not _is_a(value, hints[name]):
            kind = getattr(hints[name], "__name__", hints[name])
            shown = repr(value)
            shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
            raise ValueError(
                f"{where}: expected {name} to be {kind} but found {shown}."
            )
        values[name] = tuple(value) if isinstance(value, list) else value
    return cls(**values)


def _is_a(value, hint):
    """Whether a value that JSON gave is of an annotated type."""
    kind, parts = typing.get_origin(hint) or hint, typing.get_args(hint)
    if kind is types.UnionType:
        return any(_is_a(value, part) for part in parts)
    if kind is tuple:
        return isinstance(value, list) and all(
            _is_a(item, parts[0]) for item in value
        )
    if isinstance(value, bool):
        return kind is bool
    # JSON may write 1.0 as 1.
    return isinstance(value, (int, float) if kind is float else kind)
