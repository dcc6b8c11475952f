"""The options of a classifier that users choose."""

import dataclasses

from keras_fpt.options import option


@dataclasses.dataclass(frozen=True)
class ModelOptions:
    """The options by which a model is built from a backbone.

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
            positions, initialized to zero, are added to the input; for
            backbones without learned positions, such as those with rotary ones.
            In a run `True` means the length of the task's sequences. `False`
            and `None` add none.
        lora_rank: int, rank of the adapters that a policy with `low_rank`
            adds to the dense layers of attention and feedforward.
        quantize: string, `"int8"` or `"int4"`, store the weights that the
            policy freezes as such integers. `None` does not quantize.
        dtype: string, Keras dtype policy of the backbone, e.g.
            `"mixed_bfloat16"`. `None` is Keras's default. It is used to
            build the backbone, and `FPTClassifier` takes it from there.
        rematerialize: bool, whether blocks are computed a second time for the
            gradient, to keep less in memory; for the blocks that `fast`
            supports.
        dropout: float, dropout rate of the backbone. `None` keeps the
            backbone's own, and in a run means the task's.
        embedding_init: string, the initializer of the input layer for integer
            tokens: `"orthogonal"`, or `"normal"` for N(0, 1), as in PyTorch and
                the
            reference code. `None` is `"orthogonal"`. The input layer of vectors
            is always orthogonal.
        input_scale: string. `"pretrained"` scales the initial input layer to
            the backbone's own token embedding: the root mean square norm of
            its rows becomes that of the rows of an embedding of integers, and
            the norm (Frobenius) of the kernel for vectors, so that a vector
            whose entries are uncorrelated with mean square 1 is projected to
            that norm. `None` leaves the layer as it is.
        output_init: string, the initializer of the output layer: `"glorot"`,
            Keras's default with zero biases, or `"pytorch"`, kernel and bias
            uniform from -1/sqrt(n) to 1/sqrt(n) for hidden states of width n.
            `None` is `"glorot"`.
        input_dropout: float, dropout rate after the input layer of vectors.
            `None` is 0.
        patch_size: int, the number of steps of a series of vectors that are
            joined into one token, a patch; see `keras_fpt.layers.Patches`.
            `None` and 1 make each step a token; in a run on your own data,
            `None` patches series that are longer than the backbone's
            positions.
        patch_stride: int, the number of steps from one patch to the next.
            `None` is `patch_size`; with less, patches overlap.
        instance_norm: bool, whether each channel of each series is
            standardized over its real steps; see
            `keras_fpt.layers.InstanceNorm`. Each token then also has the
            inverse hyperbolic sine of each channel's mean and the logarithm of
            its scale as features.
        channel_independent: string. `"concat"` and `"mean"` process each
            channel of a series as a separate series; the output layer reads
            what the channels' hidden states are joined to, or their mean. With
            `"each"`, for an `FPTForecaster`, it reads each channel's states
            separately and forecasts that channel. `None` keeps the channels
            together in each token.
        output_norm: string, the norm before the output layer: `"layer"` or
            `"batch"`. `None` is none.
        sequence_length: int, the number of tokens of every sequence, which
            the readout `"flatten"` needs. `None` takes it from the first
            batch.
        precision: string. `"bfloat16"` computes the products of the blocks'
            frozen kernels from inputs in bfloat16; everything else, and
            everything that trains, stays float32. For the blocks that `fast`
            supports. `"auto"` uses it where the processor has instructions for
            it, and is then `"bfloat16"` or `"float32"` in the model's options.
            `"float32"` computes as without this option.
        fast: bool, whether to compute the blocks of GPT-2, OPT, BERT and
            similar families with fewer and larger operations than KerasHub.
            Results differ only by rounding and by which entries dropout drops.
    """

    policy: str | None = option(
        None,
        "Parameter groups that are trained, e.g. fpt+attention, or "
        "fpt+attention:-1 for the attention of the last block only.",
        topic="Model",
        default_text="the arm's default",
        describes_run=True,
        stored=True,
    )
    depth: int | None = option(
        None,
        "Number of blocks to use, from the first; 0 uses none.",
        topic="Model",
        default_text="the arm's default, usually all blocks",
        describes_run=True,
    )
    readout: str = option(
        "last",
        "Hidden states that the output layer reads: last (for forecasts "
        "flatten, for labels of tokens each token), first, mean, last+mean, "
        "token+mean (for labels of tokens), flatten (all of them, if all "
        "sequences have one length) or pooled.",
        topic="Model",
        default_text="last; for your own series and strings last+mean, or "
        "token+mean if each row or token has a label, and for your own images "
        "and tables flatten, or last+mean if they have many patches or columns",
        describes_run=True,
        stored=True,
    )
    learned_positions: bool | int | None = option(
        False,
        "Add learned positions, initialized to zero, to the input; always on "
        "for the arm vit.",
        topic="Rarely needed",
        describes_run=True,
        stored=True,
    )
    lora_rank: int = option(
        8, "Rank of low-rank adapters.", stored=True, python_only=True
    )
    quantize: str | None = option(
        None,
        "Store the frozen weights as int8 or int4.",
        topic="Rarely needed",
        default_text="not quantized",
        describes_run=True,
        stored=True,
    )
    dtype: str | None = option(
        None,
        "Keras dtype policy of the backbone: float32, mixed_bfloat16, ...",
        topic="Rarely needed",
        default_text="Keras's default",
        describes_run=True,
    )
    rematerialize: bool = option(
        False,
        "Save memory by recomputing the blocks' activations for the gradient.",
        topic="Rarely needed",
    )
    dropout: float | None = option(
        None, "Dropout rate.", topic="Model", default_text="the task's default"
    )
    embedding_init: str | None = option(
        None,
        "Initializer of the input layer for integer tokens: orthogonal or "
        "normal.",
        topic="Rarely needed",
        default_text="orthogonal",
        describes_run=True,
        since="0.2.0",
    )
    input_scale: str | None = option(
        None,
        "Scale of the initial input layer: pretrained gives it that of the "
        "backbone's token embedding.",
        topic="Rarely needed",
        default_text="unscaled",
        describes_run=True,
        since="0.2.0",
    )
    output_init: str | None = option(
        None,
        "Initializer of the output layer: glorot or pytorch.",
        topic="Rarely needed",
        default_text="glorot",
        describes_run=True,
        since="0.2.0",
    )
    input_dropout: float | None = option(
        None,
        "Dropout rate after the input layer for vectors.",
        topic="Rarely needed",
        default_text="0",
        describes_run=True,
        since="0.2.0",
    )
    patch_size: int | None = option(
        None,
        "Number of steps of a series that form one token; for images, height "
        "and width of a patch in pixels.",
        topic="Model",
        default_text="of forecasts and of your own series the size with "
        "which they have few tokens, otherwise 1; for images 4",
        describes_run=True,
        stored=True,
        since="0.2.0",
    )
    patch_stride: int | None = option(
        None,
        "Number of steps from one patch of a series to the next.",
        topic="Model",
        default_text="the patch size",
        describes_run=True,
        stored=True,
        since="0.2.0",
    )
    instance_norm: bool = option(
        False,
        "Standardize each channel of each series separately, as forecasts "
        "always do.",
        topic="Model",
        describes_run=True,
        stored=True,
        since="0.2.0",
    )
    channel_independent: str | None = option(
        None,
        "Process each channel as a separate series, and combine the hidden "
        "states that the output layer reads: concat or mean; for forecasts "
        "also each, which forecasts every channel only from itself.",
        topic="Model",
        default_text="channels together",
        describes_run=True,
        stored=True,
        since="0.2.0",
    )
    output_norm: str | None = option(
        None,
        "Normalization before the output layer: layer or batch.",
        topic="Rarely needed",
        default_text="none",
        describes_run=True,
        stored=True,
        since="0.2.0",
    )
    sequence_length: int | None = option(
        None,
        "Number of tokens of every sequence.",
        stored=True,
        since="0.2.0",
        python_only=True,
    )
    precision: str = option(
        "float32",
        "Precision of the products of frozen weights: float32, bfloat16, or "
        "auto, which is bfloat16 where the processor has instructions for it.",
        topic="Rarely needed",
        describes_run=True,
        since="0.2.0",
    )
    fast: bool = option(
        True, "Compute blocks with fewer operations.", python_only=True
    )
