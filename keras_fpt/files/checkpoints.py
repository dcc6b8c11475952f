"""Checkpoints: named arrays, or the state of a training run, in one file.

A checkpoint is a safetensors file: arrays and a JSON header, and nothing that
could run code when it is read. Orbax would tie the format to JAX, and Keras's
own `.weights.h5` would contain the frozen weights too. This format contains
only what trains, and is the same on all backends. Files are written atomically,
so a run may be killed at any time.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from keras_fpt.files import atomic

METADATA_KEY = "keras_fpt"


def write_arrays(
    path: str | os.PathLike,
    arrays: Mapping[str, np.ndarray],
    metadata: dict[str, Any],
) -> None:
    """Writes named arrays and a dict of metadata atomically.

    Args:
        path: the file's path; its folder must exist.
        arrays: dict of name to NumPy array.
        metadata: dict that `json.dumps` accepts.

    Raises:
        OSError: the file cannot be written.
    """
    # np.ascontiguousarray would give scalars an axis.
    arrays = {k: np.asarray(v, order="C") for k, v in arrays.items()}
    # A single entry, since safetensors writes several in any order, and files
    # of the same state should have the same bytes.
    entry = [checksum(arrays, json.dumps(metadata)), metadata]
    header = {METADATA_KEY: json.dumps(entry)}
    with atomic.replacing(path) as temporary:
        try:
            save_file(arrays, temporary, header)
        except SafetensorError as error:
            raise OSError(f"Cannot write `{path}`: {error}") from error


def read_arrays(
    path: str | os.PathLike,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Reads what `write_arrays` wrote.

    Returns:
        A tuple `(arrays, metadata)`.

    Raises:
        FileNotFoundError: the file does not exist.
        OSError: the file cannot be read for another reason.
        ValueError: the file is damaged, or keras-fpt did not write it.
    """
    expected, metadata = _read_entry(path)
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, TypeError) as error:
        raise _damaged(path, error) from error
    if expected not in (None, checksum(arrays, json.dumps(metadata))):
        raise _damaged(path, "its checksum is wrong")
    return arrays, metadata


def _read_header(path: str | os.PathLike) -> Any:
    """The package's entry in a file's header, `None` if there is none."""
    if not os.path.isfile(path):
        raise FileNotFoundError(f"There is no file `{path}`.")
    with open(path, "rb"):
        pass  # Of any file that it cannot open, safe_open says it is missing.
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
        return json.loads(header.get(METADATA_KEY, "null"))
    except (SafetensorError, json.JSONDecodeError, RecursionError) as error:
        raise _damaged(path, error) from error


def _read_entry(
    path: str | os.PathLike,
) -> tuple[str | None, dict[str, Any]]:
    """A file's checksum, or `None` in files of an early version; metadata."""
    entry = _read_header(path)
    if entry is None:
        raise ValueError(
            f"`{path}` is a safetensors file, but keras-fpt did not write it: "
            f"its header has no `{METADATA_KEY}` entry."
        )
    if isinstance(entry, dict):
        return None, entry
    if not _is_known(entry):
        raise ValueError(
            f"`{path}` is damaged, or a later version of keras-fpt wrote it: "
            "its header has another format."
        )
    return entry[0], entry[1]


def _is_known(entry: Any) -> bool:
    """Whether a header's entry has this version's format."""
    is_pair = isinstance(entry, list) and len(entry) == 2
    return is_pair and isinstance(entry[1], dict)


def is_of_later_version(path: str | os.PathLike) -> bool:
    """Whether keras-fpt wrote a file in a format that this version lacks.

    Raises:
        FileNotFoundError: the file does not exist.
        OSError: the file cannot be read for another reason.
        ValueError: the file is damaged.
    """
    entry = _read_header(path)
    return isinstance(entry, list) and not _is_known(entry)


def _damaged(path: str | os.PathLike, why: object) -> ValueError:
    return ValueError(f"`{path}` is damaged or not a safetensors file: {why}.")


def checksum(arrays: Mapping[str, np.ndarray], text: str = "") -> str:
    """SHA-256 of named arrays, their types and shapes, and of a string."""
    digest = hashlib.sha256(text.encode())
    for name, array in sorted(arrays.items()):
        header = json.dumps([name, array.dtype.str, array.shape])
        digest.update(header.encode())
        # As bytes, since arrays of some types, e.g. bfloat16, have no buffer.
        digest.update(np.ravel(array).view(np.uint8).data)
    return digest.hexdigest()


