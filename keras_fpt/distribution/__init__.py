"""Training on several devices and in several processes, on any backend.

```python
with keras_fpt.distribution.scope():
    model = keras_fpt.FPTClassifier.from_preset("gpt2_base_en", task=task)
    model.fit(train, validation_data=validation, steps_per_epoch=500)
```

The engines are Keras's on JAX, `tf.distribute` on TensorFlow and
`torch.distributed` on PyTorch. Data sets are the same as for one device: each
batch is divided between the devices, so the results are the same as on one
device, except for rounding and dropout.
"""

import contextlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import keras

from keras_fpt import logs
from keras_fpt.distribution import meeting

KINDS = ("auto", "data_parallel", "model_parallel")
_current: Any = None


def current() -> Any:
    """The distribution that is in use, or `None`."""
    return _current


def has_accelerator() -> bool:
    """Whether Keras computes on a GPU or a TPU."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return bool(jax.default_backend() != "cpu")
    if backend == "torch":
        import torch

        return torch.cuda.is_available()
    import tensorflow

    return bool(tensorflow.config.list_physical_devices("GPU"))


def num_processes() -> int:
    """The number of processes that train together."""
    return 1 if _current is None else _current.num_processes


def is_first_process() -> bool:
    """Whether this process is the one that writes files and messages."""
    return _current is None or _current.process_index == 0


def total(value: int) -> int:
    """The sum of an integer over all processes.

    It waits until all processes have called it.
    """
    return value if num_processes() == 1 else _current.total(value)


def relative_count(count: Any, rows: Any, training: bool) -> Any:
    """How many labels a part of a batch has per row, relative to the batch.

    The losses of the parts are averaged by their rows. One that is a mean over
    labels, of which rows have different numbers, is to be multiplied by this,
    so that their average is the mean over all labels of the batch. All parts
    call it in the same step.

    Args:
        count: float tensor, the number of labels of the part.
        rows: int, or a tensor, the number of its rows.
        training: bool, whether it is a training step.

    Returns:
        Float tensor, or 1.0 if the batch is not divided.
    """
    if _current is None:
        return 1.0
    return _current.relative_count(count, rows, training)


def barrier() -> None:
    """Waits until all processes have called it."""
    total(0)


def agree_to_stop() -> None:
    """Notes that all processes are about to stop, so none counts as lost."""
    peers = getattr(_current, "peers", None)
    if peers is not None:
        peers.stop_is_agreed = True


@contextlib.contextmanager
def scope(kind: str = "auto") -> Iterator[Any]:
    """Distributes training over devices and processes within this context.

    Build the model within it. If there are several processes, all of them run
    the same program on the same data sets, and each batch is divided between
    them. They find each other through environment variables, within 60 seconds
    or those that `KERAS_FPT_START_SECONDS` allows:

    - JAX: `KERAS_DISTRIBUTION_JOB_ADDRESSES` (`host:port` of the first),
      `KERAS_DISTRIBUTION_NUM_PROCESSES` and `KERAS_DISTRIBUTION_PROCESS_ID`;
    - TensorFlow: `TF_CONFIG`;
    - PyTorch: those that `torchrun` sets.

    Args:
        kind: string. `"data_parallel"`: each device has all weights and a
            part of each batch. `"model_parallel"` (JAX): the frozen matrices
            are divided between the devices of a process, each device has all
            trained weights, and each batch is divided between the processes.
            `"auto"`: data parallel if there is more than one device or
            process, otherwise none.

    Yields:
        An object with `num_processes`, `process_index`, `num_replicas` (the
        number of parts of each batch) and `description`; or `None` if nothing
        is distributed.

    Raises:
        ValueError: the kind is unknown, or the backend does not support it.
        ConnectionError: another process did not start, or was lost.
    """
    global _current
    if kind not in KINDS:
        raise ValueError(
            f"Unknown distribution '{kind}'. Expected one of "
            f"{', '.join(KINDS)}."
        )
    if _current is not None:
        raise ValueError("A distribution is in use already.")
    with contextlib.ExitStack() as stack:
        engine = stack.enter_context(_engine().connect(kind))
        _current = engine
        if not is_first_process():
            stack.enter_context(logs.only_warnings())
        try:
            yield engine
        except Exception as error:
            if num_processes() > 1 and _is_lost_peer(error, engine.peers):
                peers = engine.peers or meeting.Peers(
                    engine.process_index, engine.num_processes, {}
                )
                raise ConnectionError(peers.describe_loss()) from error
            raise
        finally:
            _current = None


def _engine() -> ModuleType:
    """The module that distributes on the current backend."""
    backend = keras.backend.backend()
    if backend == "jax":
        from keras_fpt.distribution import jax_mesh

        return jax_mesh
    if backend == "tensorflow":
        from keras_fpt.distribution import tensorflow_strategy

        return tensorflow_strategy
    from keras_fpt.distribution import torch_processes

    return torch_processes


# Parts of the engines' error messages when another process has ended.
_LOST_PEER = (
    "connection closed by peer",
    "connection reset by peer",
    "connection refused",
    "socket closed",
    "broken pipe",
    "heartbeat",
    "coordination service",
    "unavailable",
    "aborted",
    "deadline",
    "timed out",
)


def _is_lost_peer(error: Exception, peers: meeting.Peers | None) -> bool:
    text = f"{type(error).__name__}: {error}".lower()
    if isinstance(error, ValueError | FileExistsError | FloatingPointError):
        # Errors of this package, unless JAX raises a ValueError.
        return "gloo" in text or "coordination service" in text
    if peers is not None and peers.lost is not None:
        return True
    return any(words in text for words in _LOST_PEER)
