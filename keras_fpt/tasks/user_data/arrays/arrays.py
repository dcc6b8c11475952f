"""Tasks from arrays, or from an iterable of batches.

This file is longer than others, since it documents three public functions.
"""

import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import (
    audit,
    build,
    given_labels,
    sequences,
    splitting,
    targets,
)
from keras_fpt.tasks.user_data.arrays import (
    array_features,
    array_groups,
    array_labels,
    array_reader,
    batches,
    number_sequences,
    overlaps,
    saved_arrays,
)
from keras_fpt.tasks.user_data.audit import audit_padding, audit_symbols
from keras_fpt.tasks.user_data.path_errors import prefix_errors_with_path
from keras_fpt.tasks.user_data.tables import table_structure

# The value of `split` that forces a random split.
STRATIFIED = "stratified"
# With so many times more numbers per token than tokens, they may be swapped.
CHANNELS_FIRST_RATIO = 4


def from_arrays(
    x: Any,
    y: Any,
    class_names: Sequence[str] | None = None,
    split: Sequence[str] | None = None,
    name: str = "arrays",
    verbose: bool = True,
    groups: Sequence[Any] | None = None,
    folds: int | None = None,
    fold: int = 1,
    strict: bool = False,
    task_type: str | None = None,
) -> Task:
    """Makes a task from arrays of sequences and labels.

    Values are not changed. Networks train best on values with mean 0 and
    standard deviation 1: standardize yours with the mean and the standard
    deviation of your training examples. Rows at the end of a sequence that
    are all NaN are padding, and are cut off.

    A fixed, seeded fifth of the examples is for testing and a tenth of the
    rest for validation, and each split has the same share of each class.
    Successive windows of a time series that have rows in common are split by
    time instead, and those that share rows with a window of another split
    are dropped.

    Args:
        x: float array `(n, tokens, dim)`; float array `(n, tokens)`, whose
            tokens have width 1; integer array `(n, tokens)`; or a list of n
            such sequences, `(tokens, dim)` or `(tokens,)`, of any lengths.
        y: n labels: integers or strings; for a regression numbers, `(n,)` or
            `(n, targets)`; several labels per example, `(n, labels)` of 0 and
            1; or a class for each token, `(n, tokens)`, -1 where it has none.
        class_names: sequence of strings, the classes in their order; each
            label is then one of them, or its index. `None` takes the classes
            from the labels, sorted.
        split: n strings, `train`, `validation` or `test`; or `"stratified"`,
            for a random split even of windows that have rows in common.
            `None` splits as above.
        name: string, the task's name.
        verbose: bool, whether to log a description of the data.
        groups: n values, such as people, or `None`. Examples with equal
            values stay in one split.
        folds: int, the number of folds of a cross-validation, or `None`.
        fold: int, from 1 to `folds`, the fold that is for testing.
        task_type: one of `classification`, `regression`, `multilabel` and
            `tokens`. `None` finds it and says so: numbers if most labels are
            fractions, of at least 10 values; tokens if there are as many
            labels as tokens; several labels if `(n, labels)` are 0 and 1.
        strict: bool, whether a leak that the audit finds is an error.

    Returns:
        A `Task`.

    Raises:
        ValueError: shapes, values or labels cannot be used. The error names
            the example.

    Example:

    ```python
    x = np.random.normal(size=(500, 30, 6)).astype("float32")
    y = np.where(x.mean(axis=(1, 2)) > 0, "up", "down")
    task = keras_fpt.tasks.from_arrays(x, y)
    model = keras_fpt.FPTClassifier.from_preset("gpt2_tiny_en", task=task)
    ```
    """
    request = splitting.SplitRequest(
        None if split is None or isinstance(split, str) else list(split),
        groups=None if groups is None else list(groups),
        folds=folds,
        fold=fold,
    )
    return _make_task(
        saved_arrays.Saved(x, y),
        request,
        class_names,
        name,
        _in_blocks(split),
        strict,
        verbose,
        task_type=task_type,
    )


def _in_blocks(split: Sequence[str] | None) -> bool:
    """Whether windows that share rows are to be split by time."""
    if isinstance(split, str) and split != STRATIFIED:
        raise ValueError(
            f"Expected split to be '{STRATIFIED}' or a name for each example, "
            f"but received '{split}'."
        )
    return split is None


