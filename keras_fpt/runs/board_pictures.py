"""The pictures of a finished run that TensorBoard shows."""

from collections.abc import Mapping
from typing import Any

from keras_fpt import distribution
from keras_fpt.files import pictures
from keras_fpt.models import FPTClassifier, NoAttentionError
from keras_fpt.runs import attention_drawing, errors
from keras_fpt.runs.confusions import draw_confusions
from keras_fpt.runs.event_files import EventFiles
from keras_fpt.runs.resolved import ResolvedRun

# The attention of longer sequences takes much memory, and single tokens cannot
# be seen in it. `keras_fpt.reports.attention_map` draws it on request.
MAX_TOKENS = 512


def write(
    board: EventFiles,
    run: ResolvedRun,
    model: FPTClassifier,
    metrics: Mapping[str, Any],
    step: int,
) -> None:
    """Writes the attention of one validation example, and the confusion matrix.

    A picture that cannot be drawn is a warning.

    Args:
        board: `EventFiles`.
        run: the `ResolvedRun`.
        model: its trained model.
        metrics: dict, `metrics.json`, in which the test split was read.
        step: int, the last one.
    """
    with errors.warn_instead("draw the attention for TensorBoard"):
        png = _attention(run, model)
        if png is not None:
            board.write_picture(step, "validation", "attention", png)
    classes = metrics.get("test_classes")
    if classes is not None and "confusion" in classes:
        with errors.warn_instead("draw the confusion matrix for TensorBoard"):
            figure, _ = draw_confusions(classes, f"{run.task.name}: test")
            png = pictures.to_png(figure)
            board.write_picture(step, "test", "confusions", png)


def _attention(run: ResolvedRun, model: FPTClassifier) -> bytes | None:
    """The attention in each block, the mean over its heads, as a PNG."""
    tokens = attention_drawing.example_tokens(run.task, 0)
    # The other processes take no part in this computation.
    if len(tokens) > MAX_TOKENS or distribution.num_processes() > 1:
        return None
    try:
        scores = model.attention_scores(tokens[None])
    except NoAttentionError:
        return None
    panels = scores.mean(axis=1)
    return attention_drawing.draw(
        panels,
        [f"block {number}" for number in range(len(panels))],
        attention_drawing.labels_of(run.task, model, tokens),
        model.readout_layer.num_tokens,
        f"{run.task.name}, validation example 0",
    )
