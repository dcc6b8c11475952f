"""One way to train on several devices and in several processes.

```python
with keras_fpt.distribution.scope():
    model = keras_fpt.FPTClassifier.from_preset("gpt2_base_en", task=task)
    model.fit(train, validation_data=validation, steps_per_epoch=500)
```

The engines are Keras's on JAX, `tf.distribute` on TensorFlow and
`torch.distributed` on PyTorch. Data sets are those of one device: a batch is
shared out between the devices, so results are those of one device too, to
rounding and dropout.
"""

import contextlib

import keras

KINDS = ("auto", "data_parallel", "model_parallel")
_current = None


def current():
    """The distribution that training uses now, or `None`."""
    return _current


def num_processes():
    """How many processes train together."""
    return 1 if _current is None else _current.num_processes


def is_first_process():
    """Whether this process is the one that writes files and prints."""
    return _current is None or _current.process_index == 0


def total(value):
    """The sum of an integer over all processes, when all have got here."""
    return value if num_processes() == 1 else _current.total(value)


@contextlib.contextmanager
def scope(kind="auto"):
    """Spreads the training within it over devices and processes.

    Build the model within it. In several processes, all of them run the same
    program on the same data sets: each batch is shared out between them. The
    processes are told of each other by their environment:

    - JAX: `KERAS_DISTRIBUTION_JOB_ADDRESSES` (`host:port` of the first),
      `KERAS_DISTRIBUTION_NUM_PROCESSES` and `KERAS_DISTRIBUTION_PROCESS_ID`;
    - TensorFlow: `TF_CONFIG`;
    - PyTorch: `torchrun` sets it.

    Args:
        kind: string. `"data_parallel"`: each device has all weights and a
            part of each batch. `"model_parallel"` (JAX): the frozen matrices
            are shared out between the devices of a process, what trains is
            on each, and each batch is shared out between the processes.
            `"auto"`: data parallel where there is more than one device or
            process, otherwise none.

    Yields:
        An object with `num_processes`, `process_index`, `num_replicas` (into
        how many parts a batch is divided) and `description`; or `None` where
        nothing is to be distributed.

    Raises:
        ValueError: an unknown kind, or one that the backend does not have.
        ConnectionError: another process was lost.
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
        try:
            yield engine
        except Exception as error:
            if num_processes() > 1 and _is_lost_peer(error):
                raise ConnectionError(
                    f"Process {engine.process_index} of "
                    f"{engine.num_processes} lost touch with another one, "
                    "which has failed or was stopped: look at what that one "
                    "printed. Then start all of them again, with --resume to "
                    "go on from the last state that was kept."
                ) from error
            raise
        finally:
            _current = None


def _engine():
    """The module of the backend's engine."""
    backend = keras.backend.backend()
    if backend == "jax":
        from keras_fpt.distribution import jax_mesh

        return jax_mesh
    if backend == "tensorflow":
        from keras_fpt.distribution import tensorflow_strategy

        return tensorflow_strategy
    from keras_fpt.distribution import torch_processes

    return torch_processes


# What the engines' transports say when the other end is gone.
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


def _is_lost_peer(error):
    if isinstance(error, ValueError | FileExistsError | FloatingPointError):
        return False  # A message of ours.
    text = f"{type(error).__name__}: {error}".lower()
    return any(words in text for words in _LOST_PEER)
