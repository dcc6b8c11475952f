"""Tasks from a folder of sounds."""

import collections
import dataclasses
import math
import os
import pathlib
import struct
import warnings
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import build, folders, sequences
from keras_fpt.tasks.user_data.path_errors import prefix_errors_with_path

# What SciPy raises for files that are damaged or not sounds.
UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    struct.error,
    ZeroDivisionError,
    UnboundLocalError,  # a file without a chunk of samples
    MemoryError,  # a header that promises more data than the file has
)
# At other rates, resampling a small file could exhaust the memory.
SAMPLING_RATES = (1_000, 1_000_000)
FRAME_SECONDS = 0.025
STEP_SECONDS = 0.01
MAX_SECONDS = 10.0
NUM_MEL_BINS = 64
LOWEST_HERTZ = 20.0
HIGHEST_HERTZ = 8000.0


@dataclasses.dataclass(frozen=True)
class SoundReader:
    """How sound files become log-mel frames.

    Args:
        sampling_rate: int, in hertz, to which sounds are resampled.
        max_seconds: float, to which longer sounds are cut.
        mean: tuple of floats, the mean of each mel bin in the training
            sounds.
        scale: tuple of floats, the standard deviation of each mel bin.
    """

    sampling_rate: int
    max_seconds: float
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        _check_rate(self.sampling_rate, "The reader")
        _check_seconds(self.max_seconds)

    def read(self, path: str | os.PathLike) -> tuple[Any, list[str]]:
        """Reads the tokens of one sound or all in a folder, and their names.

        Raises:
            ValueError: a file is not a sound.
        """
        files, names = folders.new_files(path)
        sounds = folders.read_all(self._read, files, "sounds")
        return self.standardized(self.frames(sounds)), names

    def _read(self, file: pathlib.Path) -> "Sound":
        return read_wav(file, self.max_seconds)

    def frames(self, sounds: Iterable["Sound"]) -> Any:
        """Log-mel frames `(frames, 64)` of each sound, stacked."""
        return sequences.stack(
            [
                log_mel(
                    resample(sound.samples, sound.rate, self.sampling_rate),
                    self.sampling_rate,
                )
                for sound in sounds
            ]
        )

    def standardized(self, x: Any) -> Any:
        """Scales each mel bin of frames as in training."""
        return sequences.standardized(x, self.mean, self.scale)


@prefix_errors_with_path
def from_wav_folder(
    folder: str | os.PathLike,
    max_seconds: float = MAX_SECONDS,
    verbose: bool = True,
) -> Task:
    """Makes a task from a folder with one subfolder of `.wav` files per class.

    A token is the log-mel spectrum of 25 ms, in 64 bins from 20 Hz to 8 kHz
    or half the sampling rate, every 10 ms. Each bin is standardized with the
    mean and the standard deviation of the training sounds. Channels are
    averaged, and sounds are resampled to the most common sampling rate.
    Splits are those of `from_image_folder`.

    Args:
        folder: path.
        max_seconds: float, longer sounds are cut after this time.
        verbose: bool, whether to log a description of the data.

    Returns:
        A `Task`.

    Raises:
        FileNotFoundError: the folder does not exist.
        ValueError: a file is not a sound, or is shorter than 25 ms; a class
            is empty. The error names the file or the class.
    """
    _check_seconds(max_seconds)
    files, y, class_names, splits, split_by = folders.labeled_files(folder)
    sounds = folders.read_all(
        lambda file: read_wav(file, max_seconds), files, "sounds"
    )
    rates = collections.Counter(sound.rate for sound in sounds)
    reader = SoundReader(rates.most_common(1)[0][0], max_seconds)
    x = reader.frames(sounds)
    mean, scale = sequences.statistics(
        sequences.concatenate(sequences.select(x, splits["train"]))
    )
    reader = dataclasses.replace(
        reader, mean=tuple(mean.tolist()), scale=tuple(scale.tolist())
    )
    cut = sum(sound.is_cut for sound in sounds)
    notes = [
        f"sounds: log-mel frames of 25 ms every 10 ms, at "
        f"{reader.sampling_rate:,} Hz"
    ]
    if len(rates) > 1:
        notes.append(f"resampled from: {_list_rates(rates)} Hz")
    if cut:
        notes.append(f"cut: {cut:,} longer than {max_seconds:g} s")
    return build.make_task(
        pathlib.Path(folder).resolve().name,
        reader.standardized(x),
        y,
        class_names,
        splits,
        split_by,
        reader,
        [str(file.relative_to(folder)) for file in files],
        notes=notes,
        verbose=verbose,
    )


