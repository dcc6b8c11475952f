"""Answers one of the paper's questions with runs."""

import dataclasses
import json
import pathlib
import time

from keras_fpt.reports import attention_maps
from keras_fpt.reports.page import report
from keras_fpt.results import not_run
from keras_fpt.results.run_labels import describe
from keras_fpt.results.run_table import load_runs
from keras_fpt.runs import arms
from keras_fpt.runs import folder as run_folder
from keras_fpt.studies.deadline import Deadline
from keras_fpt.studies.variant_search import run_variants

CONFIG = "question.json"
RUNS = "runs"
REPORT = "report.html"
# A budget that is a promise, of ten minutes with the start of a busy machine's
# Python; the others take what they take.
MOST_SECONDS = {"minutes": 540}
# Of that, for the test split and the report.
_RESERVED_SHARE = 0.2
_REPORT_SECONDS = 30


def reproduce(
    question, budget, folder=None, data_dir=None, began=None, log=print
):
    """Runs what answers a question, and reports on it.

    Each variant is trained at its own best learning rate, chosen on validation
    data, with several seeds. What can't be had is listed as not run. The same
    call goes on where it was ended; runs that are there are not run again.

    Args:
        question: a `Question`.
        budget: string, `minutes`, `hours` or `paper`. `minutes` ends within
            ten.
        folder: path, or `None` for a new one, `runs/<question>-<budget>-<n>`.
        data_dir: string, the folder of the tasks' data, or `None`.
        began: float, of `time.monotonic()`, when the time begins; `None` is
            now.
        log: function that takes a line of text.

    Returns:
        Tuple of the folder and the `pandas.DataFrame` of `report`.

    Raises:
        ValueError: there is no such budget, or nothing could be run.
        FileExistsError: the folder holds something else.
        Preempted, KeyboardInterrupt: the process was asked to stop.
    """
    chosen = question.budget(budget)
    configs = question.configs(budget, data_dir)
    if folder is None:
        folder = run_folder.new_folder(question.name, budget)
    folder = pathlib.Path(folder)
    entry = {"question": question.name, "budget": budget}
    text = json.dumps({**entry, **dataclasses.asdict(chosen)}, indent=2) + "\n"
    run_folder.claim_for(folder, CONFIG, text, "reproduction")
    seconds = MOST_SECONDS.get(budget)
    deadline = Deadline(seconds, began).earlier(_REPORT_SECONDS)
    missing = run_variants(
        configs,
        chosen.learning_rates,
        chosen.seeds,
        folder / RUNS,
        deadline,
        _RESERVED_SHARE * seconds if seconds else 0.0,
        log,
    )
    not_run.write(missing, folder)
    if len(missing) == len(configs):
        raise ValueError(
            f"Nothing of '{question.name}' could be run: {missing[0].reason}"
        )
    pictures = _draw(folder) if question.draws_attention else {}
    table = report(
        [folder],
        folder / REPORT,
        folder / "tables",
        f"{question.title} (budget: {budget})",
        pictures,
    )
    return folder, table


def _draw(folder):
    """Attention maps of each task's first final run; dict to their paths."""
    runs = load_runs(folder)
    final = runs[runs["final"] & (runs["status"] == "finished")]
    pictures = {}
    for task, group in final.groupby("task", sort=False):
        path = folder / f"attention-{task}.png"
        run = group.iloc[0]
        attention_maps.attention_map(run["folder"], path)
        caption = f"Attention on {task}: the run `{run['folder']}`"
        pictures[caption] = path
    return pictures


@dataclasses.dataclass(frozen=True)
class PlannedRuns:
    """One variant's runs on a task, before they are run.

    Args:
        task: string.
        what: string, the arm and its settings.
        count: int, how many.
        steps: int, gradient steps of each.
        operations: float, about how many floating-point operations they need
            for products of matrices, all together.
    """

    task: str
    what: str
    count: int
    steps: int
    operations: float


def plan(question, budget, data_dir=None):
    """List of the `PlannedRuns` of a question at a budget."""
    chosen = question.budget(budget)
    # The best rate's first seed has been run by then.
    count = len(chosen.learning_rates) + chosen.seeds - 1
    found = []
    for config in question.configs(budget, data_dir):
        task = config.load_task()
        resolved = config.resolve(task)
        # Forward, backward, and the gradients of what is trained.
        products = 3 if arms.get(config.arm).policy == "full" else 2
        tokens = config.steps * resolved.batch_size * task.sequence_length
        size = _num_parameters(resolved.preset)
        operations = count * 2 * products * tokens * size
        what = describe(config)
        found.append(
            PlannedRuns(config.task, what, count, config.steps, operations)
        )
    return found


def cost(planned, budget):
    """What a plan costs, as a sentence.

    Args:
        planned: list of `PlannedRuns`.
        budget: string, its name.
    """
    runs = sum(each.count for each in planned)
    steps = sum(each.count * each.steps for each in planned)
    operations = sum(each.operations for each in planned)
    speed = _operations_a_second()
    sentence = (
        f"{runs:,} runs, {steps:,} steps, about {operations:.1e} "
        f"floating-point operations: {_duration(operations / speed)} or more "
        f"at the {speed / 1e9:.0f} GFLOP/s that NumPy's product of matrices "
        "reaches on this processor."
    )
    if budget in MOST_SECONDS:
        most = _duration(MOST_SECONDS[budget])
        sentence += f" It ends after {most} at the latest."
    return sentence


def _num_parameters(preset):
    """About how many weights a preset's blocks have."""
    import keras_hub

    from keras_fpt.presets import load_backbone

    known = keras_hub.models.Backbone.presets.get(preset)
    if known is not None:
        return known["metadata"]["params"]
    return load_backbone(preset, load_weights=False).count_params()


def _operations_a_second():
    """What NumPy's product of matrices does on this processor."""
    import numpy as np

    size, best = 1024, float("inf")
    matrix = np.ones((size, size), "float32")
    for _ in range(5):
        began = time.perf_counter()
        matrix @ matrix
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best


def _duration(seconds):
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} seconds"
