"""Is a frozen language model worth it on this data? Answered within a time."""

import dataclasses
import functools
import json
import pathlib

import keras

from keras_fpt import files
from keras_fpt.files import json_files
from keras_fpt.reports.page import report
from keras_fpt.results import conclusion as worth
from keras_fpt.results import not_run
from keras_fpt.results.run_table import load_runs
from keras_fpt.runs import folder as run_folder
from keras_fpt.runs.config import RunConfig
from keras_fpt.runs.recorder import LEAST_STEPS_BETWEEN_EVALUATIONS
from keras_fpt.studies import cost
from keras_fpt.studies import rivals as baselines
from keras_fpt.studies.deadline import Deadline, OutOfTime
from keras_fpt.studies.variant_search import run_variants
from keras_fpt.tasks.stored import Stored

CONFIG = "compare.json"
PLAN = "plan.json"
RUNS = "runs"
REPORT = "report.html"
ARMS = ("fpt", "random")
TRAINED_ARMS = ("finetune", "full")
# Of the time that is left, for each of scikit-learn's models.
_BASELINE_SHARE = 0.08
# For the report's pictures and tables.
_REPORT_SECONDS = 15
# Of the time that runs may take, what they are planned to: steps vary.
_CAUTION = 0.7


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What is compared.

    Args:
        run: `RunConfig`, what all runs have in common. Its arm, policy,
            learning rate and steps are the comparison's to choose.
        finetune: bool, whether arms that train every weight take part.
    """

    run: RunConfig
    finetune: bool = False

    @property
    def variants(self):
        """List of the runs' `RunConfig`s, without rates, seeds and steps."""
        chosen = ARMS + TRAINED_ARMS * self.finetune
        found = [dataclasses.replace(self.run, arm=arm) for arm in chosen]
        return [*found, self._probe()]

    def _probe(self):
        """The output layer alone, on frozen features."""
        data = self.run.load_task().data
        never_changes = isinstance(data, Stored) and data.augment is None
        return dataclasses.replace(
            self.run,
            arm="fpt",
            policy="output_only",
            dropout=0.0,
            cache_features=never_changes,
        )


@dataclasses.dataclass(frozen=True)
class Plan:
    """How much is trained.

    Args:
        learning_rates: tuple of floats, those that each variant tries,
            likeliest first.
        seeds: int, runs of each at its best rate.
        steps: int, gradient steps of a run.
    """

    learning_rates: tuple[float, ...]
    seeds: int
    steps: int

    @classmethod
    def read(cls, path):
        """Reads what `compare` has written.

        Raises:
            ValueError: the file is damaged.
        """
        return json_files.from_dict(
            cls, json_files.read_object(path), f"`{path}`"
        )


# What is tried where the steps of a run would be so many of the recipe's.
_PLANS = (
    (1.0, (1e-3, 3e-3, 3e-4, 1e-2, 1e-4), 5),
    (0.25, (1e-3, 3e-3, 3e-4), 3),
    # Intervals from two seeds would be three times as wide.
    (0.0, (1e-3, 3e-3), 3),
)


def compare(comparison, folder, seconds, began=None, log=print):
    """Compares a frozen language model with what else one would try.

    That is the majority class, scikit-learn's logistic regression and
    histogram gradient boosting on the flattened tokens, a linear probe of the
    frozen model, the frozen model with random weights and, if asked for, arms
    that train every weight. Each has its own best settings, by validation
    accuracy; all runs have as many gradient steps, which are chosen such that
    all is done in time.

    The same call goes on where it was ended, with as much time again. Runs
    that are there are not run again.

    Args:
        comparison: a `Comparison`.
        folder: path of its folder, or `None` for a new one,
            `runs/<task>-compare-<n>`.
        seconds: float, wall time that it may take.
        began: float, of `time.monotonic()`, when that begins; `None` is now.
        log: function that takes a line of text.

    Returns:
        Tuple of the folder, the `pandas.DataFrame` of `report`, and the
        sentence of `worth.conclusion`.

    Raises:
        ValueError, FileNotFoundError: something in `comparison` is not right,
            or the time is too short.
        FileExistsError: the folder holds something else.
        Preempted, KeyboardInterrupt: the process was asked to stop.
    """
    deadline = Deadline(seconds, began)
    task = comparison.run.load_task(verbose=True)
    comparison.run.resolve(task)
    if folder is None:
        folder = run_folder.new_folder(task.name, "compare")
    folder = pathlib.Path(folder)
    _claim(folder, comparison)

    found, missing = _fit_baselines(task, folder, deadline, log)
    missing += _train(comparison, task, folder, deadline, log)
    not_run.write(missing, folder)
    table = report([folder], folder / REPORT, folder / "tables")
    return folder, table, worth.conclusion(load_runs(folder), found)


