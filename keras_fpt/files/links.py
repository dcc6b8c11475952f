"""Links in folders that the package writes to and removes files from."""

import os
import pathlib
from collections.abc import Iterable


def refuse_links(folder: str | os.PathLike[str], names: Iterable[str]) -> None:
    """Checks that what the package writes in a folder is not linked elsewhere.

    A folder may come from somebody else, and its links lead to files outside
    of it, which must not be written or removed.

    Args:
        folder: path. It may be a link itself, which somebody has chosen.
        names: strings, the files and folders in it that the package writes.

    Raises:
        FileExistsError: one of them, or something within it, is a link.
    """
    for name in names:
        path = pathlib.Path(folder, name)
        for found in (path, *(path.rglob("*") if path.is_dir() else ())):
            if found.is_symlink():
                raise FileExistsError(
                    f"`{found}` is a link, and what is written there would go "
                    "elsewhere. Remove the link, or choose another output "
                    "folder."
                )
