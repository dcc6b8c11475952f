"""The folder of a study, with a file that describes the study.

The folders of its runs are named by `run_name` in `runs/run_store.py`.
"""

import json
import os
import pathlib

from keras_fpt import files
from keras_fpt.files import json_files

# The digest of the data that a study was started with. Studies of earlier
# versions do not have it.
DATA = "data_digest.json"


def initialize(
    folder: str | os.PathLike[str],
    name: str,
    text: str,
    what: str,
    data: str | None = None,
) -> None:
    """Writes the description of a study into its folder, new or empty.

    If the folder holds the same study, nothing is changed.

    Args:
        folder: path.
        name: string, the file that describes the study.
        text: string, its description, a JSON object.
        what: string, the kind of study, for errors.
        data: string, the fingerprint of its data; `None` if it names none.

    Raises:
        FileExistsError: the folder holds another study, something else, or
            links.
        ValueError: the description in the folder is damaged, or the data has
            changed since the study started.
    """
    folder = pathlib.Path(folder)
    path = folder / name
    described = json_files.parse_object(text, f"The {what}")
    if folder.is_dir():
        # Links within each run's folder are refused when it is trained.
        files.refuse_links(
            folder,
            [
                entry.name
                for entry in folder.iterdir()
                if entry.is_symlink() or entry.name != "runs"
            ],
        )
    if path.is_file():
        if json_files.read_object(path) != described:
            raise FileExistsError(
                f"The folder `{folder}` holds a {what} with other settings "
                f"(see {name}). Choose another folder."
            )
        _check_data(folder, what, data)
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(
            f"The output folder `{folder}` is not empty and holds no {what}. "
            "Choose another one."
        )
    folder.mkdir(parents=True, exist_ok=True)
    files.write_text(path, text)
    files.write_text(folder / DATA, json.dumps({"data": data}) + "\n")


def _check_data(folder: pathlib.Path, what: str, data: str | None) -> None:
    path = folder / DATA
    if path.is_file() and json_files.read_object(path).get("data") != data:
        raise ValueError(
            f"The data has changed since the {what} in `{folder}` started, so "
            "its runs could not be compared. Put the earlier data back, or "
            "choose another folder."
        )
