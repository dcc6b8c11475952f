"""Cuts series into patches, each of which becomes one token."""

from typing import Any

import keras
from keras import ops


def num_patches(num_steps: Any, stride: int) -> Any:
    """The number of patches of a series: one for each stride that begins.

    Args:
        num_steps: int, or a symbol of a traced graph.
        stride: int, the number of steps from one patch to the next.
    """
    return -(-num_steps // stride)


@keras.saving.register_keras_serializable(package="keras_fpt")
class Patches(keras.layers.Layer):
    """Cuts series into patches, each of which becomes one token.

    A patch begins at every `stride` steps and joins the values of `size`
    steps, in order. What a patch lacks at the end of its series is 0. So the
    number of patches depends only on the real steps, not on the padding after
    them.

    Args:
        size: int, the number of steps of a patch.
        stride: int, the number of steps from one patch to the next, at most
            `size`. With fewer, patches overlap.

    Call arguments:
        steps: float tensor `(batch, steps, dim)`.
        padding_mask: int tensor `(batch, steps)`, 1 where a step is real, or
            `None` if all are. Padding is on the right.

    Returns:
        Tuple of a float tensor `(batch, patches, size * dim)` and its
        `padding_mask`, where a patch is real if one of its steps is, or
        `None`.

    Source: Nie et al., 2023, "A Time Series is Worth 64 Words", arXiv
    2211.14730; Zhou et al., 2023, "One Fits All", arXiv 2302.11939.
    """

    def __init__(self, size: int, stride: int, **kwargs: Any) -> None:
        """Creates the layer; see the class for its arguments."""
        super().__init__(autocast=False, **kwargs)
        self.size, self.stride = size, stride
        self.built = True  # It has no weights.

    def call(self, steps: Any, padding_mask: Any = None) -> tuple[Any, Any]:
        _, length, dim = ops.shape(steps)
        count = num_patches(length, self.stride)
        if padding_mask is not None:
            steps = ops.where(padding_mask[..., None] > 0, steps, 0)
            # With padding on the right, a patch is real if its first step is.
            padding_mask = padding_mask[:, :: self.stride]
        # Each patch joins so many blocks of `stride` steps.
        joined = num_patches(self.size, self.stride)
        padding = joined * self.stride - 1
        steps = ops.pad(steps, ((0, 0), (0, padding), (0, 0)))
        num_blocks = count + joined - 1
        steps = steps[:, : num_blocks * self.stride]
        blocks = ops.reshape(steps, (-1, num_blocks, self.stride * dim))
        # Not `take`, which PyTorch does not export to ONNX correctly.
        patches = ops.concatenate(
            [blocks[:, first : first + count] for first in range(joined)],
            axis=-1,
        )
        return patches[..., : self.size * dim], padding_mask

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(size=self.size, stride=self.stride)
        return config
