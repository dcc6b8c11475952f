"""Labels of arrays that do not fit into memory, read a part at a time."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from keras_fpt.tasks.user_data import targets
from keras_fpt.tasks.user_data.tables import large_answers, large_labels


class TextsOnDisk:
    """Labels as text that are read from files whenever they are needed.

    Args:
        size: int, how many there are.
        blocks: function that returns an iterator over lists of strings.
    """

    def __init__(
        self, size: int, blocks: Callable[[], Iterator[list[str]]]
    ) -> None:
        self.blocks = blocks
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[str]:
        return itertools.chain.from_iterable(self.blocks())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        # Otherwise NumPy would take it for a single object.
        return np.array([*self], dtype)


def join(parts: Sequence[Any]) -> Any:
    """The labels of several files, one after the other.

    Args:
        parts: sequence of `TextsOnDisk`, or of sequences of labels.

    Raises:
        ValueError: examples of one have more labels than those of another.
    """
    shapes = [
        y.shape if isinstance(y, np.ndarray) else (len(y),) for y in parts
    ]
    if len({shape[1:] for shape in shapes}) > 1:
        raise ValueError(
            "Expected as many labels for each example in all files but found "
            f"labels of shape {', '.join(map(str, shapes))}."
        )
    if not any(isinstance(part, TextsOnDisk) for part in parts):
        return [label for part in parts for label in part]

    def blocks() -> Iterator[list[str]]:
        for part in parts:
            if isinstance(part, TextsOnDisk):
                yield from part.blocks()
            else:
                yield [*map(str, part)]

    return TextsOnDisk(sum(map(len, parts)), blocks)


def encode(
    labels: TextsOnDisk,
    where: Callable[[int], str],
    task_type: str | None,
    separator: str | None,
) -> targets.Labels | None:
    """Encodes labels as `targets.encode` does.

    Returns:
        `targets.Labels`, or `None` if there are too many different texts to
        encode them in parts.
    """
    answers = large_answers.Answers(where, (), task_type, separator)
    first = 0
    try:
        with answers:
            for texts in labels.blocks():
                rows = np.arange(first, first + len(texts))
                answers.add(
                    np.array(texts, str), _where_of(rows, where), rows=rows
                )
                first += len(texts)
            answers.finish()
            found = answers.encode().labels
    except (large_labels.NotInParts, large_labels.TooManyLabels):
        return None
    return found._replace(y=found.y.astype(np.int32))


def _where_of(
    rows: np.ndarray, where: Callable[[int], str]
) -> Callable[[int], str]:
    return lambda i: where(int(rows[i]))
