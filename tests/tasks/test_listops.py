import collections
import csv
import hashlib
import itertools
import random
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, chisquare, ks_2samp

from keras_fpt import tasks
from keras_fpt.tasks import listops, listops_trees

pytestmark = pytest.mark.backend_free

OPERATORS = ("[MIN", "[MAX", "[MED", "[SM")


def strings(expressions):
    """The expressions as lists of strings."""
    symbols = np.array(listops_trees.SYMBOLS, object)[expressions.tokens]
    return [part.tolist() for part in np.split(symbols, expressions.offsets)][
        1:-1
    ]


# An evaluation and a generator that do not use the package's.


def evaluate(tokens):
    """The value of an expression, a list of strings."""
    value, rest = evaluate_first(tokens, 0)
    assert rest == len(tokens)
    return value


def evaluate_first(tokens, place):
    token = tokens[place]
    place += 1
    if token.isdigit():
        return int(token), place
    arguments = []
    while tokens[place] != "]":
        argument, place = evaluate_first(tokens, place)
        arguments.append(argument)
    if token == "[SM":
        value = sum(arguments) % 10
    elif token == "[MED":
        value = int(statistics.median(arguments))
    else:
        value = {"[MIN": min, "[MAX": max}[token](arguments)
    return value, place + 1


def draw_tree(source, depth=1):
    """A digit, or a list of an operator and its arguments; and its length."""
    if depth == 10 or source.random() > 0.25:
        return source.randrange(10), 1
    parts = [draw_tree(source, depth + 1) for _ in range(source.randint(2, 10))]
    arguments, lengths = zip(*parts, strict=True)
    return [source.choice(OPERATORS), *arguments], 2 + sum(lengths)


def flat(tree):
    """A tree as a list of strings."""
    if isinstance(tree, int):
        return [str(tree)]
    arguments = [token for argument in tree[1:] for token in flat(argument)]
    return [tree[0], *arguments, "]"]


def levels_of(trees):
    """Trees level by level, as `listops_trees.write` takes them."""
    levels = []
    while trees:
        nodes = [[str(t)] if isinstance(t, int) else t for t in trees]
        symbols = [listops_trees.SYMBOLS.index(node[0]) for node in nodes]
        levels.append(
            listops_trees.Level(
                np.array(symbols, np.uint8),
                np.array([len(node) - 1 for node in nodes], np.uint8),
            )
        )
        trees = [argument for node in nodes for argument in node[1:]]
    return levels


@pytest.fixture(scope="module")
def expressions():
    return listops_trees.generate(10_000)


class TestValues:
    def test_of_random_trees_are_those_of_a_recursive_evaluation(
        self, expressions
    ):
        values = [evaluate(tokens) for tokens in strings(expressions)]
        assert values == expressions.answers.tolist()

    @pytest.mark.parametrize(
        ("tree", "text", "answer"),
        [
            (["[MIN", 4, 2, 9], "[MIN 4 2 9 ]", 2),
            (["[MAX", 4, 2, 9], "[MAX 4 2 9 ]", 9),
            (["[MED", 9, 1, 5], "[MED 9 1 5 ]", 5),
            (["[MED", 3, 6], "[MED 3 6 ]", 4),
            (["[MED", 9, 0, 8, 1], "[MED 9 0 8 1 ]", 4),
            (["[MED", 7, 7, 7, 7], "[MED 7 7 7 7 ]", 7),
            (["[SM", 4, 6], "[SM 4 6 ]", 0),
            (["[SM"] + [9] * 10, "[SM 9 9 9 9 9 9 9 9 9 9 ]", 0),
            (
                ["[MAX", 2, ["[SM", 9, ["[MED", 0, 1], 8], ["[MIN", 6, 3]],
                "[MAX 2 [SM 9 [MED 0 1 ] 8 ] [MIN 6 3 ] ]",
                7,
            ),
        ],
    )
    def test_of_trees_made_by_hand(self, tree, text, answer):
        written = listops_trees.write(levels_of([tree]))
        assert strings(written) == [text.split()]
        assert written.answers.tolist() == [answer]

    def test_of_deep_trees(self):
        left, right = 1, 1
        for _ in range(9):
            left, right = ["[SM", left, 1], ["[SM", 2, right]
        written = listops_trees.write(levels_of([left, 5, right]))
        assert " ".join(strings(written)[0]) == "[SM " * 9 + "1" + " 1 ]" * 9
        assert " ".join(strings(written)[2]) == "[SM 2 " * 9 + "1" + " ]" * 9
        assert written.answers.tolist() == [0, 5, 9]

    @settings(max_examples=200)
    @given(
        st.lists(
            st.recursive(
                st.integers(0, 9),
                lambda tree: st.builds(
                    lambda operator, arguments: [operator, *arguments],
                    st.sampled_from(OPERATORS),
                    st.lists(tree, min_size=1, max_size=10),
                ),
                max_leaves=40,
            ),
            min_size=1,
            max_size=4,
        )
    )
    def test_of_any_trees(self, trees):
        written = listops_trees.write(levels_of(trees))
        tokens = [flat(tree) for tree in trees]
        assert strings(written) == tokens
        assert written.answers.tolist() == list(map(evaluate, tokens))


