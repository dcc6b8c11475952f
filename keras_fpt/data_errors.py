"""Finds this package's own message in the error of a tf.data pipeline."""

import re

# Every message of an assertion in a pipeline begins with this.
MARK = "Bad data: "
_OUR_MESSAGE = re.compile(re.escape(MARK) + r"(.*?)\.")


def clear_error(error: Exception) -> ValueError | None:
    """A short error for a failed assertion of this package.

    Args:
        error: what TensorFlow raised.

    Returns:
        A `ValueError`, or `None` where the assertion is not one of this
        package's.
    """
    match = _OUR_MESSAGE.search(str(error))
    if match is None:
        return None
    return ValueError(
        f"{match.group(1)}, but a batch of the data set contains others."
    )
