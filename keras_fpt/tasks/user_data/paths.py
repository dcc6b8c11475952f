"""A person's file or folder as a task, by what it is."""

import dataclasses
import inspect
import pathlib

from keras_fpt.files import json_files
from keras_fpt.tasks.user_data import (
    arrays,
    fasta,
    folders,
    image_folders,
    strings,
    tables,
    wav_folders,
)

READERS = {
    reader.__name__: reader
    for reader in (
        arrays.ArrayReader,
        fasta.FastaReader,
        image_folders.ImageReader,
        strings.StringReader,
        tables.TableReader,
        wav_folders.SoundReader,
    )
}
FASTA = ("fasta", "fa", "faa")
KINDS = (
    ".csv or .tsv (a table), .fasta, .fa or .faa (proteins), .npz (arrays x "
    "and y), or a folder with a subfolder of images or .wav files a class"
)


def is_path(name):
    """Whether a name is that of a file or folder, and not of a task."""
    path = pathlib.Path(name)
    return (
        len(path.parts) > 1
        or str(name).startswith(".")
        or path.suffix != ""
        or path.exists()
    )


def from_path(path, verbose=True, **options):
    """A task from a person's own file or folder.

    Args:
        path: see `KINDS`.
        verbose: bool, whether to print what was found.
        **options: arguments of the function that reads such a file:
            `from_csv`, or `from_string_table` where there is a `text_column`;
            `from_fasta`, `from_image_folder`, `from_wav_folder` or
            `from_saved`.

    Returns:
        A `Task`.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ValueError: a file of no such kind, or an option that it does not
            have.
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder `{path}`.")
    make = _maker(path, options)
    parameters = inspect.signature(make).parameters
    unknown = sorted(options.keys() - parameters.keys())
    if unknown:
        raise ValueError(
            f"The option {_flag(unknown[0])} does not fit `{path}`."
        )
    for name, parameter in list(parameters.items())[1:]:
        if parameter.default is parameter.empty and name not in options:
            raise ValueError(
                f"`{path}`: say which column with {_flag(name)}. It has "
                f"{', '.join(tables.read_table(path).columns)}."
            )
    return make(path, verbose=verbose, **options)


def _maker(path, options):
    suffix = path.suffix.lower().removeprefix(".")
    if path.is_dir():
        if arrays.is_saved_dataset(path):
            return arrays.from_saved
        endings = {
            file.suffix.lower() for file in folders.visible_files(path, "**/*")
        }
        if ".wav" in endings:
            return wav_folders.from_wav_folder
        return image_folders.from_image_folder
    if suffix in ("csv", "tsv"):
        if "text_column" in options:
            return strings.from_string_table
        return tables.from_csv
    if suffix == "gz":
        suffix = pathlib.Path(path.stem).suffix.lower().removeprefix(".")
        if suffix not in FASTA:
            suffix = "gz"
    if suffix in FASTA:
        return fasta.from_fasta
    if suffix == "npz":
        return arrays.from_saved
    raise ValueError(f"Cannot read `{path}`. Expected {KINDS}.")


def _flag(name):
    return "--" + name.replace("_", "-")


def reader_to_json(reader):
    """A reader as a JSON-able dict."""
    return {"kind": type(reader).__name__, **dataclasses.asdict(reader)}


def reader_from_json(entry, where="The reader"):
    """The reader that `reader_to_json` made a dict of.

    Raises:
        ValueError: the dict, which may come from a stranger's file, is of no
            reader. It begins with `where`.
    """
    if not isinstance(entry, dict) or not isinstance(entry.get("kind"), str):
        raise ValueError(f"{where}: there is no field 'kind'.")
    entry = dict(entry)
    kind = entry.pop("kind")
    if kind not in READERS:
        raise ValueError(
            f"{where}: unknown kind '{kind}'. Expected one of "
            f"{', '.join(READERS)}."
        )
    return json_files.from_dict(READERS[kind], entry, where)