def _make_task(
    saved: saved_arrays.Saved,
    request: splitting.SplitRequest,
    class_names: Sequence[str] | None,
    name: str,
    in_blocks: bool,
    strict: bool,
    verbose: bool,
    fill: str | None = None,
    task_type: str | None = None,
    label_columns: Sequence[str] = (),
    label_separator: str | None = None,
) -> Task:
    """Makes a task from sequences and labels, as `from_arrays` does."""
    x, notes = number_sequences.as_sequences(saved.x, fill is not None)
    if getattr(saved.y, "ndim", 1) == 0:
        raise ValueError(
            f"Expected one label per sequence but received {saved.y!r}."
        )
    if x.shape[0] != len(saved.y):
        raise ValueError(
            f"Expected as many labels as sequences but received "
            f"{len(saved.y):,} and {x.shape[0]:,}."
        )
    if saved.is_regression:
        task_type = task_type or targets.REGRESSION
    labels = array_labels.encode(
        saved.y,
        x,
        _where,
        task_type,
        class_names,
        label_columns,
        label_separator,
    )
    series = overlaps.find_series(x)
    groups, blocks = None, None
    is_free = request.names is None and request.groups is None
    if series is not None and in_blocks and is_free:
        blocks = overlaps.split_in_blocks(
            series, labels.without_tenths, request
        )
    if series is not None and blocks is not None:
        splits, split_by = blocks
        groups = overlaps.groups(series)
    else:
        splits, split_by = splitting.split_examples(labels.y, _where, request)
        groups = given_labels.group_numbers(request)
    findings = (
        []
        if series is None
        else [overlaps.finding(series, splits, blocks is not None)]
    )
    findings += array_groups.find(saved.groups, splits)
    findings.append(_channels_first(x))
    if not sequence_store.is_on_disk(x):
        findings += number_sequences.lost_digits(saved.x)
    # Images of bytes have black rows.
    if str(getattr(saved.x, "dtype", "")) != "uint8":
        findings += audit_padding.find_padding(x)
    low, high, num_missing = sequences.value_range(x)
    note = f"values from {low:.4g} to {high:.4g}"
    are_symbols = len(x.shape) == 2
    if are_symbols:
        reader = array_reader.ArrayReader(None, int(high) + 1)
        note += ", used as symbols; give measurements as floats"
        findings += audit_symbols.find_new_symbols(x, splits, int(high) + 1)
    else:
        labels.check_splits(splits)
        if series is None:
            findings += array_features.find_telling(x, labels, splits)
        reader = array_reader.learn(x, splits["train"], fill, saved.is_raw)
        x = reader.encode(x)
        if saved.is_raw:
            note += ", standardized by the training examples"
    if fill is not None and not are_symbols:
        notes.append(f"filled ({fill}): {num_missing:,} missing values")
    return build.make_task(
        name,
        x,
        labels,
        splits,
        split_by,
        reader,
        saved.names,
        vocabulary_size=reader.vocabulary_size,
        notes=[note, *saved.notes, *notes],
        groups=groups,
        findings=[finding for finding in findings if finding is not None],
        strict=strict,
        verbose=verbose,
    )


def _channels_first(x: Any) -> audit.Finding | None:
    if sequences.is_ragged(x) or len(x.shape) < 3:
        return None
    tokens, width = x.shape[1:]
    if width < CHANNELS_FIRST_RATIO * tokens:
        return None
    plural = "s" * (tokens > 1)
    return audit.Finding(
        "channels-first",
        f"Each example is {tokens} token{plural} of width {width}: are these "
        f"{tokens} channel{plural} at {width} times, channels first?",
        "If so, give (examples, times, channels): np.swapaxes(x, 1, 2).",
    )


def from_dataset(
    dataset: Iterable,
    class_names: Sequence[str] | None = None,
    name: str = "dataset",
    verbose: bool = True,
    split: Sequence[str] | None = None,
    groups: Sequence[Any] | None = None,
    folds: int | None = None,
    fold: int = 1,
    strict: bool = False,
    task_type: str | None = None,
) -> Task:
    """Makes a task from a `tf.data.Dataset` or any loader that Keras accepts.

    The data set is read once, to its end, and held in memory. If yours does
    not fit into memory, pass it to `FPTClassifier.fit` directly. Examples are
    put in an order that depends only on what they hold, so that a loader
    that shuffles gives the same split each time.

    Args:
        dataset: finite iterable of `(x, y)`, single examples or batches,
            e.g. a `tf.data.Dataset`, a Grain loader or data set, or a
            `torch.utils.data.DataLoader`. `x` is as in `from_arrays`, or a
            dict of `tokens` and `padding_mask`.
        class_names: as for `from_arrays`.
        name: string, the task's name.
        verbose: bool, whether to log a description of the data.
        split, groups: as for `from_arrays`, in the order of the data set,
            which must then not shuffle.
        folds, fold, strict, task_type: as for `from_arrays`.

    Returns:
        A `Task`.

    Raises:
        ValueError: the data set is infinite or empty, or its elements are not
            examples.
    """
    x, y = batches.collect_examples(dataset)
    order = list(range(len(x)))
    series = overlaps.find_series(number_sequences.as_sequences(x)[0])
    # A series that is in the order of time stays so.
    if series is None or series.order.tolist() != order:
        order = batches.order_by_content(x, y)
    request = splitting.SplitRequest(
        None if split is None or isinstance(split, str) else list(split),
        groups=None if groups is None else list(groups),
        folds=folds,
        fold=fold,
    )
    for given, values in (("split", request.names), ("groups", request.groups)):
        if values is not None and len(values) != len(x):
            raise ValueError(
                f"Expected {len(x):,} values in {given}, one for each example "
                f"of the data set, but received {len(values):,}."
            )
    request = given_labels.select(request, order)
    return _make_task(
        saved_arrays.Saved([x[i] for i in order], [y[i] for i in order]),
        request,
        class_names,
        name,
        _in_blocks(split),
        strict,
        verbose,
        task_type=task_type,
    )


