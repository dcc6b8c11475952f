"""Tasks from a folder of sounds."""

import collections
import dataclasses
import math
import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import build, sequences
from keras_fpt.tasks.user_data.audit import audit_properties
from keras_fpt.tasks.user_data.audit.findings import Finding
from keras_fpt.tasks.user_data.media import folders, sound_files
from keras_fpt.tasks.user_data.path_errors import prefix_errors_with_path

STEP_SECONDS = 0.01
MAX_SECONDS = 10.0
NUM_MEL_BINS = 64
LOWEST_HERTZ = 20.0
HIGHEST_HERTZ = 8000.0
# A class of whose sounds this share of the power is above the band.
MUCH_POWER = 0.25


@dataclasses.dataclass(frozen=True)
class SoundReader:
    """Converts sound files to log-mel frames.

    Args:
        sampling_rate: int, in hertz, to which sounds are resampled.
        max_seconds: float, to which longer sounds are cut.
        mean: tuple of floats, the mean of each mel bin in the training
            sounds.
        scale: tuple of floats, the standard deviation of each mel bin.
        max_hertz: float, the highest frequency that is read, or half the
            sampling rate if that is lower.
    """

    sampling_rate: int
    max_seconds: float
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    max_hertz: float = HIGHEST_HERTZ

    def __post_init__(self) -> None:
        sound_files.check_rate(self.sampling_rate, "The reader")
        check_options(self.max_seconds, self.max_hertz)

    @property
    def highest_hertz(self) -> float:
        """The highest frequency that is read."""
        return min(self.max_hertz, self.sampling_rate / 2)

    def read(self, path: str | os.PathLike) -> tuple[Any, list[str]]:
        """Reads the tokens of one sound or all in a folder, and their names.

        Raises:
            ValueError: a file is not a sound.
        """
        return self.read_files(*folders.new_files(path))

    def read_files(
        self, files: list[pathlib.Path], names: list[str]
    ) -> tuple[Any, list[str]]:
        """Reads the tokens of some files; see `read`."""
        frames = folders.read_each(
            lambda file: self.frames(self.read_file(file)), files, "sounds"
        )
        return self.standardized(sequences.collect(frames)), names

    def read_file(self, file: str | os.PathLike) -> sound_files.Sound:
        """Reads a sound file, which may be cut."""
        return sound_files.read_sound(file, self.max_seconds)

    def frames(self, sound: sound_files.Sound) -> np.ndarray:
        """Log-mel frames `(frames, 64)` of a sound."""
        return log_mel(
            sound_files.resample(sound.samples, sound.rate, self.sampling_rate),
            self.sampling_rate,
            self.max_hertz,
        )

    def standardized(self, x: Any) -> Any:
        """Scales each mel bin of frames as in training."""
        return sequences.standardized(x, self.mean, self.scale)


@prefix_errors_with_path
def from_sound_folder(
    folder: str | os.PathLike,
    max_seconds: float = MAX_SECONDS,
    verbose: bool = True,
    max_hertz: float = HIGHEST_HERTZ,
    validation: str | os.PathLike | None = None,
    test: str | os.PathLike | None = None,
    folds: int | None = None,
    fold: int = 1,
    strict: bool = False,
    split_group: str | Sequence[str] = (),
) -> Task:
    """Makes a task from a folder with one subfolder of sounds per class.

    A token is the log-mel spectrum of 25 ms, in 64 bins from 20 Hz to
    `max_hertz` or half the sampling rate, every 10 ms. Each bin is
    standardized with the mean and the standard deviation of the training
    sounds. Channels are averaged, and sounds are resampled to the most common
    sampling rate. Splits are those of `from_image_folder`.

    Args:
        folder: path. Sounds are WAV, FLAC, OGG, MP3 or AIFF files.
        max_seconds: float, longer sounds are cut after this time.
        verbose: bool, whether to log a description of the data.
        max_hertz: float, the highest frequency that is read.
        validation: path, a folder of validation examples with one subfolder
            per class, or `None`.
        test: path, a folder of test examples, as well.
        folds: int, the number of folds of a cross-validation, or `None`.
        fold: int, from 1 to `folds`, the fold that is for testing.
        strict: bool, whether a leak that the audit finds is an error.
        split_group: string or strings, see `from_image_folder`.

    Returns:
        A `Task`.

    Raises:
        FileNotFoundError: the folder does not exist.
        ValueError: a file is not a sound, or is shorter than 25 ms; a class
            is empty. The error names the file or the class.
    """
    check_options(max_seconds, max_hertz)
    found = folders.labeled_files(
        folder, validation, test, folds, fold, split_group
    )
    return make_task(found, max_seconds, max_hertz, strict, verbose)


# The name in version 0.1.0, which read only WAV files.
from_wav_folder = from_sound_folder


