"""Makes a `Task` from the user's examples, and describes it."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.stored import Examples, Stored
from keras_fpt.tasks.task import Recipe, Task
from keras_fpt.tasks.user_data import audit, sequences, splitting
from keras_fpt.tasks.user_data.audit import audit_examples
from keras_fpt.tasks.user_data.audit.checked import Checked
from keras_fpt.tasks.user_data.targets import MULTILABEL, TOKENS, Labels

LOGGER = logging.getLogger(__name__)
RECIPE = Recipe(steps=1000)
CLASSES_SHOWN = 8
# Of examples on disk, a sample of this size is audited.
AUDITED_BYTES = 2**25
# So many numbers to predict of each split are audited.
AUDITED_TARGETS = 1_000_000
# How descriptions of splits begin that are not the user's own.
DRAWN = ("seeded", "by time", "in the order", "fold")


def make_task(
    name: str,
    x: Any,
    labels: Labels,
    splits: dict[str, np.ndarray],
    split_by: str,
    reader: Any,
    names: Any = None,
    encode: Callable | None = None,
    vocabulary_size: int | None = None,
    notes: Sequence[str] = (),
    groups: Any = None,
    findings: Sequence[audit.Finding] = (),
    strict: bool = False,
    verbose: bool = True,
    **more: Any,
) -> Task:
    """Makes a task from examples in memory.

    Args:
        name: string.
        x: as in `Examples`, all examples.
        labels: `targets.Labels` of the n examples.
        splits: dict from splits to int arrays of indices in `x`.
        split_by: string, how the examples were split, in words.
        reader: reads new files in the same way, for predictions.
        names: list of n strings that say where each example is from, or
            something with `select` that gives them one after the other, or
            `None`.
        encode: function from a batch of `x` to tokens, or `None`.
        vocabulary_size: int for integer tokens, else `None`.
        notes: strings, more lines of the description.
        groups: sequence of n ints, see `Examples`, or `None`.
        findings: what the reader found suspicious.
        strict: bool, whether a leak is an error.
        verbose: bool, whether to log a description of the data.
        **more: other fields of the `Task`.

    Returns:
        A `Task`.

    Raises:
        ValueError: a split is empty; a class has no training example; or a
            leak was found, and `strict` is true.
    """
    labels.check_splits(splits)
    class_names, answers = labels.names_of_answers, labels.answers_of_kind
    notes = [*labels.notes, *notes]
    checked = Checked(
        x,
        labels.compared,
        splits,
        None if groups is None else np.asarray(groups),
        is_given=not split_by.startswith(DRAWN),
        is_by_row=getattr(reader, "is_by_row", False),
        is_image=encode is not None,
        known=frozenset(finding.kind for finding in findings),
        channel_names=_channel_names(reader),
        symbols=more.get("symbols") or (),
    )
    if sequence_store.is_on_disk(x):
        # Groups are few enough to look at all of them.
        if checked.groups is not None:
            findings = [
                *findings,
                *audit_examples.groups_across_splits(checked.groups, splits),
            ]
        checked = _sample(checked)
        notes = [
            *notes,
            "kept on disk while the process runs; audited: a sample of "
            f"{len(checked.y):,} examples",
        ]
    findings = [*findings, *audit_examples.find_in_examples(checked)]
    is_per_token = labels.kind == TOKENS
    examples = {}
    for split, indices in splits.items():
        chosen, y = sequences.select(x, indices), answers[indices]
        if is_per_token:
            y = y[:, : sequences.longest(chosen)]
        examples[split] = Examples(
            chosen,
            y,
            None if names is None else select_names(names, indices),
            None if groups is None else np.asarray(groups)[indices],
        )
    return task_of_examples(
        name,
        x,
        examples,
        class_names,
        split_by,
        reader,
        encode,
        vocabulary_size,
        notes,
        findings,
        strict,
        verbose,
        is_multilabel=labels.kind == MULTILABEL,
        is_per_token=is_per_token,
        **more,
    )


def task_of_examples(
    name: str,
    x: Any,
    examples: dict[str, Examples],
    class_names: Sequence[str],
    split_by: str,
    reader: Any,
    encode: Callable | None = None,
    vocabulary_size: int | None = None,
    notes: Sequence[str] = (),
    findings: Sequence[audit.Finding] = (),
    strict: bool = False,
    verbose: bool = True,
    **more: Any,
) -> Task:
    """Makes a task from examples that are split; see `make_task`.

    Args:
        x: as in `Examples`, all examples, or some if all have one length.
        examples: dict from splits to `Examples`.
    """
    sample = encode(x[:1]) if encode else x
    labels = examples["train"].y
    num_targets, answers = None, f"{len(class_names)} classes"
    has_classes = False
    findings = [*audit.similar_classes(class_names), *findings]
    answers_of = {split: each.y for split, each in examples.items()}
    if labels.dtype.kind == "f":
        num_targets = labels.shape[1]
        answers = f"{num_targets} number" + "s" * (num_targets > 1)
        some = [np.asarray(y[:AUDITED_TARGETS]) for y in answers_of.values()]
        findings += audit.sentinels_in_targets(np.concatenate(some))
    elif more.get("is_multilabel"):
        answers = f"{len(class_names)} labels of 0 and 1"
        findings += audit.find_in_labels(answers_of, class_names)
    elif more.get("is_per_token"):
        answers = f"1 of {len(class_names)} classes for each token"
        findings += audit.find_in_tokens(answers_of, class_names)
    else:
        has_classes = True
    if has_classes or more.get("is_per_token"):
        findings += audit.unlabeled_as_class(class_names)
    if has_classes:
        findings += audit.numbers_as_classes(class_names)
        findings += audit.missing_as_class(class_names)
        findings += audit.joined_classes(class_names)
        counts = np.zeros(len(class_names), int)
        for split in examples.values():
            for part in sequence_store.chunks(split.y):
                counts += np.bincount(part.ravel(), minlength=len(counts))
        findings = [
            *audit.single_examples(class_names, counts.tolist()),
            *findings,
        ]
    task = Task(
        name=name,
        description=_description(sample, vocabulary_size, answers),
        num_classes=len(class_names),
        sequence_length=sequences.longest(sample),
        data=Stored(
            lambda: examples,
            encode,
            is_per_token=bool(more.get("is_per_token")),
        ),
        recipe=RECIPE,
        input_dim=None if vocabulary_size else int(sample.shape[-1]),
        vocabulary_size=vocabulary_size,
        class_names=tuple(class_names),
        num_targets=num_targets,
        reader=reader,
        findings=tuple(findings),
        **more,
    )
    if verbose:
        LOGGER.info("\n".join(describe_task(task, split_by, notes)))
        audit.log_findings(findings)
    audit.check_findings(findings, strict)
    return task


def select_names(names: Any, indices: np.ndarray) -> Any:
    """Some of the names, which are a list or made when they are needed."""
    if hasattr(names, "select"):
        return names.select(indices)
    return [names[i] for i in indices]


def _channel_names(reader: Any) -> tuple[str, ...]:
    """The names of the channels of a table's rows, if they have some."""
    names = tuple(getattr(reader, "columns", ()))
    kinds = getattr(reader, "kinds", ())
    if kinds:
        pairs = zip(kinds, names, strict=True)
        return tuple(
            n for kind, name in pairs for n in kind.channel_names(name)
        )
    flagged = getattr(reader, "flagged", ())
    return names + tuple(f"{names[i]} missing" for i in flagged if names)


