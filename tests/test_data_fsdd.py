import hashlib
import io
import os
import shutil
import stat
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from made_data import manifest, publish, spread, wav, zipped
from prunelab import data
from prunelab.data import archive, fsdd
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


def test_folder_archive_and_archive_with_a_folder_around_are_the_same_recordings(files, own, monkeypatch):
    ids = []
    zipped(own / "fsdd.zip", files)
    ids.append(load_recordings("fsdd").content_id)
    zipped(own / "fsdd.zip", files, around="anything-1/", extra=[("anything-1/README.md", "words"), ("x/y.wav", "z")])
    ids.append(load_recordings("fsdd").content_id)
    (own / "fsdd.zip").unlink()
    spread(own / "fsdd", files)
    ids.append(load_recordings("fsdd").content_id)

    assert len(set(ids)) == 1


def test_held_out_speakers_keep_their_test_indices(files, own):
    zipped(own / "fsdd.zip", files)
    held = load_recordings("fsdd", held_out=["ben"])

    assert {one.speaker for one in held.part("test")} == {"ben"}
    assert {one.name.rsplit("_", 1)[1] for one in held.part("test")} == {"0", "4"}
    assert {one.speaker for one in (*held.part("train"), *held.part("dev"))} == {"anna"}


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="compares with the program sha256sum")
def test_the_manifest_is_what_sha256sum_writes(tmp_path):
    files = {"1_b_2.wav": b"two", "1_a_10.wav": b"ten", "0_z_0.wav": b""}
    spread(tmp_path / "recordings", files)
    names = sorted(f"recordings/{name}" for name in files)
    lines = subprocess.run(["sha256sum", *names], cwd=tmp_path, capture_output=True, check=True).stdout

    assert archive.manifest(files, below="recordings/") == hashlib.sha256(lines).hexdigest()
    assert fsdd.RECORDINGS.open(tmp_path).identity == archive.manifest(files, below="recordings/")


FIRST = "recordings/0_anna_0.wav"


def changed(files):
    return {**files, FIRST: wav(99)}


def lacking(files):
    return {name: content for name, content in files.items() if name != FIRST}


def renamed(files):
    return {("recordings/1_anna_0.wav" if name == FIRST else name): content for name, content in files.items()}


def longer(files):
    return {**files, "recordings/9_anna_0.wav": wav(99)}


@pytest.mark.parametrize("damage", [changed, lacking, renamed, longer])
def test_other_content_is_not_the_data_set(damage, files, own):
    path = zipped(own / "fsdd.zip", damage(files))
    before = path.read_bytes()

    with pytest.raises(ValueError, match=r"own/fsdd.zip: not Free Spoken Digit Dataset.*prunelab data get fsdd"):
        load_recordings("fsdd")

    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("member", "said"),
    [
        ("../recordings/0_anna_0.wav", "leads out of the archive"),
        ("/recordings/0_anna_0.wav", "leads out of the archive"),
        ("set/recordings\\0_anna_0.wav", "leads out of the archive"),
        ("other/recordings/0_anna_0.wav", "in 2 folders"),
    ],
)
def test_members_that_no_honest_archive_has_are_refused(member, said, files, own):
    zipped(own / "fsdd.zip", files, around="set/", extra=[(member, b"x")])

    with pytest.raises(ValueError, match=said):
        load_recordings("fsdd")


def test_links_in_an_archive_are_refused(files, own):
    link = zipfile.ZipInfo("recordings/9_anna_0.wav")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    zipped(own / "fsdd.zip", files, extra=[(link, "/etc/passwd")])

    with pytest.raises(ValueError, match="symbolic link"):
        load_recordings("fsdd")


def test_a_member_that_unpacks_to_absurdly_much_is_refused_unread(files, own, monkeypatch):
    zipped(own / "fsdd.zip", {**files, "recordings/9_anna_0.wav": bytes(2**20 + 1)})
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("read"))

    with pytest.raises(ValueError, match=r"9_anna_0.wav in .*: 1048577 bytes"):
        load_recordings("fsdd")


def test_recordings_of_absurdly_many_bytes_together_are_refused(files, own, monkeypatch):
    publish(monkeypatch, "fsdd", "", open=replace(fsdd.RECORDINGS, total=10_000).open)
    zipped(own / "fsdd.zip", files)

    with pytest.raises(ValueError, match=r"bytes of recordings; a data set may have 10000"):
        load_recordings("fsdd")


@pytest.mark.parametrize("content", [b"", b"not a zip archive", b"PK\x03\x04 and no more"])
def test_what_is_no_archive_is_named(content, files, own):
    (own / "fsdd.zip").write_bytes(content)

    with pytest.raises(ValueError, match=r"fsdd.zip: not a readable zip archive"):
        load_recordings("fsdd")


def test_a_damaged_member_is_one_line(files, own):
    path = zipped(own / "fsdd.zip", files)
    content = bytearray(path.read_bytes())
    content[200:260] = bytes(60)
    path.write_bytes(content)

    with pytest.raises(ValueError, match=r"fsdd.zip: not a readable zip archive") as caught:
        load_recordings("fsdd")
    assert "\n" not in str(caught.value)


def test_an_archive_or_folder_without_recordings_says_what_it_lacks(files, own):
    path = zipped(own / "fsdd.zip", {}, extra=[("README.md", "words")])
    with pytest.raises(ValueError, match="no recordings/"):
        load_recordings("fsdd")
    path.unlink()
    (own / "fsdd").mkdir()
    with pytest.raises(FileNotFoundError, match="own/fsdd has no recordings/"):
        load_recordings("fsdd")


def test_another_rate_is_not_read_as_8_khz(files, own, monkeypatch):
    other = {**files, FIRST: wav(0, rate=16000)}
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
