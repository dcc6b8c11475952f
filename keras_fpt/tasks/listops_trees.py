"""Generates ListOps expressions from Long Range Arena's distribution.

A chunk of trees is drawn together, level by level, and evaluated from the
leaves up, so that NumPy does all the work. A chunk depends only on the
seed and its number.
"""

import collections
import concurrent.futures
import itertools
import os
from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

import numpy as np

SYMBOLS = (*"0123456789", "[MIN", "[MAX", "[MED", "[SM", "]")
MIN, MAX, MED, SM, CLOSE = range(10, 15)
ROOTS_IN_CHUNK = 1024
# An operator has at least this many arguments.
_MIN_ARGUMENTS = 2


class Limits(NamedTuple):
    """Limits of the size of trees.

    Args:
        depth: int, the levels of a tree at most.
        arguments: int, the arguments of an operator at most.
        shortest: int, the tokens of an expression at least.
        longest: int, the tokens of an expression at most.
    """

    depth: int
    arguments: int
    shortest: int
    longest: int

    @property
    def arguments_of_draw(self) -> np.ndarray:
        """The arguments of a node, for each of equally likely draws.

        One node in four is an operator, with 2 or more arguments, all numbers
        equally likely. The other nodes are digits, without arguments.
        """
        counts = list(range(_MIN_ARGUMENTS, self.arguments + 1))
        return np.array([0] * 3 * len(counts) + counts, np.uint8)


LONG_RANGE_ARENA = Limits(10, 10, 501, 1999)


class Expressions(NamedTuple):
    """Expressions of different lengths and their values.

    Args:
        tokens: uint8 array, the indices in `SYMBOLS` of the tokens of all
            expressions, one after the other.
        offsets: int64 array `(n + 1,)`: expression `i` is
            `tokens[offsets[i] : offsets[i + 1]]`.
        answers: uint8 array `(n,)`, the value of each expression.
    """

    tokens: np.ndarray
    offsets: np.ndarray
    answers: np.ndarray


class Level(NamedTuple):
    """The nodes of one depth of many trees, from left to right.

    Args:
        symbols: uint8 array `(nodes,)`, digits and operators.
        arguments: uint8 array `(nodes,)`, how many nodes of the next level
            are the arguments of each node; 0 for a digit.
    """

    symbols: np.ndarray
    arguments: np.ndarray


def generate(
    count: int,
    seed: int = 0,
    workers: int | None = None,
    report: Callable[[int], object] | None = None,
    limits: Limits = LONG_RANGE_ARENA,
) -> Expressions:
    """Draws different expressions as Long Range Arena's generator does.

    A node is a digit with probability 3/4, and always at depth 10; otherwise
    it is an operator with 2 to 10 arguments. Digits, operators and numbers of
    arguments are uniformly distributed. A tree is kept if it has more than
    500 and fewer than 2,000 tokens. These are the default limits.

    Args:
        count: int, the number of expressions.
        seed: int. The expressions depend only on it, not on `workers`;
            with a larger `count`, the first expressions are the same.
        workers: int, the number of threads; `None` is one per core.
        report: function of the number of expressions so far, called from time
            to time.
        limits: `Limits` of the trees.

    Returns:
        `Expressions`.

    Source: Nangia and Bowman, 2018; Tay et al., 2020, section 2.2.1, whose
    generator is `lra_benchmarks/data/listops.py`.

    >>> expressions = generate(3)
    >>> len(expressions.answers)
    3
    """
    answers: dict[bytes, int] = {}
    workers = workers or os.cpu_count() or 1
    for chunk in _chunks_in_order(seed, workers, limits):
        text = chunk.tokens.tobytes()
        ends = itertools.pairwise(chunk.offsets.tolist())
        for (start, end), answer in zip(ends, chunk.answers, strict=True):
            answers.setdefault(text[start:end], answer)
            if len(answers) == count:
                break
        if report:
            report(len(answers))
        if len(answers) == count:
            break
    return join(answers.keys(), answers.values())


def join(texts: Collection[bytes], answers: Collection[int]) -> Expressions:
    """Joins the tokens and answers of single expressions.

    Args:
        texts: collection of n byte strings, each the tokens of one
            expression.
        answers: collection of n ints.
    """
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    return Expressions(
        np.frombuffer(b"".join(texts), np.uint8),
        _with_start(lengths),
        np.fromiter(answers, np.uint8, len(answers)),
    )


def _chunks_in_order(
    seed: int, workers: int, limits: Limits
) -> Iterator[Expressions]:
    """Yields chunk 0, chunk 1 and so on, which threads make in advance."""
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        ahead: collections.deque = collections.deque()
        try:
            for number in itertools.count():
                ahead.append(pool.submit(make_chunk, seed, number, limits))
                if len(ahead) > 2 * workers:
                    yield ahead.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def make_chunk(
    seed: int, number: int, limits: Limits = LONG_RANGE_ARENA
) -> Expressions:
    """Draws a chunk of random trees; keeps those of the right length."""
    generator = np.random.default_rng([seed, number])
    levels = []
    for arguments in _draw_arguments(generator, limits):
        symbols = generator.integers(0, 10, len(arguments), np.uint8)
        is_operator = arguments > 0
        symbols[is_operator] = generator.integers(
            MIN, SM + 1, np.count_nonzero(is_operator), np.uint8
        )
        levels.append(Level(symbols, arguments))
    return write(levels)


