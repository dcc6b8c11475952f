"""ListOps of Long Range Arena: nested operations on digits, to evaluate."""

import functools
import itertools
import logging
import os
import pathlib
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from rich.progress import Progress

from keras_fpt.files import cache
from keras_fpt.progress import stderr_console
from keras_fpt.tasks import listops_trees
from keras_fpt.tasks.listops_trees import (
    CLOSE,
    SYMBOLS,
    Expressions,
    Limits,
)
from keras_fpt.tasks.listops_trees import LONG_RANGE_ARENA as LIMITS
from keras_fpt.tasks.stored import Examples, Stored
from keras_fpt.tasks.task import Origin, Recipe, Task

LOGGER = logging.getLogger(__name__)
SIZES = {"train": 96_000, "validation": 2_000, "test": 2_000}
FILES = {
    "train": "basic_train.tsv",
    "validation": "basic_val.tsv",
    "test": "basic_test.tsv",
}
SEED = 0
# Raise this number if a change makes the generator draw other expressions.
GENERATION = 1
BRACKETLESS, WHOLE, SHORT = "bracketless", "whole", "short"
_LENGTHS = {None: 512, BRACKETLESS: 512, WHOLE: 2000, SHORT: 40}
# Of 10 tokens in the median, so that a small model can learn them.
SHORT_LIMITS = Limits(depth=3, arguments=5, shortest=4, longest=40)
BRACKETLESS_SYMBOLS = tuple(
    symbol.lstrip("[") for symbol in SYMBOLS if symbol != SYMBOLS[CLOSE]
)


def task(
    data_dir: str | os.PathLike | None = None,
    max_length: int | None = None,
    variant: str | None = None,
) -> Task:
    """Expressions such as `[MAX 4 [SM 7 8 ] 3 ]`, to evaluate.

    Expressions have 501 to 1,999 tokens, of which the first 512 are given, as
    in the reference code. This cuts 98% of them, so that their values do not
    follow from what is given. Parentheses in the published files are not
    tokens.

    Args:
        data_dir: folder with the published `basic_train.tsv`,
            `basic_val.tsv` and `basic_test.tsv`. `None` generates 96,000,
            2,000 and 2,000 expressions from the same distribution, once, and
            keeps them in `KERAS_FPT_HOME` (`~/.cache/keras_fpt`).
        max_length: int, the number of tokens of an expression that are given.
            `None` means 512, and all of them for `"whole"` and `"short"`.
        variant: `None`, or `"bracketless"` for the tokens of the reference
            code, whose tokenizer drops the closing brackets, so that
            expressions with different values can have the same tokens;
            `"whole"` for expressions that are not cut, up to 2,000 tokens;
            `"short"` for generated expressions of 4 to 40 tokens, with at
            most three levels and five arguments, none of them cut.

    Raises:
        ValueError: `max_length` is below 1, `variant` is unknown, or there
            are no files of it; or, when the data is first needed, a file has
            a malformed line.
        FileNotFoundError: a file is missing, when the data is first needed.

    Source: Nangia and Bowman, 2018; Tay et al., 2020, section 2.2.1; Lu et
    al., 2021, section 2.2.
    """
    if variant not in _LENGTHS:
        known = ", ".join(f"'listops:{name}'" for name in _LENGTHS if name)
        raise ValueError(
            f"Unknown variant '{variant}' of listops. Expected 'listops' or "
            f"one of {known}."
        )
    if variant == SHORT and data_dir is not None:
        raise ValueError(
            "The expressions of 'listops:short' are generated, so data_dir "
            "does not apply."
        )
    if max_length is None:
        max_length = _LENGTHS[variant]
    if max_length < 1:
        raise ValueError(
            f"Expected a max_length of at least 1 but received {max_length}."
        )
    symbols = BRACKETLESS_SYMBOLS if variant == BRACKETLESS else SYMBOLS
    brackets = "without closing brackets " * (variant == BRACKETLESS)
    is_cut = max_length < (SHORT_LIMITS if variant == SHORT else LIMITS).longest
    cut = f"cut to {max_length:,} tokens " * is_cut
    data = Stored(functools.partial(_read, data_dir, max_length, variant))
    return Task(
        name=f"listops:{variant}" if variant else "listops",
        description=f"nested list operations {brackets}{cut}-> 10 digits",
        num_classes=10,
        sequence_length=max_length,
        data=data,
        recipe=Recipe(steps=2000, batch_size=32),
        vocabulary_size=len(symbols),
        origin=Origin(
            "Long Range Arena, "
            "https://github.com/google-research/long-range-arena: "
            + (
                "its distribution (lra_benchmarks/data/listops.py), generated "
                f"with seed {SEED}"
                if data_dir is None
                else "its published files"
            ),
            "Apache-2.0",
            "Nangia and Bowman, 2018, ListOps: A Diagnostic Dataset for "
            "Latent Tree Learning, arXiv:1804.06028; Tay et al., 2020, Long "
            "Range Arena, arXiv:2011.04006",
        ),
        symbols=symbols,
        simple_rules={
            "first operator": functools.partial(_by_first_operator, data)
        },
    )


def _by_first_operator(data: Stored, x: Mapping[str, np.ndarray]) -> np.ndarray:
    """Predicts the most common training value of the same first operator."""
    return _most_common_values(data)[x["tokens"][:, 0]]


@functools.cache
def _most_common_values(data: Stored) -> np.ndarray:
    """For each token, the most common value where it is the first."""
    train = data.splits["train"]
    counts = np.zeros((len(SYMBOLS), 10), int)
    first = tf.gather(train.x.flat_values, train.x.row_starts()).numpy()
    np.add.at(counts, (first, train.y), 1)
    return counts.argmax(axis=1)


