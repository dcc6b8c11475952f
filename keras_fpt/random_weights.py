"""Fresh transformer weights that are the same on every backend."""

import hashlib
import re
from typing import Any

import numpy as np
from keras import ops

from keras_fpt import backbones, freezing
from keras_fpt.compat import keras_internals

# GPT-2's initialization: Radford et al., 2019, "Language Models are
# Unsupervised Multitask Learners", section 2.3.
STANDARD_DEVIATION = 0.02
# KerasHub's names of the projections back into the residual stream.
RESIDUAL_PROJECTION = re.compile(
    r"(^|/)(attention_output|(\w+_)?output_dense|o_dense_layer|o_proj|out_proj"
    r"|output_projector|dense_4h_to_h|ffw_linear|down_proj|mlp/dense_2)"
    r"(/kernel)?(#\d+)?$"
)
ZEROS = re.compile(r"(beta|bias)(#\d+)?$")
# Norms that multiply by 1 + scale: Gemma's, T5Gemma's and Qwen 3.5's.
ZERO_CENTERED_NORM = re.compile(
    r"gemma.*\.RMSNormalization$|\.Qwen3_5LayerNorm$"
)


def generator(seed: int, *names: str) -> np.random.Generator:
    """A NumPy generator for a seed and any strings, e.g. a variable's path.

    NumPy's generators give the same numbers on every machine, while Keras's
    initializers give different numbers on each backend.
    """
    digest = hashlib.sha256("\0".join(names).encode()).digest()
    return np.random.default_rng([seed, *np.frombuffer(digest, np.uint32)])


def randomize(backbone: Any, seed: int = 0) -> None:
    """Draws new values for every weight of a backbone, as GPT-2 does.

    The distribution is normal with standard deviation 0.02. Projections back
    into the residual stream are divided by sqrt(2 x layers), which KerasHub's
    own initializer leaves out. Biases are zero, and the scales of norms have no
    effect.

    Args:
        backbone: a KerasHub backbone. It is changed in place.
        seed: int. The same seed gives the same weights on every backend.
    """
    residual = STANDARD_DEVIATION / np.sqrt(2 * backbones.num_blocks(backbone))
    zero_centered = _zero_centered_scales(backbone)
    for name, variable in backbones.parameters_by_name(backbone).items():
        shape = tuple(variable.shape)
        if ZEROS.search(name) or id(variable) in zero_centered:
            value = np.zeros(shape)
        elif freezing.backbone_group(variable.path) == "layer_norm":
            value = np.ones(shape)
        else:
            is_residual = RESIDUAL_PROJECTION.search(name)
            scale = residual if is_residual else STANDARD_DEVIATION
            value = generator(seed, name).normal(0.0, scale, shape)
        variable.assign(value.astype("float32"))


def match_statistics(backbone: Any, seed: int = 0) -> None:
    """Draws new values for every weight, with the tensors' own statistics.

    Each tensor, including norms and biases, is drawn from a normal distribution
    with its own mean and standard deviation: the `statistics` arm.

    Args:
        backbone: a KerasHub backbone, usually pretrained. It is changed in
            place.
        seed: int. The same seed gives the same weights on every backend.

    Source: Lu et al., 2021, arXiv 2103.05247, on initializing with the
    statistics of the pretrained weights only.
    """
    for name, variable in backbones.parameters_by_name(backbone).items():
        old = np.asarray(ops.convert_to_numpy(variable), "float64")
        # "statistics" gives other numbers than `randomize`, which may have
        # made the old values.
        new = generator(seed, "statistics", name).normal(
            old.mean(), old.std(), old.shape
        )
        variable.assign(new.astype("float32"))


def _zero_centered_scales(backbone: Any) -> set[int]:
    return {
        id(variable)
        for layer in keras_internals.flatten_layers(backbone)
        if ZERO_CENTERED_NORM.search(
            f"{type(layer).__module__}.{type(layer).__name__}"
        )
        for variable in layer.weights
    }
