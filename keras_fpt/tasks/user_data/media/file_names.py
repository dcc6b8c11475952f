"""Groups of files by parts of their names, such as people and recordings.

Parts are between characters that are neither letters nor digits: the name
`1037-3-0-1.wav` has the parts 1037, 3, 0 and 1, called `part_1` to `part_4`.
"""

import collections
import math
import pathlib
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from keras_fpt.tasks.user_data.audit import audit_groups
from keras_fpt.tasks.user_data.audit.findings import Finding
from keras_fpt.tasks.user_data.targets import Labels

# Names of this share of the files must have the same separators.
USUAL = 0.9
# A hash or a number that is in several files is a group's, if so many are.
MIN_REPEATED = 20
# Of a counter's numbers, at least this share is used.
DENSE = 0.5
# Of two successive numbers of a counter, the second one rarely has more files.
RISING = 0.25
# Who is in a file.
PEOPLE = frozenset(
    ("subject", "subj", "participant", "patient", "speaker", "volunteer")
    + ("actor", "donor")
)
# These, too, or counters of files, unless another part counts as well.
SOURCES = frozenset(
    ("user", "person", "people", "individual", "sub", "pat", "spk", "animal")
    + ("mouse", "video", "vid", "recording", "rec", "slide", "site")
    + ("hospital", "device", "family", "scene")
)
# The same as a single letter, at the beginning.
LETTERS = frozenset("ps")

