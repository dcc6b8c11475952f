"""Runs on long series, which are patched, and on what a batch norm averages."""

import json

import numpy as np
import pytest
from conftest import gpt2_backbone
from interrupting import fail_at, result, small_evaluations  # noqa: F401

from keras_fpt.models import ModelOptions
from keras_fpt.reports import attention_maps
from keras_fpt.runs import (
    RunConfig,
    attention_drawing,
    checkpoint_folder,
    load_trained,
    predict,
    resolve,
    train,
)
from keras_fpt.runs.patching import num_tokens, patch_size

STEPS = 200


@pytest.fixture(scope="module")
def long_series(tmp_path_factory):
    """A file of series that are longer than the preset's 128 positions."""
    path = tmp_path_factory.mktemp("data") / "long.npz"
    y = np.arange(60) % 2
    x = np.random.default_rng(0).normal(size=(60, STEPS, 2)) + y[:, None, None]
    np.savez(path, x=x.astype("float32"), y=y)
    return str(path)


def series_config(path, preset, **settings):
    return RunConfig(path, preset).with_settings(
        depth=1, steps=10, batch_size=20, **settings
    )


@pytest.mark.backend_free
class TestRule:
    """At most 64 tokens, where there are more steps than positions."""

    @pytest.mark.parametrize(
        ("positions", "expected"),
        [(199, 4), (150, 4), (60, 4), (40, 5), (200, None), (1000, None)],
    )
    def test_of_own_series(self, long_series, preset, positions, expected):
        run = resolve(series_config(long_series, preset))
        backbone = gpt2_backbone(num_layers=1, max_sequence_length=positions)
        assert patch_size(run, backbone) == expected

    def test_a_choice_is_kept(self, long_series, preset):
        run = resolve(series_config(long_series, preset, patch_size=7))
        assert patch_size(run, gpt2_backbone(num_layers=1)) == 7

    def test_tasks_of_the_package_have_none(self, preset):
        run = resolve(RunConfig("digits", preset))
        backbone = gpt2_backbone(num_layers=1, max_sequence_length=2)
        assert patch_size(run, backbone) is None

    def test_the_number_of_tokens(self, long_series, preset):
        task = resolve(series_config(long_series, preset)).task
        assert num_tokens(task, ModelOptions()) == 200
        assert num_tokens(task, ModelOptions(patch_size=16)) == 13
        chosen = ModelOptions(patch_size=16, patch_stride=8)
        assert num_tokens(task, chosen) == 25


@pytest.mark.backend_free
def test_a_run_on_long_series_is_patched_and_says_so(
    long_series, preset, tmp_path, messages
):
    folder = tmp_path / "run"
    metrics = train(series_config(long_series, preset), folder)
    assert any(
        "joins 4 steps" in line and "50 tokens" in line for line in messages
    )
    assert json.loads((folder / "config.json").read_text())["patch_size"] == 4
    again = train(series_config(long_series, preset), folder, resume=True)
    assert again == metrics
    _, model = load_trained(folder)
    assert model.options.patch_size == 4
    assert len(predict(folder, long_series)) == 60
    drawn = attention_maps.attention_map(folder, tmp_path / "map.png")
    assert drawn.shape == (1, 50, 50)
    assert attention_drawing.patch_labels(10, 4, 4) == ["0-3", "4-7", "8-9"]


@pytest.mark.backend_free
def test_the_averages_of_a_batch_norm_resume(
    long_series, preset, tmp_path, monkeypatch
):
    config = series_config(
        long_series,
        preset,
        patch_size=20,
        readout="flatten",
        output_norm="batch",
    )
    train(config, tmp_path / "whole")
    with monkeypatch.context() as patch:
        place = checkpoint_folder, "write", 5, KeyboardInterrupt, False
        fail_at(patch, *place)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path / "run")
    train(config, tmp_path / "run", resume=True)
    assert result(tmp_path / "run") == result(tmp_path / "whole")
