"""Keras passes no compiler options to JAX.

The fault: XLA on a CPU orders the operations of a training step so that many
can run at once. On a few cores this gains nothing and keeps the attention
scores of all queries in memory. JAX 0.10 has an option against it, but
`compile` and `fit` of Keras 3.15 cannot pass options to `jax.jit`.

No upstream issue was found.
"""

import contextlib
import functools
import threading
from collections.abc import Iterator

import keras

# Held while Keras's `jit`, which all threads share, is another.
REPLACING = threading.RLock()


@contextlib.contextmanager
def jitted_for_memory() -> Iterator[None]:
    """A context in which what Keras compiles for a CPU takes less memory.

    It does nothing on other backends and devices.
    """
    if keras.backend.backend() != "jax" or not _options():
        yield
        return
    from keras.src.backend.jax import trainer

    with REPLACING:
        jit = trainer.jit
        trainer.jit = functools.partial(jit, compiler_options=_options())
        try:
            yield
        finally:
            trainer.jit = jit


@functools.cache
def _options() -> dict[str, str]:
    import jax

    options = {"xla_cpu_scheduler_type": "CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED"}
    if jax.default_backend() != "cpu":
        return {}
    try:
        jax.jit(lambda: 0, compiler_options=options)()
    except jax.errors.JaxRuntimeError:  # This XLA lacks the option.
        return {}
    return options
