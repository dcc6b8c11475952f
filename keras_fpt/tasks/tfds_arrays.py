"""Image data sets from TensorFlow Datasets, as arrays in memory."""

import numpy as np
import tensorflow as tf

TFDS_STORE = "https://storage.googleapis.com"


def load(name, splits, data_dir=None):
    """Loads splits of an image classification data set.

    The data set is downloaded and prepared if it is not in the folder yet.

    Args:
        name: string, its TFDS name.
        splits: tuple of strings.
        data_dir: TFDS folder; `None` is TFDS's own default.

    Returns:
        A list of tuples: images `(n, height, width, channels)` as uint8 and
        labels `(n,)` as int32.

    Raises:
        FileNotFoundError: it is not there and cannot be downloaded.
        ValueError: its files are damaged.
    """
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    builder = tfds.builder(name, data_dir=data_dir)
    if not builder.is_prepared():
        _download(builder, name)
    try:
        arrays = [
            builder.as_dataset(split=split, batch_size=-1) for split in splits
        ]
    except tf.errors.DataLossError as error:
        raise ValueError(
            f"The data set '{name}' in `{builder.data_dir}` is damaged or cut "
            "off. Remove that folder and prepare it again."
        ) from error
    return [
        (batch["image"].numpy(), batch["label"].numpy().astype(np.int32))
        for batch in arrays
    ]


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
