"""Images in data sets that Hugging Face's `datasets` saved to disk."""

import contextlib
import dataclasses
import os
import pathlib
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import given_labels, splitting, targets
from keras_fpt.tasks.user_data.arrays import arrow_folders, arrow_frames
from keras_fpt.tasks.user_data.audit import audit_groups
from keras_fpt.tasks.user_data.media import folders, image_folders
from keras_fpt.tasks.user_data.path_errors import prefix_errors_with_path
from keras_fpt.tasks.user_data.tables import table_structure

ADVICE = (
    "Write the images into a folder with one subfolder per class, or a table "
    "of files and labels."
)


@prefix_errors_with_path
def from_saved_pictures(
    path: str | os.PathLike,
    label_column: str | None = None,
    split_column: str | None = None,
    split_group: str | Sequence[str] = (),
    image_size: int | None = None,
    patch_size: int = image_folders.PATCH_SIZE,
    background: str = image_folders.BACKGROUND,
    verbose: bool = True,
    folds: int | None = None,
    fold: int = 1,
    strict: bool = False,
    task_type: str | None = None,
) -> Task:
    """Makes a task from a saved data set with a column of images.

    Args:
        path: a folder that `datasets` wrote with `save_to_disk`.
        label_column: string; `None` takes the only column that is a class, or
            is named so.
        split_column: string, a column of `train`, `validation` and `test`;
            `None` takes the data set's own splits, if it has some.
        split_group: string or strings, columns of groups, such as people,
            that stay in one split.
        image_size, patch_size, background: as for `from_image_folder`.
        verbose: bool, whether to log a description of the data.
        folds, fold, strict: as for `from_image_folder`.
        task_type: as for `from_arrays`.

    Returns:
        A `Task`.

    Raises:
        ValueError: the folder is damaged, an image or a label is missing, or
            a column.
    """
    image_folders.check_options(image_size, patch_size, background)
    parts = arrow_folders.open_parts(path)
    column = arrow_folders.find_label_column(parts[0], label_column, path)
    frame, own = arrow_frames.read_frame(path)

    def where(index: int) -> str:
        return f"`{path}`, row {index + 1}"

    encoded = targets.encode(frame[column].to_numpy(str), where, task_type)
    request = given_labels.split_request(
        frame, path, split_column, split_group, folds, fold
    )
    if own is not None and split_column is None:
        request = dataclasses.replace(
            request, names=own, names_from="the data set's own"
        )
    splits, split_by = splitting.split_examples(encoded.y, where, request)
    used = {column, split_column, *table_structure.as_tuple(split_group)}
    with as_files(path) as (files, names):
        return image_folders.make_task(
            folders.LabeledFiles(
                pathlib.Path(path).resolve().name,
                files,
                names,
                encoded,
                splits,
                split_by,
                findings=audit_groups.find_beside(frame, used, encoded, splits),
                groups=given_labels.group_numbers(request),
            ),
            image_size,
            patch_size,
            background,
            strict,
            verbose,
        )


@contextlib.contextmanager
def as_files(
    path: str | os.PathLike,
) -> Iterator[tuple[list[pathlib.Path], list[str]]]:
    """Writes the images of a saved data set as files, for a while.

    Yields:
        A tuple: list of paths, and list of names. Those of a file, or of a
        folder that is no data set, are those of `folders.new_files`.
    """
    if not has_pictures(path):
        yield folders.new_files(path)
        return
    with tempfile.TemporaryDirectory(prefix="keras-fpt-") as folder:
        files = []
        for number, content in enumerate(_contents(path), 1):
            if not isinstance(content, bytes):
                raise ValueError(
                    f"`{path}`, row {number}: the data set does not hold the "
                    f"image itself. {ADVICE}"
                )
            # The name is in errors.
            files.append(pathlib.Path(folder, f"row {number}"))
            files[-1].write_bytes(content)
        yield files, [file.name for file in files]


def has_pictures(path: str | os.PathLike) -> bool:
    """Whether a path is that of a saved data set with a column of images."""
    if not arrow_folders.is_saved_dataset(path):
        return False
    return _find_column(arrow_folders.open_parts(path)[0]) is not None


def _contents(path: str | os.PathLike) -> Iterator[Any]:
    """The bytes of each image, or `None`."""
    import pyarrow.compute as pc

    name = _find_column(arrow_folders.open_parts(path)[0])
    for folder in arrow_folders.split_folders(path):
        for table in arrow_folders.read_tables(folder, [str(name)]):
            for chunk in table[name].chunks:
                for content in pc.struct_field(chunk, "bytes"):
                    yield content.as_py()


def _find_column(part: arrow_folders.Part) -> str | None:
    """The first column of images: of bytes and of the names of files."""
    import pyarrow as pa

    for field in part.table.schema:
        kind = field.type
        if not pa.types.is_struct(kind):
            continue
        names = {kind.field(i).name for i in range(kind.num_fields)}
        if names == {"bytes", "path"} and field.name in part.images:
            return field.name
    return None
