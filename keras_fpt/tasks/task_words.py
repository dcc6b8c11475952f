"""The representations of a task in Python and in notebooks."""

import html
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras_fpt.tasks.task import Task

_CLASSES_SHOWN = 8


def text(task: "Task") -> str:
    """A task in one line.

    Args:
        task: a `Task`. No data is read for it.
    """
    return (
        f"<Task {task.name}: {'; '.join(words for _, words in _facts(task))}>"
    )


def table(task: "Task") -> str:
    """A task as an HTML table, for notebooks.

    Args:
        task: a `Task`. No data is read for it.
    """
    rows = [("description", task.description), *_facts(task)]
    cells = "".join(
        f'<tr><th style="text-align: left">{html.escape(name)}</th>'
        f'<td style="text-align: left">{html.escape(words)}</td></tr>'
        for name, words in rows
    )
    caption = html.escape(f"Task {task.name}")
    return f"<table><caption>{caption}</caption>{cells}</table>"


def _facts(task: "Task") -> Iterator[tuple[str, str]]:
    token = f"{task.input_dim} numbers"
    if task.vocabulary_size is not None:
        token = f"one of {task.vocabulary_size:,} symbols"
    elif task.input_dim == 1:
        token = "a number"
    length = f"{task.sequence_length:,}"
    yield "tokens", f"up to {length} tokens, each {token}"
    if task.is_forecast:
        yield "answers", f"the next {task.horizon:,} steps"
    elif task.is_regression:
        yield "answers", f"{task.num_targets:,} numbers"
    else:
        yield task.word_for_classes, _classes(task)
    # Reading it may mean a download.
    splits = vars(task.data).get("splits") if task.data is not None else None
    if splits:
        counts = [f"{name} {len(part.y):,}" for name, part in splits.items()]
        yield "examples", ", ".join(counts)
    recipe = task.recipe
    yield (
        "recipe",
        f"{recipe.steps:,} steps, batch size {recipe.batch_size}, learning "
        f"rate {recipe.learning_rate:g}",
    )


def _classes(task: "Task") -> str:
    answers = task.num_output_tokens * task.labels_per_token
    classes = f"{task.num_classes:,} classes"
    if task.is_multilabel:
        classes = f"any of {task.num_classes:,} labels"
    elif task.is_per_token:
        classes = f"for each token one of {classes}"
    elif answers > 1:
        classes = f"{answers:,} answers of {classes}"
    if task.class_names is not None:
        shown = ", ".join(task.class_names[:_CLASSES_SHOWN])
        more = ", ..." * (len(task.class_names) > _CLASSES_SHOWN)
        classes += f" ({shown}{more})"
    return classes