def make_task(
    found: folders.LabeledFiles,
    max_seconds: float,
    max_hertz: float,
    strict: bool,
    verbose: bool,
) -> Task:
    """Makes a task from files of sounds; see `from_sound_folder`."""
    headers = [*map(sound_files.read_header, found.files)]
    rates = collections.Counter(header.rate for header in headers)
    reader = SoundReader(
        rates.most_common(1)[0][0], max_seconds, max_hertz=max_hertz
    )
    is_cut, is_cancelled, is_clipped, shares = [], [], [], []

    def read(file: pathlib.Path) -> np.ndarray:
        sound = reader.read_file(file)
        is_cut.append(sound.is_cut)
        is_cancelled.append(sound.is_cancelled)
        is_clipped.append(sound.is_clipped)
        shares.append(sound_files.share_above(sound, reader.highest_hertz))
        return reader.frames(sound)

    x = sequences.collect(folders.read_each(read, found.files, "sounds"))
    mean, scale = sequences.statistics_of(x, found.splits["train"])
    reader = dataclasses.replace(
        reader, mean=tuple(mean.tolist()), scale=tuple(scale.tolist())
    )
    notes = [
        f"sounds: log-mel frames of 25 ms every 10 ms, at "
        f"{reader.sampling_rate:,} Hz",
        f"band: {LOWEST_HERTZ:g} to {reader.highest_hertz:,g} Hz (--max-hertz)",
    ]
    if len(rates) > 1:
        notes.append(f"resampled from: {_list_rates(rates)} Hz")
    if any(is_cut):
        notes.append(f"cut: {sum(is_cut):,} longer than {max_seconds:g} s")
    return build.make_task(
        found.name,
        reader.standardized(x),
        found.labels,
        found.splits,
        found.split_by,
        reader,
        found.names,
        notes=[*notes, *found.notes],
        groups=found.groups,
        findings=[
            *found.findings,
            *_power_above(found, reader, np.array(shares)),
            *_cancelled(found.names, is_cancelled),
            *_telling(found, headers, is_clipped),
        ],
        strict=strict,
        verbose=verbose,
    )


def _power_above(
    found: folders.LabeledFiles,
    reader: SoundReader,
    shares: np.ndarray,
) -> list[Finding]:
    """Whether a class has much of its power above the band that is read."""
    of_class = [
        shares[found.y == index].mean()
        for index in range(len(found.class_names))
    ]
    index = int(np.argmax(of_class))
    if of_class[index] < MUCH_POWER:
        return []
    hertz, most = reader.highest_hertz, reader.sampling_rate / 2
    advice = (
        f"To read it, raise the highest frequency, to at most {most:.0f}: "
        f"--max-hertz {most:.0f}."
    )
    if hertz == most:
        advice = (
            "Most sounds have a lower sampling rate; to read more, leave those "
            "out."
        )
    return [
        Finding(
            "band",
            f"Of the power of the class '{found.class_names[index]}', "
            f"{of_class[index]:.0%} is above the {hertz:,g} Hz up to which "
            "sounds are read.",
            advice,
        )
    ]


def _telling(
    found: folders.LabeledFiles,
    headers: Sequence[sound_files.Header],
    is_clipped: Sequence[bool],
) -> list[Finding]:
    """Whether the class follows from how the files were recorded."""
    lowest = min(header.rate for header in headers) / 2
    same = "Record or save the sounds of all classes in the same way"
    properties = {
        "sampling rate": audit_properties.Property(
            [header.rate for header in headers],
            f"{same}, and read no frequencies that some files lack: "
            f"--max-hertz {lowest:.0f}.",
        ),
        "number of channels": audit_properties.Property(
            [header.channels for header in headers],
            f"{same}, or save only one channel of each, e.g. with `ffmpeg -i "
            "a.wav -af pan=mono|c0=c0 b.wav`.",
        ),
        "kind of samples": audit_properties.Property(
            [header.subtype for header in headers], f"{same}."
        ),
        "kind of file": audit_properties.Property(
            [header.format for header in headers], f"{same}."
        ),
        "form of the loudest peaks": audit_properties.Property(
            ["clipped" if each else "round" for each in is_clipped],
            "If that is no property of the classes, record all of them at a "
            "level that is not clipped.",
            # What is recorded may be too loud.
            is_leak=False,
        ),
    }
    return audit_properties.find_telling(
        properties, found.labels.compared, found.splits, found.groups
    )


def _cancelled(
    names: Sequence[str], is_cancelled: Sequence[bool]
) -> list[Finding]:
    count = sum(is_cancelled)
    if not count:
        return []
    subject = "1 sound has" if count == 1 else f"{count:,} sounds have"
    return [
        Finding(
            "opposite-phase",
            f"{subject} channels that cancel each other in their mean, which "
            f"is what is read, such as {names[is_cancelled.index(True)]}.",
            "Save only one channel, e.g. with `ffmpeg -i a.wav -af "
            "pan=mono|c0=c0 b.wav`.",
        )
    ]


def log_mel(
    samples: np.ndarray, rate: int, max_hertz: float = HIGHEST_HERTZ
) -> np.ndarray:
    """Computes log-mel frames, float32 `(frames, 64)`."""
    frame = math.ceil(sound_files.FRAME_SECONDS * rate)
    step = math.ceil(STEP_SECONDS * rate)
    if len(samples) < frame:  # resampling may have lost one sample
        samples = np.pad(samples, (0, frame - len(samples)))
    spectra = tf.abs(tf.signal.stft(samples.astype(np.float32), frame, step))
    mel = tf.signal.linear_to_mel_weight_matrix(
        NUM_MEL_BINS,
        spectra.shape[-1],
        rate,
        LOWEST_HERTZ,
        min(max_hertz, rate / 2),
    )
    return tf.math.log(tf.square(spectra) @ mel + 1e-6).numpy()


def check_options(max_seconds: float, max_hertz: float) -> None:
    """Checks the options of sounds before any sound is read.

    Raises:
        ValueError: one of them cannot be used.
    """
    if not sound_files.FRAME_SECONDS <= max_seconds < math.inf:
        raise ValueError(
            f"Expected max_seconds of at least {sound_files.FRAME_SECONDS} but "
            f"received {max_seconds}."
        )
    if not LOWEST_HERTZ < max_hertz < math.inf:
        raise ValueError(
            f"Expected max_hertz (--max-hertz) above {LOWEST_HERTZ:g} but "
            f"received {max_hertz}."
        )


def _list_rates(rates: Iterable[int]) -> str:
    return ", ".join(f"{rate:,}" for rate in sorted(rates))
