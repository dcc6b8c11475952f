"""Arms: where a backbone's weights come from, and what trains."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Arm:
    """One side of a comparison.

    Args:
        pretrained: bool, whether the backbone keeps its pretrained weights;
            else they are drawn anew from the run's seed.
        policy: string, what trains unless a run says otherwise.
        description: string, one line.
    """

    pretrained: bool
    policy: str
    description: str


ARMS = {
    "fpt": Arm(True, "fpt", "pretrained on language, frozen"),
    "random": Arm(False, "fpt", "never pretrained, frozen"),
    "finetune": Arm(True, "full", "pretrained on language, all trained"),
    "full": Arm(False, "full", "never pretrained, all trained"),
}


def get(name):
    """An arm by its name.

    Raises:
        ValueError: there is no such arm.
    """
    if name not in ARMS:
        raise ValueError(
            f"Unknown arm '{name}'. Expected one of {', '.join(ARMS)}."
        )
    return ARMS[name]
