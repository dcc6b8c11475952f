"""A folder of sounds."""

import collections
import dataclasses
import math
import pathlib
import struct
import warnings
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_fpt.tasks.user_data import build, folders, sequences
from keras_fpt.tasks.user_data.source_errors import names_source

# What SciPy raises on files that are damaged or no sounds.
UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    struct.error,
    ZeroDivisionError,
    UnboundLocalError,  # where there is no chunk of samples
    MemoryError,  # where a header promises more than there is
)
# Outside of these, resampling could fill the memory from a small file.
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
        sampling_rate: int, in hertz; sounds are resampled to it.
        max_seconds: float, longer sounds are cut to it.
        mean: tuple of floats, of each mel bin in the training sounds.
        scale: tuple of floats, the standard deviations.
    """

    sampling_rate: int
    max_seconds: float
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()

    def __post_init__(self):
        _check_rate(self.sampling_rate, "The reader")
        _check_seconds(self.max_seconds)

    def read(self, path):
        """The tokens of one sound or of all in a folder, and their names.

        Raises:
            ValueError: a file is no sound.
        """
        files, names = folders.new_files(path)
        sounds = folders.read_all(self._read, files, "sounds")
        return self.standardized(self.frames(sounds)), names

    def _read(self, file):
        return read_wav(file, self.max_seconds)

    def frames(self, sounds):
        """Log-mel frames `(frames, 64)` of some `Sound`s."""
        return sequences.stack(
            [
                log_mel(
                    resample(sound.samples, sound.rate, self.sampling_rate),
                    self.sampling_rate,
                )
                for sound in sounds
            ]
        )

    def standardized(self, x):
        """Frames with mean 0 and deviation 1 in each bin, as in training."""
        return sequences.standardized(x, self.mean, self.scale)


@names_source
def from_wav_folder(folder, max_seconds=MAX_SECONDS, verbose=True):
    """A task from a folder with a subfolder of `.wav` files a class.

    A token is the log-mel spectrum of 25 ms, in 64 bins from 20 Hz to 8 kHz
    or half the sampling rate, every 10 ms; each bin is standardised with the
    mean and deviation of the training sounds. Channels are averaged, and
    sounds resampled to the commonest sampling rate. Splits are those of
    `from_image_folder`.

    Args:
        folder: path.
        max_seconds: float, longer sounds are cut to their first part.
        verbose: bool, whether to print what was found.

    Returns:
        A `Task`.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: a file is no sound, or is shorter than 25 ms; a class is
            empty. It names it.
    """
    _check_seconds(max_seconds)
    files, y, class_names, places, split_by = folders.labelled_files(folder)
    sounds = folders.read_all(
        lambda file: read_wav(file, max_seconds), files, "sounds"
    )
    rates = collections.Counter(sound.rate for sound in sounds)
    reader = SoundReader(rates.most_common(1)[0][0], max_seconds)
    x = reader.frames(sounds)
    mean, scale = sequences.statistics(
        sequences.tokens_of(sequences.take(x, places["train"]))
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
        notes.append(f"resampled from: {_listed(rates)} Hz")
    if cut:
        notes.append(f"cut: {cut:,} longer than {max_seconds:g} s")
    return build.task(
        pathlib.Path(folder).resolve().name,
        reader.standardized(x),
        y,
        class_names,
        places,
        split_by,
        reader,
        [str(file.relative_to(folder)) for file in files],
        notes=notes,
        verbose=verbose,
    )


class Sound(NamedTuple):
    """A sound.

    Args:
        rate: int, the sampling rate in hertz.
        samples: float32 array `(n,)` in [-1, 1].
        is_cut: bool, whether the file holds more.
    """

    rate: int
    samples: np.ndarray
    is_cut: bool


def read_wav(file, max_seconds):
    """The first part of a `.wav` file, its channels averaged, a `Sound`.

    Raises:
        ValueError: the file is no sound, or is too short.
    """
    from scipy.io import wavfile

    try:
        with warnings.catch_warnings():
            # About chunks that are not sound.
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
    most = math.ceil(max_seconds * rate)
    is_cut, samples = len(samples) > most, samples[:most]
    if samples.dtype == np.uint8:
        samples = (samples.astype(np.float32) - 128) / 128
    elif samples.dtype.kind == "i":
        samples = samples.astype(np.float32) / -np.iinfo(samples.dtype).min
    samples = samples.astype(np.float32)
    samples = samples if samples.ndim == 1 else samples.mean(axis=1)
    if not np.isfinite(samples).all():
        raise ValueError(f"`{file}` holds samples that are not finite.")
    return Sound(rate, samples, is_cut)


def resample(samples, rate, new_rate):
    """Samples at another sampling rate."""
    from scipy.signal import resample_poly

    if rate == new_rate:
        return samples
    common = math.gcd(rate, new_rate)
    return resample_poly(samples, new_rate // common, rate // common)


def log_mel(samples, rate):
    """Logarithms of mel spectra, float32 `(frames, 64)`."""
    frame = math.ceil(FRAME_SECONDS * rate)
    step = math.ceil(STEP_SECONDS * rate)
    if len(samples) < frame:  # resampling may have lost one
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


def _check_rate(rate, where):
    low, high = SAMPLING_RATES
    if not low <= rate <= high:
        raise ValueError(
            f"{where} has a sampling rate of {rate:,} Hz. Expected one from "
            f"{low:,} to {high:,}."
        )


def _check_seconds(max_seconds):
    if not FRAME_SECONDS <= max_seconds < math.inf:
        raise ValueError(
            f"Expected max_seconds of at least {FRAME_SECONDS} but received "
            f"{max_seconds}."
        )


def _listed(rates):
    return ", ".join(f"{rate:,}" for rate in sorted(rates))
