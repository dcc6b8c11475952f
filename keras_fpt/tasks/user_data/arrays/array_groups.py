"""Finds groups beside arrays, such as people, that are in train and in test."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fpt.tasks.user_data import splitting
from keras_fpt.tasks.user_data.arrays import label_texts
from keras_fpt.tasks.user_data.audit import (
    Finding,
    audit_groups,
    streamed_groups,
)

if TYPE_CHECKING:
    import pandas as pd


def find(
    groups: Mapping[str, Any], splits: Mapping[str, np.ndarray]
) -> list[Finding]:
    """Finds groups whose examples are in train and in test.

    Args:
        groups: dict from names that are those of groups to sequences of n
            values, see `Saved`.
        splits: dict from splits to int arrays of examples.
    """
    import pandas as pd

    if not any(
        isinstance(values, label_texts.TextsOnDisk)
        for values in groups.values()
    ):
        return audit_groups.find_named(
            pd.DataFrame(groups), (), splits["train"], splits["test"]
        )
    # Windows that are in no split have their groups as well.
    size = len(next(iter(groups.values())))
    split = np.full(size, splitting.SPLITS.index("validation"), np.uint8)
    for name in ("train", "test"):
        split[splits[name]] = splitting.SPLITS.index(name)
    with streamed_groups.StreamedGroups() as found:
        for frame in _frames(groups):
            found.add(frame, np.arange(len(frame)))
        return found.find(split)


def _frames(groups: Mapping[str, Any]) -> Iterator["pd.DataFrame"]:
    import pandas as pd

    blocks: list[Iterator[Sequence[str]]] = [
        values.blocks() for values in groups.values()
    ]
    for texts in zip(*blocks, strict=True):
        yield pd.DataFrame(dict(zip(groups, texts, strict=True)), dtype=str)
