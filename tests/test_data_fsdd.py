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

from prunelab import data
from prunelab.data import fetch, fsdd
from prunelab.data.known import KNOWN_RECORDINGS
from prunelab.data.recordings import load_recordings
from test_data_fetch import everything_in, server  # noqa: F401 - a fixture

# One index of each part and each part's last: the data set's own test part is 0-4, the development part 5-9.
INDICES = (0, 4, 5, 9, 10, 49)
SPEAKERS = ("anna", "ben")


def wav(seed, *, rate=8000, dtype=np.int16):
    numbers = np.random.default_rng(seed).integers(-9000, 9000, 1200).astype(dtype)
    out = io.BytesIO()
    wavfile.write(out, rate, numbers)
    return out.getvalue()


def made_up():
    names = [f"{digit}_{speaker}_{index}.wav" for digit in (0, 7) for speaker in SPEAKERS for index in INDICES]
    return {name: wav(seed) for seed, name in enumerate(names)}


def pack(path, files, *, around="", extra=()):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"{around}recordings/{name}", content)
        for name, content in extra:
            archive.writestr(name, content)
    return path


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Publish a small set under the data set's name, with its own manifest, and let this machine have none of it."""
    files = made_up()
    small = replace(KNOWN_RECORDINGS["fsdd"], manifest=fsdd.manifest(files), recordings=len(files))
    monkeypatch.setitem(KNOWN_RECORDINGS, "fsdd", small)
    monkeypatch.delenv("PRUNELAB_DATA", raising=False)
    monkeypatch.setattr(fetch, "cache_folder", lambda: tmp_path / "cache")
    return files


@pytest.fixture
def own(tmp_path, monkeypatch):
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.setenv("PRUNELAB_DATA", str(folder))
    return folder


@pytest.fixture
def mirrors(files, server, tmp_path, monkeypatch):  # noqa: F811
    """Serve the archive of a tag: a folder around everything, other files beside the recordings."""
    beside = [("set-1.0.10/README.md", "words"), ("set-1.0.10/utils/trimmer.py", "code"), ("set-1.0.10/", "")]
    path = pack(tmp_path / "tag.zip", files, around="set-1.0.10/", extra=beside)
    server.body = {"v.zip": path.read_bytes()}
    urls = tuple(f"{mirror}v.zip" for mirror in server("first", "second"))
    monkeypatch.setitem(KNOWN_RECORDINGS, "fsdd", replace(KNOWN_RECORDINGS["fsdd"], mirrors=urls))
    return server


def test_the_index_decides_the_part(files, own):
    pack(own / "fsdd.zip", files)
    found = load_recordings("fsdd")

    assert {one.name.rsplit("_", 1)[1] for one in found.part("test")} == {"0", "4"}
    assert {one.name.rsplit("_", 1)[1] for one in found.part("dev")} == {"5", "9"}
    assert {one.name.rsplit("_", 1)[1] for one in found.part("train")} == {"10", "49"}
    assert [fsdd.part_of(index) for index in (0, 4, 5, 9, 10, 49)] == ["test"] * 2 + ["dev"] * 2 + ["train"] * 2


def test_samples_words_and_speakers_are_the_archives(files, own):
    pack(own / "fsdd.zip", files)
    found = {one.name: one for one in load_recordings("fsdd").recordings}
    _, numbers = wavfile.read(io.BytesIO(files["7_ben_10.wav"]))

    assert np.array_equal(found["7_ben_10"].samples * 2**15, numbers)
    assert (found["7_ben_10"].words, found["7_ben_10"].speaker) == ((7,), "ben")
    assert not load_recordings("fsdd").synthetic


def test_the_order_is_by_digit_speaker_and_index_as_a_number(files, own):
    pack(own / "fsdd.zip", dict(reversed(files.items())))

    assert [f"{one.name}.wav" for one in load_recordings("fsdd").recordings] == list(files)


def test_folder_archive_and_archive_with_a_folder_around_are_the_same_recordings(files, own, monkeypatch):
    ids = []
    pack(own / "fsdd.zip", files)
    ids.append(load_recordings("fsdd").content_id)
    pack(own / "fsdd.zip", files, around="anything-1/", extra=[("anything-1/README.md", "words"), ("x/y.wav", "z")])
    ids.append(load_recordings("fsdd").content_id)
    (own / "fsdd.zip").unlink()
    (own / "fsdd" / "recordings").mkdir(parents=True)
    for name, content in files.items():
        (own / "fsdd" / "recordings" / name).write_bytes(content)
    ids.append(load_recordings("fsdd").content_id)

    assert len(set(ids)) == 1


def test_held_out_speakers_keep_their_test_indices(files, own):
    pack(own / "fsdd.zip", files)
    held = load_recordings("fsdd", held_out=["ben"])

    assert {one.speaker for one in held.part("test")} == {"ben"}
    assert {one.name.rsplit("_", 1)[1] for one in held.part("test")} == {"0", "4"}
    assert {one.speaker for one in (*held.part("train"), *held.part("dev"))} == {"anna"}


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="compares with the program sha256sum")
def test_the_manifest_is_what_sha256sum_writes(tmp_path):
    (tmp_path / "recordings").mkdir()
    files = {"1_b_2.wav": b"two", "1_a_10.wav": b"ten", "0_z_0.wav": b""}
    for name, content in files.items():
        (tmp_path / "recordings" / name).write_bytes(content)
    names = sorted(f"recordings/{name}" for name in files)
    lines = subprocess.run(["sha256sum", *names], cwd=tmp_path, capture_output=True, check=True).stdout

    assert fsdd.manifest(files) == hashlib.sha256(lines).hexdigest()


def changed(files):
    return {**files, "0_anna_0.wav": wav(99)}


