"""What KerasHub's backbones have in common, under names of their own."""

import collections
import re

# Layers that KerasHub does not name, so that Keras numbers them through the
# whole process: T5's and T5Gemma's norms, mixtures of experts.
_NUMBERED = re.compile(
    r"(?<![^/])(t5_layer_norm|rms_normalization|\w+_sparse_moe_block)_\d+/"
)
_DEPTH_NAMES = ("num_layers", "encoder_num_layers")
_DROPOUT_NAMES = (
    "dropout",
    "dropout_rate",
    "attention_dropout",
    "attention_dropout_rate",
    "feedforward_dropout_rate",
)


def weights_by_name(backbone):
    """The weights of a backbone, by name.

    Names are unique, and the same in every process and on every backend, and
    so is their order, which is that of the graph. A name is the weight's
    path; what changes from process to process is left out, and what comes
    again gets `#2`, `#3` and so on.

    Args:
        backbone: a KerasHub backbone.

    Returns:
        A dict from name to variable.
    """
    in_graph_order = [v for layer in backbone.layers for v in layer.weights]
    variables = {id(v): v for v in [*in_graph_order, *backbone.weights]}
    named, times = {}, collections.Counter()
    for variable in variables.values():
        path = variable.path.removeprefix(f"{backbone.name}/")
        path = _NUMBERED.sub(r"\1/", path)
        times[path] += 1
        again = f"#{times[path]}" if times[path] > 1 else ""
        named[path + again] = variable
    return named


def parameters_by_name(backbone):
    """Those of `weights_by_name` that can train.

    The others are constants that a layer keeps as weights: SmolLM3's rotary
    frequencies, the scales of quantised kernels.
    """
    constants = {
        id(variable)
        for layer in backbone._flatten_layers()
        for variable in layer._non_trainable_variables
    }
    return {
        name: variable
        for name, variable in weights_by_name(backbone).items()
        if id(variable) not in constants
    }


def depth_name(backbone):
    """What the argument for a backbone's number of blocks is called."""
    return next(name for name in _DEPTH_NAMES if hasattr(backbone, name))


def num_blocks(backbone):
    """How many blocks a backbone has, or its encoder."""
    return getattr(backbone, depth_name(backbone))


def dropout_names(backbone):
    """What a backbone's arguments for the rate of dropout are called."""
    config = backbone.get_config()
    return [name for name in _DROPOUT_NAMES if name in config]


def complete_config(backbone):
    """Lets a Llama's config say whether its embeddings are tied.

    KerasHub 0.32 leaves that out, so that a tied Llama (SmolLM2) could
    neither be built again from its config nor be loaded from a preset.

    Args:
        backbone: a KerasHub backbone. It is changed in place.
    """
    tied = getattr(backbone, "tie_word_embeddings", None)
    get_config = backbone.get_config
    if tied is not None and "tie_word_embeddings" not in get_config():
        backbone.get_config = lambda: {
            **get_config(),
            "tie_word_embeddings": tied,
        }
