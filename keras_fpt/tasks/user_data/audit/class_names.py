"""Audits the names of classes and categories."""

import collections
import re
import unicodedata
from collections.abc import Mapping, Sequence

from keras_fpt.tasks.user_data.audit.findings import Finding, ignore, quote
from keras_fpt.tasks.user_data.tables import cells, table_text

SHOWN = 3
# With fewer, numbers with a unit are kinds of things.
FEWEST = 3
_WITH_UNIT = re.compile(
    r"[+\-−]?\d+(?:[.,]\d+)?\s*(?P<unit>[a-zµμ°Ω/]{1,6}\d?)", re.IGNORECASE
)
# Words that may also be answers, such as unknown, are not among them.
MARKS = frozenset(
    ("?", "-", "--", ".", "n.a.", "missing", "not available", "#n/a")
    + ("#null!", "#div/0!", "#value!", "#ref!", "\\n")
)


def numbers_as_classes(class_names: Sequence[str]) -> list[Finding]:
    """Finds classes that are numbers which are not read, such as 50 kg.

    Args:
        class_names: sequence of strings.
    """
    if not _are_spelled_numbers(class_names):
        return []
    odd = [name for name in class_names if cells.as_number(name) is None]
    return [
        Finding(
            "numbers-as-text",
            "The classes are numbers in a spelling that is not read, such as "
            f"'{odd[0]}', so they have no order.",
            "If numbers are to be predicted, write them plainly, without "
            "units, signs of percent or money and separators of thousands, and "
            "use --task-type regression.",
        )
    ]


def joined_classes(class_names: Sequence[str]) -> list[Finding]:
    """Finds classes that seem to be several labels in one cell.

    Their parts are classes, too; or, of parts that `;` or `|` separate, one
    is in another class.

    Args:
        class_names: sequence of strings.
    """
    known = {*class_names}
    for separator, is_enough in ((";", True), ("|", True), (",", False)):
        parts_of = {
            name: {part.strip() for part in name.split(separator)} - {""}
            for name in class_names
            if separator in name
        }
        counts = collections.Counter(
            part
            for parts in (*parts_of.values(), known - parts_of.keys())
            for part in parts
        )
        # Those of most parts first.
        for name in sorted(parts_of, key=lambda each: -each.count(separator)):
            parts = parts_of[name]
            are_classes = len(parts) > 1 and parts <= known
            if are_classes or (
                is_enough
                and max((counts[each] for each in parts), default=0) > 1
            ):
                return [
                    Finding(
                        "joined-classes",
                        f"The class '{name}' seems to be several labels.",
                        "If it is, add --task-type multilabel "
                        f"--label-separator {quote(separator)}.",
                    )
                ]
    return []


def similar_groups(names: Sequence[str], column: str) -> list[Finding]:
    """Finds groups whose names differ only in their spelling.

    Args:
        names: sequence of strings.
        column: string, the column of the groups.
    """
    shown = _similar(names)
    if not shown:
        return []
    return [
        Finding(
            "similar-groups",
            f"The values {shown} of the column '{column}' differ only in "
            "their spelling, and are several groups.",
            "If they are one, give them one name: else it may be in train and "
            "in test.",
        )
    ]


def _are_spelled_numbers(texts: Sequence[str]) -> bool:
    """Whether all texts are numbers, and some in a spelling that is not read.

    Numbers with a unit, such as 50 kg, all have the same.
    """
    are_plain = [cells.as_number(text) is not None for text in texts]
    if all(are_plain) or len(texts) < FEWEST:
        return False
    units = {
        found["unit"] if (found := _WITH_UNIT.fullmatch(text)) else None
        for text in texts
    }
    if len(units) == 1 and None not in units:
        return True
    return all(
        plain or table_text.is_like_number(text)
        for plain, text in zip(are_plain, texts, strict=True)
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
            "thousands, units, signs of percent or money, and fractions.",
        )
        for name, texts in categories.items()
        if (len(texts) > 1 and all(map(table_text.is_like_number, texts)))
        or _are_spelled_numbers(texts)
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
    """Finds classes whose names differ only in their spelling.

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
    """Finds categories whose names differ only in their spelling.

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
        # Zeros in front may matter, as in postal codes.
        if (shown := _similar(texts, are_numbers=False))
    ]


def _similar(names: Sequence[str], are_numbers: bool = True) -> str:
    """Lists names that differ only in their spelling, or ''.

    They differ in case, white space, characters that are not seen, how
    accents are encoded, or as spellings of yes and no, or, with
    `are_numbers`, of one number.
    """
    value_of = {
        word: value
        for pair in (*cells.BOOLEANS, ("0", "1"))
        for value, word in zip(("no", "yes"), pair, strict=True)
    }
    are_booleans = all(name.strip().lower() in value_of for name in names)
    by_name = collections.defaultdict(list)
    for name in names:
        key = _plain(name)
        number = cells.as_number(key)
        if are_booleans:
            key = value_of[name.strip().lower()]
        elif number is not None and are_numbers:
            key = str(number.normalize())
        by_name[key].append(name)
    similar = [group for group in by_name.values() if len(group) > 1]
    listed = [" and ".join(_told_apart(group)) for group in similar]
    return ", ".join([*listed[:SHOWN], "..."][: len(listed)])


def _plain(name: str) -> str:
    """A name without what is not seen, in lower case."""
    return " ".join(_visible(name).lower().split())


def _visible(name: str) -> str:
    return "".join(
        character
        for character in unicodedata.normalize("NFKC", name)
        if unicodedata.category(character) != "Cf"
    )


def _told_apart(names: Sequence[str]) -> list[str]:
    """Names in quotes, with codes for characters if they look the same."""
    if len({*map(_visible, names)}) < len(names):
        return [*map(ascii, names)]
    return [f"'{name}'" for name in names]
