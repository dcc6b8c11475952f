"""Answers one of the paper's questions with runs."""

import dataclasses
import json
import logging
import os
import pathlib
import time
from collections.abc import Sequence
from typing import Any

from keras_fpt import files
from keras_fpt.files import json_files
from keras_fpt.reports import attention_map, attention_share, write_report
from keras_fpt.results import describe, finished_final, load_runs, not_run
from keras_fpt.runs import folder, resolve
from keras_fpt.studies import stack_size, study_folder
from keras_fpt.studies.deadline import Deadline, duration
from keras_fpt.studies.question import Question, load_question
from keras_fpt.studies.stack_size import AUTO, OFF
from keras_fpt.studies.variant_search import run_variants

LOGGER = logging.getLogger(__name__)
CONFIG = "question.json"
RUNS = "runs"
REPORT = "report.html"
# Budgets with a time limit: ten minutes, including the start of Python on a
# heavily loaded machine. The others have none.
MAX_SECONDS = {"minutes": 540}
# The share of it for the test split and the report.
_RESERVED_SHARE = 0.2
_REPORT_SECONDS = 30


def run_question(
    question: Question,
    budget: str,
    output: str | os.PathLike[str] | None = None,
    data_dir: str | None = None,
    began: float | None = None,
    stack: str = AUTO,
) -> tuple[pathlib.Path, Any]:
    """Trains the runs that answer a question, and writes a report.

    Each variant is trained at its own best learning rate, chosen on validation
    data, with several seeds. What cannot be loaded is listed as not run.
    Repeat the call to continue; existing runs are not trained again.

    Args:
        question: a `Question`.
        budget: string, `minutes`, `hours` or `paper`. `minutes` ends within
            ten minutes.
        output: path of its folder, or `None` for a new one,
            `runs/<question>-<budget>-<n>`.
        data_dir: string, the folder of the tasks' data, or `None`.
        began: float, `time.monotonic()` when the time starts; `None` means now.
        stack: string, how many runs of a variant train in one step, as of
            `SweepConfig`. A budget with a time limit trains one by one, since
            all variants have their turns at one rate before the next. A
            reproduction that was begun goes on as it was by default.

    Returns:
        Tuple of the folder and the `pandas.DataFrame` of `write_report`.

    Raises:
        ValueError: the budget is unknown, or has a time limit and `stack` is a
            number, or nothing could be run.
        FileExistsError: the folder contains something else.
        Preempted, KeyboardInterrupt: the process was asked to stop.
    """
    chosen = question.budget(budget)
    configs = question.configs(budget, data_dir)
    if output is not None and stack == AUTO:
        stack = _begun_stack(pathlib.Path(output, CONFIG))
    size = _stack_size(stack, budget)
    if output is None:
        output = folder.new_folder(question.name, budget)
    output = pathlib.Path(output)
    entry = {"question": question.name, "budget": budget}
    if stack != OFF:  # Earlier versions do not have it.
        entry["stack"] = stack
    text = json.dumps({**entry, **dataclasses.asdict(chosen)}, indent=2) + "\n"
    study_folder.initialize(output, CONFIG, text, "reproduction")
    seconds = MAX_SECONDS.get(budget)
    deadline = Deadline(seconds, began).earlier(_REPORT_SECONDS)
    missing = run_variants(
        configs,
        chosen.learning_rates,
        chosen.seeds,
        output / RUNS,
        deadline,
        _RESERVED_SHARE * seconds if seconds else 0.0,
        stack=size,
        measures_stack=stack == AUTO,
    )
    not_run.write(missing, output)
    if len(missing) == len(configs):
        raise ValueError(
            f"Nothing of '{question.name}' could be run: {missing[0].reason}"
        )
    pictures = _draw_attention(output) if question.draws_attention else {}
    table = write_report(
        [output],
        output / REPORT,
        output / "tables",
        f"{question.title} (budget: {budget})",
        pictures,
    )
    return output, table


def _begun_stack(path: pathlib.Path) -> str:
    """The `stack` of a study that may have begun; older ones have none."""
    if not path.is_file():
        return AUTO
    return str(json_files.read_object(path).get("stack", OFF))


def _stack_size(stack: str, budget: str) -> int:
    """How many runs train in one step at a budget."""
    stack_size.check(stack)
    if budget not in MAX_SECONDS:
        return stack_size.largest(stack)
    if stack not in (AUTO, OFF):
        raise ValueError(
            f"{stack} runs in one step (--stack) are for budgets without a "
            f"time limit, but '{budget}' has one: its variants take turns at "
            "each learning rate."
        )
    return 1


