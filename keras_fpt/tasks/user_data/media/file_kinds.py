"""The kind of data of a file, by its suffix, and formats that are not read."""

import collections
import os
import pathlib
from collections.abc import Iterable

from keras_fpt.tasks.user_data.tables import table_files

IMAGES, SOUNDS, TABLES = "images", "sounds", "tables"
SUFFIXES = {
    SOUNDS: "wav flac ogg oga opus mp3 aif aiff aifc",
    IMAGES: "bmp gif jpg jpeg jpe jfif png apng ppm pgm pbm pnm tif tiff webp",
}
# In the order in which they are meant where there are as many of each.
FORMATS = {
    SOUNDS: "WAV, FLAC, OGG, MP3 and AIFF",
    IMAGES: "BMP, GIF, JPEG, PNG, PPM, TIFF and WebP",
    TABLES: "CSV, TSV, text, Parquet, Arrow, xlsx and ARFF",
}
FFMPEG = "convert it, e.g. with `ffmpeg -i {name} {stem}.wav`"
PILLOW = "convert it to PNG"
HOW_TO_CONVERT = {
    "m4a aac wma amr ac3 mka caf": f"This is a sound: {FFMPEG}.",
    "mp4 mov avi mkv webm mpg mpeg wmv": (
        f"This is a video: for its sound, {FFMPEG}; for its frames, save each "
        "as an image."
    ),
    "heic heif avif svg psd ico jp2 eps cr2 nef arw dng raw": (
        f"This is an image: {PILLOW}, e.g. with `magick {{name}} {{stem}}.png`."
    ),
    "dcm dicom": (
        f"This is a DICOM image: {PILLOW} of 16 bits, e.g. with "
        "`dcmj2pnm +on2 {name} {stem}.png`."
    ),
    "nii mha nrrd": f"This is a volume: {PILLOW}, a file per slice.",
    "npy npz mat h5 hdf5 pkl pt": (
        "These are arrays: put all of them, and their labels, into one .npz "
        "file of x and y."
    ),
    "xls ods sav dta sas7bdat edf json jsonl": "Convert it to CSV.",
    "txt dat log md pdf": "If it is not data, move it elsewhere.",
}


def kind_of(file: str | os.PathLike) -> str | None:
    """The kind of a file, `IMAGES`, `SOUNDS` or `TABLES`, by its suffix."""
    suffix = pathlib.Path(file).suffix.lower().removeprefix(".")
    for kind, suffixes in SUFFIXES.items():
        if suffix in suffixes.split():
            return kind
    return TABLES if table_files.is_table(file) else None


def most_common_kind(files: Iterable[str | os.PathLike]) -> str | None:
    """The kind of most files, or `None` if no file is of a known kind."""
    counts = collections.Counter(map(kind_of, files))
    kinds = [kind for kind in FORMATS if counts[kind]]
    return max(kinds, key=counts.__getitem__, default=None)


def unreadable(
    file: str | os.PathLike, what: str, error: object = None
) -> ValueError:
    """The error for a file that cannot be read.

    Args:
        file: path.
        what: string, what was expected, with its article: `"an image"`.
        error: what the reader of the format said, or `None`.
    """
    path = pathlib.Path(file)
    message = f"`{file}` is not {what} that can be read"
    # Some readers repeat the path.
    reason = str(error or "").replace(f" '{file}'", "").rstrip(".")
    message += f": {reason}." if reason else "."
    suffix = path.suffix.lower().removeprefix(".")
    for suffixes, advice in HOW_TO_CONVERT.items():
        if suffix in suffixes.split():
            advice = advice.format(name=path.name, stem=path.stem)
            message += f" {advice}"
    if kind_of(path) == SOUNDS and suffix != "wav":
        message += " If other programs play it, "
        message += FFMPEG.format(name=path.name, stem=path.stem) + "."
    listed = "; ".join(f"{kind}: {names}" for kind, names in FORMATS.items())
    return ValueError(f"{message} Formats that are read are {listed}.")
