import struct

import numpy as np
import pytest
from scipy.io import wavfile

from keras_fpt import tasks
from keras_fpt.tasks.user_data.media import sound_files, sound_folders

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
    frames = sound_folders.log_mel(tone(1000, 0.5, 16000), 16000)
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
    sound = sound_files.read_sound(tmp_path / "a.wav", 10)
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
        sound_files.read_sound(path, 1)


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
    assert len(sound_files.read_sound(path, 1).samples) == 800
    # What comes after the samples may be missing, or was never counted.
    path.write_bytes(b"".join(parts) + b"LIST\xff\x00\x00\x00")
    assert len(sound_files.read_sound(path, 1).samples) == 800
    path.write_bytes(b"".join(parts)[:-100])
    message = "a.wav` .* says 1,600 bytes of samples, but 1,500 are present"
    with pytest.raises(ValueError, match=message):
        sound_files.read_sound(path, 1)


@pytest.mark.parametrize("size", [2**32 - 1, 2**31 - 2**12, 2**32 - 45])
def test_a_sound_that_was_written_to_a_pipe(tmp_path, size):
    """Its header was written before its length was known."""
    path = tmp_path / "a.wav"
    save(path, tone(300, 0.1))
    content = path.read_bytes()
    start = content.index(b"data") + 4
    path.write_bytes(
        content[:start] + struct.pack("<I", size) + content[start + 4 :]
    )
    assert len(sound_files.read_sound(path, 1).samples) == 800


def test_files_that_are_no_sounds_are_named(folder):
    (folder / "low" / "song.wav").write_text("not a sound")
    with pytest.raises(ValueError, match="low/song.wav` is not a WAV file"):
        tasks.from_wav_folder(folder, verbose=False)
    save(folder / "low" / "song.wav", tone(300, 0.01))
    with pytest.raises(
        ValueError, match="song.wav` has 80 samples at 8,000 Hz"
    ):
        tasks.from_wav_folder(folder, verbose=False)


# === Other formats, bands and channels ===

SUBTYPES = {
    "flac": "PCM_16",
    "ogg": "VORBIS",
    "opus": "OPUS",
    "mp3": None,
    "aiff": "PCM_24",
    "wav": "ULAW",
}


def write(path, samples, rate):
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = path.suffix[1:]
    form = {"opus": "OGG"}.get(suffix, suffix.upper())
    soundfile.write(path, samples, rate, SUBTYPES[suffix], format=form)


@pytest.mark.parametrize("suffix", sorted(SUBTYPES))
def test_samples_are_those_of_soundfile(tmp_path, suffix):
    import soundfile

    samples = np.stack([tone(500, 0.5, 16000), tone(700, 0.5, 16000)], axis=1)
    path = tmp_path / f"a.{suffix}"
    write(path, samples, 16000)
    sound = sound_files.read_sound(path, 0.25)
    expected, rate = soundfile.read(path, 4000, dtype="float32")
    assert (sound.rate, rate, sound.is_cut) == (16000, 16000, True)
    np.testing.assert_array_equal(sound.samples, expected.mean(axis=1))
    assert not sound.is_cancelled


def test_a_folder_of_several_formats(tmp_path, capsys):
    for number in range(24):
        kind, hertz = (("low", 300), ("high", 2000))[number % 2]
        suffix = ("flac", "ogg", "mp3", "wav")[number % 4]
        rate = 16000 if number < 20 else 8000
        samples = tone(hertz + 5 * number, 0.3, rate)
        write(tmp_path / "own" / kind / f"{number}.{suffix}", samples, rate)
    task = tasks.get(tmp_path / "own")
    assert task.class_names == ("high", "low")
    assert not {f.kind for f in task.findings} & {"band", "opposite-phase"}
    out = capsys.readouterr().out
    assert "at 16,000 Hz" in out and "band: 20 to 8,000 Hz" in out
    assert "resampled from: 8,000, 16,000 Hz" in out
    path = tmp_path / "own" / "low" / "2.mp3"
    path.write_bytes(b"ID3\x03\x00\x00\x00\x00\x00\x00" + bytes(95))
    message = "2.mp3` is not an MP3 file .* `ffmpeg -i 2.mp3 2.wav`"
    with pytest.raises(ValueError, match=message):
        tasks.get(tmp_path / "own")
    path.rename(path.with_suffix(".m4a"))
    with pytest.raises(ValueError, match="2.m4a` is not an M4A file"):
        tasks.get(tmp_path / "own")


def test_power_above_the_band_is_a_finding(tmp_path, capsys):
    for number in range(16):
        kind, hertz = (("myotis", 60000), ("pipistrelle", 40000))[number % 2]
        samples = tone(hertz, 0.1, 250_000)
        save(tmp_path / "bats" / kind / f"{number}.wav", samples, 250_000)
    task = tasks.from_sound_folder(tmp_path / "bats")
    (finding,) = [f for f in task.findings if f.kind == "band"]
    assert "100% is above the 8,000 Hz" in finding.message
    assert "--max-hertz 125000" in finding.advice
    assert "band: 20 to 8,000 Hz" in capsys.readouterr().out
    task = tasks.from_sound_folder(tmp_path / "bats", max_hertz=100_000)
    assert "band" not in {finding.kind for finding in task.findings}
    assert "band: 20 to 100,000 Hz" in capsys.readouterr().out
    frames, names = task.reader.read(tmp_path / "bats")
    # The two kinds are loudest in other bins.
    loudest = frames.mean(axis=1).argmax(axis=1)
    is_myotis = np.array([name.startswith("myotis") for name in names])
    assert not {*loudest[is_myotis]} & {*loudest[~is_myotis]}
    entry = tasks.reader_to_json(task.reader)
    assert tasks.reader_from_json(entry) == task.reader
    del entry["max_hertz"]  # as in runs of version 0.1.0
    assert tasks.reader_from_json(entry).max_hertz == 8000
    with pytest.raises(ValueError, match="max_hertz .* above 20 but received"):
        tasks.from_sound_folder(tmp_path / "bats", max_hertz=5)


def test_channels_that_cancel_are_a_finding(folder):
    left = tone(400, 0.3)
    save(folder / "low" / "stereo.wav", np.stack([left, -left], axis=1))
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (2400, 2))
    save(folder / "low" / "two.wav", noise)
    save(folder / "low" / "one_ear.wav", np.stack([left, 0 * left], axis=1))
    findings = tasks.from_sound_folder(folder, verbose=False).findings
    (finding,) = [f for f in findings if f.kind == "opposite-phase"]
    assert "1 sound has" in finding.message
    assert "low/stereo.wav" in finding.message


def test_the_name_of_version_0_1_0_still_works():
    assert tasks.from_wav_folder is tasks.from_sound_folder