def read_question(
    output: str | os.PathLike[str],
) -> tuple[Question, str, str | None]:
    """The question and budget of an earlier call of `run_question`.

    Returns:
        Tuple of the `Question`, the name of its budget, and the folder of the
        tasks' data, which its runs name, or `None`.

    Raises:
        FileNotFoundError: the folder has no such study.
        ValueError: the file that describes it is damaged.
    """
    path = pathlib.Path(output, CONFIG)
    entry = json_files.read_object(path)
    names = entry.get("question"), entry.get("budget")
    if not all(isinstance(name, str) for name in names):
        raise ValueError(f"`{path}` does not name a question and a budget.")
    name, budget = map(str, names)
    begun = sorted(pathlib.Path(output, RUNS).glob(f"*/{folder.CONFIG}"))
    data_dir = folder.read_config(begun[0].parent).data_dir if begun else None
    return load_question(name), budget, data_dir


def _draw_attention(output: pathlib.Path) -> dict[str, pathlib.Path]:
    """Attention maps of the first final run of each arm, by their captions.

    The arm `fpt` gives `attention-TASK.png`, another one
    `attention-TASK-ARM.png`.
    """
    final = finished_final(load_runs(output))
    pictures = {}
    for (task, arm), group in final.groupby(["task", "arm"], sort=False):
        name = files.safe_name(task) + (f"-{arm}" if arm != "fpt" else "")
        path = output / f"attention-{name}.png"
        run = group.iloc[0]
        attention_map(run["folder"], path, overwrite=True)
        caption = f"Attention of {arm} on {task}: the run `{run['folder']}`"
        share = attention_share(run["folder"])
        if share is not None:
            caption += f". {share}"
            LOGGER.info(f"{task}, {arm}: {share}.")
        pictures[caption] = path
    return pictures


@dataclasses.dataclass(frozen=True)
class PlannedRuns:
    """One variant's runs on a task, before they are run.

    Args:
        task: string.
        what: string, the arm and its settings.
        count: int, number of runs.
        steps: int, gradient steps of each.
        operations: float, approximate number of floating-point operations in
            their matrix products, in total.
    """

    task: str
    what: str
    count: int
    steps: int
    operations: float


def plan(
    question: Question, budget: str, data_dir: str | None = None
) -> list[PlannedRuns]:
    """The `PlannedRuns` of a question at a budget."""
    chosen = question.budget(budget)
    count = len(chosen.learning_rates) + chosen.seeds
    planned = []
    for config in question.configs(budget, data_dir):
        run = resolve(config)
        # Forward, backward, and the gradients of what is trained.
        products = 3 if run.arm.policy == "full" else 2
        tokens = run.steps * run.batch_size * run.task.sequence_length
        size = run.preset.num_parameters()
        operations = count * 2 * products * tokens * size
        planned.append(
            PlannedRuns(
                config.task, describe(config), count, run.steps, operations
            )
        )
    return planned


def cost(planned: Sequence[PlannedRuns], budget: str) -> str:
    """The cost of a plan, as a sentence.

    Args:
        planned: list of `PlannedRuns`.
        budget: string, the budget's name.
    """
    runs = sum(each.count for each in planned)
    steps = sum(each.count * each.steps for each in planned)
    operations = sum(each.operations for each in planned)
    speed = _operations_per_second()
    seconds, most = operations / speed, MAX_SECONDS.get(budget)
    sentence = (
        f"{runs:,} runs, {steps:,} steps, about {operations:.1e} "
        f"floating-point operations: {duration(seconds)} or more for all of "
        f"them at the {speed / 1e9:.0f} GFLOP/s that NumPy's matrix product "
        "reaches on this processor."
    )
    if most is not None and seconds > most:
        sentence += (
            " That exceeds this budget: it stops after "
            f"{duration(most)} at the latest, with as many of the runs as "
            "fit, and says which are missing."
        )
    elif most is not None:
        sentence += f" It stops after {duration(most)} at the latest."
    return sentence


def _operations_per_second() -> float:
    """How fast NumPy's matrix product is on this processor."""
    import numpy as np

    size, best = 1024, float("inf")
    matrix = np.ones((size, size), "float32")
    for _ in range(5):
        began = time.perf_counter()
        matrix @ matrix
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best
