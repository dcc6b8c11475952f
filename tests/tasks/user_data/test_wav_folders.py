import struct

import numpy as np
import pytest
from scipy.io import wavfile

from keras_fpt import tasks
from keras_fpt.tasks.user_data import wav_folders

pytestmark = pytest.mark.backend_free


def tone(hertz, seconds, rate=8000):
    time = np.arange(int(seconds * rate)) / rate
    return 0.5 * np.sin(2 * np.pi * hertz * time)


def save(path, samples, rate=8000):
    path.parent.mkdir(parents=True, exist_ok=True)
    wavfile.write(path, rate, (samples * 32767).astype("int16"))


@pytest.fixture
def folder(tmp_path):
    """30 tones of 0.2 to 0.4 s: low and high."""
    for number in range(30):
        kind, hertz = (("low", 300), ("high", 2000))[number % 2]
        samples = tone(hertz + 5 * number, 0.2 + 0.1 * (number % 3))
        save(tmp_path / "tones" / kind / f"{number}.wav", samples)
    return tmp_path / "tones"


def test_frames_are_tokens(folder):
    task = tasks.from_wav_folder(folder, verbose=False)
    assert task.class_names == ("high", "low")
    assert task.input_dim == 64
    # (0.4 s - 25 ms) / 10 ms, and the first.
    assert task.sequence_length == 38
    x, y = next(iter(task.datasets(4).train))
    assert x["tokens"].shape[2] == 64 and x["padding_mask"].shape[0] == 4


def test_a_tone_is_loudest_in_its_mel_bin():
    frames = wav_folders.log_mel(tone(1000, 0.5, 16000), 16000)
    edges = np.linspace(
        2595 * np.log10(1 + 20 / 700), 2595 * np.log10(1 + 8000 / 700), 66
    )
    centers = 700 * (10 ** (edges[1:-1] / 2595) - 1)
    loudest = centers[frames.mean(0).argmax()]
    assert frames.dtype == np.float32
    assert abs(loudest - 1000) < 60


def test_training_frames_are_standardized(folder):
    task = tasks.from_wav_folder(folder, verbose=False)
    values = task.data.splits["train"].x.flat_values.numpy()
    np.testing.assert_allclose(values.mean(0), 0, atol=1e-3)
    np.testing.assert_allclose(values.std(0), 1, atol=1e-3)


def test_sounds_are_resampled_and_cut(folder, capsys):
    save(folder / "low" / "fast.wav", tone(300, 2.0, 11025), 11025)
    task = tasks.from_wav_folder(folder, max_seconds=1.0)
    assert task.sequence_length == 98
    out = capsys.readouterr().out
    assert "at 8,000 Hz" in out and "resampled from: 8,000, 11,025" in out
    assert "cut: 1 longer than 1 s" in out


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32"])
def test_samples_of_any_kind_are_read_alike(tmp_path, dtype):
    samples = tone(400, 0.1)
    if dtype == "uint8":
        stored = np.round(samples * 127 + 128).astype(dtype)
    elif dtype == "float32":
        stored = samples.astype(dtype)
    else:
        stored = (samples * np.iinfo(dtype).max).astype(dtype)
    stereo = np.stack([stored, stored], axis=1)
    wavfile.write(tmp_path / "a.wav", 8000, stereo)
    sound = wav_folders.read_wav(tmp_path / "a.wav", 10)
    assert sound.rate == 8000 and sound.samples.dtype == np.float32
    assert not sound.is_cut
    np.testing.assert_allclose(sound.samples, samples, atol=0.02)


def test_new_sounds_are_read_alike(folder):
    task = tasks.from_wav_folder(folder, verbose=False)
    x, names = task.reader.read(folder)
    test = task.data.splits["test"]
    for place, name in enumerate(test.names):
        np.testing.assert_allclose(
            x[names.index(name)], test.x[place], atol=1e-5
        )


@pytest.mark.parametrize("size", range(0, 46, 3))
def test_a_sound_cut_off_in_its_header_is_named(tmp_path, size):
    path = tmp_path / "cut.wav"
    save(path, tone(300, 0.1))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match="cut.wav` "):
        wav_folders.read_wav(path, 1)


@pytest.mark.parametrize("form", [b"RIFF", b"RIFX", b"RF64"])
def test_a_sound_that_ends_before_its_samples_do_is_named(tmp_path, form):
    order = ">" if form == b"RIFX" else "<"
    samples = np.arange(800, dtype=f"{order}i2").tobytes()
    length = len(samples)
    parts = [form, struct.pack(f"{order}I", 36 + length), b"WAVE"]
    if form == b"RF64":
        sizes = 36 + 36 + length, length, length // 2
        parts += [b"ds64", struct.pack("<IQQQI", 28, *sizes, 0)]
        length = 2**32 - 1
    layout = (16, 1, 1, 8000, 16000, 2, 16)
    parts += [b"fmt ", struct.pack(f"{order}IHHIIHH", *layout)]
    parts += [b"data", struct.pack(f"{order}I", length), samples]
    path = tmp_path / "a.wav"
    path.write_bytes(b"".join(parts))
    assert len(wav_folders.read_wav(path, 1).samples) == 800
    # What comes after the samples may be missing, or was never counted.
    path.write_bytes(b"".join(parts) + b"LIST\xff\x00\x00\x00")
    assert len(wav_folders.read_wav(path, 1).samples) == 800
    path.write_bytes(b"".join(parts)[:-100])
    message = "a.wav` .* says 1,600 bytes of samples, but 1,500 are there"
    with pytest.raises(ValueError, match=message):
        wav_folders.read_wav(path, 1)


def test_files_that_are_no_sounds_are_named(folder):
    (folder / "low" / "song.wav").write_text("not a sound")
    with pytest.raises(ValueError, match="low/song.wav` is not a WAV file"):
        tasks.from_wav_folder(folder, verbose=False)
    save(folder / "low" / "song.wav", tone(300, 0.01))
    with pytest.raises(
        ValueError, match="song.wav` has 80 samples at 8,000 Hz"
    ):
        tasks.from_wav_folder(folder, verbose=False)