class Sound(NamedTuple):
    """The samples of a sound.

    Args:
        rate: int, the sampling rate in hertz.
        samples: float32 array `(n,)` in [-1, 1].
        is_cut: bool, whether the file holds more samples.
    """

    rate: int
    samples: np.ndarray
    is_cut: bool


def read_wav(file: str | os.PathLike, max_seconds: float) -> Sound:
    """Reads the first part of a `.wav` file and averages its channels.

    Args:
        file: path.
        max_seconds: float, longer sounds are cut after this time.

    Raises:
        ValueError: the file is not a sound, or is too short.
    """
    from scipy.io import wavfile

    try:
        _check_whole(file)
        with warnings.catch_warnings():
            # The warnings are about chunks that are not sound.
            warnings.simplefilter("ignore", wavfile.WavFileWarning)
            rate, samples = wavfile.read(file)
    except UNREADABLE as error:
        raise ValueError(
            f"`{file}` is not a WAV file that can be read: {error}"
        ) from error
    _check_rate(rate, f"`{file}`")
    if len(samples) < math.ceil(FRAME_SECONDS * rate):
        raise ValueError(
            f"`{file}` has {len(samples):,} samples at {rate:,} Hz; expected "
            f"at least {FRAME_SECONDS} s of sound."
        )
    max_samples = math.ceil(max_seconds * rate)
    is_cut, samples = len(samples) > max_samples, samples[:max_samples]
    if samples.dtype == np.uint8:
        samples = (samples.astype(np.float32) - 128) / 128
    elif samples.dtype.kind == "i":
        samples = samples.astype(np.float32) / -np.iinfo(samples.dtype).min
    samples = samples.astype(np.float32)
    samples = samples if samples.ndim == 1 else samples.mean(axis=1)
    if not np.isfinite(samples).all():
        raise ValueError(f"`{file}` holds samples that are not finite.")
    return Sound(rate, samples, is_cut)


def _check_whole(file: str | os.PathLike) -> None:
    """Raises `ValueError` where a file ends before its samples do.

    SciPy returns those that it finds.
    """
    size = os.path.getsize(file)
    with open(file, "rb") as stream:
        form = stream.read(12)[:4]
        order = ">" if form == b"RIFX" else "<"
        large = None  # A file above 4 GB states its size elsewhere.
        while len(head := stream.read(8)) == 8:
            name, length = struct.unpack(f"{order}4sI", head)
            start = stream.tell()
            if name == b"ds64" and form == b"RF64":
                _, large = struct.unpack("<QQ", stream.read(16))
            elif name == b"data":
                length = length if large is None else large
                if start + length > size:
                    raise ValueError(
                        f"it is cut off. Its header says {length:,} bytes of "
                        f"samples, but {size - start:,} are there. Copy the "
                        "file again"
                    )
            stream.seek(start + length + length % 2)


def resample(samples: np.ndarray, rate: int, new_rate: int) -> np.ndarray:
    """Resamples a sound from one sampling rate to another."""
    from scipy.signal import resample_poly

    if rate == new_rate:
        return samples
    common = math.gcd(rate, new_rate)
    return resample_poly(samples, new_rate // common, rate // common)


def log_mel(samples: np.ndarray, rate: int) -> np.ndarray:
    """Computes log-mel frames, float32 `(frames, 64)`."""
    frame = math.ceil(FRAME_SECONDS * rate)
    step = math.ceil(STEP_SECONDS * rate)
    if len(samples) < frame:  # resampling may have lost one sample
        samples = np.pad(samples, (0, frame - len(samples)))
    spectra = tf.abs(tf.signal.stft(samples.astype(np.float32), frame, step))
    mel = tf.signal.linear_to_mel_weight_matrix(
        NUM_MEL_BINS,
        spectra.shape[-1],
        rate,
        LOWEST_HERTZ,
        min(HIGHEST_HERTZ, rate / 2),
    )
    return tf.math.log(tf.square(spectra) @ mel + 1e-6).numpy()


def _check_rate(rate: int, where: str) -> None:
    low, high = SAMPLING_RATES
    if not low <= rate <= high:
        raise ValueError(
            f"{where} has a sampling rate of {rate:,} Hz. Expected one from "
            f"{low:,} to {high:,}."
        )


def _check_seconds(max_seconds: float) -> None:
    if not FRAME_SECONDS <= max_seconds < math.inf:
        raise ValueError(
            f"Expected max_seconds of at least {FRAME_SECONDS} but received "
            f"{max_seconds}."
        )


def _list_rates(rates: Iterable[int]) -> str:
    return ", ".join(f"{rate:,}" for rate in sorted(rates))
