# Fixtures are imported, and then named as arguments.
# ruff: noqa: F401, F811
"""Runs that train in one step have the files that they would have alone."""

import dataclasses

import numpy as np
import pytest
from interrupting import fail_at, result, small_evaluations

from keras_fpt.results import load_runs
from keras_fpt.runs import (
    Preempted,
    RunConfig,
    checkpoint_folder,
    evaluate,
    folder,
    folder_of,
    get_or_train,
    manifest,
    recorder,
    resolve,
    stacked_training,
    train_in_one_step,
)
from keras_fpt.runs.checkpoint_interval import CheckpointInterval

RATES, SEEDS = (1e-3, 1e-2), (0, 1)


@pytest.fixture(scope="module")
def config(preset):
    """A run of ten steps: evaluated after four, eight and ten."""
    return RunConfig("bit_xor", preset).with_settings(
        depth=1, steps=10, batch_size=20, dropout=0.0
    )


def stack_of(config, rates=RATES, seeds=SEEDS):
    return [
        dataclasses.replace(config, learning_rate=rate, seed=seed)
        for rate in rates
        for seed in seeds
    ]


def train(configs, runs, **options):
    """Trains runs in one step; returns their folders."""
    assert train_in_one_step(
        configs[0], configs[1:], runs, options.pop("test", True), 32, **options
    )
    return [folder_of(config, runs) for config in configs]


def names(path):
    # Each part of a run has its own file for TensorBoard.
    return {
        str(each.relative_to(path)).split("tfevents")[0]
        for each in path.rglob("*")
    }


def assert_alike(stacked, alone):
    """The folders of two runs have the same content, but for rounding."""
    assert names(stacked) == names(alone)
    text = (stacked / "config.json").read_text()
    assert text == (alone / "config.json").read_text()
    ours, theirs = (
        dataclasses.replace(manifest.read(path), stack=(), paths={})
        for path in (stacked, alone)
    )
    assert ours == theirs
    (metrics, rows, arrays, header), expected = result(stacked), result(alone)
    assert_near(metrics, expected[0])
    assert header == expected[3]
    for ours, theirs in zip(rows, expected[1], strict=True):
        assert_near(numbers(ours), numbers(theirs))
    assert arrays.keys() == expected[2].keys()
    for name, content in arrays.items():
        np.testing.assert_allclose(
            np.frombuffer(content, "float32"),
            np.frombuffer(expected[2][name], "float32"),
            atol=1e-5,
        )


def numbers(row):
    return {name: float(value) for name, value in row.items()}


def assert_near(ours, theirs):
    """Numbers in two nested dicts or lists differ by rounding only."""
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys()
        for name in ours:
            assert_near(ours[name], theirs[name])
    elif isinstance(ours, list):
        for one, other in zip(ours, theirs, strict=True):
            assert_near(one, other)
    elif isinstance(ours, float):
        assert ours == pytest.approx(theirs, abs=1e-5)
    else:
        assert ours == theirs


def some_of(config):
    """Three runs, of which one diverges."""
    return [
        dataclasses.replace(config, learning_rate=rate, seed=seed)
        for rate, seed in ((1e-3, 0), (1e-2, 1), (1e30, 1))
    ]


def test_each_has_the_files_that_it_would_have_alone(config, tmp_path):
    configs = some_of(config)
    folders = train(configs, tmp_path / "stacked")
    for each, path in zip(configs, folders, strict=True):
        alone, expected = get_or_train(each, tmp_path / "alone", test=True)
        # It is found as finished.
        again, metrics = get_or_train(each, tmp_path / "stacked", test=True)
        assert path == again and path.name == alone.name
        assert manifest.read(path).stack == tuple(f.name for f in folders)
        if each.learning_rate == 1e30:
            assert expected is metrics is None and names(path) == names(alone)
            (ours, theirs) = (
                (f / "diverged.json").read_text() for f in (path, alone)
            )
            assert ours == theirs
            continue
        assert_alike(path, alone)
        accuracy = evaluate(path)["accuracy"]
        assert accuracy == pytest.approx(metrics["test_accuracy"])
    statuses = load_runs(tmp_path / "stacked")["status"].tolist()
    assert sorted(statuses) == ["diverged", "finished", "finished"]


