"""A run with every default filled in, its task loaded and its preset found."""

import dataclasses
import json
import math
import pathlib
from typing import Any, Self

from keras_fpt import freezing, options, tasks
from keras_fpt.models import FPTClassifier, ModelOptions
from keras_fpt.presets import Preset
from keras_fpt.random_weights import Draw
from keras_fpt.runs import arms, recipes, target_results
from keras_fpt.runs.config import RunConfig, without_checks
from keras_fpt.runs.loaded_tasks import load_task
from keras_fpt.tasks import Task

# Default patience of a run on the user's own data, in evaluations.
OWN_PATIENCE = 5
# Fields that the files of runs do not have.
_PYTHON_ONLY = {
    name: getattr(ModelOptions(), name)
    for name in options.names(ModelOptions, python_only=True)
}


@dataclasses.dataclass(frozen=True)
class ResolvedRun:
    """Everything that decides a run's result, apart from versions.

    Args:
        config: the `RunConfig` that was resolved, with the defaults of its
            recipe.
        task: the `Task`.
        preset: the `Preset`.
        arm: the `Arm`.
        model: `ModelOptions`, in which `None` means 'off', no longer 'the
            default'.
        steps: int, gradient steps.
        batch_size: int.
        learning_rate: float.
        options: dict, options of the task itself, as JSON values.
        source: string, absolute path of the user's own data, or `None`.
    """

    config: RunConfig
    task: Task
    preset: Preset
    arm: arms.Arm
    model: ModelOptions
    steps: int
    batch_size: int
    learning_rate: float
    options: dict[str, Any]
    source: str | None

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self.config.seed

    @property
    def evaluation_batch_size(self) -> int:
        """Examples per batch where the model is evaluated."""
        return _or(self.config.evaluation_batch_size, self.batch_size)

    @property
    def draw(self) -> Draw:
        """The settings with which the arm draws weights, if it does."""
        config = self.config
        return Draw(
            config.seed, config.init_scale, config.random_init or "gpt2"
        )

    @property
    def quantiles(self) -> tuple[float, ...]:
        """The quantiles that a run predicts; empty for one number."""
        return target_results.parse_quantiles(self.config.quantiles)

    @property
    def named_data(self) -> str | None:
        """The fingerprint of data that the user has named.

        It is `None` for data that a task locates by itself, which is read only
        when it is needed.
        """
        is_named = self.source is not None or self.config.data_dir is not None
        return self.task.data.fingerprint if is_named else None

    def settings(self) -> dict[str, Any]:
        """All options in one flat dict, as in `config.json`."""
        return self._filled().with_absolute_paths().settings()

    def identity(self) -> dict[str, Any]:
        """The settings that distinguish the run; see `RunConfig`."""
        return self._filled().identity()

    def to_json(self) -> str:
        """The run's configuration as JSON text, with all defaults filled in."""
        return self._filled().with_absolute_paths().to_json()

    def _filled(self) -> RunConfig:
        return dataclasses.replace(
            self.config,
            task=self.task.name,
            preset=self.preset.text,
            arm=self.arm.name,
            model=self.model,
            steps=self.steps,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            options=self.options,
            source=self.source,
        )

    def as_built(self, model: FPTClassifier) -> Self:
        """The run with the options that its model has.

        The dropout rate is 0 if none was given and the backbone has no
        dropout; the patch size is that of `patching.patch_size`; the
        precision is what `"auto"` has chosen.
        """
        built = dataclasses.replace(
            self.model,
            dropout=model.options.dropout or 0.0,
            patch_size=model.options.patch_size,
            precision=model.options.precision,
        )
        return dataclasses.replace(self, model=built)


def resolve(config: RunConfig, task: Task | None = None) -> ResolvedRun:
    """Fills in every default of a run, loads its task and finds its preset.

    Args:
        config: a `RunConfig`. One that was read from a run's folder has no
            defaults left to fill in.
        task: the `Task`, if it is loaded already; `None` loads it, or takes
            it from memory.

    Raises:
        ValueError: a value is out of range or unknown.
        FileNotFoundError: the task's data does not exist.
    """
    arm = arms.get(config.arm)
    config = recipes.apply(config, arm)
    config = _with_stopping(config)
    own = json.loads(json.dumps(config.options))  # tuples become lists
    for name in tasks.PATH_OPTIONS & own.keys():
        own[name] = _absolute(own[name])
    source = config.source
    if source is None and tasks.is_user_data(config.task):
        source = str(pathlib.Path(config.task).resolve())
    if task is None:
        task = load_task(
            config.task, config.data_dir, own, source, config.train_examples
        )
    given = _for_task(config.model, task)
    run = ResolvedRun(
        config=config,
        task=task,
        preset=Preset.parse(config.preset or arm.preset),
        arm=arm,
        model=dataclasses.replace(
            given,
            policy=given.policy or arm.policy,
            depth=_or(given.depth, arm.depth),
            dropout=_or(given.dropout, recipes.dropout(config, task)),
            learned_positions=given.learned_positions or arm.learned_positions,
        ),
        steps=_or(config.steps, task.recipe.steps),
        batch_size=_or(config.batch_size, task.recipe.batch_size),
        learning_rate=_or(config.learning_rate, task.recipe.learning_rate),
        options=without_checks(own),
        source=source,
    )
    _check_ranges(run)
    return run


