"""Fresh transformer weights that are the same on every backend."""

import hashlib
import re

import numpy as np

# GPT-2's initialisation: Radford et al., 2019, "Language Models are
# Unsupervised Multitask Learners", section 2.3.
STANDARD_DEVIATION = 0.02
RESIDUAL_PROJECTION = re.compile(
    r"(attention_output|feedforward_output_dense)/kernel$"
)
ONES = re.compile(r"/(gamma|scale)$")
ZEROS = re.compile(r"/(beta|bias)$")


def generator(seed, *names):
    """A NumPy generator for a seed and any strings, e.g. a variable's path.

    NumPy's generators give the same numbers on every machine; Keras's
    initialisers give others on each backend.
    """
    digest = hashlib.sha256("\0".join(names).encode()).digest()
    return np.random.default_rng([seed, *np.frombuffer(digest, np.uint32)])


def randomize(backbone, seed=0):
    """Draws every weight of a backbone anew, from GPT-2's distribution.

    Normal with standard deviation 0.02; projections back into the residual
    stream divided by sqrt(2 x layers), which KerasHub's own initialiser
    leaves out; biases zero and norm scales one.

    Args:
        backbone: a KerasHub backbone. It is changed in place.
        seed: int. The same seed gives the same weights on every backend.
    """
    residual = STANDARD_DEVIATION / np.sqrt(2 * backbone.num_layers)
    for variable in backbone.weights:
        path = relative_path(variable, backbone)
        shape = tuple(variable.shape)
        if ONES.search(path):
            value = np.ones(shape, "float32")
        elif ZEROS.search(path):
            value = np.zeros(shape, "float32")
        else:
            scale = STANDARD_DEVIATION
            if RESIDUAL_PROJECTION.search(path):
                scale = residual
            value = generator(seed, path).normal(0.0, scale, shape)
        variable.assign(value.astype("float32"))


def relative_path(variable, model):
    """A variable's path without the model's own, changeable name."""
    return variable.path.removeprefix(f"{model.name}/")
