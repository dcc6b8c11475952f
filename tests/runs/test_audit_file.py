import json
import logging

import numpy as np
import pytest

from keras_fpt.runs import RunConfig, resolve, train
from keras_fpt.runs.run_store import run_name

pytestmark = pytest.mark.backend_free


@pytest.fixture
def config(preset, tmp_path):
    """A run on noise, sorted by its label, with row numbers."""
    values = np.random.default_rng(0).normal(size=(60, 2)).round(4)
    rows = "".join(
        f"{i},{a},{b},{'np'[i >= 30]}\n" for i, (a, b) in enumerate(values)
    )
    (tmp_path / "rows.csv").write_text(f"id,a,b,y\n{rows}")
    return RunConfig(
        str(tmp_path / "rows.csv"),
        preset,
        steps=2,
        batch_size=8,
        options={"label_column": "y"},
    )


def strictly(config):
    return config.with_settings(options={**config.options, "strict": True})


def test_a_run_keeps_what_the_audit_found(
    config, tmp_path, caplog, monkeypatch
):
    monkeypatch.setattr(logging.getLogger("keras_fpt"), "propagate", True)
    with caplog.at_level(logging.INFO, "keras_fpt"):
        train(config, tmp_path / "run")
    (entry,) = json.loads((tmp_path / "run" / "audit.json").read_text())
    assert entry["kind"] == "row-numbers" and entry["is_leak"]
    assert entry["message"].startswith("The column 'id' counts the rows")
    assert entry["advice"] == "Leave it out: --ignore-column id."
    assert "1 note on the data: see" in caplog.records[-1].message
    assert "audit.json" in caplog.records[-1].message


def test_strict_refuses_a_leak_before_a_run_has_a_folder(config, tmp_path):
    with pytest.raises(ValueError, match="1 leak: The column 'id'"):
        train(strictly(config), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_strict_is_no_part_of_a_run(config):
    clean = config.with_settings(
        options={**config.options, "ignore_column": ["id"]}
    )
    strict, other = resolve(strictly(clean)), resolve(clean)
    assert strict.to_json() == other.to_json()
    assert run_name(strict) == run_name(other)
    assert strictly(clean).identity() == clean.identity()
    # The data is read once.
    assert strict.task is other.task
