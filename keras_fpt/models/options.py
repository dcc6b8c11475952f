"""The options of a classifier that users choose."""

import dataclasses

from keras_fpt.options import option


@dataclasses.dataclass(frozen=True)
class ModelOptions:
    """How a classifier is made from a backbone, for any task.

    To add an option, add a field here, with `since=` the version that adds it,
    and use it where the model is built; `model.options` holds them. Options of
    training are in `runs/config.py`.
    The constructor of `FPTClassifier` takes every field as a keyword; runs,
    the command line, adapters and labels take it from here.

    Args:
        policy: string, which parameter groups train; see
            `keras_fpt.freezing.parse_policy`. `None` is `"fpt"`, and in a run
            the arm's own.
        depth: int, use the first `depth` blocks of the backbone; with 0, only
            positions and the final norm are left of it. `None` uses all of
            them, and in a run means the arm's own.
        readout: string, see `keras_fpt.layers.Readout`.
        learned_positions: int, the number of tokens for which learned
            positions, zero at first, are added to the input; for backbones
            without positions of their own, such as those with rotary ones. In
            a run `True` means the length of the task's sequences. `False` and
            `None` add none.
        lora_rank: int, rank of the adapters that a policy with `low_rank`
            adds to the dense layers of attention and feedforward.
        quantize: string, `"int8"` or `"int4"`, store the weights that the
            policy freezes as such integers. `None` does not quantize.
        dtype: string, Keras dtype policy of the backbone, e.g.
            `"mixed_bfloat16"`. `None` is Keras's own. It is used to
            build the backbone, and `FPTClassifier` takes it from there.
        rematerialize: bool, whether blocks are computed a second time for the
            gradient, to keep less in memory; for the blocks that `fast` is
            for.
        dropout: float, dropout rate of the backbone. `None` keeps the
            backbone's own, and in a run means the task's.
        fast: bool, whether to compute the blocks of GPT-2, OPT, BERT and
            those like it with fewer and larger operations than KerasHub.
            Results differ only by rounding and by which entries dropout
            drops.
    """

    policy: str | None = option(
        None,
        "Parameter groups that train, e.g. fpt+attention.",
        default_text="the arm's own",
        describes_run=True,
        stored=True,
    )
    depth: int | None = option(
        None,
        "Number of blocks to use, from the first.",
        default_text="all",
        describes_run=True,
    )
    readout: str = option(
        "last",
        "Hidden states that the output layer reads: last, first, mean or "
        "pooled.",
        describes_run=True,
        stored=True,
    )
    learned_positions: bool | int | None = option(
        False,
        "Add learned positions, zero at first, to the input; on for vit.",
        describes_run=True,
        stored=True,
    )
    lora_rank: int = option(
        8, "Rank of low-rank adapters.", stored=True, python_only=True
    )
    quantize: str | None = option(
        None,
        "Store the frozen weights as int8 or int4.",
        default_text="not quantized",
        describes_run=True,
        stored=True,
    )
    dtype: str | None = option(
        None,
        "Dtype policy of the backbone: float32, mixed_bfloat16, ...",
        default_text="Keras's own",
        describes_run=True,
    )
    rematerialize: bool = option(
        False,
        "Recompute blocks for the gradient, to save memory.",
    )
    dropout: float | None = option(
        None, "Dropout rate.", default_text="the task's own"
    )
    fast: bool = option(
        True, "Compute blocks with fewer operations.", python_only=True
    )