class TestGenerate:
    def test_lengths(self, expressions):
        lengths = np.diff(expressions.offsets)
        assert 500 < lengths.min() < 505
        assert 1950 < lengths.max() < 2000

    def test_no_two_are_the_same(self, expressions):
        assert len(set(map(tuple, strings(expressions)))) == 10_000

    def test_a_chunk_that_comes_twice_is_dropped(self, monkeypatch):
        make_chunk = listops_trees.make_chunk
        monkeypatch.setattr(
            listops_trees,
            "make_chunk",
            lambda seed, number, limits: make_chunk(seed, number // 2, limits),
        )
        twice = listops_trees.generate(1000, workers=1)
        monkeypatch.undo()
        once = listops_trees.generate(1000, workers=1)
        np.testing.assert_array_equal(twice.tokens, once.tokens)

    def test_does_not_depend_on_the_number_of_workers(self, expressions):
        for workers in (1, 5):
            few = listops_trees.generate(2000, workers=workers)
            end = few.offsets[-1]
            np.testing.assert_array_equal(
                few.offsets, expressions.offsets[:2001]
            )
            np.testing.assert_array_equal(few.tokens, expressions.tokens[:end])
            np.testing.assert_array_equal(
                few.answers, expressions.answers[:2000]
            )

    def test_other_seed_other_expressions(self, expressions):
        other = strings(listops_trees.generate(2000, seed=1))
        ours = set(map(tuple, strings(expressions)))
        assert ours.isdisjoint(map(tuple, other))

    def test_reports_how_far_it_is(self):
        reports = []
        listops_trees.generate(1000, report=reports.append)
        assert reports == sorted(set(reports)) and reports[-1] == 1000
        assert len(reports) > 1

    def test_golden(self):
        digest = hashlib.sha256()
        for array in listops_trees.generate(200):
            digest.update(array.tobytes())
        assert digest.hexdigest()[:16] == GOLDEN


def length_probabilities(longest):
    """The probability of each length of a tree, by convolution."""
    at_depth = np.zeros(longest + 1)
    at_depth[1] = 1
    for _ in range(9):
        lists = np.zeros(longest + 1)
        together = at_depth
        for _ in range(2, 11):
            together = np.convolve(together, at_depth)[: longest + 1]
            lists[2:] += together[:-2] / 9
        at_depth = lists / 4
        at_depth[1] += 3 / 4
    return at_depth


Summary = collections.namedtuple(
    "Summary",
    "lengths nodes_by_depth operators arguments mean_arguments digits",
)


def summarise(tokens):
    """The statistics of one expression that two generators are compared by."""
    nodes_by_depth, open_lists, arguments = [0] * 12, [], []
    for token in tokens:
        if token == "]":
            arguments.append(open_lists.pop())
            continue
        nodes_by_depth[len(open_lists) + 1] += 1
        if open_lists:
            open_lists[-1] += 1
        if token in OPERATORS:
            open_lists.append(0)
    counts = collections.Counter(tokens)
    return Summary(
        len(tokens),
        nodes_by_depth,
        [counts[operator] for operator in OPERATORS],
        arguments,
        statistics.fmean(arguments),
        [counts[str(digit)] for digit in range(10)],
    )


class TestDistribution:
    """The original distribution, by statistics of 4,000 trees of each."""

    @pytest.fixture(scope="class")
    def originals(self):
        source = random.Random(1)
        trees = (draw_tree(source) for _ in itertools.count())
        kept = (tree for tree, length in trees if 500 < length < 2000)
        return list(map(flat, itertools.islice(kept, 4000)))

    @pytest.fixture(scope="class")
    def ours(self, expressions):
        some = strings(expressions)[:4000]
        return Summary(*zip(*map(summarise, some), strict=True))

    @pytest.fixture(scope="class")
    def theirs(self, originals):
        return Summary(*zip(*map(summarise, originals), strict=True))

    def test_of_lengths_is_exact(self, expressions):
        chances = length_probabilities(1999)
        chances[:501] = 0
        lengths = np.bincount(np.diff(expressions.offsets), minlength=2000)
        observed, expected = (
            some.reshape(40, 50).sum(1)[10:]
            for some in (lengths, 10_000 * chances / chances.sum())
        )
        assert chisquare(observed, expected).pvalue > 1e-3

    def test_of_lengths(self, ours, theirs):
        assert ks_2samp(ours.lengths, theirs.lengths).pvalue > 1e-3

    @pytest.mark.parametrize("depth", [2, 3, 5, 7, 9, 10])
    def test_of_nodes_at_a_depth(self, ours, theirs, depth):
        one, other = (
            np.array(summary.nodes_by_depth)[:, depth]
            for summary in (ours, theirs)
        )
        assert ks_2samp(one, other).pvalue > 1e-3

    def test_of_the_greatest_depth(self, ours, theirs):
        for summary in (ours, theirs):
            assert np.sum(summary.nodes_by_depth, 0)[11] == 0

    def test_of_numbers_of_arguments(self, ours, theirs):
        p = ks_2samp(ours.mean_arguments, theirs.mean_arguments).pvalue
        assert p > 1e-3
        for summary in (ours, theirs):
            sizes = set(itertools.chain(*summary.arguments))
            assert sizes == set(range(2, 11))

    def test_of_numbers_of_operators(self, ours, theirs):
        one = [sum(counts) for counts in ours.operators]
        other = [sum(counts) for counts in theirs.operators]
        assert ks_2samp(one, other).pvalue > 1e-3

    def test_of_operators(self, ours):
        assert chisquare(np.sum(ours.operators, 0)).pvalue > 1e-3

    def test_of_digits(self, ours):
        assert chisquare(np.sum(ours.digits, 0)).pvalue > 1e-3

    def test_of_answers(self, expressions, originals):
        answers = [evaluate(tokens) for tokens in originals]
        counts = [
            np.bincount(some, minlength=10)
            for some in (expressions.answers, answers)
        ]
        assert chi2_contingency(counts).pvalue > 1e-3

    def test_of_the_first_operator_and_what_follows(
        self, expressions, originals
    ):
        def counts(some):
            pairs = collections.Counter(
                (tokens[0], tokens[1].isdigit()) for tokens in some
            )
            return [
                pairs[pair]
                for pair in itertools.product(OPERATORS, (False, True))
            ]

        tables = [counts(strings(expressions)), counts(originals)]
        assert chi2_contingency(tables).pvalue > 1e-3


def binarized(tree):
    """A tree in the published files' notation."""
    if isinstance(tree, int):
        return str(tree)
    text = tree[0]
    for argument in tree[1:]:
        text = f"( {text} {binarized(argument)} )"
    return f"( {text} ] )"


TREES = [
    ["[MAX", 2, 9],
    ["[SM", 1, ["[MED", 3, 6, ["[MIN", 8, 7]], 9],
    ["[MED", ["[MAX", 0, 5], 4],
]
ANSWERS = [9, 6, 4]


@pytest.fixture
def folder(tmp_path):
    """The published files, of three examples each."""
    for name in ("train", "val", "test"):
        with open(tmp_path / f"basic_{name}.tsv", "w", newline="") as file:
            writer = csv.writer(file, delimiter="\t")
            writer.writerow(["Source", "Target"])
            writer.writerows(zip(map(binarized, TREES), ANSWERS, strict=True))
    return tmp_path


class TestPublishedFiles:
    def test_notation(self):
        assert binarized(TREES[0]) == "( ( ( [MAX 2 ) 9 ) ] )"

    def test_are_read_without_parentheses(self, folder):
        read = listops.read_tsv(folder / "basic_train.tsv")
        assert strings(read) == list(map(flat, TREES))
        assert read.answers.tolist() == ANSWERS

    def test_of_generated_expressions_come_back(self, tmp_path):
        expressions = listops_trees.generate(50)
        path = tmp_path / "some.tsv"
        with open(path, "w") as file:
            file.write("Index\tTarget\tSource\n")
            for number, (tokens, answer) in enumerate(
                zip(strings(expressions), expressions.answers, strict=True)
            ):
                file.write(f"{number}\t{answer}\t{' '.join(tokens)}\n")
        for ours, read in zip(expressions, listops.read_tsv(path), strict=True):
            np.testing.assert_array_equal(ours, read)

    def test_make_a_task(self, folder):
        splits = tasks.get("listops", folder).data.splits
        assert list(splits) == ["train", "validation", "test"]
        for x, y, *_ in splits.values():
            assert x.row_lengths().numpy().tolist() == [4, 12, 7]
            assert x[0].numpy().tolist() == [11, 2, 9, 14]
            assert y.tolist() == ANSWERS and y.dtype == np.int32

    def test_are_not_read_before_they_are_needed(self):
        task = tasks.get("listops", "no such folder")
        with pytest.raises(FileNotFoundError, match="no such folder"):
            task.datasets()

    def test_missing_file_is_named(self, folder):
        (folder / "basic_val.tsv").unlink()
        with pytest.raises(FileNotFoundError, match=r"/basic_val\.tsv`"):
            tasks.get("listops", folder).class_counts("test")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "line 1: there is no column `Source`"),
            ("Source\tAnswer\n", "line 1: there is no column `Target`"),
            ("Source\tTarget\n", "has no examples"),
            ("Source\tTarget\r\n\r\n", "has no examples"),
            ("Source\tTarget\n[MIN 1 2 ]\t1\n5\n", "line 3: expected 2 col"),
            ("Source\tTarget\n5\t5\t5\n", "line 2: expected 2 columns"),
            ("Source\tTarget\n5\t5\n\n[AVG 2 ]\t2\n", r"line 4: .*'\[AVG'"),
            ("Source\tTarget\n12\t2\n", "line 2: unknown token '12'"),
            ("Source\tTarget\n\xe9\t2\n", "line 2: unknown token 'é'"),
            ("Source\tTarget\n( )\t2\n", "line 2: the Source is empty"),
            ("Source\tTarget\n\t2\n", "line 2: the Source is empty"),
            ("Source\tTarget\n5\t10\n", "line 2: .* 0 to 9 but found '10'"),
            ("Source\tTarget\n5\t-1\n", "line 2: .* 0 to 9 but found '-1'"),
            ("Source\tTarget\n5\t\n", "line 2: .* 0 to 9 but found ''"),
        ],
    )
    def test_wrong_line_is_named(self, tmp_path, text, message):
        path = tmp_path / "basic_train.tsv"
        path.write_text(text, encoding="utf-8", newline="")
        with pytest.raises(ValueError, match=message) as info:
            listops.read_tsv(path)
        assert f"`{path}`" in str(info.value)

    def test_a_file_that_is_no_text_is_refused(self, tmp_path):
        path = tmp_path / "basic_train.tsv"
        path.write_bytes(b"Source\tTarget\n\xff" + b"\x00" * 999 + b"\t3\n")
        with pytest.raises(ValueError, match="line 2: unknown") as info:
            listops.read_tsv(path)
        assert len(str(info.value)) < 400


