import io
import os
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from made_data import manifest, publish, wav, zipped
from prunelab import data
from prunelab.data import fsdd
from prunelab.data.recordings import load_recordings


@pytest.fixture
def files(small_wavs):
    return small_wavs


def test_the_index_decides_the_part(files, own):
    zipped(own / "fsdd.zip", files)
    found = load_recordings("fsdd")

    assert {one.name.rsplit("_", 1)[1] for one in found.part("test")} == {"0", "4"}
    assert {one.name.rsplit("_", 1)[1] for one in found.part("dev")} == {"5", "9"}
    assert {one.name.rsplit("_", 1)[1] for one in found.part("train")} == {"10", "49"}
    assert [fsdd.part_of(index) for index in (0, 4, 5, 9, 10, 49)] == ["test"] * 2 + ["dev"] * 2 + ["train"] * 2


def test_samples_words_and_speakers_are_the_archives(files, own):
    zipped(own / "fsdd.zip", files)
    found = {one.name: one for one in load_recordings("fsdd").recordings}
    _, numbers = wavfile.read(io.BytesIO(files["recordings/7_ben_10.wav"]))

    assert np.array_equal(found["7_ben_10"].samples * 2**15, numbers)
    assert (found["7_ben_10"].words, found["7_ben_10"].speaker) == ((7,), "ben")
    assert not load_recordings("fsdd").synthetic


def test_the_order_is_by_digit_speaker_and_index_as_a_number(files, own):
    zipped(own / "fsdd.zip", dict(reversed(files.items())))

    assert [f"recordings/{one.name}.wav" for one in load_recordings("fsdd").recordings] == list(files)


def test_held_out_speakers_keep_their_test_indices(files, own):
    zipped(own / "fsdd.zip", files)
    held = load_recordings("fsdd", held_out=["ben"])

    assert {one.speaker for one in held.part("test")} == {"ben"}
    assert {one.name.rsplit("_", 1)[1] for one in held.part("test")} == {"0", "4"}
    assert {one.speaker for one in (*held.part("train"), *held.part("dev"))} == {"anna"}


def test_another_rate_is_not_read_as_8_khz(files, own, monkeypatch):
    other = {**files, "recordings/0_anna_0.wav": wav(0, rate=16000)}
    publish(monkeypatch, "fsdd", manifest(other))
    zipped(own / "fsdd.zip", other)

    with pytest.raises(ValueError, match=r"0_anna_0.wav in .*16000 Hz"):
        load_recordings("fsdd")


def test_verified_recordings_are_counted_by_part(files, own):
    zipped(own / "fsdd.zip", files)
    found = data.verify("fsdd")

    # 2 digits, 2 speakers, 2 indices of each part
    assert found.holds == "8 training, 8 development and 8 test recordings of 2 speakers"
    assert (found.train, found.test) == (16, 8)


REAL = Path(os.environ.get("PRUNELAB_DATA") or "/nowhere")


@pytest.mark.skipif(
    not any((REAL / name).exists() for name in ("fsdd.zip", "fsdd")), reason="needs fsdd in PRUNELAB_DATA"
)
def test_the_real_data_set_has_its_published_counts():
    found = load_recordings("fsdd")

    # 6 speakers, 10 digits, 50 indices each: the data set's README
    assert {part: len(found.part(part)) for part in ("train", "dev", "test")} == {
        "train": 2400,
        "dev": 300,
        "test": 300,
    }
    assert found.speakers == ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
    assert found.isolated
    # Durations as published with the data set's copies: 0.14 to 2.28 s, 22 minutes in all.
    seconds = [len(one.samples) / 8000 for one in found.recordings]
    assert (round(min(seconds), 2), round(max(seconds), 2), round(sum(seconds) / 60)) == (0.14, 2.28, 22)
    assert all(np.ptp(one.samples) > 0.01 for one in found.recordings)
