"""Finds classes that seem to be of examples that have no label."""

from collections.abc import Sequence

from keras_fpt.tasks.user_data.audit import audit_values
from keras_fpt.tasks.user_data.audit.findings import Finding, quote
from keras_fpt.tasks.user_data.tables import cells

# Whole numbers that often mark what is missing.
CODES = frozenset({*audit_values.KNOWN, 99})
# What stands for no label in scikit-learn, in images of classes and in PyTorch.
NO_LABELS = (-1, 255, -100)
NO_LABEL = frozenset(
    ("unlabeled", "unlabelled", "not labeled", "not labelled", "no label")
    + ("unannotated", "not annotated", "tbd")
)
# Classes beside which unknown is what is none of the others.
REST = frozenset(
    ("other", "others", "background", "silence", "noise", "none", "known")
)


def missing_as_class(class_names: Sequence[str]) -> list[Finding]:
    """Finds a class that is a number which often marks what is missing.

    It is farther from all other classes than they are from each other, as
    -999 is from 0 and 1.

    Args:
        class_names: sequence of strings.
    """
    numbers = [cells.as_number(name) for name in class_names]
    values = [float(number) for number in numbers if number is not None]
    found = []
    for name, number in zip(class_names, numbers, strict=True):
        if number is None or number not in CODES:
            continue
        others = [value for value in values if value != number]
        if len(others) < 2:
            continue
        distance = min(abs(float(number) - other) for other in others)
        if distance > max(others) - min(others):
            found.append(
                Finding(
                    "mark-of-missing",
                    f"The classes hold '{name}', which is read as a class like "
                    "others.",
                    _drop(name),
                )
            )
    return found


def unlabeled_as_class(class_names: Sequence[str]) -> list[Finding]:
    """Finds a class that seems to be of examples that nobody labeled.

    That is a word such as unlabeled; unknown beside two other classes; or 255,
    -100 or -1 where the others are numbered from 0 or 1. Beside 0 and 1 only,
    -1 may be one of three directions.

    Args:
        class_names: sequence of strings.
    """
    words = {
        name: name.strip().lower().replace("_", " ").replace("-", " ")
        for name in class_names
    }
    numbers = [cells.as_number(name) for name in class_names]
    found = []
    for name, number in zip(class_names, numbers, strict=True):
        others = sorted(float(n) for n in numbers if n not in (None, number))
        are_numbered = (
            len(others) == len(class_names) - 1 > 1
            and others[0] in (0, 1)
            and others[-1] - others[0] == len(others) - 1
        )
        is_unknown = words[name] == "unknown" and (
            len(words) > 2 and not REST & {*words.values()}
        )
        if number in NO_LABELS and are_numbered:
            if number == -1 and len(others) < 3:
                continue
        elif words[name] not in NO_LABEL and not is_unknown:
            continue
        found.append(
            Finding(
                "mark-of-missing",
                f"The class '{name}' is learned like others.",
                # --missing reads -1 as a class where others are as near.
                "If it marks examples without a label, leave them out."
                if number == -1
                else _drop(name),
            )
        )
    return found


def _drop(name: str) -> str:
    """The advice on a class that marks missing labels."""
    return (
        "If it marks missing labels, leave its examples out, those of a table "
        f"with --missing {quote(name)} --drop-missing."
    )
