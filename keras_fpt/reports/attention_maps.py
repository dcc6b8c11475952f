"""Attention maps: pictures of how tokens attend to each other."""

import os

import numpy as np

from keras_fpt.files import Output, outputs
from keras_fpt.runs import attention_drawing, load_trained

Path = str | os.PathLike[str]


def attention_map(
    run_folder: Path,
    path: Path,
    example: int = 0,
    block: int | None = None,
    data_dir: Path | None = None,
    overwrite: bool = False,
    preset: Path | None = None,
) -> np.ndarray:
    """Draws how much each token of an example attends to each other token.

    Args:
        run_folder: path of a finished run's folder.
        path: the PNG file to write.
        example: int, which example of the validation split.
        block: int, counted from 0; each head of this block is drawn. `None`
            draws every block, with its heads averaged.
        data_dir: as for `keras_fpt.runs.evaluate`.
        overwrite: bool, whether an existing file that keras-fpt did not write
            may be replaced.
        preset: as for `keras_fpt.runs.evaluate`.

    Returns:
        Float array of what is drawn, `(panels, queries, keys)`: blocks, or
        heads.

    Raises:
        FileExistsError: a file exists that may not be replaced.
        FileNotFoundError: the folder contains no finished run.
        ValueError: the example or block does not exist, or the backbone has
            no attention.

    Source: Lu et al. (2021), on what the frozen layers attend to.
    """
    output = Output(path, outputs.PNG_MARK, (run_folder,), overwrite)
    output.check()
    run, model = load_trained(run_folder, data_dir, preset)
    task = run.task
    tokens = attention_drawing.example_tokens(task, example)
    scores = model.attention_scores(tokens[None], average_heads=block is None)
    # Where the channels are independent, each is a separate sequence.
    scores = scores.mean(axis=1)
    if block is None:
        panels = scores
        names = [f"block {i}" for i in range(len(panels))]
    elif 0 <= block < len(scores):
        panels = scores[block]
        names = [f"head {i}" for i in range(len(panels))]
    else:
        raise ValueError(
            f"Expected a block from 0 to {len(scores) - 1} but received "
            f"{block}."
        )
    title = f"{task.name}, arm {run.arm.name}, validation example {example}"
    title += "" if block is None else f", block {block}"
    labels = attention_drawing.labels_of(task, model, tokens)
    num_answering = model.readout_layer.num_tokens
    output.write(
        attention_drawing.draw(panels, names, labels, num_answering, title)
    )
    return panels
