"""Audits the names of classes and categories."""

import collections
from collections.abc import Mapping, Sequence

from keras_fpt.tasks.user_data.audit.findings import Finding, ignore, quote
from keras_fpt.tasks.user_data.tables import table_text

SHOWN = 3
# Words that may also be answers, such as unknown, are not among them.
MARKS = frozenset(
    ("?", "-", "--", ".", "n.a.", "missing", "not available", "#n/a")
    + ("#null!", "#div/0!", "#value!", "#ref!", "\\n")
)


def numbers_as_text(categories: Mapping[str, Sequence[str]]) -> list[Finding]:
    """Finds categories that are numbers, such as 5% or $1,200.

    Args:
        categories: dict from columns to their categories.
    """
    return [
        Finding(
            "numbers-as-text",
            f"The column '{name}' holds numbers in a spelling that is not "
            f"read, such as '{texts[0]}', so each is a category, without an "
            "order.",
            "If they are numbers, write them plainly: without separators of "
            "thousands, signs of percent or money, and fractions.",
        )
        for name, texts in categories.items()
        if len(texts) > 1 and all(map(table_text.is_like_number, texts))
    ]


def codes_as_numbers(codes: Mapping[str, str]) -> list[Finding]:
    """Findings about columns of codes, such as 01234, read as numbers.

    Args:
        codes: dict from columns to one of their codes.
    """
    return [
        Finding(
            "codes-as-numbers",
            f"The column '{name}' holds '{code}', a code perhaps, which is "
            f"read as the number {int(code)}.",
            "If it only names something, such as a place, read it as a "
            f"category: --category-column {quote(name)}. Or leave it out: "
            f"{ignore([name])}",
        )
        for name, code in codes.items()
    ]


def marks_of_missing(
    class_names: Sequence[str], categories: Mapping[str, Sequence[str]]
) -> list[Finding]:
    """Finds classes and categories that look like marks of missing cells.

    Args:
        class_names: sequence of strings.
        categories: dict from columns to their categories.
    """
    found = [("The classes hold", "--drop-missing", class_names)] + [
        (f"The column '{name}' holds", "--fill median", texts)
        for name, texts in categories.items()
    ]
    return [
        Finding(
            "mark-of-missing",
            f"{subject} '{text}', which is read as a value like others.",
            f"If it marks missing values: --missing {quote(text)} {option}.",
        )
        for subject, option, texts in found
        for text in texts
        if text.strip().lower() in MARKS
    ]


def single_examples(
    class_names: Sequence[str], counts: Sequence[int]
) -> list[Finding]:
    """Finds classes with one example, whose answers are never tested.

    Args:
        class_names: sequence of strings.
        counts: sequence of ints, how many examples each class has.
    """
    single = [
        name
        for name, count in zip(class_names, counts, strict=True)
        if count == 1
    ]
    if not single:
        return []
    shown = ", ".join(f"'{name}'" for name in single[:SHOWN])
    more = len(single) - SHOWN
    some = f"{shown} and {more:,} more have" if more > 0 else f"{shown} have"
    subject = f"The classes {some}"
    if len(single) == 1:
        subject = f"The class {shown} has"
    return [
        Finding(
            "single-examples",
            f"{subject} a single example, which is in train, so no test "
            "example shows whether it is learned.",
            "If it is a mistake in the label, correct it; otherwise add "
            "examples, or leave the class out.",
        )
    ]


def similar_classes(class_names: Sequence[str]) -> list[Finding]:
    """Finds classes whose names differ only in case or white space.

    Args:
        class_names: sequence of strings.
    """
    shown = _similar(class_names)
    if not shown:
        return []
    return [
        Finding(
            "similar-classes",
            f"The classes {shown} differ only in their spelling.",
            "If they are one class, give them one name.",
        )
    ]


def similar_categories(
    categories: Mapping[str, Sequence[str]],
) -> list[Finding]:
    """Finds categories whose names differ in case or white space alone.

    Args:
        categories: dict from columns to their categories.
    """
    return [
        Finding(
            "similar-categories",
            f"The categories {shown} of the column '{name}' differ only in "
            "their spelling.",
            "If they are one, give them one name.",
        )
        for name, texts in categories.items()
        if (shown := _similar(texts))
    ]


def _similar(names: Sequence[str]) -> str:
    """Lists names that differ in case or white space alone, or ''."""
    by_name = collections.defaultdict(list)
    for name in names:
        by_name[" ".join(name.lower().split())].append(name)
    similar = [group for group in by_name.values() if len(group) > 1]
    listed = ["'" + "' and '".join(group) + "'" for group in similar]
    return ", ".join([*listed[:SHOWN], "..."][: len(listed)])
