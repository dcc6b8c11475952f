"""Image data sets from TensorFlow Datasets, as arrays in memory."""

import functools
import logging
from typing import Any

import numpy as np
import tensorflow as tf

from keras_fpt.tasks import images
from keras_fpt.tasks.stored import Examples

LOGGER = logging.getLogger(__name__)
TFDS_STORE = "https://storage.googleapis.com"


@functools.cache
def read(name: str, data_dir: str | None = None) -> dict[str, Examples]:
    """Reads an image classification data set that has no validation split.

    If the data set is not in the folder yet, it is downloaded and prepared.

    Args:
        name: string, the TFDS name of the data set.
        data_dir: TFDS folder; `None` is TFDS's default folder.

    Returns:
        A dict of `Examples`: `train`, `validation` (a fixed, seeded tenth of
        train) and `test`, with uint8 images `(n, height, width, channels)`.

    Raises:
        FileNotFoundError: the data set is not in the folder and cannot be
            downloaded.
        PermissionError: the folder cannot be written to.
        ValueError: the files are damaged.
    """
    import tensorflow_datasets as tfds

    builder = tfds.builder(name, data_dir=data_dir)
    if not builder.is_prepared():
        _download(builder, name)
    train, validation = images.hold_out_tenth(*_load(builder, "train"))
    return {
        "train": Examples(*train),
        "validation": Examples(*validation),
        "test": Examples(*_load(builder, "test")),
    }


def _load(builder: Any, split: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        batch = builder.as_dataset(split=split, batch_size=-1)
    except tf.errors.DataLossError as error:
        files = ", ".join(
            str(path) for path in builder.info.splits[split].filepaths
        )
        raise ValueError(
            f"The data set '{builder.name}' is damaged or cut off, in {files}. "
            f"Remove the folder `{builder.data_dir}` and prepare it again."
        ) from error
    return batch["image"].numpy(), batch["label"].numpy().astype(np.int32)


def _download(builder: Any, name: str) -> None:
    import requests
    import tensorflow_datasets as tfds

    try:
        # TFDS itself retries for minutes.
        requests.head(TFDS_STORE, timeout=10)
        LOGGER.info(f"Preparing '{name}' in {builder.data_dir}")
        builder.download_and_prepare()
    except PermissionError as error:
        raise PermissionError(
            f"Cannot write the data set '{name}' to `{builder.data_dir}`: "
            f"{error}. Give another folder with --data-dir or TFDS_DATA_DIR."
        ) from error
    except (OSError, tfds.download.DownloadError) as error:
        raise FileNotFoundError(
            f"The data set '{name}' is not in `{builder.data_dir}` and could "
            f"not be downloaded from {TFDS_STORE}. On a machine with network "
            f'access, run: python -c "import tensorflow_datasets as tfds; '
            f"tfds.load('{name}', data_dir='DIR')\", copy DIR here, and give "
            "it with --data-dir DIR or TFDS_DATA_DIR=DIR. The task 'digits' "
            "needs no download."
        ) from error
