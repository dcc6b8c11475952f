"""Test accuracies that the paper reports, for comparison with ours.

Source: Lu et al. (2021), tables 1 and 2, from a transcription of the paper.
"""

_TASKS = (
    "bit_memory",
    "bit_xor",
    "listops",
    "mnist",
    "cifar10",
    "cifar10_lra",
    "remote_homology",
)
_ROWS = {
    "fpt": (100, 100, 38.4, 98.0, 68.2, 38.6, 12.7),
    # ListOps, CIFAR-10 LRA and homology are from other publications.
    "full": (100, 100, 38, 99.1, 70.3, 42, 9),
    "lstm": (60.9, 50.1, 17.1, 99.5, 73.6, 11.7, 12),
    "random": (75.8, 100, 34.3, 91.7, 61.7, 36.1, 9.3),
    "bit": (100, 100, 35.4, 97.8, 62.6, 36.7, 7.8),
    "vit": (100, 100, 37.4, 97.8, 72.5, 43.0, 7.5),
}
# From (task, arm) to the test accuracy of GPT-2 base, as a fraction.
TEST_ACCURACY = {
    (task, arm): value / 100
    for arm, values in _ROWS.items()
    for task, value in zip(_TASKS, values, strict=True)
}
