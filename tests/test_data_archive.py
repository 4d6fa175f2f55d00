"""Data sets that are known by the manifest of what their archive or folder holds: images as JPEG, and recordings."""

import hashlib
import re
import shutil
import stat
import subprocess
import zipfile
from dataclasses import dataclass, replace
from typing import Any

import pytest

from made_data import everything_in, jpeg, known, load, publish, spread, wav, zipped
from prunelab import data
from prunelab.data import archive, cifar, fsdd
from refusals import refused


@dataclass(frozen=True, kw_only=True)
class Packed:
    """One of the two, small."""

    name: str
    wanted: archive.Wanted
    files: dict[str, bytes]
    more: str  # a file's name that the set might have, and has not
    content: bytes  # of such a file
    layout: str
    said: str  # of a file that is too large

    @property
    def archive(self) -> str:
        return f"{self.name}.zip"

    def refused(self, error: Any, said: str) -> str:
        """Load the set, and return the one line that says why it is refused."""
        with refused(said, error) as caught:
            load(self.name)
        return str(caught.value)


@pytest.fixture(params=["cifar10-jpeg", "fsdd"])
def packed(request, own):
    if request.param == "fsdd":
        return Packed(
            name="fsdd",
            wanted=fsdd.RECORDINGS,
            files=request.getfixturevalue("small_wavs"),
            more="recordings/9_anna_0.wav",
            content=wav(99),
            layout="recordings/{digit}_{speaker}_{index}.wav",
            said="1048577 bytes; a recording of a digit may have 1048576",
        )
    return Packed(
        name="cifar10-jpeg",
        wanted=cifar.PICTURES,
        files=request.getfixturevalue("small_jpegs"),
        more="train/bird/1.jpg",
        content=jpeg(99),
        layout="{train,test}/{class}/{n}.jpg",
        said="65537 bytes; an image of 32×32 pixels may have 65536",
    )


def test_archive_and_folder_with_and_without_a_folder_around_hold_the_same(packed, own):
    ids = []
    path = zipped(own / packed.archive, packed.files)
    ids.append(load(packed.name).content_id)
    beside = [("set-master/README.md", "words"), ("set-master/get_pic.sh", "code"), ("set-master/", ""), ("x/y.z", "z")]
    zipped(path, dict(reversed(packed.files.items())), around="set-master/", extra=beside)
    ids.append(load(packed.name).content_id)
    (own / packed.name).mkdir()
    path = path.rename(own / packed.name / path.name)
    ids.append(data.verify(packed.name).content_id)
    path.unlink()
    spread(own / packed.name, {**packed.files, "README.md": b"words"})
    ids.append(load(packed.name).content_id)

    assert len(set(ids)) == 1


def test_a_folder_of_images_may_have_a_folder_around_too(own, small_jpegs):
    path = zipped(own / "cifar10-jpeg.zip", small_jpegs)
    packed = data.verify("cifar10-jpeg").content_id
    path.unlink()
    spread(own / "cifar10-jpeg" / "set-master", {**small_jpegs, "README.md": b"words"})

    assert data.verify("cifar10-jpeg").content_id == packed


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="compares with the program sha256sum")
def test_the_manifest_is_what_sha256sum_writes(tmp_path):
    files = {"1_b_2.wav": b"two", "1_a_10.wav": b"ten", "0_z_0.wav": b""}
    spread(tmp_path / "recordings", files)
    names = sorted(f"recordings/{name}" for name in files)
    lines = subprocess.run(["sha256sum", *names], cwd=tmp_path, capture_output=True, check=True).stdout

    assert archive.manifest(files, below="recordings/") == hashlib.sha256(lines).hexdigest()
    assert fsdd.RECORDINGS.open(tmp_path).identity == hashlib.sha256(lines).hexdigest()


def changed(packed):
    return {**packed.files, next(iter(packed.files)): packed.content}


def lacking(packed):
    return dict(list(packed.files.items())[1:])


def renamed(packed):
    (_, first), *rest = packed.files.items()
    return {packed.more: first, **dict(rest)}


def longer(packed):
    return {**packed.files, packed.more: packed.content}


@pytest.mark.parametrize("place", [zipped, spread], ids=["archive", "folder"])
@pytest.mark.parametrize("damage", [changed, lacking, renamed, longer])
def test_other_content_is_not_the_data_set(damage, place, packed, own):
    path = place(own / (packed.archive if place is zipped else packed.name), damage(packed))
    before = {name: (own / name).read_bytes() for name in everything_in(own) if (own / name).is_file()}

    title = re.escape(known(packed.name).title)
    line = packed.refused(ValueError, rf"{path}: not {title}'s .*prunelab data get {packed.name}")

    assert f"must be {known(packed.name).files[0].identity}, is " in line
    assert {name: (own / name).read_bytes() for name in everything_in(own) if (own / name).is_file()} == before


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ("../", "leads out of the archive"),
        ("/", "leads out of the archive"),
        ("set\\", "leads out of the archive"),
        ("other/", "(images|recordings) in 2 folders"),
    ],
)
def test_members_that_no_honest_archive_has_are_refused(start, said, packed, own):
    zipped(own / packed.archive, packed.files, around="set/", extra=[(f"{start}{packed.more}", b"x")])

    packed.refused(ValueError, said)


def test_links_are_refused(packed, own):
    link = zipfile.ZipInfo(packed.more)
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = zipped(own / packed.archive, packed.files, extra=[(link, "/etc/passwd")])
    packed.refused(ValueError, "symbolic link")

    path.unlink()
    spread(own / packed.name, packed.files)
    (own / packed.name / packed.more).parent.joinpath("more").symlink_to(own)
    packed.refused(ValueError, "a link to a folder is not followed")


def test_a_file_that_unpacks_to_absurdly_much_is_refused_unread(packed, own, monkeypatch):
    zipped(own / packed.archive, {**packed.files, packed.more: bytes(packed.wanted.each + 1)})
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("read"))

    packed.refused(ValueError, rf"{packed.more} in .*: {packed.said}")


def test_files_of_absurdly_many_bytes_together_are_refused_unread(packed, own, monkeypatch):
    publish(monkeypatch, packed.name, "", open=replace(packed.wanted, total=10_000).open)
    zipped(own / packed.archive, packed.files)
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("read"))

    packed.refused(ValueError, r"bytes of (images|recordings); a data set may have 10000")


@pytest.mark.parametrize("content", [b"", b"<html>busy</html>", b"PK\x03\x04 and no more"])
def test_what_is_no_archive_is_named(content, packed, own):
    (own / packed.archive).write_bytes(content)

    packed.refused(ValueError, rf"{packed.archive}: not a readable zip archive")


def test_a_damaged_member_is_one_line(packed, own):
    path = zipped(own / packed.archive, packed.files)
    content = bytearray(path.read_bytes())
    content[200:260] = bytes(60)
    path.write_bytes(content)

    packed.refused(ValueError, rf"{packed.archive}: not a readable zip archive")


def test_an_archive_or_folder_without_the_files_says_what_it_lacks(packed, own):
    path = zipped(own / packed.archive, {}, extra=[("README.md", "words")])
    packed.refused(ValueError, f"{packed.archive}: no {packed.layout} in the archive")
    path.write_bytes(b"PK\x05\x06" + bytes(18))  # empty
    packed.refused(ValueError, f"{packed.archive}: no {packed.layout} in the archive")
    path.unlink()
    (own / packed.name).mkdir()
    packed.refused(
        FileNotFoundError, f"own/{packed.name} has no {packed.layout}; put the published ones there, or remove"
    )
