"""Decides in which precision the products of frozen weights are computed."""

import contextlib
import logging
import pathlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras

from keras_fpt import backbones
from keras_fpt.models import quantization

LOGGER = logging.getLogger(__name__)
_CPU_INFO = pathlib.Path("/proc/cpuinfo")
# As Linux names the instructions that multiply numbers in bfloat16.
_CPU_FLAGS = ("amx_bf16", "avx512_bf16")
# The first generation of NVIDIA's GPUs that has them, Ampere.
_FIRST_CAPABILITY = 8, 0


class Choice(NamedTuple):
    """A precision, and why it was chosen.

    Args:
        precision: string, `"bfloat16"` or `"float32"`.
        reason: string, words that follow a colon.
    """

    precision: str
    reason: str


def resolve(precision: str, cut: Any, backbone: Any) -> str:
    """The precision that a model computes in.

    Args:
        precision: string, the option `precision`.
        cut: the model's `CutBackbone`.
        backbone: its backbone, which is quantized already if it will be.

    Returns:
        `"bfloat16"` or `"float32"`. With `"auto"` it is logged.

    Raises:
        ValueError: `"bfloat16"` is asked for, and the model cannot do it.
    """
    if precision == "float32":
        return precision
    obstacle = _obstacle(cut, backbone)
    if precision == "bfloat16":
        if obstacle is not None:
            raise ValueError(
                "precision='bfloat16' is for frozen weights in float32, in "
                "the blocks of GPT-2, OPT, BERT or similar families with "
                f"fast=True and a readout of tokens; {obstacle}. Use "
                "precision='float32'."
            )
        return precision
    choice = of_processor(backbone)
    if choice.precision == "bfloat16" and obstacle is not None:
        choice = Choice("float32", obstacle)
    LOGGER.info(
        "precision='auto' computes the products of frozen weights in "
        f"{choice.precision}: {choice.reason}."
    )
    return choice.precision


def _obstacle(cut: Any, backbone: Any) -> str | None:
    """Why a model cannot compute in bfloat16, or `None`."""
    if cut.fast is None:
        return (
            f"this {type(backbone).__name__} is computed by KerasHub's layers"
        )
    if quantization.is_quantized(backbone):
        return f"this {type(backbone).__name__} is quantized"
    dtype = backbones.own_dtype(backbone, None)
    policy = keras.dtype_policies.get(dtype)
    if policy.compute_dtype != "float32":
        return f"this backbone's dtype is {policy.name}"
    return None


def of_processor(backbone: Any) -> Choice:
    """The precision that suits the processor on which a backbone computes."""
    kind, capability = _device(backbone)
    if kind == "tpu":
        return Choice("bfloat16", "TPUs multiply in bfloat16")
    if kind == "gpu":
        has_it = capability is not None and capability >= _FIRST_CAPABILITY
        return Choice(
            "bfloat16" if has_it else "float32",
            "the compute capability of the GPU is "
            + (".".join(map(str, capability)) if capability else "unknown"),
        )
    if kind != "cpu":
        return Choice("float32", f"the device is of the kind {kind}")
    flags = _cpu_flags()
    if not flags:
        return Choice("float32", "the processor's instructions are unknown")
    for flag in _CPU_FLAGS:
        if flag in flags:
            return Choice("bfloat16", f"the processor has {flag}")
    return Choice(
        "float32", f"the processor has neither {' nor '.join(_CPU_FLAGS)}"
    )


def _device(backbone: Any) -> tuple[str, tuple[int, ...] | None]:
    """The kind of the device, and the compute capability of a GPU."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        kind = jax.default_backend()
        capability = getattr(jax.devices()[0], "compute_capability", None)
        if not isinstance(capability, str):
            return kind, None
        return kind, tuple(int(n) for n in capability.split(".") if n.isdigit())
    if backend == "torch":
        import torch

        device = backbone.weights[0].value.device
        if device.type == "cuda":
            return "gpu", torch.cuda.get_device_capability(device)
        return device.type, None
    import tensorflow as tf

    if tf.config.list_logical_devices("TPU"):
        return "tpu", None
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "cpu", None
    details = tf.config.experimental.get_device_details(gpus[0])
    return "gpu", details.get("compute_capability")


def _cpu_flags() -> set[str]:
    """The instructions that the processor has; empty where it does not say."""
    with contextlib.suppress(OSError):
        for line in _CPU_INFO.read_text("utf-8", errors="replace").splitlines():
            if line.startswith("flags"):
                return set(line.partition(":")[2].split())
    return set()


@contextlib.contextmanager
def exact(model: Any) -> Iterator[None]:
    """A context in which a model computes in float32.

    Args:
        model: an `FPTModel`.
    """
    fast = model.cut.fast
    if fast is None or fast.kernels is None:
        yield
        return
    with fast.kernels.off():
        yield
