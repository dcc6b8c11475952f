"""What a run must know of its data to predict on new files.

It is kept in the run's folder, so that prediction needs neither the training
data nor its path.
"""

import dataclasses
import hashlib
import json
import pathlib

import numpy as np

from keras_fpt.experiments import run_folder
from keras_fpt.tasks import Recipe, Task
from keras_fpt.tasks.own import paths, sequences

_FIELDS = (
    "name",
    "description",
    "num_classes",
    "sequence_length",
    "input_dim",
    "vocabulary_size",
    "class_names",
)


def to_json(task):
    """A task on a person's own data, without the data, as JSON text."""
    entry = {name: getattr(task, name) for name in _FIELDS}
    entry["recipe"] = dataclasses.asdict(task.recipe)
    entry["reader"] = paths.reader_to_json(task.reader)
    entry["fingerprint"] = _fingerprint(task)
    return json.dumps(entry, indent=2) + "\n"


def keep(task, folder):
    """Writes the description of a task's data into a run's folder.

    Raises:
        ValueError: the run has begun with other data.
    """
    text, path = to_json(task), pathlib.Path(folder, run_folder.DATA)
    if path.is_file():
        _check_same(text, path)
    else:
        run_folder.write_text(path, text)


def check_same(task, folder):
    """Checks that a task is what the run in a folder was trained on.

    Raises:
        FileNotFoundError: the run has no description of its data.
        ValueError: the data has changed.
    """
    _check_same(to_json(task), pathlib.Path(folder, run_folder.DATA))


def _check_same(text, path):
    if path.read_text() != text:
        raise ValueError(
            f"The data has changed since the run in `{path.parent}` began: "
            "its splits would be others."
        )


def _fingerprint(task):
    """A checksum of all examples of all splits."""
    digest = hashlib.sha256()
    for split, (x, y, names) in task.data.splits.items():
        digest.update(repr((split, names)).encode())
        if sequences.is_ragged(x):
            digest.update(x.row_lengths().numpy().tobytes())
            x = x.flat_values.numpy()
        digest.update(np.ascontiguousarray(x).tobytes())
        digest.update(y.tobytes())
    return digest.hexdigest()


def read(folder):
    """The task of a run, without the data.

    Raises:
        FileNotFoundError: the run was not on a person's own data.
    """
    path = pathlib.Path(folder, run_folder.DATA)
    if not path.is_file():
        raise FileNotFoundError(
            f"The run in `{folder}` has no {run_folder.DATA}: only runs on "
            "data of your own can predict on new files."
        )
    entry = json.loads(path.read_text())
    del entry["fingerprint"]
    entry["class_names"] = tuple(entry["class_names"])
    entry["recipe"] = Recipe(**entry["recipe"])
    entry["reader"] = paths.reader_from_json(entry["reader"])
    return Task(data=None, **entry)
