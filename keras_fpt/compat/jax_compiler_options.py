"""Options of XLA for the training step, which Keras cannot be given."""

import contextlib
import functools

import keras


@contextlib.contextmanager
def jitted_for_memory():
    """Within it, what Keras compiles with JAX for a CPU takes less memory.

    XLA would order a step's operations such that many can run at once, which
    on a few cores gains nothing and keeps the scores of all queries.
    """
    if keras.backend.backend() != "jax" or not _options():
        yield
        return
    from keras.src.backend.jax import trainer

    jit = trainer.jit
    trainer.jit = functools.partial(jit, compiler_options=_options())
    try:
        yield
    finally:
        trainer.jit = jit


@functools.cache
def _options():
    import jax

    options = {"xla_cpu_scheduler_type": "CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED"}
    if jax.default_backend() != "cpu":
        return {}
    try:
        jax.jit(lambda: 0, compiler_options=options)()
    except jax.errors.JaxRuntimeError:  # Another XLA, without this option.
        return {}
    return options
