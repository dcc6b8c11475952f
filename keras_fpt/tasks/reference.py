"""The tasks as encoded by the reference code of Lu et al.

They are variants, such as `mnist:reference`. What differs is the encoding;
examples and splits are those of the task.

Source: https://github.com/kzl/universal-computation, the folder
`universal_computation/datasets`, and `experiment.py` for the sizes; for
proteins, the tokenizer of https://github.com/songlab-cal/tape.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from keras_fpt.tasks import (
    augmentation,
    bit_xor,
    cifar10,
    images,
    proteins,
)
from keras_fpt.tasks.generated import Generated
from keras_fpt.tasks.stored import Examples, Stored
from keras_fpt.tasks.task import Task

VARIANT = "reference"
_PAD = 0
# Of TAPE's vocabulary: five special tokens, then every letter but J.
_SPECIAL = ("<pad>", "<mask>", "<cls>", "<sep>", "<unk>")
_LETTERS = "ABCDEFGHIKLMNOPQRSTUVWXYZ"
_BEGIN, _END = _SPECIAL.index("<cls>"), _SPECIAL.index("<sep>")
_MNIST_ROWS = 28 // 4
_CIFAR_DEVIATION = np.array([0.2023, 0.1994, 0.2010], "float32")


def _bit_xor(task: Task) -> Task:
    """Bits of the input are 0 and 1."""
    return dataclasses.replace(task, data=Generated(_zeros_and_ones))


def _zeros_and_ones(
    batch_size: int, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    x, y = bit_xor.make_batch(batch_size, seed)
    return (x + 1) / 2, y


def _listops(task: Task) -> Task:
    """Token 0 is padding, which is read like any other, up to the limit."""
    assert task.symbols is not None
    read = functools.partial(_padded, task.data, task.sequence_length)
    return dataclasses.replace(
        task,
        data=Stored(read),
        vocabulary_size=len(task.symbols) + 1,
        symbols=("<pad>", *task.symbols),
        simple_rules={
            name: functools.partial(_without_padding, rule)
            for name, rule in task.simple_rules.items()
        },
    )


def _without_padding(rule: Callable, x: np.ndarray) -> np.ndarray:
    """Applies a rule to tokens without padding."""
    return rule({"tokens": np.maximum(x - 1, 0)})


def _padded(data: Stored, length: int) -> dict[str, Examples]:
    return {
        name: examples._replace(
            x=(examples.x + 1).to_tensor(_PAD, (None, length)).numpy()
        )
        for name, examples in data.read().items()
    }


def _mnist(task: Task) -> Task:
    """Pixels from 0 to 1, and 49 patches of the image without a margin."""
    return dataclasses.replace(
        task,
        data=dataclasses.replace(task.data, encode=_mnist_patches),
        sequence_length=_MNIST_ROWS**2,
        picture=_mnist_picture,
    )


def _mnist_patches(x: tf.Tensor) -> tf.Tensor:
    return images.patches(tf.cast(x, tf.float32) / images.MAX_PIXEL, 4)


def _mnist_picture(tokens: np.ndarray) -> np.ndarray:
    return np.squeeze(images.unpatch(tokens, _MNIST_ROWS, 4))


def _cifar10(task: Task) -> Task:
    """Other standard deviations: the mean over images of each image's own."""
    return dataclasses.replace(
        task,
        data=dataclasses.replace(task.data, encode=_cifar10_patches),
        picture=_cifar10_picture,
    )


def _cifar10_patches(x: tf.Tensor) -> tf.Tensor:
    x = tf.cast(x, tf.float32) / images.MAX_PIXEL - cifar10.MEAN
    return images.patches(x / _CIFAR_DEVIATION, cifar10.PATCH_SIZE)


def _cifar10_picture(tokens: np.ndarray) -> np.ndarray:
    image = images.unpatch(tokens, cifar10.ROWS, cifar10.PATCH_SIZE)
    return image * _CIFAR_DEVIATION + cifar10.MEAN


def _cifar10_lra(task: Task) -> Task:
    """Augmented as `cifar10` is."""
    data = dataclasses.replace(task.data, augment=augmentation.augment)
    return dataclasses.replace(task, data=data)


def _remote_homology(task: Task) -> Task:
    """TAPE's 30 symbols with a token before and after, and 1,200 classes.

    A batch is padded to its longest protein with token 0, which is read like
    any other.
    """
    data = dataclasses.replace(
        task.data,
        read=functools.partial(_as_tape, task.data),
        pad_token=_PAD,
    )
    return dataclasses.replace(
        task,
        data=data,
        num_classes=1200,
        vocabulary_size=len(_SPECIAL) + len(_LETTERS),
        symbols=(*_SPECIAL, *_LETTERS),
        sequence_length=task.sequence_length + 2,
    )


def _as_tape(data: Stored) -> dict[str, Examples]:
    codes = tf.constant(
        [len(_SPECIAL) + _LETTERS.index(a) for a in proteins.AMINO_ACIDS]
    )
    splits = {}
    for name, examples in data.read().items():
        tokens = tf.ragged.map_flat_values(tf.gather, codes, examples.x)
        around = tf.ones((len(examples.y), 1), tf.int32)
        x = tf.concat([around * _BEGIN, tokens, around * _END], axis=1)
        splits[name] = examples._replace(x=x)
    return splits


_CHANGES: dict[str, Callable[[Task], Task]] = {
    "bit_xor": _bit_xor,
    "listops": _listops,
    "mnist": _mnist,
    "cifar10": _cifar10,
    "cifar10_lra": _cifar10_lra,
    "remote_homology": _remote_homology,
}
# Default options of the tasks. GPT-2 has
# 1,024 positions, two of which are those before and after a protein.
_OPTIONS: dict[str, dict[str, Any]] = {
    "listops": {"variant": "bracketless"},
    "remote_homology": {"max_length": 1022},
}


def make(
    name: str,
    get: Callable[..., Task],
    data_dir: Any,
    options: dict[str, Any],
) -> Task:
    """Makes a task as the reference code does.

    Args:
        name: string, the name of the task.
        get: `keras_fpt.tasks.get`.
        data_dir: as for `keras_fpt.tasks.get`.
        options: dict, options of the task.

    Raises:
        ValueError: the task has no such variant, or lacks an option.
    """
    if name not in _CHANGES:
        raise ValueError(
            f"The task '{name}' has no variant '{VARIANT}': the reference code "
            "encodes it in the same way, or does not have it. Expected one of "
            f"{', '.join(_CHANGES)}."
        )
    task = get(name, data_dir, **{**_OPTIONS.get(name, {}), **options})
    return dataclasses.replace(
        _CHANGES[name](task),
        name=f"{name}:{VARIANT}",
        description=f"{task.description}, encoded as in the reference code",
    )
