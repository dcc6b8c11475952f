"""Reads the samples of one sound file."""

import math
import os
import struct
from typing import NamedTuple

import numpy as np

from keras_fpt.tasks.user_data.media import file_kinds

# At other rates, resampling a small file could exhaust the memory.
SAMPLING_RATES = (1_000, 1_000_000)
FRAME_SECONDS = 0.025
# Channels whose mean has less than this share of the power that it would have
# if they had nothing in common cancel each other.
CANCELLED = 0.1
# A device that takes no louder sounds gives at least three samples in a row the
# largest size, and those are a share of all.
CLIPPED_SHARE, FULL_SCALE = 0.001, 0.999
# libsndfile's numbers of the errors that it gives for such files. The text of
# the second one says that there is no such file.
NOT_A_SOUND = (1, 7)
# A program that writes a WAV file to a pipe does not know its length yet. As
# bytes of samples it states 2**31 or 2**32, less its header.
UNKNOWN_LENGTH = 2**31
NEARLY = 2**16


class Sound(NamedTuple):
    """The samples of a sound.

    Args:
        rate: int, the sampling rate in hertz.
        samples: float32 array `(n,)` in [-1, 1].
        is_cut: bool, whether the file holds more samples.
        is_cancelled: bool, whether its channels cancel each other in their
            mean.
        is_clipped: bool, whether it was louder than the samples could be.
    """

    rate: int
    samples: np.ndarray
    is_cut: bool
    is_cancelled: bool = False
    is_clipped: bool = False


class Header(NamedTuple):
    """The properties of a sound without its samples.

    Args:
        rate: int, the sampling rate in hertz.
        channels: int.
        subtype: string, libsndfile's name of the kind of samples, such as
            `PCM_16`.
        format: string, libsndfile's name of the kind of file, such as `WAV`.
    """

    rate: int
    channels: int
    subtype: str
    format: str


def read_header(file: str | os.PathLike) -> Header:
    """Reads the properties of a sound file without its samples.

    Raises:
        ValueError: the file is not a sound, or has an unusual rate.
    """
    import soundfile

    try:
        info = soundfile.info(os.fspath(file))
    except (OSError, RuntimeError, ValueError) as error:
        raise _unreadable(file, error) from error
    check_rate(info.samplerate, f"`{file}`")
    return Header(info.samplerate, info.channels, info.subtype, info.format)


def read_sound(file: str | os.PathLike, max_seconds: float) -> Sound:
    """Reads the first part of a sound file and averages its channels.

    Args:
        file: path.
        max_seconds: float, longer sounds are cut after this time.

    Raises:
        ValueError: the file is not a sound, is cut off, or is too short.
    """
    import soundfile

    try:
        _check_whole(file)
        with soundfile.SoundFile(os.fspath(file)) as opened:
            rate, length = opened.samplerate, opened.frames
            check_rate(rate, f"`{file}`")
            max_samples = math.ceil(max_seconds * rate)
            if opened.seekable():
                # As `soundfile.read` does: an MP3's samples then differ in
                # their last bits.
                opened.seek(0)
            channels = opened.read(max_samples, np.float32, always_2d=True)
            is_cut = length > max_samples
            is_whole = len(channels) == min(length, max_samples)
            # Other formats' lengths are estimates, or those of the existing
            # samples.
            if opened.format == "FLAC" and not is_whole:
                raise ValueError(
                    f"it is cut off. Its header says {length:,} samples, but "
                    f"{len(channels):,} are present. Copy the file again"
                )
    except (OSError, RuntimeError, ValueError, struct.error) as error:
        if f"`{file}`" in str(error):
            raise
        raise _unreadable(file, error) from error
    if len(channels) < math.ceil(FRAME_SECONDS * rate):
        raise ValueError(
            f"`{file}` has {len(channels):,} samples at {rate:,} Hz; expected "
            f"at least {FRAME_SECONDS} s of sound."
        )
    if not np.isfinite(channels).all():
        raise ValueError(f"`{file}` holds samples that are not finite.")
    samples = channels.mean(axis=1)
    powers = np.mean(np.square(channels, dtype=np.float64), axis=0)
    unrelated = powers.mean() / channels.shape[1]
    power = np.mean(np.square(samples, dtype=np.float64))
    is_cancelled = bool(power < CANCELLED * unrelated)
    return Sound(rate, samples, is_cut, is_cancelled, _is_clipped(channels))


def _is_clipped(channels: np.ndarray) -> bool:
    """Whether samples `(n, channels)` have flat peaks of the largest size."""
    is_equal = (channels[1:] == channels[:-1]) & (
        np.abs(channels[1:]) >= FULL_SCALE
    )
    count = (is_equal[1:] & is_equal[:-1]).any(axis=1).sum()
    return bool(count >= CLIPPED_SHARE * len(channels))


def _unreadable(file: str | os.PathLike, error: Exception) -> ValueError:
    import soundfile

    reason = str(error)
    if isinstance(error, soundfile.LibsndfileError):
        reason = error.error_string or "its samples cannot be decoded"
        if error.code in NOT_A_SOUND:
            reason = "its content is not that of a sound"
    suffix = os.path.splitext(file)[1].removeprefix(".").upper()
    article = "an" if suffix[:1] in ("A", "F", "M", "O") else "a"
    what = f"{article} {suffix or 'sound'} file"
    return file_kinds.unreadable(file, what, reason)


def _check_whole(file: str | os.PathLike) -> None:
    """Raises `ValueError` where a WAV file ends before its samples do.

    libsndfile returns those that it finds.
    """
    size = os.path.getsize(file)
    with open(file, "rb") as stream:
        form = stream.read(12)[:4]
        if form not in (b"RIFF", b"RIFX", b"RF64"):
            return
        order = ">" if form == b"RIFX" else "<"
        large = None  # A file above 4 GB states its size elsewhere.
        while len(head := stream.read(8)) == 8:
            name, length = struct.unpack(f"{order}4sI", head)
            start = stream.tell()
            if name == b"ds64" and form == b"RF64":
                _, large = struct.unpack("<QQ", stream.read(16))
            elif name == b"data":
                length = length if large is None else large
                is_unknown = -length % UNKNOWN_LENGTH < NEARLY
                if start + length > size and not is_unknown:
                    raise ValueError(
                        f"it is cut off. Its header says {length:,} bytes of "
                        f"samples, but {size - start:,} are present. Copy the "
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


def share_above(sound: Sound, hertz: float) -> float:
    """The share of a sound's power that is above a frequency, from 0 to 1."""
    if hertz >= sound.rate / 2:
        return 0.0
    power = np.square(np.abs(np.fft.rfft(sound.samples)))
    frequencies = np.fft.rfftfreq(len(sound.samples), 1 / sound.rate)
    power[0] = 0  # An offset is no sound.
    return float(power[frequencies > hertz].sum() / (power.sum() or 1))


def check_rate(rate: int, where: str) -> None:
    """Checks that sounds of a sampling rate can be resampled.

    Raises:
        ValueError: they cannot.
    """
    low, high = SAMPLING_RATES
    if not low <= rate <= high:
        raise ValueError(
            f"{where} has a sampling rate of {rate:,} Hz. Expected one from "
            f"{low:,} to {high:,}."
        )
