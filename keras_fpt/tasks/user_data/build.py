"""The `Task` of a person's own examples, and what was found in them."""

import numpy as np

from keras_fpt.tasks.stored import Examples, Stored
from keras_fpt.tasks.task import Recipe, Task
from keras_fpt.tasks.user_data import sequences, splitting

RECIPE = Recipe(steps=1000)
CLASSES_SHOWN = 8


def task(
    name,
    x,
    y,
    class_names,
    places,
    split_by,
    reader,
    names=None,
    encode=None,
    vocabulary_size=None,
    notes=(),
    verbose=True,
    **more,
):
    """Makes the task and says what was found.

    Args:
        name: string.
        x: as in `Examples`, all examples.
        y: int32 array `(n,)`.
        class_names: tuple of strings.
        places: dict from splits to int arrays of places in `x`.
        split_by: string, how it was split, in words.
        reader: what reads new files in the same way.
        names: list of n strings that say where each example is.
        encode: function from a batch of `x` to tokens, or `None`.
        vocabulary_size: int for integer tokens, else `None`.
        notes: strings, what else was found.
        verbose: bool, whether to print what was found.
        **more: more fields of the `Task`.

    Returns:
        A `Task`.

    Raises:
        ValueError: a split is empty, or a class has no training example.
    """
    splitting.check(places, y, class_names)
    examples = {
        split: Examples(
            sequences.take(x, chosen),
            y[chosen],
            None if names is None else [names[i] for i in chosen],
        )
        for split, chosen in places.items()
    }
    sample = encode(x[:1]) if encode else x
    made = Task(
        name=name,
        description=_description(sample, vocabulary_size, len(class_names)),
        num_classes=len(class_names),
        sequence_length=sequences.longest(sample),
        data=Stored(lambda: examples, encode),
        recipe=RECIPE,
        input_dim=None if vocabulary_size else int(sample.shape[-1]),
        vocabulary_size=vocabulary_size,
        class_names=tuple(class_names),
        reader=reader,
        **more,
    )
    if verbose:
        print("\n".join(found(made, split_by, notes)))
    return made


def found(task, split_by, notes):
    """Lines that say what a task's data is."""
    sizes = {split: task.data.size(split) for split in splitting.SPLITS}
    counts = np.sum([task.class_counts(split) for split in sizes], axis=0)
    parts = [
        f"{name} {count / counts.sum():.1%}"
        for name, count in zip(task.class_names, counts, strict=True)
    ]
    if len(parts) > CLASSES_SHOWN:
        parts = [*parts[: CLASSES_SHOWN - 1], "..."]
    split = ", ".join(f"{size:,} {name}" for name, size in sizes.items())
    return [
        f"{task.name}: {sum(sizes.values()):,} sequences, {task.description}",
        f"  classes: {', '.join(parts)}",
        f"  split: {split} ({split_by})",
        *(f"  {note}" for note in notes),
    ]


def _description(x, vocabulary_size, num_classes):
    longest = sequences.longest(x)
    length = f"{longest:,} token" + "s" * (longest != 1)
    if sequences.is_ragged(x):
        shortest = int(sequences.lengths(x).min())
        length = f"{shortest:,} to {length}"
    what = (
        f"of a vocabulary of {vocabulary_size}"
        if vocabulary_size
        else f"of width {x.shape[-1]}"
    )
    return f"{length} {what} -> {num_classes} classes"
