"""Finds groups among more examples than fit into memory.

Splits and classes are known only when all examples have been read. Until
then, the values of columns that may be groups are in a file, as numbers. Of a
column of many different values, only some are numbered, chosen by their hash,
but with all of their examples: whether such a value is in train and in test,
and has one class, is known for certain.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.user_data import splitting
from keras_fpt.tasks.user_data.audit import audit_groups
from keras_fpt.tasks.user_data.audit.findings import Finding
from keras_fpt.tasks.user_data.tables import table_columns
from keras_fpt.tasks.user_data.targets import Labels

if TYPE_CHECKING:
    import pandas as pd

# So many different values of a column are looked at.
MAX_VALUES = 2**16
# After so many examples, a column that is not one of groups is given up.
ENOUGH = 2**20
TRAIN, TEST = map(splitting.SPLITS.index, ("train", "test"))


class StreamedGroups:
    """Collects columns that may be groups, while examples are read.

    Args:
        known: strings or `None`s, the columns that are not looked at.
        is_beside: bool, whether the columns are no inputs, so that those are
            looked at that are not named like groups as well.
    """

    def __init__(
        self, known: Collection[str | None] = (), is_beside: bool = False
    ) -> None:
        self._known = known
        self._is_beside = is_beside
        self._columns: dict[str, _Values | None] | None = None
        self._writer: sequence_store.SequenceWriter | None = None
        self._count = 0

    def __enter__(self) -> "StreamedGroups":
        return self

    def __exit__(self, *error: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def watch(
        self, frames: Iterable["pd.DataFrame"]
    ) -> Iterator["pd.DataFrame"]:
        """Yields parts of a table, each of whose rows is an example."""
        for frame in frames:
            self.add(frame, np.arange(len(frame)))
            yield frame

    def add(self, frame: "pd.DataFrame", kept: np.ndarray) -> None:
        """Adds examples.

        Args:
            frame: `pandas.DataFrame` of all columns.
            kept: int array, the rows that are examples.
        """
        if self._columns is None:
            self._columns = {
                name: _Values()
                for name in frame.columns
                if name not in self._known
                and (self._is_beside or audit_groups.is_named_group(name))
            }
        if not any(self._columns.values()) or not len(kept):
            return
        self._count += len(kept)
        codes = np.zeros((len(kept), 1, len(self._columns)), np.int32)
        for place, (name, values) in enumerate(self._columns.items()):
            if values is None:
                continue
            if name in frame.columns:
                texts = table_columns.names(frame, name).iloc[kept]
                codes[:, 0, place] = values.add(texts)
            many = values.total > self._count / 2 and self._count >= ENOUGH
            if many or name not in frame.columns:
                self._columns[name] = None
        if self._writer is None:
            self._writer = sequence_store.SequenceWriter()
        self._writer.extend(codes)

    def find(
        self, split: np.ndarray, labels: Labels | None = None
    ) -> list[Finding]:
        """The findings of `audit_groups.find_named`, or of `find_beside`.

        Args:
            split: uint8 array `(n,)`, the index in `splitting.SPLITS` of each
                example, or more where it is in no split and does not count.
            labels: `Labels` of the n examples; `None` if no column is looked
                at that is not named like groups.
        """
        columns = self._columns or {}
        if self._writer is None or not any(columns.values()):
            return []
        store = self._writer.finish()
        counts = [
            None if values is None else _Counts(values.num_codes)
            for values in columns.values()
        ]
        num_examples, first = 0, 0
        class_counts = np.zeros(len(labels.class_names) if labels else 1, int)
        for part in sequence_store.chunks(store):
            end = first + len(part)
            is_in = split[first:end] < len(splitting.SPLITS)
            own = split[first:end][is_in]
            y = np.zeros(len(own), int)
            if labels is not None:
                y = labels.y[first:end][is_in]
            class_counts += np.bincount(y, minlength=len(class_counts))
            num_examples += len(own)
            for place, count in enumerate(counts):
                if count is not None:
                    count.add(part[is_in, 0, place], own, y)
            first = end
        named, others = [], []
        for (name, values), count in zip(columns.items(), counts, strict=True):
            if values is None or count is None:
                continue
            sizes, is_shared, has_one_class = count.of(values.codes)
            size, shared = len(sizes), int(is_shared.sum())
            total, is_sample = size * values.step, values.step > 1
            if not shared or not audit_groups.may_be_groups(
                total, num_examples
            ):
                continue
            if audit_groups.is_named_group(name):
                named.append(
                    audit_groups.named_finding(name, shared, size, is_sample)
                )
            elif (
                labels is not None
                and labels.has_classes
                and has_one_class.all()
                and total
                > audit_groups.VALUES_PER_CLASS * len(labels.class_names)
                and audit_groups.surprise(sizes, class_counts)
                > audit_groups.SURE
            ):
                others.append(
                    audit_groups.one_class_finding(
                        name, shared, size, is_sample
                    )
                )
        return named + others


class _Values:
    """Numbers the different values of a column, or some of them, from 1.

    Attributes:
        step: int, one in so many different values is numbered.
        num_codes: int, more than all numbers.
    """

    def __init__(self) -> None:
        self.step = 1
        self.num_codes = 1
        self._hashes = np.zeros(0, np.uint64)  # sorted
        self._codes = np.zeros(0, np.int32)

    @property
    def codes(self) -> np.ndarray:
        """The numbers, without those of values that are not looked at."""
        return self._codes

    @property
    def total(self) -> int:
        """About how many different values there are."""
        return len(self._codes) * self.step

    def add(self, texts: "pd.Series") -> np.ndarray:
        """The numbers of some examples, 0 for what has none or is missing."""
        import pandas as pd

        places, distinct = pd.factorize(texts.to_numpy(object))
        # pandas' hash of a text is the same in every process.
        hashes = pd.util.hash_array(distinct, categorize=False)
        is_value = np.array([text != "" for text in distinct], bool)
        is_chosen = is_value & self._are_chosen(hashes)
        new = np.setdiff1d(hashes[is_chosen], self._hashes)
        codes = self.num_codes + np.arange(len(new), dtype=np.int32)
        self.num_codes += len(new)
        hashes_now = np.concatenate([self._hashes, new])
        order = np.argsort(hashes_now)
        self._hashes = hashes_now[order]
        self._codes = np.concatenate([self._codes, codes])[order]
        while len(self._hashes) > MAX_VALUES:
            self.step *= 2
            is_left = self._are_chosen(self._hashes)
            self._hashes = self._hashes[is_left]
            self._codes = self._codes[is_left]
        # One more, for what is missing, whose place is -1.
        code_of = np.zeros(len(distinct) + 1, np.int32)
        where = np.searchsorted(self._hashes, hashes)
        where = np.minimum(where, max(0, len(self._hashes) - 1))
        if len(self._hashes):
            is_known = is_value & (self._hashes[where] == hashes)
            code_of[:-1][is_known] = self._codes[where[is_known]]
        return code_of[places]

    def _are_chosen(self, hashes: np.ndarray) -> np.ndarray:
        return hashes % np.uint64(self.step) == 0


class _Counts:
    """What is known of each number of a column's values.

    Args:
        size: int, more than all numbers.
    """

    def __init__(self, size: int) -> None:
        self._sizes = np.zeros(size, np.int64)
        self._is_in = np.zeros((2, size), bool)
        self._lowest = np.full(size, np.iinfo(np.int64).max)
        self._highest = np.full(size, -1)

    def add(self, codes: np.ndarray, split: np.ndarray, y: np.ndarray) -> None:
        """Adds examples: their numbers, splits and classes."""
        self._sizes += np.bincount(codes, minlength=len(self._sizes))
        for is_in, number in zip(self._is_in, (TRAIN, TEST), strict=True):
            is_in[codes[split == number]] = True
        np.minimum.at(self._lowest, codes, y)
        np.maximum.at(self._highest, codes, y)

    def of(self, codes: np.ndarray) -> tuple[Any, Any, Any]:
        """The values with some numbers, of which an example has been added.

        Returns:
            A tuple of arrays: how many examples each has, whether they are in
            train and in test, and whether they have one class.
        """
        codes = codes[self._sizes[codes] > 0]
        return (
            self._sizes[codes],
            self._is_in[:, codes].all(axis=0),
            self._lowest[codes] == self._highest[codes],
        )