def lacking(files):
    return {name: content for name, content in files.items() if name != "0_anna_0.wav"}


def renamed(files):
    return {("1" + name[1:] if name == "0_anna_0.wav" else name): content for name, content in files.items()}


def longer(files):
    return {**files, "9_anna_0.wav": wav(99)}


@pytest.mark.parametrize("damage", [changed, lacking, renamed, longer])
def test_other_content_is_not_the_data_set(damage, files, own):
    path = pack(own / "fsdd.zip", damage(files))
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
    pack(own / "fsdd.zip", files, around="set/", extra=[(member, b"x")])

    with pytest.raises(ValueError, match=said):
        load_recordings("fsdd")


def test_links_in_an_archive_are_refused(files, own):
    link = zipfile.ZipInfo("recordings/9_anna_0.wav")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    pack(own / "fsdd.zip", files, extra=[(link, "/etc/passwd")])

    with pytest.raises(ValueError, match="symbolic link"):
        load_recordings("fsdd")


def test_a_member_that_unpacks_to_absurdly_much_is_refused_unread(files, own, monkeypatch):
    pack(own / "fsdd.zip", {**files, "9_anna_0.wav": bytes(2**20 + 1)})
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("read"))

    with pytest.raises(ValueError, match=r"9_anna_0.wav in .*: 1048577 bytes"):
        load_recordings("fsdd")


def test_recordings_of_absurdly_many_bytes_together_are_refused(files, own, monkeypatch):
    monkeypatch.setattr(fsdd, "_TOTAL_LIMIT", 10_000)
    pack(own / "fsdd.zip", files)

    with pytest.raises(ValueError, match=r"bytes of recordings; a data set may have 10000"):
        load_recordings("fsdd")


@pytest.mark.parametrize("content", [b"", b"not a zip archive", b"PK\x03\x04 and no more"])
def test_what_is_no_archive_is_named(content, files, own):
    (own / "fsdd.zip").write_bytes(content)

    with pytest.raises(ValueError, match=r"fsdd.zip: not a readable zip archive"):
        load_recordings("fsdd")


def test_a_damaged_member_is_one_line(files, own):
    path = pack(own / "fsdd.zip", files)
    content = bytearray(path.read_bytes())
    content[200:260] = bytes(60)
    path.write_bytes(content)

    with pytest.raises(ValueError, match=r"fsdd.zip: not a readable zip archive") as caught:
        load_recordings("fsdd")
    assert "\n" not in str(caught.value)


def test_an_archive_or_folder_without_recordings_says_what_it_lacks(files, own):
    path = pack(own / "fsdd.zip", {}, extra=[("README.md", "words")])
    with pytest.raises(ValueError, match="no recordings/"):
        load_recordings("fsdd")
    path.unlink()
    (own / "fsdd").mkdir()
    with pytest.raises(FileNotFoundError, match="own/fsdd has no recordings/"):
        load_recordings("fsdd")


def test_another_rate_is_not_read_as_8_khz(files, own, monkeypatch):
    other = {**files, "0_anna_0.wav": wav(0, rate=16000)}
    monkeypatch.setitem(KNOWN_RECORDINGS, "fsdd", replace(KNOWN_RECORDINGS["fsdd"], manifest=fsdd.manifest(other)))
    pack(own / "fsdd.zip", other)

    with pytest.raises(ValueError, match=r"0_anna_0.wav in .*16000 Hz"):
        load_recordings("fsdd")


def test_the_archive_is_fetched_verified_and_not_fetched_again(mirrors, tmp_path):
    assert data.get("fsdd") == tmp_path / "cache" / "fsdd.zip"
    assert load_recordings("fsdd").content_id == data.verify("fsdd").content_id
    assert mirrors.asked == ["first/v.zip"]
    assert everything_in(tmp_path / "cache") == ["fsdd.zip"]


def test_what_is_not_the_data_set_never_takes_its_place(mirrors, tmp_path, files):
    mirrors.body["first/v.zip"] = pack(tmp_path / "other.zip", changed(files)).read_bytes()
    mirrors.body["second/v.zip"] = b"<html>busy</html>"
    reports = []

    with pytest.raises(FileNotFoundError, match="could not be downloaded") as caught:
        data.get("fsdd", report=reports.append)

    assert everything_in(tmp_path / "cache") == []
    assert "\n" not in str(caught.value)
    assert "must be" in reports[0]
    assert "not a readable zip" in reports[1]


def test_a_damaged_archive_in_the_cache_is_reported_and_fetched_again(mirrors, tmp_path):
    path = data.get("fsdd")
    good = path.read_bytes()
    path.write_bytes(good[:-50])
    reports = []

    with pytest.raises(ValueError, match="not a readable zip archive"):
        data.verify("fsdd")
    data.get("fsdd", report=reports.append)

    assert str(path) in reports[0]
    assert path.read_bytes() == good


def test_the_users_own_archive_comes_first_and_nothing_is_fetched(mirrors, files, own, tmp_path):
    path = pack(own / "fsdd.zip", files)

    assert data.get("fsdd") == path
    assert mirrors.asked == []
    assert not (tmp_path / "cache").exists()


def test_verifying_never_downloads_and_says_what_to_do(mirrors, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"not on this machine.*prunelab data get fsdd"):
        data.verify("fsdd")

    assert mirrors.asked == []


def test_the_status_knows_where_the_archive_is(mirrors, tmp_path):
    def row():
        return next(row for row in data.status() if row.name == "fsdd")

    assert (row().where, row().problem) == (None, None)
    path = data.get("fsdd")
    assert row().where == path
    assert row().licence == "CC BY-SA 4.0"
    assert row().get == "prunelab data get fsdd"


def test_verified_recordings_are_counted_by_part(files, own):
    pack(own / "fsdd.zip", files)
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
