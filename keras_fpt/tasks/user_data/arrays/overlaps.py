"""Successive examples that share rows, such as the windows of a series.

Split at random, most rows of test windows would lie in training windows too.
"""

from typing import Any, NamedTuple

import numpy as np

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.user_data import audit, sequences, splitting
from keras_fpt.tasks.user_data.splitting import SplitRequest

# So many pairs of neighbors are compared first.
SAMPLE = 64
# Of these, at least this share must overlap.
LEAST_SHARE = 0.5
# Fewer rows, or equal ones, may be equal by chance.
LEAST_ROWS = 2
KIND, LEAK = "shared-rows", "shared-rows-across-splits"
BLOCKS_PER_FOLD = 4


class Series(NamedTuple):
    """The windows of one or several series.

    Args:
        order: int array `(n,)`, the examples in the order of time.
        start: int array `(n,)`, the row at which each example of `order`
            begins, where different series lie more than a window apart.
        length: int, rows per window.
        stride: int, rows from one window to the next.
        linked: int, the number of pairs of successive windows that share
            rows.
    """

    order: np.ndarray
    start: np.ndarray
    length: int
    stride: int
    linked: int


def find_series(x: Any) -> Series | None:
    """Finds examples that are windows of a series with rows in common.

    Args:
        x: as in `Examples`.

    Returns:
        A `Series`, or `None` if examples share no rows.
    """
    if sequences.is_ragged(x) or len(x) < 4 or x.shape[1] <= LEAST_ROWS:
        return None
    if sequence_store.is_on_disk(x):
        x = _OnDisk(x)
    else:
        x = x.reshape(*x.shape[:2], -1)
    order = np.arange(len(x))
    stride = _common_stride(x, order)
    if stride is None:
        following = _following(x)
        if following is None:
            return None
        order = _in_time(following)
        stride = _common_stride(x, order)
        if stride is None:
            return None
    linked = _are_linked(x, order, stride)
    steps = np.where(linked, stride, x.shape[1])
    start = np.concatenate([[0], np.cumsum(steps)])
    return Series(order, start, x.shape[1], stride, int(linked.sum()))


class _OnDisk:
    """Sequences on disk, indexed as an array `(n, tokens, numbers)`."""

    def __init__(self, x: Any) -> None:
        self._x = x
        self.dtype = x.dtype
        self.shape = (*x.shape[:2], int(np.prod(x.shape[2:])))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        if isinstance(index, tuple):
            rows, tokens = index
            if isinstance(rows, slice):
                parts = sequence_store.chunks(self._x)
                return np.concatenate([self._flat(p)[:, tokens] for p in parts])
            return self[rows][:, tokens]
        if np.ndim(index) == 0 and not isinstance(index, slice):
            return self._flat(self._x[[int(index)]])[0]
        return self._flat(self._x[index])

    def _flat(self, part: np.ndarray) -> np.ndarray:
        return part.reshape(len(part), *self.shape[1:])


def _common_stride(x: np.ndarray, order: np.ndarray) -> int | None:
    """The stride that most of a sample of neighbors have."""
    pairs = np.unique(np.linspace(0, len(order) - 2, SAMPLE).astype(int))
    found = [_stride(x[order[i]], x[order[i + 1]]) for i in pairs]
    strides = [stride for stride in found if stride is not None]
    if len(strides) < LEAST_SHARE * len(pairs):
        return None
    return int(np.bincount(strides).argmax())


def _stride(first: np.ndarray, second: np.ndarray) -> int | None:
    """By how many rows one example continues another, or `None`."""
    candidates = np.flatnonzero((first[1:] == second[0]).all(axis=1)) + 1
    for stride in candidates:
        shared = first[stride:]
        if (
            len(shared) >= LEAST_ROWS
            and np.array_equal(shared, second[: len(shared)])
            and (shared != shared[0]).any()
            and not np.array_equal(first, second)
        ):
            return int(stride)
    return None


