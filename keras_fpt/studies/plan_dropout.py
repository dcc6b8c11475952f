"""Whether the runs of a comparison have dropout."""

import dataclasses

from keras_fpt.studies.saved_plans import HalvingPlan
from keras_fpt.tasks import Stored, Task

# Runs that see each training example at most so many times have no dropout:
# it slows them down, and they hardly overfit. See benchmarks/RESULTS.md.
_FEW_EPOCHS = 10


def chosen(plan: HalvingPlan, task: Task) -> HalvingPlan:
    """The plan, without dropout if its runs see each example a few times."""
    if sees_often(plan, task):
        return plan
    return dataclasses.replace(plan, dropout=0.0)


def sees_often(plan: HalvingPlan, task: Task) -> bool:
    """Whether runs see each training example more than 10 times."""
    if not isinstance(task.data, Stored):
        return True  # Examples that are generated have no number.
    few = _FEW_EPOCHS * task.data.size("train")
    return plan.steps * plan.batch_size > few


def note(plan: HalvingPlan, task: Task) -> str:
    """The choice of dropout in words; empty if it is that of the recipe."""
    if plan.dropout is None:
        return ""
    if not sees_often(plan, task):
        return (
            "No dropout, since runs see each training example at most "
            f"{_FEW_EPOCHS} times."
        )
    return (
        "No dropout, as chosen for the first budget: runs go on as they were "
        "begun, although they now see each training example more than "
        f"{_FEW_EPOCHS} times. In a new folder, a comparison with this budget "
        "chooses again."
    )