def _with_stopping(config: RunConfig) -> RunConfig:
    """Fills in `patience` and `keep`, whose defaults depend on the data."""
    is_own = config.source is not None or tasks.is_user_data(config.task)
    if is_own and config.recipe is None:
        patience, keep = _or(config.patience, OWN_PATIENCE), config.keep
        config = dataclasses.replace(
            config, patience=patience, keep=keep or "best"
        )
    return config.with_former_defaults()


def _for_task(given: ModelOptions, task: Task) -> ModelOptions:
    """The options of a model, with the defaults that depend on the task."""
    if not task.is_forecast:
        return given
    readout = "flatten" if given.readout == "last" else given.readout
    return dataclasses.replace(given, readout=readout, instance_norm=True)


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _absolute(path: str) -> str:
    return str(pathlib.Path(path).absolute())


def _check_ranges(run: ResolvedRun) -> None:
    """Raises `ValueError` for the first value that is out of range."""
    freezing.parse_policy(str(run.model.policy))
    is_other = run.task.is_multilabel or run.task.is_per_token
    if run.config.class_weight is not None and (
        is_other or run.task.is_regression
    ):
        raise ValueError(
            f"The examples of '{run.task.name}' do not have one class each, to "
            "be weighted by. Leave out class_weight (--class-weight)."
        )
    has_no_features = run.task.is_per_token or run.task.is_forecast
    if has_no_features and run.config.cache_features:
        kind = "is a forecast" if run.task.is_forecast else "labels each token"
        raise ValueError(
            f"The task '{run.task.name}' {kind}, for which features cannot be "
            "cached. Leave out cache_features "
            "(--cache-features)."
        )
    for name in ("loss", "quantiles"):
        if getattr(run.config, name) is not None and not run.task.is_regression:
            raise ValueError(
                f"{name} (--{name}) is for a regression, and the labels of "
                f"'{run.task.name}' are classes. Leave it out, or give "
                "--task-type regression if they are numbers."
            )
    if run.config.loss not in (None, "mse", "huber"):
        raise ValueError(
            "Expected loss to be mse or huber but received "
            f"{run.config.loss!r}."
        )
    if run.quantiles and run.config.loss is not None:
        raise ValueError(
            "Quantiles are trained with the pinball loss: leave out loss "
            "(--loss)."
        )
    if not run.arm.takes_init and run.draw != Draw(run.seed):
        drawn = [name for name, arm in arms.ARMS.items() if arm.takes_init]
        raise ValueError(
            "init_scale and random_init are for weights that are drawn at "
            f"random, which the arm '{run.arm.name}' does not have. Leave them "
            f"out, or use one of the arms {', '.join(drawn)}."
        )
    for name, default in _PYTHON_ONLY.items():
        if getattr(run.model, name) != default:
            raise ValueError(
                f"A run always has {name}={default}, but received "
                f"{getattr(run.model, name)}."
            )
    for name in ("steps", "batch_size", "evaluation_batch_size"):
        if getattr(run, name) < 1:
            raise ValueError(
                f"Expected {name} to be at least 1 but received "
                f"{getattr(run, name)}."
            )
    every = run.config.evaluation_steps
    if every is not None and every < 1:
        raise ValueError(
            f"Expected evaluation_steps to be at least 1 but received {every}."
        )
    if run.config.patience is not None and run.config.patience < 0:
        raise ValueError(
            "Expected a patience of 0 or more evaluations but received "
            f"{run.config.patience}."
        )
    for name, known in (
        ("keep", ("best", "last")),
        ("class_weight", ("balanced", None)),
    ):
        value = getattr(run.config, name)
        if value not in known:
            raise ValueError(
                f"Expected {name} to be {' or '.join(filter(None, known))} but "
                f"received {value!r}."
            )
    accumulated = run.config.gradient_accumulation_steps
    if accumulated is not None and accumulated < 2:
        raise ValueError(
            "Expected gradient_accumulation_steps to be at least 2 but "
            f"received {accumulated}."
        )
    rate = run.learning_rate
    if not (math.isfinite(rate) and rate > 0):
        raise ValueError(
            f"Expected a learning rate above 0 but received {rate}."
        )
    if not 0 <= run.seed < 2**31:
        raise ValueError(
            f"Expected a seed from 0 to 2^31 - 1 but received {run.seed}."
        )