@pytest.fixture(scope="module")
def dropped(config):
    return some_of(config.with_settings(dropout=0.1))


@pytest.fixture(scope="module")
def uninterrupted(dropped, tmp_path_factory):
    """The results of a stack that nothing has interrupted."""
    folders = train(dropped, tmp_path_factory.mktemp("runs"))
    return list(map(result, folders[:2]))


@pytest.mark.parametrize(
    ("owner", "name", "call", "before"),
    [
        # The first run has a checkpoint, and the second none.
        pytest.param(
            *(checkpoint_folder, "write", 2, True),
            marks=[pytest.mark.backend_free, pytest.mark.slow],
        ),
        # The first run's folder says what the stack is, and the second's not.
        pytest.param(
            *(manifest, "save_or_check", 2, True),
            marks=pytest.mark.backend_free,
        ),
        # Within a segment: of step 6, when the first run has saved it.
        (checkpoint_folder, "write", 12, True),
        # At its end.
        pytest.param(
            *(recorder, "write_history", 3, True),
            marks=pytest.mark.backend_free,
        ),
        # When the first run is finished.
        pytest.param(
            *(stacked_training, "finish", 2, True),
            marks=[pytest.mark.backend_free, pytest.mark.slow],
        ),
    ],
)
def test_an_interrupted_stack_ends_as_if_nothing_had_happened(
    dropped, uninterrupted, tmp_path, monkeypatch, owner, name, call, before
):
    with monkeypatch.context() as patch:
        fail_at(patch, owner, name, call, KeyboardInterrupt(), before)
        with pytest.raises(KeyboardInterrupt):
            train(dropped, tmp_path)
    # The study continues with another one of the runs.
    folders = train(dropped[1:] + dropped[:1], tmp_path)
    *folders, diverged, first = folders
    assert [result(path) for path in (first, *folders)] == uninterrupted
    assert folder.has_diverged(diverged)


@pytest.mark.backend_free
def test_a_stack_that_pauses_goes_on_bit_for_bit(
    dropped, uninterrupted, tmp_path
):
    for path in train(dropped, tmp_path, test=False, until=3)[:2]:
        assert folder.is_paused(path) and folder.trains_on(path, 8)
    first, second, _ = train(dropped, tmp_path)
    assert [result(path) for path in (first, second)] == uninterrupted


@pytest.mark.backend_free
def test_those_that_no_longer_improve_end_and_others_go_on(config, tmp_path):
    config = dataclasses.replace(
        config, patience=1, keep="best", evaluation_steps=2
    )
    slow, fast, steep, worst = (
        dataclasses.replace(config, learning_rate=rate)
        for rate in (1e-3, 1e-2, 1.0, 1e30)
    )
    every = [slow, fast, steep, worst]
    paused = train(every, tmp_path / "stacked", test=False, until=2)
    # Those that are still of interest are stacked anew.
    folders = train([slow, fast, steep], tmp_path / "stacked")
    assert {len(manifest.read(path).stack) for path in folders} == {3}
    assert len(manifest.read(paused[3]).stack) == 4
    trained = []
    for each, path in zip([slow, fast, steep], folders, strict=True):
        get_or_train(each, tmp_path / "alone", test=False, until=2)
        alone, metrics = get_or_train(each, tmp_path / "alone", test=True)
        assert names(path) == names(alone)
        if each is not steep:  # At its rate, differences of rounding grow.
            assert_alike(path, alone)
        stacked = folder.read_metrics(path)
        for name in ("trained_steps", "kept_step"):
            assert stacked[name] == metrics[name]
        trained.append(metrics["trained_steps"])
    assert min(trained) < max(trained)


