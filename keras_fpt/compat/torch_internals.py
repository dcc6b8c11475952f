"""The private names of PyTorch 2.13 that this package needs, in one place."""

import functools

import torch


def softmax_gradient(
    upstream: torch.Tensor, weights: torch.Tensor, out: torch.Tensor
) -> None:
    """Writes the gradient of a softmax over the last axis.

    The public ways compute the softmax again or take more passes over memory.

    Args:
        upstream: float tensor, the gradient of what the softmax gave.
        weights: float tensor of the same shape, what the softmax gave.
        out: float tensor of the same shape, which is written to.
    """
    torch._softmax_backward_data(
        upstream, weights, -1, upstream.dtype, grad_input=out
    )


def number_of_changes(tensor: torch.Tensor) -> int:
    """How often a tensor was changed in place, with which autograd checks it.

    Args:
        tensor: a tensor that was not made in inference mode. Changes through
            its `data` are not counted.
    """
    return tensor._version


@functools.cache
def multiplies_bfloat16() -> bool:
    """Whether PyTorch has fast products of bfloat16 for this CPU.

    They are oneDNN's. Its own are up to 60 times as slow as those of float32.
    """
    is_supported = getattr(
        torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False
    )
    return bool(is_supported())
