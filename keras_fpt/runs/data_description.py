"""The description of a run's data that prediction needs: `data.json`.

It is saved in the run's folder, so that prediction needs neither the training
data nor its path.
"""

import dataclasses
import json
import pathlib

from keras_fpt import files
from keras_fpt.files import json_files
from keras_fpt.runs.folder import DATA, Path
from keras_fpt.tasks import (
    Recipe,
    Task,
    as_saved,
    reader_from_json,
    reader_to_json,
)


@dataclasses.dataclass(frozen=True)
class _TaskFields:
    """The fields of a `Task` that are saved unchanged."""

    name: str
    description: str
    num_classes: int
    sequence_length: int
    input_dim: int | None
    vocabulary_size: int | None
    class_names: tuple[str, ...]
    num_targets: int | None = None
    is_multilabel: bool = False
    is_per_token: bool = False
    horizon: int | None = None
    future_dim: int = 0


# Fields that earlier versions lack, with what their tasks were.
_LATER = {
    "num_targets": None,
    "is_multilabel": False,
    "is_per_token": False,
    "horizon": None,
    "future_dim": 0,
}
_FIELDS = tuple(field.name for field in dataclasses.fields(_TaskFields))


def to_json(task: Task) -> str:
    """A task on the user's own data, without the data, as JSON text."""
    entry = {name: getattr(task, name) for name in _FIELDS}
    for name, value in _LATER.items():  # As in older versions.
        if entry[name] == value:
            del entry[name]
    entry["recipe"] = dataclasses.asdict(task.recipe)
    entry["reader"] = reader_to_json(task.reader)
    entry["fingerprint"] = task.data.fingerprint
    return json.dumps(entry, indent=2) + "\n"


def save_description(task: Task, folder: Path) -> None:
    """Writes the description of a task's data into a run's folder.

    Raises:
        ValueError: the run has started with other data.
    """
    path = pathlib.Path(folder, DATA)
    if path.is_file():
        _check_same(task, path)
    else:
        files.write_text(path, to_json(task))


def as_started(task: Task, folder: Path) -> Task:
    """The task as made by the version that started the run in a folder."""
    path = pathlib.Path(folder, DATA)
    if task.reader is None or not path.is_file():
        return task
    return as_saved(task, json_files.read_object(path).get("reader"))


def check_same_data(task: Task, folder: Path) -> None:
    """Checks that a task has the data that a folder's run was trained on.

    Raises:
        FileNotFoundError: the run has no description of its data.
        ValueError: the data has changed.
    """
    _check_same(task, pathlib.Path(folder, DATA))


def _check_same(task: Task, path: pathlib.Path) -> None:
    saved = json_files.read_object(path)
    entry = json.loads(to_json(task))
    if saved.get("fingerprint") != entry["fingerprint"]:
        entry["fingerprint"] = task.data.former_fingerprint
    if isinstance(saved.get("reader"), dict):
        # Earlier versions had fewer fields. What later ones change in the
        # examples changes their fingerprint.
        entry["reader"] = {
            name: value
            for name, value in entry["reader"].items()
            if name in saved["reader"]
        }
    for name, value in entry.items():
        # The name is that of the file, which may have been renamed.
        if name != "name" and saved.get(name) != value:
            raise ValueError(
                f"The data has changed since the run in `{path.parent}` "
                f"started, so its splits would differ: {DATA} has another "
                f"{name}. Restore the earlier data, or train again in another "
                "folder."
            )


def read_description(folder: Path) -> Task:
    """The task of a run, without the data.

    Raises:
        FileNotFoundError: the run was not trained on the user's own data.
        ValueError: the description is damaged.
    """
    path = pathlib.Path(folder, DATA)
    if not path.is_file():
        raise FileNotFoundError(
            f"The run in `{folder}` has no {DATA}: only runs on your own data "
            "can predict on new files."
        )
    where = f"`{path}`"
    entry = json_files.read_object(path)
    entry = _LATER | entry
    missing = {*_FIELDS, "recipe", "reader"} - entry.keys()
    if missing:
        raise ValueError(f"{where}: there is no field '{min(missing)}'.")
    task = json_files.from_dict(
        _TaskFields, {name: entry[name] for name in _FIELDS}, where
    )
    if len(set(task.class_names)) < len(task.class_names):
        raise ValueError(f"{where}: a name of class_names is repeated.")
    if task.num_classes != len(task.class_names):
        raise ValueError(
            f"{where}: expected num_classes={len(task.class_names)}, the "
            f"number of class_names, but found {task.num_classes}."
        )
    return Task(
        data=None,
        recipe=json_files.from_dict(
            Recipe, entry["recipe"], f"{where}, recipe"
        ),
        reader=reader_from_json(entry["reader"], f"{where}, reader"),
        **dataclasses.asdict(task),
    )
