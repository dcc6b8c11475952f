"""Random transformer weights that are the same on every backend."""

import dataclasses
import hashlib
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
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


STYLES = ("gpt2", "flat", "uniform")


@dataclasses.dataclass(frozen=True)
class Draw:
    """The settings with which `randomize` draws weights.

    Args:
        seed: int. The same seed gives the same weights on every backend.
        scale: float, a factor for the standard deviation of the weights that
            are drawn. Norms and biases are not drawn, except for "uniform".
        style: string. `"gpt2"`: normal with standard deviation 0.02, and
            projections back into the residual stream divided by
            sqrt(2 x layers), which KerasHub's own initializer leaves out.
            `"flat"`: 0.02 everywhere, as in transformers 4.1.1, which the
            reference code uses. `"uniform"`: every weight, norms and biases
            too, from -1/sqrt(n) to 1/sqrt(n), where n is the size of its
            first axis; LSTMs of the arms also begin from random states.

    Raises:
        ValueError: the scale is not above 0, or the style is unknown.
    """

    seed: int = 0
    scale: float = 1.0
    style: str = "gpt2"

    def __post_init__(self) -> None:
        if not 0 < self.scale < float("inf"):
            raise ValueError(
                f"Expected an init_scale above 0 but received {self.scale}."
            )
        if self.style not in STYLES:
            raise ValueError(
                f"Unknown random_init '{self.style}'. Expected one of "
                f"{', '.join(STYLES)}."
            )


def generator(seed: int, *names: str) -> np.random.Generator:
    """A NumPy generator for a seed and any strings, e.g. a variable's path.

    NumPy's generators give the same numbers on every machine, while Keras's
    initializers give different numbers on each backend.
    """
    digest = hashlib.sha256("\0".join(names).encode()).digest()
    return np.random.default_rng([seed, *np.frombuffer(digest, np.uint32)])


def randomize(backbone: Any, seed: int | Draw = 0) -> None:
    """Draws new values for every weight of a backbone.

    Biases are zero, and the scales of norms have no effect, except for the
    style `"uniform"`.

    Args:
        backbone: a KerasHub backbone. It is changed in place.
        seed: int, for GPT-2's own distribution, or a `Draw`.
    """
    draw = Draw(seed) if isinstance(seed, int) else seed
    zero_centered = _zero_centered_scales(backbone)
    for name, variable in backbones.parameters_by_name(backbone).items():
        shape = tuple(variable.shape)
        numbers = generator(draw.seed, name)
        if draw.style == "uniform":
            limit = draw.scale / np.sqrt(shape[0])
            value = numbers.uniform(-limit, limit, shape)
        elif ZEROS.search(name) or id(variable) in zero_centered:
            value = np.zeros(shape)
        elif freezing.backbone_group(variable.path) == "layer_norm":
            value = np.ones(shape)
        else:
            deviation = STANDARD_DEVIATION * draw.scale
            if draw.style == "gpt2" and RESIDUAL_PROJECTION.search(name):
                deviation /= np.sqrt(2 * backbones.num_blocks(backbone))
            value = numbers.normal(0.0, deviation, shape)
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

    def draw(old: np.ndarray, numbers: np.random.Generator) -> np.ndarray:
        return numbers.normal(old.mean(), old.std(), old.shape)

    # "statistics" gives other numbers than `randomize`, which may have made the
    # old values.
    _replace(backbone, seed, "statistics", draw)


def permute(backbone: Any, seed: int = 0) -> None:
    """Shuffles the entries of every tensor, norms and biases too.

    Each tensor keeps its entries, and so every statistic that does not depend
    on where they are: the `permuted` arm.

    Args:
        backbone: a KerasHub backbone, usually pretrained. It is changed in
            place.
        seed: int. The same seed gives the same weights on every backend.
    """
    _replace(backbone, seed, "permuted", _shuffle)


def keep_spectrum(backbone: Any, seed: int = 0) -> None:
    """Gives every matrix random singular vectors for the same singular values.

    The new singular vectors are uniformly distributed orthonormal bases. A
    tensor of three axes, such as a projection to heads, is treated as the
    matrix that is closest to square, which for heads is the projection as one
    matrix. A vector has no spectrum but its length: the entries of norms and
    biases are shuffled, as `permute` does, which keeps what they are like. The
    token embedding, which is cut off, is shuffled too. This is the `spectrum`
    arm.

    Args:
        backbone: a KerasHub backbone, usually pretrained. It is changed in
            place.
        seed: int. The same seed gives the same weights on every backend, up to
            the rounding of linear algebra on different processors.
    """
    _replace(backbone, seed, "spectrum", _rotate, _shuffle)


def _replace(
    backbone: Any,
    seed: int,
    purpose: str,
    draw: Callable[[np.ndarray, np.random.Generator], np.ndarray],
    draw_vector: Callable | None = None,
) -> None:
    """Replaces every tensor by what a function makes of it.

    Args:
        backbone: a KerasHub backbone.
        seed: int.
        purpose: string. Each has its own random numbers.
        draw: function of a float64 array and a generator.
        draw_vector: another such function, for norms, biases and the token
            embedding; `None` uses `draw` for these too.
    """
    for name, variable in backbones.parameters_by_name(backbone).items():
        old = np.asarray(ops.convert_to_numpy(variable), "float64")
        group = freezing.backbone_group(variable.path)
        # The biases of heads have two axes.
        is_vector = old.ndim < 2 or ZEROS.search(name)
        make = draw
        if draw_vector and (is_vector or group == "token_embedding"):
            make = draw_vector
        new = make(old, generator(seed, purpose, name))
        variable.assign(new.astype("float32"))


def _shuffle(old: np.ndarray, numbers: np.random.Generator) -> np.ndarray:
    return numbers.permutation(old.ravel()).reshape(old.shape)


def _rotate(old: np.ndarray, numbers: np.random.Generator) -> np.ndarray:
    matrix = old.reshape(_most_square(old.shape))
    values = scipy.linalg.svdvals(matrix)
    rows, columns = matrix.shape
    left = _orthonormal(rows, len(values), numbers)
    right = _orthonormal(columns, len(values), numbers)
    return ((left * values) @ right.T).reshape(old.shape)


def _most_square(shape: tuple[int, ...]) -> tuple[int, int]:
    """The matrix of most equal sides that joins neighboring axes."""
    sides = [
        (math.prod(shape[:i]), math.prod(shape[i:]))
        for i in range(1, len(shape))
    ]
    return max(sides, key=min)


def _orthonormal(
    rows: int, columns: int, numbers: np.random.Generator
) -> np.ndarray:
    """Uniformly distributed orthonormal columns."""
    basis, triangle = np.linalg.qr(numbers.normal(size=(rows, columns)))
    # Without this, the distribution depends on the signs that QR chooses.
    return basis * np.sign(np.diag(triangle))


def _zero_centered_scales(backbone: Any) -> set[int]:
    return {
        id(variable)
        for layer in keras_internals.flatten_layers(backbone)
        if ZERO_CENTERED_NORM.search(
            f"{type(layer).__module__}.{type(layer).__name__}"
        )
        for variable in layer.weights
    }
