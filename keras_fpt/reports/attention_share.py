"""How much attention goes to the token that contains the answer."""

import dataclasses
import os

import numpy as np

from keras_fpt.runs import load_trained

Path = str | os.PathLike[str]

EXAMPLES = 50


@dataclasses.dataclass(frozen=True)
class AttentionShare:
    """The share of attention on the token that contains the answer.

    Args:
        blocks: tuple of floats, one per block, means over the heads, the
            tokens that give answers, and examples.
        uniform: float, the share if a token attended equally to all tokens that
            it sees.
    """

    blocks: tuple[float, ...]
    uniform: float

    def __str__(self) -> str:
        best = int(np.argmax(self.blocks))
        return (
            f"{self.blocks[best]:.1%} of the attention of the output tokens is "
            f"on the token that contains the answer in block {best}, where it "
            f"is highest, and {np.mean(self.blocks):.1%} in the mean of all "
            f"blocks; uniform attention would be {self.uniform:.1%}"
        )


def attention_share(
    run_folder: Path, data_dir: Path | None = None
) -> AttentionShare | None:
    """Measures a finished run on the first validation examples of its task.

    Args:
        run_folder: path of the run's folder.
        data_dir: as for `keras_fpt.runs.evaluate`.

    Returns:
        An `AttentionShare`; `None` if the task does not say which token holds
        an answer, or the model makes other tokens of it.

    Raises:
        FileNotFoundError: the folder contains no finished run.
        ValueError: the backbone has no attention.
    """
    run, model = load_trained(run_folder, data_dir)
    task = run.task
    is_cut = model.front.patches is not None or model.front.separates_channels
    if task.answer_tokens is None or is_cut:
        return None
    (x, _), *_ = task.held_out("validation", EXAMPLES).as_numpy_iterator()
    scores = model.attention_scores(x, average_heads=True)
    holding = task.answer_tokens(x)
    asking = x.shape[1] - task.num_output_tokens + np.arange(holding.shape[1])
    example = np.arange(len(x))[:, None]
    # A causal model gives exactly zero to the tokens that come later.
    seen = np.count_nonzero(scores[0][:, asking], axis=-1)
    return AttentionShare(
        tuple(
            float(block[example, asking, holding].mean()) for block in scores
        ),
        float(np.mean(1 / seen)),
    )