def _sample(checked: Checked) -> Checked:
    """As many examples on disk as fit into memory, without groups."""
    size = max(1, int(AUDITED_BYTES // sequences.mean_bytes(checked.x)))
    rng = np.random.default_rng(splitting.SEED)
    chosen = np.sort(rng.permutation(len(checked.y))[:size])
    place = np.full(len(checked.y), -1)
    place[chosen] = np.arange(len(chosen))
    places = {name: place[rows] for name, rows in checked.splits.items()}
    return checked._replace(
        x=sequences.load(sequences.select(checked.x, chosen)),
        y=checked.y[chosen],
        splits={name: rows[rows >= 0] for name, rows in places.items()},
        groups=None,
    )


def describe_task(task: Task, split_by: str, notes: Sequence[str]) -> list[str]:
    """Lines that describe a task's data: sizes, classes and splits."""
    sizes = {split: task.data.size(split) for split in splitting.SPLITS}
    split = ", ".join(f"{size:,} {name}" for name, size in sizes.items())
    if task.is_regression:
        return [
            f"{task.name}: {sum(sizes.values()):,} sequences, "
            f"{task.description}",
            f"  training targets: {task.describe_targets('train')}",
            f"  split: {split} ({split_by})",
            *(f"  {note}" for note in notes),
        ]
    labels = [task.class_counts(split) for split in sizes]
    counts = np.sum([each for each in labels if each is not None], axis=0)
    total = sum(sizes.values()) if task.is_multilabel else counts.sum()
    parts = [
        f"{name} {count / total:.1%}"
        for name, count in zip(task.class_names or (), counts, strict=True)
    ]
    if len(parts) > CLASSES_SHOWN:
        parts = [*parts[: CLASSES_SHOWN - 1], "..."]
    return [
        f"{task.name}: {sum(sizes.values()):,} sequences, {task.description}",
        f"  {task.word_for_classes}: {', '.join(parts)}",
        f"  split: {split} ({split_by})",
        *(f"  {note}" for note in notes),
    ]


def _description(x: Any, vocabulary_size: int | None, answers: str) -> str:
    longest = sequences.longest(x)
    length = f"{longest:,} token" + "s" * (longest != 1)
    if sequences.is_ragged(x):
        shortest = int(sequences.lengths(x).min())
        length = f"{shortest:,} to {length}"
    tokens = (
        f"of a vocabulary of {vocabulary_size}"
        if vocabulary_size
        else f"of width {x.shape[-1]}"
    )
    return f"{length} {tokens} -> {answers}"
