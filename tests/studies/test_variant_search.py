import contextlib
import dataclasses
import types

import pytest

from keras_fpt.runs import RunConfig
from keras_fpt.studies import variant_search
from keras_fpt.studies.deadline import Deadline, OutOfTime
from keras_fpt.studies.variant_search import run_variants

pytestmark = pytest.mark.backend_free
# Validation accuracies, by arm and learning rate.
ACCURACY = {
    ("fpt", 1e-4): 0.1,
    ("fpt", 1e-3): 0.8,
    ("fpt", 1e-2): 0.9,
    ("fpt", 3e-2): 0.95,
    ("fpt", 1e-1): 0.3,
    ("random", 1e-4): 0.1,
    ("random", 1e-3): 0.7,
    ("random", 1e-2): 0.6,
    ("random", 3e-2): 0.5,
    ("random", 1e-1): 0.4,
}


@pytest.fixture
def runs(monkeypatch):
    """Every run that is asked for, in order; none is trained.

    Each is of an arm, a rate and a seed, and whether its test is read.
    """
    asked, read = [], set()

    def get_or_train(config, folder, test, until=None):
        key = (config.arm, config.learning_rate, config.seed)
        asked.append((*key, test))
        if key[:2] in asked.failing:
            raise OSError("no such weights")
        if len(asked) == asked.late:
            raise OutOfTime
        if test:
            read.add(key)
        accuracy = ACCURACY[key[:2]]
        metrics = {"validation_accuracy": accuracy, "validation_loss": 1.0}
        if key in read:
            metrics["test_accuracy"] = accuracy
        return folder, metrics

    class Asked(list):
        failing, late = (), None

    asked = Asked()

    def is_tested(config, folder):
        return (config.arm, config.learning_rate, config.seed) in read

    monkeypatch.setattr(variant_search, "get_or_train", get_or_train)
    monkeypatch.setattr(variant_search, "is_tested", is_tested)
    return asked


def search(runs, seeds=2, rates=(1e-4, 1e-3, 1e-2), **options):
    variants = [RunConfig("digits", arm=arm) for arm in ("fpt", "random")]
    return run_variants(
        variants, rates, seeds, "folder", Deadline(), 0.0, **options
    )


def test_each_has_its_best_rate_and_all_have_their_turns(runs):
    assert search(runs) == []
    assert runs == [
        ("fpt", 1e-4, 0, False),
        ("random", 1e-4, 0, False),
        ("fpt", 1e-3, 0, False),
        ("random", 1e-3, 0, False),
        ("fpt", 1e-2, 0, False),
        ("random", 1e-2, 0, False),
        # The best of one is the highest, so all try more.
        ("fpt", 3e-2, 0, False),
        ("random", 3e-2, 0, False),
        ("fpt", 1e-1, 0, False),
        ("random", 1e-1, 0, False),
        # Other seeds than that of the search.
        ("fpt", 3e-2, 1, True),
        ("random", 1e-3, 1, True),
        ("fpt", 3e-2, 2, True),
        ("random", 1e-3, 2, True),
    ]


def test_the_run_that_was_chosen_may_be_the_first_of_the_seeds(runs):
    search(runs, shares_seed=True)
    assert [run for run in runs if run[3]] == [
        ("fpt", 3e-2, 0, True),
        ("random", 1e-3, 0, True),
        ("fpt", 3e-2, 1, True),
        ("random", 1e-3, 1, True),
    ]


def test_a_search_continues_outward_a_few_times(runs, monkeypatch):
    monkeypatch.setattr(variant_search, "MAX_EXTENSIONS", 1)
    search(runs)
    assert {run[1] for run in runs} == {1e-4, 1e-3, 1e-2, 3e-2}


def test_faults_of_a_library_are_not_filed_as_not_run(runs, monkeypatch):
    """Only what this package explains is a reason to leave a run out."""
    broken = types.ModuleType("keras.broken")
    exec("def train(*_, **__): raise ValueError('shapes')", vars(broken))
    monkeypatch.setattr(variant_search, "get_or_train", broken.train)
    with pytest.raises(ValueError, match="shapes"):
        search(runs)


def test_what_cannot_be_had_is_not_tried_again(runs):
    runs.failing = [("fpt", 1e-4)]
    (missing,) = search(runs)
    assert (missing.what, missing.reason) == ("fpt", "no such weights")
    assert [key[0] for key in runs].count("fpt") == 1


def test_out_of_time_each_is_chosen_among_those_that_were_tried(runs):
    runs.late = 5
    assert search(runs, seeds=1) == []
    # The fifth was interrupted; then the test split is read.
    assert runs[4:6] == [("fpt", 1e-2, 0, False), ("fpt", 1e-3, 1, True)]


def test_out_of_time_for_its_test_each_is_named(runs):
    runs.late = 11
    (missing,) = search(runs, seeds=1)
    assert missing.what == "fpt" and "train and test it" in missing.reason


def test_what_had_no_turn_has_the_first_rate(runs):
    runs.late = 2
    assert search(runs, seeds=1) == []
    assert runs[2:] == [("fpt", 1e-4, 1, True), ("random", 1e-4, 1, True)]


class SlowMachine:
    """A deadline and a clock, on which every run takes 100 s."""

    def __init__(self, runs, seconds):
        self.runs, self.seconds = runs, seconds

    def monotonic(self):
        return 100.0 * len(self.runs)

    @property
    def left(self):
        return self.seconds - self.monotonic()

    @contextlib.contextmanager
    def enforced(self, reserve):
        if self.left - reserve < 100:
            raise OutOfTime
        yield


@pytest.mark.parametrize(
    "seconds, searched, tested",
    [
        (700, [1e-4, 1e-4, 1e-3, 1e-3], ["fpt", "random"]),
        (410, [1e-4, 1e-4], ["fpt", "random"]),
        (310, [1e-4], ["fpt", "random"]),
        (210, [1e-4], ["fpt"]),
    ],
)
def test_the_search_leaves_time_for_a_test_of_each(
    runs, monkeypatch, seconds, searched, tested
):
    """On a slow machine no rate is searched, rather than nothing tested."""
    machine = SlowMachine(runs, seconds)
    monkeypatch.setattr(variant_search, "time", machine)
    variants = [RunConfig("digits", arm=arm) for arm in ("fpt", "random")]
    missing = run_variants(variants, (1e-4, 1e-3), 1, "folder", machine, 0.0)
    assert [run[1] for run in runs if not run[3]][:4] == searched
    assert [run[0] for run in runs if run[3]] == tested
    assert len(missing) == 2 - len(tested)


def test_a_rate_whose_test_was_read_stays(runs):
    runs.late = 5
    search(runs, seeds=1)
    done = len(runs)
    search(runs, seeds=1)
    assert ("fpt", 1e-3, 1, True) in runs[done:]
    assert {run[1] for run in runs if run[3]} == {1e-3}


def test_seeds_begin_at_that_of_the_variant(runs):
    variant = dataclasses.replace(RunConfig("digits"), seed=7)
    run_variants([variant], (1e-3,), 2, "folder", Deadline(), 0.0)
    assert [key[2] for key in runs] == [7, 8, 9]
