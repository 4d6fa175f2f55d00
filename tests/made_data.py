"""Small data sets under the names of the published ones, laid out in every way, and mirrors here that serve them."""

import gzip
import hashlib
import http.server
import io
import struct
import tarfile
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

from prunelab import data
from prunelab.data import idx, images, published, recordings

BATCHES = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]


def registry(name: str) -> dict[str, Any]:
    return images.KNOWN if name in images.KNOWN else recordings.KNOWN


def known(name):
    return registry(name)[name]


def load(name):
    return data.load_images(name) if name in images.KNOWN else data.load_recordings(name)


def row(name):
    return next(row for row in data.status() if row.name == name)


def everything_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def encode(array):
    """Write the IDX format as its page describes it, independently of the reader."""
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim) + b"".join(struct.pack(">I", size) for size in array.shape)
    return header + array.astype(np.uint8).tobytes(order="C")


def pictures(count, seed=0, size=(5, 4)):
    return np.random.default_rng(seed).integers(0, 256, (count, *size), dtype=np.uint8)


def write_set(folder, *, train=None, test=None, images=pictures, pack=gzip.compress, suffix=".gz"):
    """Write a small data set of four IDX files; labels 0, 1, 2 in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    train = np.arange(12) % 3 if train is None else np.asarray(train)
    test = np.arange(6) % 3 if test is None else np.asarray(test)
    arrays = (images(len(train), 1), train, images(len(test), 2), test)
    for name, array in zip(idx.FILES, arrays, strict=True):
        (folder / f"{name}{suffix}").write_bytes(pack(encode(array)))
    return folder


def jpeg(seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=95)
    return out.getvalue()


def jpegs():
    """Six training and two test images of each of three classes, numbered so that 10 comes before 9 as text."""
    names = [
        f"{part}/{name}/{number}.jpg"
        for part, numbers in (("train", range(5, 11)), ("test", (9, 10)))
        for name in ("bird", "cat", "dog")
        for number in numbers
    ]
    return {name: jpeg(seed) for seed, name in enumerate(names)}


def records(labels, seed=0):
    """Write CIFAR-10's format as its page describes it, independently of the reader."""
    rng = np.random.default_rng(seed)
    return b"".join(bytes([label]) + rng.bytes(3 * 1024) for label in labels)


def batches():
    """Two images of each class in every training file, and one in the test file."""
    return {
        name: records(range(10) if name.startswith("test") else [*range(10)] * 2, n) for n, name in enumerate(BATCHES)
    }


def wav(seed, *, rate=8000, dtype=np.int16):
    numbers = np.random.default_rng(seed).integers(-9000, 9000, 1200).astype(dtype)
    out = io.BytesIO()
    wavfile.write(out, rate, numbers)
    return out.getvalue()


def wavs():
    """Two digits of two speakers, of each part one index and its last: test is 0 to 4, development 5 to 9."""
    names = [
        f"recordings/{digit}_{speaker}_{index}.wav"
        for digit in (0, 7)
        for speaker in ("anna", "ben")
        for index in (0, 4, 5, 9, 10, 49)
    ]
    return {name: wav(seed) for seed, name in enumerate(names)}


def zipped(path, files, *, around="", extra=()):
    """Pack files, and whole members, into a zip archive."""
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in (*((f"{around}{name}", content) for name, content in files.items()), *extra):
            packed.writestr(name, content)
    return path