def _are_linked(x: np.ndarray, order: np.ndarray, stride: int) -> np.ndarray:
    """Whether each example of an order is continued by the next one."""
    shared = x.shape[1] - stride
    linked = np.empty(len(order) - 1, bool)
    size = max(1, 2**22 // x[0].size)  # to hold few copies at a time
    for i in range(0, len(linked), size):
        first = x[order[i : i + size + 1]]
        linked[i : i + size] = (first[:-1, stride:] == first[1:, :shared]).all(
            axis=(1, 2)
        )
    return linked


def _following(x: np.ndarray) -> np.ndarray | None:
    """For each example the one that continues it, or -1.

    Loaders may shuffle windows. They are put in order by rows that occur in
    no other place, so this is for measurements, which rarely repeat.
    """
    if x.dtype.kind != "f":
        return None
    first_rows = _hashes(x[:, 0])
    sample = np.unique(np.linspace(0, len(x) - 1, SAMPLE).astype(int))
    inner = _hashes(x[sample, 1:])
    is_first = np.isin(inner, first_rows)
    if is_first.any(axis=1).mean() < LEAST_SHARE:
        return None
    offsets = is_first.argmax(axis=1)[is_first.any(axis=1)] + 1
    stride = int(np.bincount(offsets).argmax())
    place = {int(row): i for i, row in enumerate(first_rows)}
    continued = _hashes(x[:, stride])
    return np.array([place.get(int(row), -1) for row in continued])


def _hashes(rows: np.ndarray) -> np.ndarray:
    """A number of each row `(..., dim)`, equal for equal rows."""
    # -0.0 is 0.0.
    bits = np.ascontiguousarray(rows + np.float32(0)).view(np.uint32)
    factors = np.random.default_rng(0).integers(
        1, 2**63, bits.shape[-1], np.uint64
    )
    mixed = bits.astype(np.uint64) * (factors | np.uint64(1))
    return (mixed ^ (mixed >> np.uint64(29))).sum(axis=-1)


def _in_time(following: np.ndarray) -> np.ndarray:
    """The examples, each followed by the one that continues it."""
    has_previous = np.zeros(len(following), bool)
    has_previous[following[following >= 0]] = True
    heads = [*np.flatnonzero(~has_previous), *range(len(following))]
    seen = np.zeros(len(following), bool)
    order = []
    for head in heads:
        while head >= 0 and not seen[head]:
            seen[head] = True
            order.append(int(head))
            head = following[head]
    return np.array(order)


def split_in_blocks(
    series: Series, y: np.ndarray, request: SplitRequest
) -> tuple[dict[str, np.ndarray], str] | None:
    """Splits windows so that no row of a split is in another one.

    The last fifth of the windows is for testing, and the tenth before it for
    validation; of each class, if train or test would lack one otherwise.
    With folds, blocks of time are. Windows that share rows with a window of
    a split that is tested later are dropped.

    Args:
        series: a `Series`.
        y: int array `(n,)` of classes.
        request: a `SplitRequest` without names and groups.

    Returns:
        As `splitting.split_examples`; `None` if there is too little data for
        it.
    """
    labels = y[series.order]
    gap = -(-series.length // series.stride) - 1
    if request.folds is not None:
        size = request.folds * BLOCKS_PER_FOLD
        blocks = np.arange(len(y)) * size // len(y)
        splits, _ = splitting.split_examples(
            labels,
            lambda i: f"Example {series.order[i]}",
            SplitRequest(
                groups=blocks.tolist(),
                groups_from="block of time",
                folds=request.folds,
                fold=request.fold,
            ),
        )
        words = f"fold {request.fold} of {request.folds}, in blocks of time"
    else:
        splits, words = _by_time(len(y), gap), "by time"
        num_classes = len(np.unique(y))
        if any(
            len(np.unique(labels[splits[name]])) < num_classes
            for name in ("train", "test")
        ):
            splits = _by_time_within_class(labels, gap)
            words += " within each class"
    number = np.full(len(y), -1)
    for index, name in enumerate(splitting.SPLITS):
        number[splits[name]] = index
    dropped = _touches(series, number, np.greater) | (number < 0)
    splits = {
        name: np.sort(series.order[(number == index) & ~dropped])
        for index, name in enumerate(splitting.SPLITS)
    }
    try:
        splitting.check_splits(splits, y, list(map(str, range(max(y) + 1))))
    except ValueError:
        return None
    count = int(dropped.sum())
    if count:
        words += f", {count:,} windows dropped between splits"
    return splits, words


def _by_time(size: int, gap: int) -> dict[str, np.ndarray]:
    """As `splitting.chronological`, with a gap before each further split."""
    test = size - size // splitting.TEST_PART
    validation = test - test // splitting.VALIDATION_PART - gap
    return {
        "train": np.arange(max(validation - gap, 0)),
        "validation": np.arange(max(validation, 0), max(test - gap, 0)),
        "test": np.arange(test, size),
    }


def _by_time_within_class(y: np.ndarray, gap: int) -> dict[str, np.ndarray]:
    parts: dict[str, list[np.ndarray]] = {name: [] for name in splitting.SPLITS}
    for label in np.unique(y):
        of_class = np.flatnonzero(y == label)
        for name, rows in _by_time(len(of_class), gap).items():
            parts[name].append(of_class[rows])
    return {name: np.sort(np.concatenate(v)) for name, v in parts.items()}


def _touches(series: Series, number: np.ndarray, compare: Any) -> np.ndarray:
    """Which windows share rows with one whose number compares so."""
    touches = np.zeros(len(number), bool)
    for back in range(1, -(-series.length // series.stride)):
        near = series.start[back:] - series.start[:-back] < series.length
        touches[:-back] |= near & compare(number[back:], number[:-back])
        touches[back:] |= near & compare(number[:-back], number[back:])
    return touches


def groups(series: Series) -> np.ndarray:
    """The stretch of time of each example, int array `(n,)`."""
    numbers = np.empty(len(series.order), int)
    numbers[series.order] = series.start // series.length
    return numbers


def leaked(series: Series, splits: dict[str, np.ndarray]) -> float:
    """The share of test windows that share rows with a training window."""
    place = np.empty(len(series.order), int)
    place[series.order] = np.arange(len(place))
    number = np.full(len(place), -1)
    for index, name in enumerate(splitting.SPLITS):
        number[place[splits[name]]] = index
    is_test = number == splitting.SPLITS.index("test")
    touches = _touches(series, number, lambda other, own: other == 0)
    return float(touches[is_test].mean()) if is_test.any() else 0.0


def finding(
    series: Series, splits: dict[str, np.ndarray], is_in_blocks: bool
) -> audit.Finding | None:
    """The audit's finding about windows that share rows, or `None`.

    Args:
        series: a `Series`.
        splits: dict from splits to indices.
        is_in_blocks: bool, whether `split_in_blocks` made the splits.
    """
    shared = series.length - series.stride
    found = (
        f"{series.linked + 1:,} of {len(series.order):,} examples are windows "
        f"of a series that share {shared} of their {series.length} rows with "
        "the next one"
    )
    if is_in_blocks:
        return audit.Finding(
            KIND,
            f"{found}; they are split in blocks of time.",
            "To split them in another way, give split or groups (in Python), "
            "or --split-column or --split-group.",
        )
    share = leaked(series, splits)
    if not share:
        return None
    return audit.Finding(
        LEAK,
        f"{found}, and {share:.0%} of the test windows hold rows of training "
        "windows.",
        "Leave a given split out, so that they are split in blocks of time, "
        "which takes a series of many windows; or give the recording of each "
        "window with groups (--split-group).",
        is_leak=True,
    )