@prefix_errors_with_path
def from_saved(
    path: str | os.PathLike,
    class_names: Sequence[str] | None = None,
    verbose: bool = True,
    labels: str | os.PathLike | None = None,
    label_column: str | Sequence[str] | None = None,
    split_column: str | None = None,
    split_group: str | Sequence[str] = (),
    folds: int | None = None,
    fold: int = 1,
    validation: str | os.PathLike | None = None,
    test: str | os.PathLike | None = None,
    strict: bool = False,
    fill: str | None = None,
    task_type: str | None = None,
    encoding: str | None = None,
    label_separator: str | None = None,
) -> Task:
    """Makes a task from saved arrays or a saved data set.

    Args:
        path: an `.npz` file with the arrays `x` and `y` (`np.savez`); an
            `.npy` file of sequences, with `labels`; a `.ts` file of the
            UCR/UEA archive, which is standardized; the folder of a
            `tf.data.Dataset` of `(x, y)` that was saved with
            `dataset.save(path)`; or one of Hugging Face's `datasets`, saved
            with `save_to_disk`. In an `.npz` file, `lengths` or `mask` (true
            for tokens) say where sequences of different lengths end, and
            `x_train`, `y_train`, `x_test` and `y_test` (and `x_val` and
            `y_val`) give the split.
        class_names: as for `from_arrays`.
        verbose: bool, whether to log a description of the data.
        labels: path of an `.npy` file or of a table with the labels, in the
            order of the sequences, or `None`.
        label_column: string, the array, or the column of `labels`, that holds
            the labels; or strings, columns of `labels` that hold several.
        split_column: string, an array of `train`, `validation` and `test`.
        split_group: string or strings, arrays of groups, such as people, that
            stay in one split.
        folds, fold, strict, task_type: as for `from_arrays`. A `.ts` file
            that says `@targetLabel true` is a regression.
        validation: path of a file of the same kind that contains the validation
            examples, or `None`.
        test: path likewise, of the test examples.
        fill: `"median"` or `"forward"`. What is missing (NaN, or ? in a `.ts`
            file) becomes the channel's median in the training examples, or
            the value before it in the sequence. For each channel with missing
            values in training, a further one is 1 where a value was missing.
            `None` refuses missing values.
        encoding: string, that of a table of labels, see `from_csv`.
        label_separator: string, as well.

    Returns:
        A `Task`.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: it is damaged or contains something else.
    """
    group_names = [split_group] if isinstance(split_group, str) else split_group
    columns = [*group_names, *([split_column] if split_column else [])]
    label_columns = table_structure.as_tuple(label_column)
    label_name = saved_arrays.one_name(label_columns, path, labels)
    if labels is None and pathlib.Path(path).suffix.lower() == ".npy":
        raise ValueError(
            f"`{path}` contains no labels. Give them with labels (--labels): "
            "an .npy file, or a table with one row per sequence."
        )
    saved = saved_arrays.read_with_splits(
        path, validation, test, label_name, columns, fill is not None
    )
    if labels is not None:
        y = saved_arrays.read_labels(labels, label_columns, encoding)
        saved = saved._replace(y=y)
    names, names_from = saved.split, "as given"
    if split_column:
        names = [str(value) for value in saved.columns[split_column]]
        names_from = f"column '{split_column}'"
    keys = [saved.columns[name].astype(str).tolist() for name in group_names]
    request = splitting.SplitRequest(
        names,
        names_from,
        list(map("\x1f".join, zip(*keys, strict=True))) if keys else None,
        " and ".join(group_names),
        folds,
        fold,
    )
    return _make_task(
        saved,
        request,
        class_names,
        pathlib.Path(path).resolve().stem,
        True,
        strict,
        verbose,
        fill,
        task_type,
        label_columns if labels is not None else (),
        label_separator,
    )


def _where(index: int) -> str:
    return f"Example {index}"
