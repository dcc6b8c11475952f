"""A run keeps its precision on every machine that resumes it."""

# Fixtures are imported, and then named as arguments.
# ruff: noqa: F401, F811

import pytest
from interrupting import config, fail_at, result, small_evaluations

from keras_fpt.models import precision
from keras_fpt.runs import checkpoint_folder, train
from keras_fpt.runs import folder as run_folder


class Killed(BaseException):
    """Ends a run as a kill would, but within the process."""


def on_machine(monkeypatch, kind):
    monkeypatch.setattr(precision, "_device", lambda backbone: (kind, None))


def test_ends_as_if_it_had_not_been_interrupted(
    config, tmp_path, monkeypatch, messages
):
    run = config.with_settings(precision="bfloat16", steps=6)
    train(run, tmp_path / "whole")
    auto = config.with_settings(precision="auto", steps=6)
    on_machine(monkeypatch, "tpu")
    with monkeypatch.context() as patch:
        fail_at(patch, checkpoint_folder, "write", 2, Killed, False)
        with pytest.raises(Killed):
            train(auto, tmp_path / "parts")
    on_machine(monkeypatch, "mps")
    messages.clear()
    train(auto, tmp_path / "parts", resume=True)
    assert "Resuming after step 2." in messages
    assert not any("precision" in line for line in messages)
    assert result(tmp_path / "parts") == result(tmp_path / "whole")
    for name in ("whole", "parts"):
        saved = run_folder.read_config(tmp_path / name)
        assert saved.model.precision == "bfloat16"
    # It is finished for either command.
    train(auto, tmp_path / "parts", resume=True)
    train(run, tmp_path / "parts", resume=True)
    with pytest.raises(ValueError, match="has precision=bfloat16 but received"):
        train(config.with_settings(steps=6), tmp_path / "parts", resume=True)


@pytest.mark.backend_free
def test_a_run_without_it_is_one_in_float32(config):
    assert "precision" not in config.identity()
    assert config.with_settings(precision="auto").identity()["precision"]
