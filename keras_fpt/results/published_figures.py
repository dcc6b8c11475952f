"""Test accuracies that others have published, for comparison with ours.

Sources: Lu et al., 2021, Pretrained Transformers as Universal Computation
Engines, tables 1, 2, 9 and 13, from a transcription of the paper's HTML;
Rothermel et al., 2021, Don't Sweep your Learning Rate under the Rug, table 1.
Their runs had larger models and many times our steps, and the former had one
learning rate for all arms.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Figure:
    """A published test accuracy.

    Args:
        accuracy: float, as a fraction.
        source: string, the table, and what is special about the figure.
    """

    accuracy: float
    source: str


_TASKS = (
    "bit_memory",
    "bit_xor",
    "listops",
    "mnist",
    "cifar10",
    "cifar10_lra",
    "remote_homology",
)
# From the arm and its policy to the table and the accuracies on the tasks.
_PAPER = {
    ("fpt", ""): ("table 1", (100, 100, 38.4, 98.0, 68.2, 38.6, 12.7)),
    ("full", ""): ("table 1", (100, 100, 38, 99.1, 70.3, 42, 9)),
    ("lstm", ""): ("table 1", (60.9, 50.1, 17.1, 99.5, 73.6, 11.7, 12)),
    ("random", ""): ("table 2", (75.8, 100, 34.3, 91.7, 61.7, 36.1, 9.3)),
    ("bit", ""): ("table 2", (100, 100, 35.4, 97.8, 62.6, 36.7, 7.8)),
    ("vit", ""): ("table 2", (100, 100, 37.4, 97.8, 72.5, 43.0, 7.5)),
    ("statistics", ""): ("table 9", (100, 100, 37.4, 97.2, 56.5, 33.1, 11.0)),
    ("fpt", "policy fpt+feedforward"): (
        "table 13",
        (100, 100, 36.0, 98.3, 76.6, 38.2, 13.1),
    ),
    ("fpt", "policy fpt+attention"): (
        "table 13",
        (100, 100, 36.8, 89.0, 47.7, 23.0, 10.9),
    ),
    ("fpt", "policy fpt+feedforward+attention"): (
        "table 13",
        (100, 100, 35.8, 93.1, 32.9, 21.0, 10.5),
    ),
}
# Figures that differ from their row's description.
_REMARKS = {
    ("full", "listops"): "of Long Range Arena",
    ("full", "cifar10"): "of a GPT-2 with 3 layers",
    ("full", "cifar10_lra"): "of Long Range Arena",
    ("full", "remote_homology"): "of TAPE",
    ("lstm", "remote_homology"): "of TAPE",
    ("fpt", "mnist", "policy fpt+attention"): "diverged",
    ("fpt", "cifar10", "policy fpt+attention"): "diverged",
    ("fpt", "mnist", "policy fpt+feedforward+attention"): "diverged",
}
# With a search of the learning rate for each arm, and ListOps uncut and with
# its brackets.
_ROTHERMEL_TASKS = ("listops:whole", "mnist", "cifar10", "cifar10_lra")
_ROTHERMEL = {
    "random": (38.9, 98.0, 61.8, 44.2),
    "fpt": (46.1, 98.5, 66.3, 54.7),
    "full": (57.6, 98.7, 77.8, 62.0),
    "finetune": (56.3, 99.0, 77.7, 67.8),
}


def _paper_figures() -> dict[tuple[str, str, str], Figure]:
    figures = {}
    for (arm, settings), (table, accuracies) in _PAPER.items():
        for task, accuracy in zip(_TASKS, accuracies, strict=True):
            key = (arm, task, settings) if settings else (arm, task)
            remark = _REMARKS.get(key)  # type: ignore[call-overload]
            source = f"{table}, {remark}" if remark else table
            figures[task, arm, settings] = Figure(accuracy / 100, source)
    return figures


# From (task, arm, settings) to a `Figure` of GPT-2 base of Lu et al., and from
# (task, arm) to one of Rothermel et al.
PAPER = _paper_figures()
ROTHERMEL = {
    (task, arm): Figure(accuracy / 100, "table 1")
    for arm, accuracies in _ROTHERMEL.items()
    for task, accuracy in zip(_ROTHERMEL_TASKS, accuracies, strict=True)
}