def _draw_arguments(
    generator: np.random.Generator, limits: Limits
) -> list[np.ndarray]:
    """Draws trees of the right length: `Level.arguments` of each level."""
    arguments_of_draw = limits.arguments_of_draw
    # A tree of a single digit is too short, so all roots are operators.
    arguments = generator.integers(
        _MIN_ARGUMENTS, limits.arguments + 1, ROOTS_IN_CHUNK, np.uint8
    )
    nodes = np.ones(ROOTS_IN_CHUNK, np.int64)
    levels, nodes_by_level = [arguments], [nodes]
    # Each tree's length if all nodes of deeper levels were digits.
    length = np.ones(ROOTS_IN_CHUNK, np.int64)
    for depth in range(1, limits.depth):
        next_nodes = _segment_sums(arguments, nodes)
        length = length + next_nodes + _segment_sums(arguments > 0, nodes)
        nodes = next_nodes
        nodes_by_level.append(nodes)
        is_last = depth + 1 == limits.depth
        if is_last:
            arguments = np.zeros(nodes.sum(), np.uint8)
        else:
            draws = generator.integers(
                0, len(arguments_of_draw), nodes.sum(), np.uint8
            )
            arguments = arguments_of_draw[draws]
        levels.append(arguments)
        may_grow = (nodes > 0) & (not is_last)
        is_long = length >= limits.shortest
        kept = (length <= limits.longest) & (may_grow | is_long)
        levels = [
            level[np.repeat(kept, counts)]
            for level, counts in zip(levels, nodes_by_level, strict=True)
        ]
        nodes_by_level = [counts[kept] for counts in nodes_by_level]
        arguments, nodes, length = levels[-1], nodes_by_level[-1], length[kept]
    return levels


def write(levels: list[Level]) -> Expressions:
    """Writes trees as tokens and evaluates them.

    Args:
        levels: list of `Level`: the roots, their arguments, and so on; the
            last level has no operators.

    Returns:
        `Expressions`, one per root.
    """
    sizes: list[Any] = [None] * len(levels)
    values: Any = None
    for depth in reversed(range(len(levels))):
        symbols, arguments = levels[depth]
        size, value = np.ones(len(symbols), np.int64), symbols.copy()
        operators = np.flatnonzero(arguments)
        if operators.size:
            firsts = _firsts(arguments[operators])
            below = np.add.reduceat(sizes[depth + 1], firsts)
            size[operators] = below + 2
            value[operators] = apply(
                symbols[operators], arguments[operators], values
            )
        sizes[depth], values = size, value

    offsets = _with_start(sizes[0])
    # Positions without a digit or an operator are closing brackets.
    tokens = np.full(offsets[-1], CLOSE, np.uint8)
    positions = offsets[:-1]
    for depth, (symbols, arguments) in enumerate(levels):
        tokens[positions] = symbols
        operators = np.flatnonzero(arguments)
        if not operators.size:
            break
        counts = arguments[operators]
        before = _firsts(sizes[depth + 1])
        shifts = positions[operators] + 1 - before[_firsts(counts)]
        positions = before + np.repeat(shifts, counts)
    return Expressions(tokens, offsets, values)


def apply(
    operators: np.ndarray, counts: np.ndarray, values: np.ndarray
) -> np.ndarray:
    """Applies operators to their arguments.

    Args:
        operators: uint8 array `(n,)` of `MIN`, `MAX`, `MED` (the median,
            rounded down) and `SM` (the sum's last digit).
        counts: uint8 array `(n,)`, the number of arguments of each.
        values: uint8 array `(counts.sum(),)`, the arguments.

    Returns:
        uint8 array `(n,)`.

    >>> apply(np.array([MED, SM]), np.array([2, 3]), np.array([3, 6, 9, 9, 9]))
    array([4, 7], dtype=uint8)
    """
    firsts = _firsts(counts)
    results = np.empty(len(operators), np.uint8)
    functions = {MIN: np.minimum, MAX: np.maximum, SM: np.add}
    for operator, function in functions.items():
        chosen = operators == operator
        results[chosen] = function.reduceat(values, firsts)[chosen] % 10
    is_median = operators == MED
    counts_of_medians = counts[is_median].astype(np.int64)
    owners = np.repeat(
        np.arange(len(counts_of_medians), dtype=np.int32), counts_of_medians
    )
    # Sorting by owner first, then by value.
    keys = owners * 16 + values[np.repeat(is_median, counts)]
    ordered = np.sort(keys) % 16
    firsts = _firsts(counts_of_medians)
    lower = ordered[firsts + (counts_of_medians - 1) // 2]
    upper = ordered[firsts + counts_of_medians // 2]
    results[is_median] = (lower + upper) // 2
    return results


def _segment_sums(values: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Sums over consecutive segments of `values`, which may be empty."""
    ends = _with_start(sizes)
    return np.diff(_with_start(values)[ends])


def _firsts(sizes: np.ndarray) -> np.ndarray:
    """Where each of consecutive segments begins."""
    return _with_start(sizes)[:-1]


def _with_start(sizes: np.ndarray) -> np.ndarray:
    """Where consecutive segments begin, and where the last one ends."""
    ends = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=ends[1:])
    return ends
