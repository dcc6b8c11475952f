"""Copies in bfloat16 of the kernels that a model's blocks do not train.

The option `precision="bfloat16"` computes with them. They are no variables of
the model: they are neither counted nor saved.
"""

import contextlib
import weakref
from collections.abc import Iterable, Iterator
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
    return BlockKernels(joined, *map(_matrix, others))


def _matrix(group: list | None) -> Any:
    """The kernel of the only layer of a group, cast, or `None`."""
    if group is None:
        return None
    # That of the attention's output is `(heads, head_dim, outputs)`.
    return _cast(group[0], (-1, group[0].kernel.shape[-1]))


def _cast(layer: Any, shape: tuple[int, int]) -> Any:
    return ops.reshape(ops.cast(layer.kernel, "bfloat16"), shape)


class FrozenKernels:
    """Gives a network's blocks their kernels, cast as rarely as is safe.

    On PyTorch they are cast once, and again for weights that have changed: a
    tensor counts its changes, except for those through its `data`. On JAX, the
    steps that `for_steps` is given to receive them as an argument, see
    `StepKernels`. Everywhere else they are cast in each call: on TensorFlow,
    whose variables do not tell whether they have changed.
    """

    def __init__(self) -> None:
        self._is_off = False
        self._cast: dict[int, tuple[list, BlockKernels]] = {}  # on PyTorch
        self._in_steps: StepKernels | None = None  # on JAX
        self._given: dict[int, BlockKernels] = {}

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
        return self._given.get(id(block)) or cast_kernels(block)

    @contextlib.contextmanager
    def given(self, blocks: Iterable, kernels: Iterable) -> Iterator[None]:
        """A context in which blocks use kernels that exist already."""
        pairs = zip(blocks, kernels, strict=True)
        self._given = {id(block): own for block, own in pairs}
        try:
            yield
        finally:
            self._given = {}

    def for_steps(self, model: Any, blocks: Iterable) -> "StepKernels":
        """An argument for the steps of a model, for `jax_step_arguments`.

        Args:
            model: the `keras.Model` with these kernels.
            blocks: those of its network.
        """
        if self._in_steps is None or not self._in_steps.are_of(model, blocks):
            self._in_steps = StepKernels(self, model, blocks)
        return self._in_steps

    def _of_torch(self, block: Any) -> BlockKernels:
        import torch

        from keras_fpt.compat import torch_internals

        kernels = [
            layer.kernel.value
            for group in _dense_layers(block)
            for layer in group or ()
        ]
        if torch.compiler.is_compiling() or any(
            # Keras infers shapes with tensors that have no values.
            kernel.is_meta or kernel.is_inference()
            for kernel in kernels
        ):
            return cast_kernels(block)
        # The tensors themselves, so that no other can get the identity of one.
        state = [
            (x, torch_internals.number_of_changes(x), x.data_ptr())
            for x in kernels
        ]
        known, cast = self._cast.get(id(block), (None, BlockKernels()))
        if known is None or not _is_same(known, state):
            # What an inference mode makes could not be used in training.
            with torch.inference_mode(False), torch.no_grad():
                cast = cast_kernels(block)
            self._cast[id(block)] = state, cast
        return cast


class StepKernels:
    """The kernels that JAX's compiled steps of a model take as an argument.

    They are cast when the weights that a step receives are not the very arrays
    that the step before has returned, whose values no step changes.

    Args:
        kernels: the network's `FrozenKernels`.
        model: the `keras.Model`.
        blocks: iterable of the network's blocks.
    """

    def __init__(
        self, kernels: FrozenKernels, model: Any, blocks: Iterable
    ) -> None:
        self.kernels = kernels
        # ALBERT's are one and the same.
        self.blocks = list({id(block): block for block in blocks}.values())
        self.variables = _frozen_variables(self.blocks)
        own = [id(v) for v in model.non_trainable_variables]
        self.places = [own.index(id(v)) for v in self.variables]
        # An array that the step was given takes no more memory.
        self.sources: list[weakref.ref] = []
        self.cast: list[BlockKernels] | None = None

    def are_of(self, model: Any, blocks: Iterable) -> bool:
        """Whether a model still has these frozen kernels in these places."""
        own = model.non_trainable_variables
        return (
            {id(block) for block in blocks} == {id(b) for b in self.blocks}
            and len(own) > max(self.places, default=-1)
            and [id(own[i]) for i in self.places]
            == [id(v) for v in _frozen_variables(self.blocks)]
        )

    def before(self, values: list) -> list[BlockKernels]:
        """See `jax_step_arguments.Argument`."""
        own = [values[place] for place in self.places]
        known = [source() for source in self.sources]
        if (
            self.cast is None
            or len(own) != len(known)
            or any(x is not y for x, y in zip(own, known, strict=True))
        ):
            import jax

            self.cast = None  # Frees them first.
            self.cast = jax.jit(self._cast_all)(own)
        return self.cast

    def within(self, argument: Any) -> contextlib.AbstractContextManager:
        """See `jax_step_arguments.Argument`."""
        return self.kernels.given(self.blocks, argument)

    def after(self, values: list) -> None:
        """See `jax_step_arguments.Argument`."""
        self.sources = [weakref.ref(values[place]) for place in self.places]

    def _cast_all(self, values: list) -> list[BlockKernels]:
        mapping = list(zip(self.variables, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return [cast_kernels(block) for block in self.blocks]


def _frozen_variables(blocks: Iterable) -> list:
    return [
        layer.kernel
        for block in blocks
        for group in _dense_layers(block)
        for layer in group or ()
    ]


def _is_same(state: list, other: list) -> bool:
    return len(state) == len(other) and all(
        x is y and rest == others
        for (x, *rest), (y, *others) in zip(state, other, strict=True)
    )