def _claim(folder, comparison):
    text = json.dumps(dataclasses.asdict(comparison), indent=2) + "\n"
    run_folder.claim_for(folder, CONFIG, text, "comparison")


def _fit_baselines(task, folder, deadline, log):
    """Lists of `Baseline` and of `NotRun`, of this call or of an earlier."""
    if (folder / baselines.FILE).is_file():
        missing = not_run.read(folder)
        return baselines.read(folder), [
            entry for entry in missing if entry.what in baselines.DESCRIPTIONS
        ]
    share = _BASELINE_SHARE * deadline.left
    fitted, missing = baselines.fit_all(task, deadline, share, log)
    found = [baselines.majority(task), *fitted]
    not_run.write(missing, folder)
    baselines.write(found, folder)
    return found, missing


def _train(comparison, task, folder, deadline, log):
    """Trains what the plan says; list of `NotRun`."""
    variants = comparison.variants
    log("Measuring what a step of each arm takes.")
    try:
        with deadline.kept(_REPORT_SECONDS):
            costs = _costs(variants, task)
    except OutOfTime as error:
        raise ValueError(
            "The budget is too small to measure what a step takes. Give a "
            "larger --budget, a smaller --preset, or a smaller --batch-size."
        ) from error
    batch_size = comparison.run.resolve(task).batch_size
    test_seconds = sum(each.test_seconds(task, batch_size) for each in costs)
    if (folder / PLAN).is_file():
        plan = Plan.read(folder / PLAN)
    else:
        left = _CAUTION * (deadline.left - _REPORT_SECONDS)
        plan = make_plan(costs, task, batch_size, left)
        files.write_text(
            folder / PLAN, json.dumps(dataclasses.asdict(plan), indent=2) + "\n"
        )
    rates = ", ".join(f"{rate:g}" for rate in sorted(plan.learning_rates))
    log(
        f"{len(variants)} arms, each at learning rates {rates}, then with "
        f"{plan.seeds} seeds at its best: runs of {plan.steps:,} steps."
    )
    missing = run_variants(
        [dataclasses.replace(each, steps=plan.steps) for each in variants],
        plan.learning_rates,
        plan.seeds,
        folder / RUNS,
        deadline.earlier(_REPORT_SECONDS),
        test_seconds,
        log,
    )
    if len(missing) == len(variants):
        raise ValueError(f"Nothing could be trained: {missing[0].reason}")
    return missing


def _costs(variants, task):
    """The `Cost` of each variant; what trains the same costs the same."""
    known = {}
    for variant in variants:
        config = variant.resolve(task)
        if config.policy not in known:
            known[config.policy] = cost.measure(config, task)
            keras.utils.clear_session()
    return [known[each.resolve(task).policy] for each in variants]


def make_plan(costs, task, batch_size, seconds):
    """The most that can be trained in a time.

    Args:
        costs: list of `Cost`, one a variant.
        task: the `Task`.
        batch_size: int.
        seconds: float.

    Returns:
        A `Plan`, of no more steps than the task's recipe has.

    Raises:
        ValueError: the time is too short for any.
    """
    most = task.recipe.steps

    def total(rates, seeds, steps):
        return sum(
            len(rates) * each.seconds(task, batch_size, steps, test=False)
            + each.test_seconds(task, batch_size)
            + (seeds - 1) * each.seconds(task, batch_size, steps, test=True)
            for each in costs
        )

    for share, rates, seeds in _PLANS:
        fits = functools.partial(total, rates, seeds)
        steps = _largest(lambda n, fits=fits: fits(n) <= seconds, most)
        if steps >= max(share * most, LEAST_STEPS_BETWEEN_EVALUATIONS):
            return Plan(rates, seeds, steps)
    least = fits(LEAST_STEPS_BETWEEN_EVALUATIONS) / seconds
    raise ValueError(
        "The budget is too small to compare anything: runs of "
        f"{LEAST_STEPS_BETWEEN_EVALUATIONS} steps would take {least:.1f} times "
        "what is left of it here. Give a larger --budget, a smaller --preset, "
        "or a smaller --batch-size."
    )


def _largest(fits, most):
    """The largest number up to `most` that fits, where all below do; or 0."""
    low, high = 0, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
