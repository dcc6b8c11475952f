"""What is suspicious about the names of classes, wherever they are from."""

import collections
from collections.abc import Sequence

from keras_fpt.tasks.user_data.audit.findings import Finding

SHOWN = 3


def similar_classes(class_names: Sequence[str]) -> list[Finding]:
    """Finds classes whose names differ in case or white space alone.

    Args:
        class_names: sequence of strings.
    """
    by_name = collections.defaultdict(list)
    for name in class_names:
        by_name[" ".join(name.lower().split())].append(name)
    similar = [names for names in by_name.values() if len(names) > 1]
    if not similar:
        return []
    listed = ["'" + "' and '".join(names) + "'" for names in similar]
    shown = ", ".join([*listed[:SHOWN], "..."][: len(listed)])
    return [
        Finding(
            "similar-classes",
            f"The classes {shown} differ only in their spelling.",
            "If they are one class, give them one name.",
        )
    ]