_SEPARATORS = re.compile(r"[\W_]+")
_WORD = re.compile(r"[^\W_]+")
_UUID = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE
)
_DATE = re.compile(
    r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
    r"|(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])(?:19|20)\d\d"
    r"|\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
    r"|(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d\d"
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_OF_TIME = re.compile(r"[0-5]?\d")
_SIZE = re.compile(r"\d+x\d+(?:x\d+)?", re.IGNORECASE)
_NUMBERED = re.compile(r"([^\W\d_]*)(\d+)([^\W\d_]*)")
_HEX = re.compile(r"[0-9a-f]+", re.IGNORECASE)


# The suffix of IDs of examples, which may contain points, as files' names.
ID = ".id-of-example"


def group_numbers(
    files: Sequence[pathlib.Path], names: Sequence[str]
) -> np.ndarray:
    """The group of each file, by parts of its name.

    Args:
        files: sequence of n paths.
        names: sequence of strings, such as `part_1`.

    Returns:
        int array `(n,)`.

    Raises:
        ValueError: there is no such part.
    """
    places = [_place(name, files[0]) for name in names]
    keys = []
    for file in files:
        parts = parts_of(file)
        if max(places) >= len(parts):
            raise ValueError(
                f"`{file}`: there is no part_{max(places) + 1} of the file's "
                f"name. {_listed(file)}"
            )
        keys.append("\x1f".join(parts[place] for place in places))
    return np.unique(keys, return_inverse=True)[1]


def parts_of(file: pathlib.Path) -> list[str]:
    """The parts of a file's name, without its suffix."""
    return [*filter(None, _SEPARATORS.split(_stem(file)))]


def _stem(file: pathlib.Path) -> str:
    """A file's name, in which a UUID is a single part."""
    return _UUID.sub(lambda found: found[0].replace("-", ""), file.stem)


def _place(name: str, file: pathlib.Path) -> int:
    match = re.fullmatch(r"part_([1-9]\d{0,3})", name)
    if match is None:
        raise ValueError(
            "Expected split_group (--split-group) to be parts of the files' "
            f"names, such as part_1, but received '{name}'. {_listed(file)}"
        )
    return int(match[1]) - 1


def _listed(file: pathlib.Path) -> str:
    parts = enumerate(parts_of(file), 1)
    listed = ", ".join(f"part_{number} is {part}" for number, part in parts)
    return f"Of `{file.name}`, {listed or 'there are none'}."


class Part(NamedTuple):
    """A part of the names of files.

    Args:
        number: int, from 1.
        values: list of strings, the different values.
        codes: int array `(n,)`, the index of each file's value, or
            `len(values)` if its name has other parts than most.
        counts: int array, how many files have each value.
        varies: bool, whether files of one class have different values.
        word: string, what is counted, such as `subject` in subject12 and in
            subject_12, in lower case; or an empty one.
    """

    number: int
    values: list[str]
    codes: np.ndarray
    counts: np.ndarray
    varies: bool
    word: str


def find_groups(
    files: Sequence[pathlib.Path],
    labels: Labels,
    splits: dict[str, np.ndarray],
    advice: str = "--split-group part_{}",
    what: str = "the files' names",
) -> list[Finding]:
    """Finds a part of files' names that is one of groups across splits.

    That a part counts people or recordings is told by a word beside its
    numbers; by each value's having one class, in too many files for chance;
    by hashes and numbers that are in several files and count nothing; or by a
    counter behind it that starts again. None of this is certain.

    Args:
        files: sequence of n paths.
        labels: `Labels` of the files.
        splits: dict from splits to int arrays of files.
        advice: string, how to keep groups in one split, by the part's number.
        what: string, what the names are called.

    Returns:
        A list of at most one `Finding`.
    """
    parts = _find_parts(files, labels.y)
    for describe in (_by_word, _by_class, _by_repetition, _by_restarts):
        for part in parts:
            size = len(part.values)
            if not audit_groups.may_be_groups(size, len(files)):
                continue
            train, test = (
                part.codes[splits[name]] for name in ("train", "test")
            )
            common = np.intersect1d(train, test)
            shared = int((common < size).sum())
            found = shared and describe(part, parts, labels)
            if not found:
                continue
            file = files[int(np.argmax(part.codes == common[0]))]
            name = (
                f"part {part.number} of {what}, such as "
                f"{part.values[common[0]]} in {file.name.removesuffix(ID)},"
            )
            return [
                Finding(
                    "groups-across-splits",
                    found.format(size=size, name=name, shared=shared),
                    "If they are people, recordings or other sources, and new "
                    "data comes from others, keep each in one split: "
                    f"{advice.format(part.number)}.",
                )
            ]
    return []


def _by_word(part: Part, parts: Sequence[Part], labels: Labels) -> str | None:
    """What to say if a word names the groups."""
    others = any(other.varies for other in parts if other.number != part.number)
    first = min(other.number for other in parts if other.varies)
    if (
        part.word in PEOPLE
        or others
        and (
            part.word in SOURCES
            or part.word in LETTERS
            and part.number == first
        )
    ):
        return (
            "{shared:,} of the {size:,} values of {name} are in train and in "
            "test."
        )
    return None


def _by_class(part: Part, parts: Sequence[Part], labels: Labels) -> str | None:
    """What to say if each value has one class."""
    size = len(part.values)
    if (
        labels.has_classes
        and size > audit_groups.VALUES_PER_CLASS * len(labels.class_names)
        and _may_be_ids(part, parts)
        and audit_groups.evidence(part.codes, size, labels) > audit_groups.SURE
    ):
        return (
            "Each of the {size:,} values of {name} occurs with one class only, "
            "and {shared:,} of them are in train and in test."
        )
    return None


def _by_repetition(
    part: Part, parts: Sequence[Part], labels: Labels
) -> str | None:
    """What to say if values repeat that count nothing."""
    wanted = audit_groups.VALUES_PER_CLASS * len(labels.class_names)
    if (
        # What comes later, such as places in an image, may repeat as well.
        part.number == min(other.number for other in parts if other.varies)
        and len(part.values) > max(wanted, MIN_REPEATED)
        and np.median(part.counts) >= 2
        and _may_be_ids(part, parts)
        and not _is_counter(part)
    ):
        return (
            "The {size:,} values of {name} do not count the files, but most "
            "are in several, and {shared:,} of them are in train and in test."
        )
    return None


def _by_restarts(
    part: Part, parts: Sequence[Part], labels: Labels
) -> str | None:
    """What to say if another part counts the files of each value."""
    import pandas as pd

    places = [other.number for other in parts if other.varies]
    last = parts[max(places) - 1]
    numbers, _ = _as_numbers(last.values)
    own, _ = _as_numbers(part.values)
    if (
        part.number != min(places)
        or part is last
        or len(part.values) <= MIN_REPEATED
        or not _may_be_ids(part, parts)
        or numbers is None
        # Others may be places or times, as those behind them may.
        or own is None
        or not _are_dense(own, part.counts)
    ):
        return None
    is_usual = last.codes < len(last.values)
    keys = [other.codes[is_usual] for other in parts[: last.number - 1]]
    counted = pd.Series(numbers.astype(float)[last.codes[is_usual]])
    for more in ([], [labels.y[is_usual]]):  # Perhaps again in each class.
        files = counted.groupby([*keys, *more])
        sizes, low, high = files.size(), files.min(), files.max()
        counts_all = (low <= 1) & (high - low + 1 == sizes)
        counts_all &= files.nunique() == sizes
        if counts_all.mean() >= USUAL and sizes.median() >= 2:
            return (
                f"Part {last.number} counts from the beginning for each of "
                "the {size:,} values of {name} and {shared:,} of them are in "
                "train and in test."
            )
    return None


def _find_parts(files: Sequence[pathlib.Path], y: np.ndarray) -> list[Part]:
    """The parts of most names, of which at least one varies; or none."""
    import pandas as pd

    stems = [_stem(file) for file in files]
    shapes = [_WORD.sub("#", stem) for stem in stems]
    shape, count = collections.Counter(shapes).most_common(1)[0]
    if count < USUAL * len(files):
        return []
    is_usual = np.array([other == shape for other in shapes])
    rows = [parts_of(file) for file in files]
    found: list[Part] = []
    for place in range(shape.count("#")):
        texts = [r[place] for r, ok in zip(rows, is_usual, strict=True) if ok]
        inverse, values = pd.factorize(np.array(texts, object), sort=True)
        codes = np.full(len(files), len(values))
        codes[is_usual] = inverse
        pairs = np.unique(np.stack([y[is_usual], inverse]), axis=1)
        before = found[-1].values if found else []
        found.append(
            Part(
                place + 1,
                values.tolist(),
                codes,
                np.bincount(inverse),
                pairs.shape[1] > len(np.unique(pairs[0])),
                _word(values.tolist(), before),
            )
        )
    return found if any(part.varies for part in found) else []


def _word(values: list[str], before: list[str]) -> str:
    """The word that the values of a part count, see `Part`."""
    matches = [_NUMBERED.fullmatch(value) for value in values]
    words = {match and match[1].lower() for match in matches}
    if len(words) > 1 or any(match is None or match[3] for match in matches):
        return ""
    (word,) = words
    return word or (before[0].lower() if len(before) == 1 else "")


def _may_be_ids(part: Part, parts: Sequence[Part]) -> bool:
    """Whether values may be IDs: not words, dates, times or sizes."""
    values = part.values
    num_numbered = sum(any(map(str.isdigit, value)) for value in values)
    if num_numbered < USUAL * len(values):
        return False  # Words are what is in a file.
    if _all(_SIZE, values) or _all(_DATE, values) or _all(_YEAR, values):
        return False
    has_year = any(_all(_YEAR, other.values) for other in parts)
    return not (has_year and _all(_OF_TIME, values))


def _all(pattern: re.Pattern[str], values: Sequence[str]) -> bool:
    return all(map(pattern.fullmatch, values))


def _is_counter(part: Part) -> bool:
    """Whether values count, are on a grid, or are random digits."""
    numbers, base = _as_numbers(part.values)
    if numbers is None:
        return False
    if math.gcd(*map(int, numbers - numbers.min())) > 1:
        return True
    if _are_dense(numbers, part.counts):
        return True
    if base == 10:
        # The higher a number, the fewer are counted so far.
        steps = np.diff(part.counts[np.argsort(numbers)])
        changes = np.count_nonzero(steps)
        num_rising = int(np.count_nonzero(steps > 0))
        return num_rising < max(1, RISING * changes)
    return False


def _are_dense(numbers: np.ndarray, counts: np.ndarray) -> bool:
    """Whether most whole numbers occur, up to that of half of the files."""
    order = np.argsort(numbers)
    numbers, counts = numbers[order], counts[order]
    # Few of the classes may have many more files.
    half = int(np.searchsorted(np.cumsum(counts), counts.sum() / 2))
    return (half + 1) / float(numbers[half] - numbers[0] + 1) >= DENSE


def _as_numbers(values: Sequence[str]) -> tuple[np.ndarray | None, int]:
    """The numbers that values are, if any, and their base.

    All have the same letters around them.
    """
    matches = [_NUMBERED.fullmatch(value) for value in values]
    around = {match and (match[1], match[3]) for match in matches}
    texts, base = [match[2] for match in matches if match], 10
    if len(around) > 1 or None in around:
        texts, base = [*values], 16
        if len({*map(len, values)}) > 1 or not _all(_HEX, values):
            return None, base
    # As objects, since hashes are larger than any integer type.
    return np.array([int(text, base) for text in texts], object), base
