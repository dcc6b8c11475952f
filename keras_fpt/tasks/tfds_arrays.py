"""Image data sets from TensorFlow Datasets, as arrays in memory."""

import functools

import numpy as np
import tensorflow as tf

from keras_fpt.tasks import images
from keras_fpt.tasks.stored import Examples

TFDS_STORE = "https://storage.googleapis.com"


@functools.cache
def read(name, data_dir=None):
    """Reads an image classification data set that has no validation split.

    The data set is downloaded and prepared if it is not in the folder yet.

    Args:
        name: string, its TFDS name.
        data_dir: TFDS folder; `None` is TFDS's own default.

    Returns:
        A dict of `Examples`: `train`, `validation` (a fixed, seeded tenth of
        train) and `test`, with uint8 images `(n, height, width, channels)`.

    Raises:
        FileNotFoundError: it is not there and cannot be downloaded.
        ValueError: its files are damaged.
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


def _load(builder, split):
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


def _download(builder, name):
    import requests
    import tensorflow_datasets as tfds

    try:
        # TFDS tries for minutes before it gives up.
        requests.head(TFDS_STORE, timeout=10)
        print(f"Preparing '{name}' in {builder.data_dir}")
        builder.download_and_prepare()
    except PermissionError as error:
        raise PermissionError(
            f"Cannot write the data set '{name}' to `{builder.data_dir}`: "
            f"{error}. Give another folder with --data-dir or TFDS_DATA_DIR."
        ) from error
    except (OSError, tfds.download.DownloadError) as error:
        raise FileNotFoundError(
            f"The data set '{name}' is not in `{builder.data_dir}` and could "
            f"not be downloaded from {TFDS_STORE}. Where there is a network, "
            f'run: python -c "import tensorflow_datasets as tfds; '
            f"tfds.load('{name}', data_dir='DIR')\", copy DIR here, and give "
            "it with --data-dir DIR or TFDS_DATA_DIR=DIR. The task 'digits' "
            "needs no download."
        ) from error
