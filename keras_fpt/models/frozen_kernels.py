"""Copies in bfloat16 of the kernels that a model's blocks do not train.

The option `precision="bfloat16"` computes with them. They are no variables of
the model: they are neither counted nor saved.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
from keras import ops

from keras_fpt.compat import keras_hub_internals
from keras_fpt.models.stacked_layers import StackedBlock


class BlockKernels(NamedTuple):
    """The kernels of a block in bfloat16; `None` for those that train.

    Args:
        projections: tensor `(inputs, 3 * heads * head_dim)`, the kernels of
            query, key and value, joined.
        attention_output: tensor `(heads * head_dim, outputs)`.
        intermediate: tensor `(inputs, outputs)`, of the feedforward layer.
        feedforward_output: tensor `(inputs, outputs)`.
    """

    projections: Any = None
    attention_output: Any = None
    intermediate: Any = None
    feedforward_output: Any = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of those that are not `None`."""
        return tuple(k for k, v in self._asdict().items() if v is not None)


def is_plain(layer: Any) -> bool:
    """Whether a dense layer has a single matrix, which is not quantized."""
    return layer.quantization_mode is None and not layer.lora_enabled


def _dense_layers(block: Any) -> BlockKernels:
    """The dense layers of each kernel, as lists; of those that are frozen."""
    block = block.block if isinstance(block, StackedBlock) else block
    layers = keras_hub_internals.block_layers(block)
    attention = layers.attention
    groups = (
        [attention.query_dense, attention.key_dense, attention.value_dense],
        [attention.output_dense],
        [layers.feedforward_intermediate],
        [layers.feedforward_output],
    )
    return BlockKernels(
        *(
            group
            if all(is_plain(x) and not x.kernel.trainable for x in group)
            else None
            for group in groups
        )
    )


def cast_kernels(block: Any) -> BlockKernels:
    """Joins a block's frozen kernels and casts them to bfloat16.

    Args:
        block: a `TransformerEncoder` or `TransformerDecoder`, or a
            `StackedBlock` of one.
    """
    projections, *others = _dense_layers(block)
    joined = None
    if projections is not None:
        joined = ops.concatenate(
            # Their shape is `(inputs, heads, head_dim)`.
            [_cast(x, (x.kernel.shape[0], -1)) for x in projections],
            axis=1,
        )
    return BlockKernels(
        joined,
        *(  # That of the attention's output is `(heads, head_dim, outputs)`.
            None if group is None else _cast(x, (-1, x.kernel.shape[-1]))
            for group in others
            for x in group or (None,)
        ),
    )


def _cast(layer: Any, shape: tuple[int, int]) -> Any:
    return ops.reshape(ops.cast(layer.kernel, "bfloat16"), shape)


class FrozenKernels:
    """Gives a network's blocks their kernels, cast as rarely as is safe.

    On PyTorch they are cast once, and again for weights that have changed: a
    tensor counts its changes, except for those through its `data`. On other
    backends, and while PyTorch traces, they are cast within the step.
    """

    def __init__(self) -> None:
        self._is_off = False
        self._cast: dict[int, tuple[list, BlockKernels]] = {}

    @contextlib.contextmanager
    def off(self) -> Iterator[None]:
        """A context in which blocks compute in float32."""
        self._is_off = True
        try:
            yield
        finally:
            self._is_off = False

    def of(self, block: Any) -> BlockKernels:
        """The kernels of a block; none within `off`.

        Args:
            block: as for `cast_kernels`.
        """
        if self._is_off:
            return BlockKernels()
        if keras.backend.backend() == "torch":
            return self._of_torch(block)
        return cast_kernels(block)

    def _of_torch(self, block: Any) -> BlockKernels:
        import torch

        kernels = [
            layer.kernel.value
            for group in _dense_layers(block)
            for layer in group or ()
        ]
        if torch.compiler.is_compiling() or any(
            kernel.is_inference() for kernel in kernels
        ):
            return cast_kernels(block)
        # The tensors themselves, so that no other can get the identity of one.
        state = [(x, x._version, x.data_ptr()) for x in kernels]
        known, cast = self._cast.get(id(block), (None, BlockKernels()))
        if known is None or not _is_same(known, state):
            # What an inference mode makes could not be used in training.
            with torch.inference_mode(False), torch.no_grad():
                cast = cast_kernels(block)
            self._cast[id(block)] = state, cast
        return cast


def _is_same(state: list, other: list) -> bool:
    return len(state) == len(other) and all(
        x is y and rest == others
        for (x, *rest), (y, *others) in zip(state, other, strict=True)
    )
