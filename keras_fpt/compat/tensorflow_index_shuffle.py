"""`tf.random.experimental.index_shuffle` refuses one seed per index.

The fault: the function of TensorFlow 2.21 takes seeds `[n, 2]` according to
its documentation, and should add a third number to each. It pads the first
axis instead of the last, and the operation then refuses the shape.

No upstream issue was found.
"""

from typing import Any


def index_shuffle(index: Any, seed: Any, max_index: Any) -> Any:
    """The position of an index in a random permutation of `0, ..., max_index`.

    Args:
        index: int tensor, a scalar or `(n,)`.
        seed: int tensor of three numbers, `(3,)` or `(n, 3)`: each seed is
            one permutation.
        max_index: int tensor of the type of `index`, the largest index.

    Returns:
        Tensor of the shape and type of `index`.
    """
    import tensorflow as tf

    return tf.raw_ops.RandomIndexShuffle(
        index=index, seed=seed, max_index=max_index
    )
