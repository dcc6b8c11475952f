"""Our own messages among all that a tf.data pipeline says when it fails."""

import re

# Begins the message of an assertion within a pipeline.
MARK = "Bad data: "
_OUR_MESSAGE = re.compile(re.escape(MARK) + r"(.*?)\.")


def clear_error(error):
    """The `ValueError` for what an assertion of ours found, or `None`."""
    found = _OUR_MESSAGE.search(str(error))
    if found is None:
        return None
    return ValueError(
        f"{found.group(1)}, but a batch of the data set holds others."
    )
