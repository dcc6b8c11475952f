"""Checks a sweep before any worker is started."""

import contextlib
import dataclasses
import itertools
import os
from collections.abc import Iterator
from typing import Any

import keras

from keras_fpt import logs, tasks
from keras_fpt.models import ModelOptions
from keras_fpt.runs import ResolvedRun, build_model, resolve
from keras_fpt.studies.sweep_config import Range, SweepConfig

# The accelerator's memory is for the workers.
_MEMORY_FOR_WORKERS = {
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
}


def check_sweep(config: SweepConfig) -> None:
    """Raises the errors that the sweep's runs would raise at their start.

    Every point of a grid is checked, and the ends of each range. Where options
    of the model are set or searched, models are built, too, since whether a
    value fits depends on the backbone.

    Raises:
        ValueError, FileNotFoundError: something in `config` is invalid.
    """
    built: set[tuple[str, ModelOptions]] = set()
    # Workers describe the task.
    with _little_memory(), logs.only_warnings(tasks.__name__):
        for settings in _points(config):
            for arm, run_config in config.configs(settings).items():
                run = resolve(run_config)
                model = arm, run_config.model
                if run_config.model != ModelOptions() and model not in built:
                    _check_model(run, arm)
                    built.add(model)


@contextlib.contextmanager
def _little_memory() -> Iterator[None]:
    """Limits a backend that starts within the block to the memory it needs."""
    added = _MEMORY_FOR_WORKERS.keys() - os.environ.keys()
    os.environ.update({name: _MEMORY_FOR_WORKERS[name] for name in added})
    try:
        yield
    finally:
        for name in added:  # Workers start as without the check.
            del os.environ[name]


def _points(config: SweepConfig) -> list[dict[str, Any]]:
    """The grid, with a range's ends in place of what lies between."""
    values = [
        (v.low, v.high) if isinstance(v, Range) else v
        for v in config.search.values()
    ]
    return [
        dict(zip(config.search, point, strict=True))
        for point in itertools.product(*values)
    ]


def _check_model(run: ResolvedRun, arm: str) -> None:
    try:
        build_model(run)
    except (ValueError, TypeError, NotImplementedError) as error:
        changed = ", ".join(
            f"{field.name}={getattr(run.config.model, field.name)}"
            for field in dataclasses.fields(ModelOptions)
            if getattr(run.config.model, field.name) != field.default
        )
        raise ValueError(
            f"The model of arm {arm} with {changed} cannot be built: {error}"
        ) from error
    finally:
        keras.utils.clear_session()
