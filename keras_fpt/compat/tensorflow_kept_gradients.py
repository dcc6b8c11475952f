"""Gradients that TensorFlow never removes.

The fault: TensorFlow 2.21 registers the gradient of each `tf.custom_gradient`,
and of each `tf.function` within another, under a separate name, and never
removes it. The graphs of every model that was trained stay in memory, some 13
MB for a small one.

Upstream: https://github.com/tensorflow/tensorflow/issues/27492 and
https://github.com/tensorflow/tensorflow/issues/97697, of which newer releases
may fix a part; https://github.com/keras-team/tf-keras/pull/898 removes such
entries as well.
"""

import contextlib
import weakref
from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any

import keras

# Of a `tf.custom_gradient`, and of a `tf.function`.
OPERATIONS, FUNCTIONS = "CustomGradient-", "PartitionedCall-"


@contextlib.contextmanager
def forgotten_with(owner: Any, *kinds: str) -> Iterator[None]:
    """A context whose TensorFlow registrations are removed with their owner.

    It does nothing on other backends.

    Args:
        owner: the object whose operations are traced.
        *kinds: `OPERATIONS`, and `FUNCTIONS` where no code of users runs, whose
            functions may outlive the owner.
    """
    if keras.backend.backend() != "tensorflow":
        yield
        return
    registry = registered()
    before = set(registry)
    try:
        yield
    finally:
        new = [
            name for name in registry.keys() - before if name.startswith(kinds)
        ]
        if new:
            weakref.finalize(owner, _forget, registry, new).atexit = False


def registered() -> MutableMapping[str, Any]:
    """TensorFlow's gradient functions, by name."""
    from tensorflow.python.framework import ops

    return ops.gradient_registry._registry


def _forget(registry: MutableMapping[str, Any], names: Iterable[str]) -> None:
    for name in names:
        registry.pop(name, None)
