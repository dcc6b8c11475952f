"""Labels in arrays: one for each example, several, or one for each token."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_fpt.tasks.user_data import classes, sequences, targets
from keras_fpt.tasks.user_data.arrays import label_texts


def encode(
    y: Any,
    x: Any,
    where: Callable[[int], str],
    task_type: str | None = None,
    class_names: Sequence[str] | None = None,
    columns: Sequence[str] = (),
    separator: str | None = None,
) -> targets.Labels:
    """Encodes the labels of arrays.

    Labels are of tokens if there are as many for each example as the longest
    one has tokens, and they are whole numbers or texts. Otherwise see
    `targets.encode`.

    Args:
        y: sequence of n labels, which may be `label_texts.TextsOnDisk`, or
            array `(n, labels)` or `(n, tokens)`.
        x: the n sequences, as in `Examples`.
        where: function from an example's index to words that say where it is.
        task_type, class_names, columns, separator: as for `targets.encode`.

    Raises:
        ValueError: as for `targets.encode`.
    """
    targets.check_task_type(task_type)
    if isinstance(y, np.ma.MaskedArray) and np.ma.is_masked(y):
        # Behind a mask, anything may be.
        known = y.data.astype(object)
        known[np.ma.getmaskarray(y)] = None
        y = known
    if isinstance(y, label_texts.TextsOnDisk):
        if class_names is None and task_type != targets.TOKENS:
            labels = label_texts.encode(y, where, task_type, separator)
            if labels is not None:
                return labels
        y = [*y]
    array = np.asarray(y)
    longest = sequences.longest(x)
    fits = array.ndim == 2 and array.shape[1] == longest
    is_found = (
        task_type is None
        and fits
        and longest > 1
        and array.dtype.kind in "biuUS"
    )
    if task_type == targets.TOKENS and not fits:
        raise ValueError(
            "task_type='tokens' (--task-type tokens) needs a label for each "
            f"token, of shape (examples, {longest}), but received labels of "
            f"shape {array.shape}. Beyond the end of a shorter sequence, and "
            "where a token has no label, give -1."
        )
    if not is_found and task_type != targets.TOKENS:
        return targets.encode(
            y,
            where,
            task_type,
            class_names,
            columns=columns,
            separator=separator,
        )
    if separator is not None:
        raise ValueError(
            "label_separator (--label-separator) is for several labels per "
            "example, not for one per token. Leave it out."
        )
    return _of_tokens(array, x, where, class_names, is_found)


def token_classes(
    y: np.ndarray,
    lengths: np.ndarray,
    where: Callable[[int], str],
    class_names: Sequence[str] | None = None,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The classes of tokens.

    Args:
        y: array `(n, tokens)` of integers or texts; -1, or an empty text,
            where a token has no label.
        lengths: int array `(n,)`, the tokens of each sequence.
        where: function from an example's index to words that say where it is.
        class_names: sequence of strings, or `None`.

    Returns:
        A tuple: int32 array `(n, tokens)`, -1 where a token has no label or a
        sequence has ended, and the classes' names.
    """
    is_real = np.arange(y.shape[1]) < lengths[:, None]
    has_label = is_real & (
        y != targets.UNLABELED
        if y.dtype.kind in "biuf"
        else (y.astype(str) != "") & (y.astype(str) != "-1")
    )
    places = np.argwhere(has_label)
    found, names = classes.encode_labels(
        y[has_label],
        lambda i: f"{where(int(places[i, 0]))}, token {places[i, 1] + 1}",
        class_names,
    )
    labels = np.full(y.shape, targets.UNLABELED, np.int32)
    labels[has_label] = found
    return labels, names


def _of_tokens(
    y: np.ndarray,
    x: Any,
    where: Callable[[int], str],
    class_names: Sequence[str] | None,
    is_found: bool,
) -> targets.Labels:
    lengths = sequences.lengths(x)
    labels, names = token_classes(y, lengths, where, class_names)
    notes = []
    if is_found:
        notes.append(
            f"a label for each token, since there are as many for each example "
            f"as it has tokens ({y.shape[1]:,}); --task-type multilabel takes "
            "them as several labels per example"
        )
    count = int(lengths.sum() - (labels >= 0).sum())
    if count:
        notes.append(
            f"without a label (-1): {count:,} tokens, which are read and do "
            "not count"
        )
    return targets.of_tokens(labels, names, tuple(notes))