SIZES = {"train": 30, "validation": 6, "test": 4}


class TestTask:
    @pytest.fixture(autouse=True)
    def small(self, monkeypatch, tmp_path):
        monkeypatch.setenv("KERAS_FPT_HOME", str(tmp_path))
        monkeypatch.setattr(listops, "SIZES", SIZES)

    def test_sizes_of_long_range_arena(self, monkeypatch):
        monkeypatch.undo()
        assert listops.SIZES == {
            "train": 96_000,
            "validation": 2_000,
            "test": 2_000,
        }

    def test_description(self):
        task = tasks.get("listops")
        assert (task.name, task.num_classes) == ("listops", 10)
        assert (task.sequence_length, task.vocabulary_size) == (512, 15)
        assert task.input_dim is None
        assert " ".join(task.symbols) == (
            "0 1 2 3 4 5 6 7 8 9 [MIN [MAX [MED [SM ]"
        )
        assert task.origin.licence == "Apache-2.0"

    def test_splits_are_consecutive_generated_expressions(self):
        splits = tasks.get("listops", max_length=2000).data.splits
        assert {name: len(split.y) for name, split in splits.items()} == SIZES
        generated = listops_trees.generate(40)
        tokens = [split.x.flat_values.numpy() for split in splits.values()]
        np.testing.assert_array_equal(np.concatenate(tokens), generated.tokens)
        lengths = [split.x.row_lengths().numpy() for split in splits.values()]
        np.testing.assert_array_equal(
            np.concatenate(lengths), np.diff(generated.offsets)
        )
        answers = np.concatenate([split.y for split in splits.values()])
        np.testing.assert_array_equal(answers, generated.answers)
        assert answers.dtype == np.int32

    def test_expressions_are_cut(self):
        whole = tasks.get("listops", max_length=2000).data.splits["test"]
        for length in (1, 512, 700):
            task = tasks.get("listops", max_length=length)
            assert task.sequence_length == length
            cut = task.data.splits["test"]
            for short, long in zip(cut.x, whole.x, strict=True):
                np.testing.assert_array_equal(short, long[:length])
            np.testing.assert_array_equal(cut.y, whole.y)

    def test_bracketless_drops_closing_brackets_and_then_cuts(self):
        task = tasks.get("listops:bracketless", max_length=300)
        assert task.name == "listops:bracketless"
        assert task.vocabulary_size == 14
        assert " ".join(task.symbols) == "0 1 2 3 4 5 6 7 8 9 MIN MAX MED SM"
        whole = tasks.get("listops", max_length=2000).data.splits["test"]
        split = task.data.splits["test"]
        for ours, long in zip(split.x, whole.x, strict=True):
            kept = [token for token in long.numpy() if token != 14]
            assert ours.numpy().tolist() == kept[:300]
        np.testing.assert_array_equal(split.y, whole.y)

    def test_is_generated_once(self, monkeypatch, tmp_path):
        first = tasks.get("listops").data.splits["train"].x
        assert len(list(tmp_path.iterdir())) == 1

        def fail(*_, **__):
            raise AssertionError("generated again")

        monkeypatch.setattr(listops_trees, "generate", fail)
        again = tasks.get("listops").data.splits["train"].x
        np.testing.assert_array_equal(first.flat_values, again.flat_values)

    def test_is_generated_again_where_the_file_is_damaged(
        self, tmp_path, capsys
    ):
        first = tasks.get("listops").data.splits["test"].x
        (path,) = tmp_path.iterdir()
        good = bytearray(path.read_bytes())
        good[-100] ^= 1
        path.write_bytes(good)
        again = tasks.get("listops").data.splits["test"].x
        np.testing.assert_array_equal(first.flat_values, again.flat_values)
        assert f"Making `{path}` again" in capsys.readouterr().out

    def test_batches(self):
        task = tasks.get("listops", max_length=600)
        x, y = next(iter(task.datasets(batch_size=5).train))
        assert x["tokens"].shape[0] == 5 and y.shape == (5,)
        lengths = x["padding_mask"].numpy().sum(1)
        assert (lengths > 500).all() and (lengths <= 600).all()
        assert (x["tokens"].numpy()[:, 0] >= 10).all()

    @pytest.mark.parametrize("length", [0, -3])
    def test_max_length_must_be_positive(self, length):
        with pytest.raises(ValueError, match=f"at least 1 .* {length}"):
            tasks.get("listops", max_length=length)

    def test_unknown_variant_names_the_choices(self):
        with pytest.raises(ValueError, match="'listops:bracketless'"):
            tasks.get("listops:brackets")


GOLDEN = "2cfb86ff922c26ad"