def spread(path, files):
    """Lay files out below a folder; a name that ends in "/" is an empty folder."""
    for name, content in files.items():
        (path / name if name.endswith("/") else (path / name).parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            (path / name).write_bytes(content)
    return path


def tarred(path, files, *, extra=()):
    """Pack files and whole members; names as given get CIFAR-10's folder around them."""
    with tarfile.open(path, "w:gz") as packed:
        named = (member(f"cifar-10-batches-bin/{name}", content) for name, content in files.items())
        for made, content in (*named, *extra):
            packed.addfile(made, io.BytesIO(content))
    return path


def member(name, content=b"", **options):
    made = tarfile.TarInfo(name)
    made.size = len(content)
    for option, value in options.items():
        setattr(made, option, value)
    return made, content


def manifest(files):
    lines = (f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def publish(monkeypatch, name, *identities, size=None, **changes):
    """Let files of these identities be the published ones."""
    files = tuple(
        replace(file, identity=identity, size=size)
        for file, identity in zip(known(name).files, identities, strict=True)
    )
    monkeypatch.setitem(registry(name), name, replace(known(name), files=files, **changes))


def publish_archive(monkeypatch, path):
    """Let a tar archive be CIFAR-10's."""
    content = path.read_bytes()
    publish(monkeypatch, "cifar10", hashlib.md5(content).hexdigest(), size=len(content))
    return path


@dataclass
class Mirrors:
    """A server on this machine: one folder of answers for each mirror."""

    address: str = ""
    asked: list[str] = field(default_factory=list)
    status: dict[str, int] = field(default_factory=dict)  # mirror or file -> status other than 200
    body: dict[str, bytes] = field(default_factory=dict)  # mirror/file, or file of every mirror -> bytes
    promised: dict[str, int] = field(default_factory=dict)  # mirror/file -> length that the header claims

    def __call__(self, *names):
        return tuple(f"{self.address}{name}/" for name in names)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    mirrors = Mirrors()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            path = self.path.lstrip("/")
            mirror, name = path.split("/")
            mirrors.asked.append(path)
            body = mirrors.body.get(path, mirrors.body.get(name))
            status = mirrors.status.get(mirror, 404 if body is None else 200)
            self.send_response(status)
            self.send_header("Content-Length", str(mirrors.promised.get(path, len(body or b""))))
            self.end_headers()
            if status == 200:
                self.wfile.write(body)

        def log_message(self, *_):
            """Keep the test's output clean."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        mirrors.address = f"http://127.0.0.1:{httpd.server_port}/"
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield mirrors
        httpd.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Let this machine have no data set, and return where it would keep one."""
    monkeypatch.delenv("PRUNELAB_DATA", raising=False)
    monkeypatch.setattr(published, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def own(tmp_path, cache, monkeypatch):
    """Return an empty folder that PRUNELAB_DATA names."""
    made = tmp_path / "own"
    made.mkdir()
    monkeypatch.setenv("PRUNELAB_DATA", str(made))
    return made


@pytest.fixture
def small_jpegs(monkeypatch):
    files = jpegs()
    publish(monkeypatch, "cifar10-jpeg", manifest(files), classes=("bird", "cat", "dog"))
    return files


@pytest.fixture
def small_wavs(monkeypatch):
    files = wavs()
    publish(monkeypatch, "fsdd", manifest(files))
    return files


@dataclass(frozen=True, kw_only=True)
class Small:
    """A small data set that two mirrors serve."""

    name: str
    server: Mirrors
    stored: dict[str, str]  # name that mirrors serve a file under -> its path in a folder of data sets
    repacked: Callable[[bytes], bytes]  # a file as served -> the same in structure, with other content

    @property
    def first(self):
        return next(iter(self.stored))

    def place(self, top: Path):
        """Return the set's place in a folder of data sets."""
        return top / (self.name if len(self.stored) > 1 else self.stored[self.first])

    def lay_out(self, top: Path):
        """Put the files into a folder of data sets, and return the set's place in it."""
        for served, path in self.stored.items():
            spread(top, {path: self.server.body[served]})
        return self.place(top)


def _one_pixel(packed):
    content = bytearray(gzip.decompress(packed))
    content[-1] ^= 1  # the structure and the gzip checksum stay right
    return gzip.compress(bytes(content))


def _one_byte(packed):
    return packed[:100] + bytes([packed[100] ^ 1]) + packed[101:]


def _one_file(packed):
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    out = io.BytesIO()
    last = next(name for name in reversed(files) if name.endswith((".jpg", ".wav")))
    return zipped(out, {**files, last: b"changed"}).getvalue()


def small(name, server, folder, monkeypatch):
    """Publish a small set under a data set's name, with its own identity, from two mirrors."""
    if name == "mnist":
        written = write_set(folder / "written")
        server.body = {f"{file}.gz": (written / f"{file}.gz").read_bytes() for file in idx.FILES}
        identities = [hashlib.md5(gzip.decompress(body)).hexdigest() for body in server.body.values()]
        publish(monkeypatch, name, *identities, classes=("0", "1", "2"), mirrors=server("first", "second"))
        stored = {served: f"mnist/{served}" for served in server.body}
        return Small(name=name, server=server, stored=stored, repacked=_one_pixel)
    if name == "cifar10":
        path = publish_archive(monkeypatch, tarred(folder / "written", batches()))
    else:
        files = wavs() if name == "fsdd" else jpegs()
        # As the archives of a tag or branch: a folder around everything, other files beside the data set's.
        beside = [("set-1/README.md", "words"), ("set-1/utils/trimmer.py", "code"), ("set-1/", "")]
        path = zipped(folder / "written", files, around="set-1/", extra=beside)
        classes = known(name).classes if name == "fsdd" else ("bird", "cat", "dog")
        publish(monkeypatch, name, manifest(files), classes=classes)
    server.body = {"served": path.read_bytes()}
    whole = tuple(f"{mirror}served" for mirror in server("first", "second"))
    monkeypatch.setitem(registry(name), name, replace(known(name), mirrors=whole))
    stored = {"served": known(name).files[0].name}
    return Small(name=name, server=server, stored=stored, repacked=_one_byte if name == "cifar10" else _one_file)


@pytest.fixture
def mnist(server, cache, tmp_path, monkeypatch):
    return small("mnist", server, tmp_path, monkeypatch)


@pytest.fixture(params=["mnist", "cifar10", "cifar10-jpeg", "fsdd"])
def each(request, server, cache, tmp_path, monkeypatch):
    return small(request.param, server, tmp_path, monkeypatch)
