"""Predictions of a finished run on new files."""

import keras
import numpy as np

from keras_fpt import files
from keras_fpt.runs import (data_description as described, train as run, folder as run_folder)
from keras_fpt.tasks.user_data import (sequences)
from keras_fpt.tasks.stored import Stored


def predict(folder, path, output=None):
    """Predicts the classes of new examples.

    Args:
        folder: path of a finished run on a person's own data.
        path: a file or folder of the kind that the run was trained on;
            labels are not needed.
        output: path of the `.csv` file to write, or `None`.

    Returns:
        A `pandas.DataFrame` with a row an example: `example` (the row, group,
        file or record), `prediction` (a class name) and
        `probability_<class>` for each class.

    Raises:
        FileNotFoundError: something is not there.
        ValueError: the new data does not fit what the run was trained on.
    """
    import pandas as pd

    config = run_folder.read_config(folder)
    adapter = run_folder.finished_adapter(folder)
    task = described.read(folder)
    x, names = task.reader.read(path)
    model = run.build_model(config, task)
    model.load_adapter(adapter)
    _check_lengths(x, names, model.max_sequence_length, path)
    # Sorted by length, so that short sequences are not padded to long ones.
    order = np.argsort(sequences.lengths(x), kind="stable")
    batches = Stored(dict).in_order(x, order, config.batch_size)
    logits = np.empty((len(names), task.num_classes), np.float32)
    logits[order] = model.predict(batches, verbose=0)
    probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
    frame = pd.DataFrame(
        {
            "example": names,
            "prediction": [
                task.class_names[i] for i in probabilities.argmax(axis=1)
            ],
            **{
                f"probability_{name}": probabilities[:, i]
                for i, name in enumerate(task.class_names)
            },
        }
    )
    if output is not None:
        files.write_text(
            output, frame.to_csv(index=False, float_format="%.6f")
        )
    return frame


def _check_lengths(x, names, limit, path):
    lengths = sequences.lengths(x)
    longest = int(np.argmax(lengths))
    if limit is not None and lengths[longest] > limit:
        raise ValueError(
            f"`{path}`, {names[longest]}: {lengths[longest]:,} tokens are more "
            f"than the {limit:,} positions of the run's preset."
        )