def is_random_state(variable: Any) -> bool:
    """Whether a variable is the state of a random generator, not a weight."""
    return variable.name == "seed_generator_state"


def _is_average(variable: Any) -> bool:
    """Whether a variable is a moving average of a batch normalization."""
    return variable.name in ("moving_mean", "moving_variance")


def _state_variables(model: Any, metrics: bool) -> dict[str, Any]:
    """The variables that training changes, by stable names."""
    # Keras's names and paths contain counters that increase with every model
    # of a process, so variables are identified by their order.
    groups = {
        "trained": model.trainable_variables,
        "random": filter(is_random_state, model.variables),
        "averages": filter(_is_average, model.non_trainable_variables),
        "optimizer": model.optimizer.variables,
        "metrics": model.metrics_variables if metrics else (),
    }
    named = {}
    for group, variables in groups.items():
        for index, variable in enumerate(variables):
            named[f"{group}/{index}"] = variable
    return named


def save_state(
    path: str | os.PathLike,
    model: Any,
    metadata: dict[str, Any],
    metrics: bool = False,
) -> None:
    """Saves what training has changed.

    That is the trainable variables, the optimizer's variables, the moving
    averages of batch normalizations, and the states of random generators: those
    of Keras and, on PyTorch, the global ones, which Keras uses for dropout.
    Frozen weights are not saved.

    Args:
        path: the file's path; its folder must exist.
        model: a compiled Keras model.
        metadata: dict that `json.dumps` accepts.
        metrics: bool, whether to save the running means of metrics as well,
            for a state in the middle of an epoch.

    Raises:
        FloatingPointError: a value is not finite; no file is written.
        OSError: the file cannot be written.
    """
    arrays = {
        name: keras.ops.convert_to_numpy(variable)
        for name, variable in _state_variables(model, metrics).items()
    }
    for name, array in arrays.items():
        if array.dtype.kind not in "biu" and not np.isfinite(array).all():
            raise FloatingPointError(
                f"The variable `{name}` contains a value that is not finite."
            )
    write_arrays(path, arrays | _generator_states(), metadata)


def load_state(path: str | os.PathLike, model: Any) -> dict[str, Any]:
    """Loads a saved state into a model that was built in the same way.

    Returns:
        The metadata that was saved with the state.

    Raises:
        ValueError: the file is damaged or belongs to another model.
    """
    arrays, metadata = read_arrays(path)
    restore_state(arrays, model)
    return metadata


def restore_state(arrays: dict[str, np.ndarray], model: Any) -> None:
    """Assigns the arrays of a saved state to a model.

    Keras resets metrics at the start of an epoch, so a state that holds them
    must be restored when the epoch's first batch begins.

    Raises:
        ValueError: the state belongs to another model.
    """
    generators = {k: v for k, v in arrays.items() if k.startswith(_GENERATOR)}
    arrays = {k: v for k, v in arrays.items() if k not in generators}
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    metrics = any(name.startswith("metrics/") for name in arrays)
    variables = _state_variables(model, metrics)
    shapes = {name: tuple(v.shape) for name, v in variables.items()}
    saved_shapes = {name: a.shape for name, a in arrays.items()}
    if shapes != saved_shapes:
        different = sorted(
            name
            for name in shapes.keys() | saved_shapes.keys()
            if shapes.get(name) != saved_shapes.get(name)
        )
        raise ValueError(
            f"The saved state belongs to another model or policy: "
            f"{len(different)} variables differ, the first is "
            f"`{different[0]}`."
        )
    for name, variable in variables.items():
        variable.assign(arrays[name])
    _restore_generators(generators)


_GENERATOR = "generator/"


def _generator_states() -> dict[str, np.ndarray]:
    """The states of PyTorch's global generators; empty on other backends."""
    if keras.backend.backend() != "torch":
        return {}
    import torch

    states = [torch.get_rng_state(), *torch.cuda.get_rng_state_all()]
    return {f"{_GENERATOR}{i}": s.numpy() for i, s in enumerate(states)}


def _restore_generators(states: dict[str, np.ndarray]) -> None:
    if keras.backend.backend() != "torch" or not states:
        return
    import torch

    first, *devices = (
        torch.from_numpy(states[f"{_GENERATOR}{i}"]) for i in range(len(states))
    )
    torch.set_rng_state(first)
    torch.cuda.set_rng_state_all(devices[: torch.cuda.device_count()])
