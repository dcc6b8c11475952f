"""The folder of a study, with a file that describes the study.

The folders of its runs are named by `run_name` in `runs/run_store.py`.
"""

import os
import pathlib

from keras_fpt import files
from keras_fpt.files import json_files


def initialize(
    folder: str | os.PathLike[str], name: str, text: str, what: str
) -> None:
    """Writes the description of a study into its folder, new or empty.

    If the folder holds the same study, nothing is changed.

    Args:
        folder: path.
        name: string, the file that describes the study.
        text: string, its description, a JSON object.
        what: string, the kind of study, for errors.

    Raises:
        FileExistsError: the folder holds another study, or something else.
        ValueError: the description in the folder is damaged.
    """
    folder = pathlib.Path(folder)
    path = folder / name
    described = json_files.parse_object(text, f"The {what}")
    if path.is_file():
        if json_files.read_object(path) != described:
            raise FileExistsError(
                f"The folder `{folder}` holds a {what} with other settings "
                f"(see {name}). Choose another folder."
            )
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(
            f"The output folder `{folder}` is not empty and holds no {what}. "
            "Choose another one."
        )
    folder.mkdir(parents=True, exist_ok=True)
    files.write_text(path, text)