@pytest.mark.backend_free
def test_a_signal_leaves_a_checkpoint_of_each(config, tmp_path, monkeypatch):
    configs = stack_of(config, seeds=(0,))

    with monkeypatch.context() as patch:
        patch.setattr(CheckpointInterval, "is_due", lambda self: False)
        original = recorder.Recorder.advance

        def advance(self, logs):
            if self.step == 5:
                self.stop_signals.pending = Preempted
            return original(self, logs)

        patch.setattr(recorder.Recorder, "advance", advance)
        with pytest.raises(Preempted):
            train(configs, tmp_path / "stacked")
    for each in configs:
        path = folder_of(each, tmp_path / "stacked")
        assert checkpoint_folder.steps(path / folder.CHECKPOINTS) == [4, 6]
    # Either may continue alone, too.
    for each in configs:
        alone, _ = get_or_train(each, tmp_path / "alone", test=True)
        resumed, _ = get_or_train(each, tmp_path / "stacked", test=True)
        assert_alike(resumed, alone)


@pytest.mark.backend_free
class TestWhatIsStacked:
    def key(self, config, **settings):
        settings = {"learning_rate": 1e-3, **settings}
        run = resolve(config.with_settings(**settings))
        return stacked_training.stack_key(run)

    def test_rates_and_seeds_may_differ_and_nothing_else(self, config):
        key = self.key(config)
        assert key is not None
        assert key == self.key(config, learning_rate=1e-2, seed=3)
        for changes in ({"batch_size": 5}, {"dropout": 0.1}, {"depth": 2}):
            assert key != self.key(config, **changes)

    def test_frozen_weights_that_are_drawn_differ_by_seed(self, config):
        random = config.with_settings(arm="random")
        assert self.key(random) == self.key(random, learning_rate=1e-2)
        assert self.key(random) != self.key(random, seed=1)

    @pytest.mark.parametrize(
        "settings",
        [
            {"arm": "lstm"},
            {"gradient_accumulation_steps": 2},
            {"policy": "output", "cache_features": True},
        ],
    )
    def test_what_needs_steps_of_its_own(self, config, settings):
        assert self.key(config, **settings) is None

    def test_sequences_of_different_lengths_are_stacked_by_seed(
        self, preset, tmp_path
    ):
        path = tmp_path / "walks.csv"
        rows = [
            f"{person},{step % 7},{person % 2}"
            for person in range(40)
            for step in range(3 + person % 5)
        ]
        path.write_text("\n".join(["person,height,label", *rows]))
        config = RunConfig(
            str(path),
            preset,
            patience=0,
            options={"label_column": "label", "group_column": "person"},
        )
        assert self.key(config) == self.key(config, learning_rate=1e-2)
        assert self.key(config) != self.key(config, seed=1)

    def test_what_a_stack_refuses_is_left_to_be_trained_alone(
        self, config, tmp_path, messages
    ):
        configs = stack_of(config.with_settings(policy="full"), seeds=(0,))
        assert not train_in_one_step(
            configs[0], configs[1:], tmp_path, test=False, size=8
        )
        assert "one by one" in messages[-1] and not list(tmp_path.iterdir())

    def test_a_stack_without_memory_leaves_runs_that_begin_alone(
        self, config, messages, tmp_path, monkeypatch
    ):
        def no_memory(*_):
            raise MemoryError("No memory.")

        first, other = stack_of(config, seeds=(0,))
        monkeypatch.setattr(stacked_training, "_train", no_memory)
        assert not train_in_one_step(first, [other], tmp_path, False, 8)
        assert "train one by one. Out of memory: No memory." in messages[-1]
        for each in (first, other):
            assert manifest.read(folder_of(each, tmp_path)).stack == ()

    def test_a_run_that_began_alone_is_trained_alone(self, config, tmp_path):
        first, *others = stack_of(config)
        get_or_train(first, tmp_path, test=False, until=4)
        folders = train([others[0], first, *others[1:]], tmp_path, test=False)
        assert len(manifest.read(folders[0]).stack) == 3
        assert train_in_one_step(first, others, tmp_path, False, 8)
        assert folder.is_paused(folder_of(first, tmp_path))

    def test_stacks_have_at_most_so_many_runs(self, config, tmp_path):
        first, *others = stack_of(config)
        assert train_in_one_step(first, others, tmp_path, False, size=2)
        finished = load_runs(tmp_path)
        assert sorted(finished["seed"]) == [0, 1]
        assert set(finished["learning_rate"]) == {1e-3}
