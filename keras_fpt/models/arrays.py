"""Converts users' arrays to NumPy, and refuses what Keras would misread."""

import sys
from typing import Any

import keras
import numpy as np


def as_numbers(values: Any, name: str) -> np.ndarray:
    """An array of numbers, without a copy where none is needed.

    Args:
        values: an array or a tensor of any backend.
        name: string, what they are, for errors.

    Returns:
        A NumPy array of integers, floats or booleans.

    Raises:
        ValueError: it is not one dense array of real numbers.
    """
    array = as_array(values, name)
    if array.dtype.kind == "c":
        raise ValueError(
            f"Expected real numbers as {name} but received {array.dtype}. "
            "Give the real and the imaginary parts as separate numbers: "
            "np.concatenate([x.real, x.imag], axis=-1)."
        )
    if array.dtype.kind == "O":
        raise ValueError(
            f"Expected an array of numbers as {name} but received one of "
            "Python objects. Give all sequences one length, with padding on "
            "the right and a padding_mask, and convert the array with "
            "astype('float32') or astype('int32')."
        )
    if array.dtype.kind not in "biuf":
        if "float" not in array.dtype.name:  # bfloat16, which NumPy lacks
            raise ValueError(
                f"Expected numbers as {name} but received {array.dtype}."
            )
        array = array.astype("float32")
    return array


def as_array(values: Any, name: str) -> np.ndarray:
    """An array of any type.

    Raises:
        ValueError: it is not one dense array.
    """
    kind = type(values).__name__
    if isinstance(values, (list, tuple)):
        raise ValueError(
            f"Expected one array as {name} but received a {kind} of "
            f"{len(values)}. Give the array itself, or np.asarray of numbers."
        )
    if isinstance(values, np.ma.MaskedArray) or not _is_dense(values):
        raise ValueError(
            f"Expected a dense array as {name} but received a {kind}. "
            "Convert it to an array, and name tokens that are padding in a "
            "padding_mask."
        )
    if keras.ops.is_tensor(values):
        # It may be on an accelerator, or part of a gradient's graph.
        return keras.ops.convert_to_numpy(values)
    if hasattr(values, "detach"):  # PyTorch's, on another backend.
        values = values.detach().cpu()
    return np.asarray(values)


def _is_dense(values: Any) -> bool:
    # `indices`: of TensorFlow's and JAX's sparse tensors.
    return hasattr(values, "__array__") and not (
        getattr(values, "is_sparse", False)
        or getattr(values, "is_nested", False)
        or (hasattr(values, "indices") and hasattr(values, "todense"))
    )


def with_padding(x: Any) -> Any:
    """Ragged tokens as padded tokens and their `padding_mask`.

    Args:
        x: tokens, or a dict of them. All but TensorFlow's ragged tensors is
            returned as it is.

    Returns:
        `x`, or a dict of `tokens` and `padding_mask`: tensors within a
        tf.data pipeline, NumPy arrays elsewhere.

    Raises:
        ValueError: more than the number of tokens is ragged, or ragged tokens
            come with a mask.
    """
    tf = sys.modules.get("tensorflow")
    tokens = x.get("tokens") if isinstance(x, dict) else x
    if tf is None or not isinstance(tokens, tf.RaggedTensor):
        return x
    if isinstance(x, dict) and x.get("padding_mask") is not None:
        raise ValueError(
            "Expected ragged tokens without a padding_mask, which follows "
            "from their lengths."
        )
    if tokens.ragged_rank != 1:
        raise ValueError(
            "Expected ragged tokens of which only the number differs between "
            f"examples but received shape {tokens.shape}."
        )
    padded = {
        "tokens": tokens.to_tensor(),
        "padding_mask": tf.sequence_mask(tokens.row_lengths(), dtype=tf.int32),
    }
    if not tf.executing_eagerly():
        return padded
    return {name: tensor.numpy() for name, tensor in padded.items()}


def are_known(values: Any) -> bool:
    """Whether all tensors hold values, and are not symbols of a graph.

    Args:
        values: arrays and tensors, in any structure.
    """
    return all(map(_is_known, keras.tree.flatten(values)))


def _is_known(value: Any) -> bool:
    if isinstance(value, keras.KerasTensor):
        return False
    backend = keras.backend.backend()
    if not keras.ops.is_tensor(value):
        return True
    if backend == "jax":
        import jax

        return not isinstance(value, jax.core.Tracer)
    if backend == "tensorflow":
        import tensorflow as tf

        return not tf.is_symbolic_tensor(value)
    import torch

    return (
        # Other types stand for tensors while PyTorch exports a model.
        type(value) in (torch.Tensor, torch.nn.Parameter)
        and value.device.type != "meta"
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
    )
