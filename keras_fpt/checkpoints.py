"""The state of a training run in one file, written so that it survives a kill.

A state file is a safetensors file: arrays and a JSON header, nothing that
could run code when it is read.
"""

import json
import os
import tempfile

import keras
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

METADATA_KEY = "keras_fpt"


def write_arrays(path, arrays, metadata):
    """Writes named arrays and a JSON-able dict to `path`, all or nothing.

    The file is written under a temporary name, flushed to disk and renamed,
    so a reader sees the old file or the new one and never a part of one.

    Args:
        path: the file's path; its folder must exist.
        arrays: dict of name to NumPy array.
        metadata: dict that `json.dumps` accepts.
    """
    folder = os.path.dirname(os.path.abspath(path))
    descriptor, temporary = tempfile.mkstemp(dir=folder, suffix=".tmp")
    os.close(descriptor)
    try:
        # Not np.ascontiguousarray, which gives scalars an axis.
        arrays = {k: np.asarray(v, order="C") for k, v in arrays.items()}
        save_file(arrays, temporary, {METADATA_KEY: json.dumps(metadata)})
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def read_arrays(path):
    """Reads what `write_arrays` wrote.

    Returns:
        A tuple `(arrays, metadata)`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is cut off, damaged, or not one of ours.
    """
    metadata = read_metadata(path)
    with safe_open(path, framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return arrays, metadata


def read_metadata(path):
    """Reads the metadata that `write_arrays` wrote; see `read_arrays`."""
    if not os.path.isfile(path):
        raise FileNotFoundError(f"There is no file `{path}`.")
    try:
        with safe_open(path, framework="numpy") as file:
            header = (file.metadata() or {}).get(METADATA_KEY)
    except SafetensorError as error:
        raise ValueError(
            f"`{path}` is damaged or not a safetensors file: {error}"
        ) from error
    if header is None:
        raise ValueError(
            f"`{path}` is a safetensors file, but keras-fpt did not write it: "
            f"its header has no `{METADATA_KEY}` entry."
        )
    return json.loads(header)


def is_random_state(variable):
    """Whether a variable is a random generator's state and no weight."""
    return variable.name == "seed_generator_state"


def _state_variables(model):
    """The variables that training changes, by a name that is stable."""
    # Names and paths hold counters that go on from model to model within a
    # process, so variables are told apart by their order.
    groups = {
        "trained": model.trainable_variables,
        "random": filter(is_random_state, model.variables),
        "optimizer": model.optimizer.variables,
    }
    named = {}
    for group, variables in groups.items():
        for index, variable in enumerate(variables):
            named[f"{group}/{index}"] = variable
    return named


def save_state(path, model, metadata):
    """Writes what training has changed, and `metadata`, to `path`.

    That is the trained variables, the optimizer's, and the states of Keras's
    random generators: frozen weights are not written. On PyTorch, Keras draws
    dropout from PyTorch's global generator, which is not in a state: whoever
    needs the same numbers seeds it where training goes on.
    """
    arrays = {
        name: keras.ops.convert_to_numpy(variable)
        for name, variable in _state_variables(model).items()
    }
    write_arrays(path, arrays, metadata)


def load_state(path, model):
    """Puts a saved state back into a model that was built the same way.

    Returns:
        The metadata that was saved with the state.

    Raises:
        ValueError: the file is damaged or belongs to another model.
    """
    arrays, metadata = read_arrays(path)
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    variables = _state_variables(model)
    shapes = {name: tuple(v.shape) for name, v in variables.items()}
    saved_shapes = {name: a.shape for name, a in arrays.items()}
    if shapes != saved_shapes:
        different = sorted(
            name
            for name in shapes.keys() | saved_shapes.keys()
            if shapes.get(name) != saved_shapes.get(name)
        )
        raise ValueError(
            f"The state in `{path}` belongs to another model or policy: "
            f"{len(different)} variables differ, the first is "
            f"`{different[0]}`."
        )
    for name, variable in variables.items():
        variable.assign(arrays[name])
    return metadata