def _read(
    data_dir: str | os.PathLike | None, max_length: int, variant: str | None
) -> dict[str, Examples]:
    if data_dir is None:
        splits = _generated(SHORT_LIMITS if variant == SHORT else LIMITS)
    else:
        splits = _published(data_dir)
    lengths = np.concatenate([np.diff(e.offsets) for e in splits.values()])
    if (share := np.mean(lengths > max_length)) > 0:
        LOGGER.info(
            f"listops: {share:.1%} of the expressions have more than "
            f"{max_length:,} tokens and are cut, so that their values do not "
            "follow from what is given. listops:whole and listops:short are "
            "not cut."
        )
    return {
        name: _examples(expressions, max_length, variant)
        for name, expressions in splits.items()
    }


def _examples(
    expressions: Expressions, max_length: int, variant: str | None
) -> Examples:
    rows = []
    for start, end in itertools.pairwise(expressions.offsets.tolist()):
        row = expressions.tokens[start:end]
        if variant == BRACKETLESS:
            row = row[row != CLOSE]
        rows.append(row[:max_length])
    x = tf.RaggedTensor.from_row_lengths(
        np.concatenate(rows).astype(np.int32), [len(row) for row in rows]
    )
    return Examples(x, expressions.answers.astype(np.int32))


def _generated(limits: Limits) -> dict[str, Expressions]:
    """The expressions of each split, from the cache or generated now."""
    count = sum(SIZES.values())
    short = "" if limits == LIMITS else "-short"
    arrays = cache.cached(
        f"listops-v{GENERATION}{short}-seed{SEED}-{count}",
        lambda: _generate(count, limits)._asdict(),
    )
    tokens, offsets, answers = (arrays[key] for key in Expressions._fields)
    bounds = itertools.accumulate(SIZES.values(), initial=0)
    splits = {}
    for name, (first, end) in zip(
        SIZES, itertools.pairwise(bounds), strict=True
    ):
        start = offsets[first]
        splits[name] = Expressions(
            tokens[start : offsets[end]],
            offsets[first : end + 1] - start,
            answers[first:end],
        )
    return splits


def _generate(count: int, limits: Limits) -> Expressions:
    with Progress(console=stderr_console()) as bar:
        row = bar.add_task("Generating ListOps", total=count)
        return listops_trees.generate(
            count,
            SEED,
            report=lambda done: bar.update(row, completed=done),
            limits=limits,
        )


def _published(data_dir: str | os.PathLike) -> dict[str, Expressions]:
    """The expressions of each split, from the published files."""
    paths = {
        name: pathlib.Path(data_dir) / file for name, file in FILES.items()
    }
    for path in paths.values():
        if not path.is_file():
            raise FileNotFoundError(
                f"There is no file `{path}`. The folder of the task 'listops' "
                f"must hold {', '.join(FILES.values())} of Long Range Arena. "
                "Without a folder, the task generates its examples."
            )
    return {name: read_tsv(path) for name, path in paths.items()}


_CODES = {symbol.encode(): code for code, symbol in enumerate(SYMBOLS)}
_ANSWERS = {str(digit).encode(): digit for digit in range(10)}


def read_tsv(path: str | os.PathLike) -> Expressions:
    """Reads a file of Long Range Arena's ListOps.

    Args:
        path: a tab-separated file with a header and the columns `Source`,
            such as `( ( ( [MAX 2 ) 9 ) ] )`, and `Target`, such as `9`.

    Returns:
        `Expressions`, without the parentheses.

    Raises:
        ValueError: a line is malformed, or the file has no examples.
    """
    texts, answers = [], []
    with open(path, "rb") as file:
        header = file.readline().rstrip(b"\r\n").split(b"\t")
        for column in (b"Source", b"Target"):
            if column not in header:
                raise ValueError(
                    f"`{path}`, line 1: there is no column "
                    f"`{_shorten(column)}`. Expected a header with the "
                    "tab-separated columns `Source` and `Target` but found "
                    f"'{_shorten(b' '.join(header))}'."
                )
        for number, line in enumerate(file, start=2):
            fields = line.rstrip(b"\r\n").split(b"\t")
            if fields == [b""]:
                continue
            try:
                text, answer = _parse_row(header, fields)
            except ValueError as error:
                raise ValueError(f"`{path}`, line {number}: {error}") from error
            texts.append(text)
            answers.append(answer)
    if not texts:
        raise ValueError(f"`{path}` has no examples.")
    return listops_trees.join(texts, answers)


def _parse_row(header: list[bytes], fields: list[bytes]) -> tuple[bytes, int]:
    """Parses a row into tokens and an answer."""
    if len(fields) != len(header):
        raise ValueError(
            f"expected {len(header)} columns but found {len(fields)}."
        )
    row = dict(zip(header, fields, strict=True))
    symbols = row[b"Source"].translate(None, b"()").split()
    if not symbols:
        raise ValueError("the Source is empty.")
    try:
        text = bytes(map(_CODES.__getitem__, symbols))
    except KeyError as error:
        raise ValueError(
            f"unknown token '{_shorten(error.args[0])}' in the Source. "
            f"Expected one of {' '.join(SYMBOLS)}."
        ) from error
    target = row[b"Target"].strip()
    if target not in _ANSWERS:
        raise ValueError(
            f"expected a Target from 0 to 9 but found '{_shorten(target)}'."
        )
    return text, _ANSWERS[target]


def _shorten(content: bytes, max_length: int = 60) -> str:
    text = content.decode(errors="replace")
    return text if len(text) <= max_length else f"{text[:max_length]}..."
