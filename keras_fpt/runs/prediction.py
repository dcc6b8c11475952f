"""Predictions of a finished run on new files."""

import os
from typing import Any

import keras
import numpy as np

from keras_fpt import files
from keras_fpt.runs import data_description, folder
from keras_fpt.runs.model import build_model
from keras_fpt.runs.resolved import resolve
from keras_fpt.tasks import Stored, sequences

Path = str | os.PathLike[str]


def predict(run_folder: Path, path: Path, output: Path | None = None) -> Any:
    """Predicts the classes of new examples.

    Args:
        run_folder: path of a finished run on the user's own data.
        path: a file or folder of the kind that the run was trained on;
            labels are not needed.
        output: path of the `.csv` file to write, or `None`.

    Returns:
        A `pandas.DataFrame` with one row per example: `example` (the row,
        group, file or record), `prediction` (a class name) and
        `probability_<class>` for each class.

    Raises:
        FileNotFoundError: the run, the new data or a preset does not exist.
        ValueError: the new data does not fit what the run was trained on.
    """
    import pandas as pd

    config = folder.read_config(run_folder)
    adapter = folder.finished_adapter(run_folder)
    task = data_description.read_description(run_folder)
    x, names = task.reader.read(path)
    classes = task.class_names or ()
    run = resolve(config, task)
    model = build_model(run)
    model.load_adapter(adapter)
    _check_lengths(x, names, model.max_sequence_length, path)
    # Sorted by length, so that short sequences are not padded to long ones.
    order = np.argsort(sequences.lengths(x), kind="stable")
    batches = Stored(dict).in_order(x, order, run.batch_size)
    logits = np.empty((len(names), task.num_classes), np.float32)
    logits[order] = model.predict(batches, verbose=0)
    probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
    frame = pd.DataFrame(
        {
            "example": names,
            "prediction": [classes[i] for i in probabilities.argmax(axis=1)],
            **{
                f"probability_{name}": probabilities[:, i]
                for i, name in enumerate(classes)
            },
        }
    )
    if output is not None:
        files.write_text(output, frame.to_csv(index=False, float_format="%.6f"))
    return frame


def _check_lengths(
    x: Any, names: list[str], limit: int | None, path: Path
) -> None:
    lengths = sequences.lengths(x)
    longest = int(np.argmax(lengths))
    if limit is not None and lengths[longest] > limit:
        raise ValueError(
            f"`{path}`, {names[longest]}: {lengths[longest]:,} tokens are more "
            f"than the {limit:,} positions of the run's preset."
        )
