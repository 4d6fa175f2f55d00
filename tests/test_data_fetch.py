import gzip
import hashlib
import http.server
import threading
from dataclasses import dataclass, field, replace

import pytest

from prunelab import data
from prunelab.data import fetch, idx
from prunelab.data.known import KNOWN
from test_data_idx import write_set

IMAGES = idx.FILES[0]


@dataclass
class Mirrors:
    """A server on this machine: one folder of answers for each mirror."""

    address: str = ""
    asked: list[str] = field(default_factory=list)
    status: dict[str, int] = field(default_factory=dict)  # mirror or file -> status other than 200
    body: dict[str, bytes] = field(default_factory=dict)  # mirror/file, or file of every mirror -> bytes
    promised: dict[str, int] = field(default_factory=dict)  # mirror/file -> length that the header claims

    def __call__(self, *names):
        return [f"{self.address}{name}/" for name in names]


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
def published(tmp_path, server, monkeypatch):
    """Publish a small set under MNIST's name, with its own MD5s, and let this machine have none of it."""
    folder = write_set(tmp_path / "published")
    content = {name: gzip.decompress((folder / f"{name}.gz").read_bytes()) for name in idx.FILES}
    server.body = {f"{name}.gz": (folder / f"{name}.gz").read_bytes() for name in idx.FILES}
    small = replace(
        KNOWN["mnist"],
        classes=("0", "1", "2"),
        mirrors=tuple(server("first", "second")),
        md5={name: hashlib.md5(bytes_).hexdigest() for name, bytes_ in content.items()},
    )
    monkeypatch.setitem(KNOWN, "mnist", small)
    monkeypatch.delenv("PRUNELAB_DATA", raising=False)
    monkeypatch.setattr(fetch, "cache_folder", lambda: tmp_path / "cache")
    return folder


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def everything_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


COMPLETE = ["mnist", *sorted(f"mnist/{name}.gz" for name in idx.FILES)]


def test_a_set_is_fetched_verified_and_loaded_and_not_fetched_again(server, published, cache):
    assert data.get("mnist") == cache / "mnist"
    asked = list(server.asked)

    assert asked == [f"first/{name}.gz" for name in idx.FILES]
    assert everything_in(cache) == COMPLETE
    assert len(data.load_images("mnist").test) == 6
    assert server.asked == asked


def test_loading_fetches_what_is_missing(server, published, cache):
    assert data.load_images("mnist", validation=0.25).content_id == data.verify(str(published)).content_id
    assert everything_in(cache) == COMPLETE


def test_only_the_missing_file_is_fetched(server, published, cache):
    data.get("mnist")
    (cache / "mnist" / f"{IMAGES}.gz").unlink()
    server.asked.clear()

    data.get("mnist")

    assert server.asked == [f"first/{IMAGES}.gz"]


def test_when_the_first_mirror_lacks_a_file_it_is_reported_and_the_second_serves(server, published, cache):
    server.status["first"] = 404
    reports = []

    data.get("mnist", report=reports.append)

    assert everything_in(cache) == COMPLETE
    assert len(reports) == 4
    assert f"first/{IMAGES}.gz (HTTP 404)" in reports[0]


def test_mirrors_can_be_named(server, published, cache):
    data.get("mnist", mirrors=server("third"))

    assert {path.split("/")[0] for path in server.asked} == {"third"}


def broken_off(server, mirror):
    body = server.body[f"{IMAGES}.gz"]
    server.body[f"{mirror}/{IMAGES}.gz"] = body[: len(body) // 2]
    server.promised[f"{mirror}/{IMAGES}.gz"] = len(body)


def shortened(server, mirror):
    body = server.body[f"{IMAGES}.gz"]
    server.body[f"{mirror}/{IMAGES}.gz"] = body[: len(body) // 2]


def tampered(server, mirror):
    content = bytearray(gzip.decompress(server.body[f"{IMAGES}.gz"]))
    content[-1] ^= 1  # one pixel: the structure and the gzip checksum stay right
    server.body[f"{mirror}/{IMAGES}.gz"] = gzip.compress(bytes(content))


def error_page(server, mirror):
    server.body[f"{mirror}/{IMAGES}.gz"] = b"<html>log in to continue</html>"


DAMAGE = pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (broken_off, r"Chunked|Connection|Incomplete"),
        (shortened, "ends too early"),
        (tampered, "MD5"),
        (error_page, "MD5"),
    ],
)


@DAMAGE
def test_a_damaged_delivery_is_reported_and_the_next_mirror_tried(damage, reason, server, published, cache):
    damage(server, "first")
    reports = []

    data.get("mnist", report=reports.append)

    assert everything_in(cache) == COMPLETE
    assert len(reports) == 1
    assert f"first/{IMAGES}.gz" in reports[0]
    assert data.verify("mnist").train == 12


@DAMAGE
def test_a_damaged_delivery_leaves_nothing_behind(damage, reason, server, published, cache):
    damage(server, "first")

    with pytest.raises(FileNotFoundError, match=reason) as caught:
        data.get("mnist", mirrors=server("first"), report=lambda line: None)

    assert everything_in(cache) == []
    assert "\n" not in str(caught.value)


def test_a_recompressed_archive_is_the_same_file(server, published, cache):
    for name, body in server.body.items():
        server.body[name] = gzip.compress(gzip.decompress(body), compresslevel=1, mtime=7)

    data.get("mnist")

    assert data.verify("mnist").content_id == data.verify(str(published)).content_id


def test_a_set_known_by_its_archives_takes_no_recompressed_one(server, published, cache, monkeypatch):
    md5 = {name: hashlib.md5(server.body[f"{name}.gz"]).hexdigest() for name in idx.FILES}
    monkeypatch.setitem(KNOWN, "mnist", replace(KNOWN["mnist"], md5=md5, md5_of="archive"))
    data.get("mnist")
    path = cache / "mnist" / f"{IMAGES}.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), mtime=7))

    with pytest.raises(ValueError, match=r"MD5 of the .gz file as published"):
        data.verify("mnist")


def test_a_damaged_file_in_the_cache_is_named_and_fetched_again(server, published, cache):
    data.get("mnist")
    path = cache / "mnist" / f"{IMAGES}.gz"
    good = path.read_bytes()
    path.write_bytes(good[:-9])
    reports = []

    with pytest.raises(ValueError, match=f"{IMAGES}.gz: gzip file ends too early"):
        data.verify("mnist")
    data.get("mnist", report=reports.append)

    assert str(path) in reports[0]
    assert path.read_bytes() == good


def test_a_damaged_file_in_the_users_own_folder_is_named_and_left_alone(server, published, tmp_path, monkeypatch):
    own = write_set(tmp_path / "own" / "mnist")
    damaged = gzip.compress(b"changed")
    (own / f"{IMAGES}.gz").write_bytes(damaged)
    monkeypatch.setenv("PRUNELAB_DATA", str(tmp_path / "own"))

    with pytest.raises(ValueError, match=f"own/mnist/{IMAGES}.gz: not MNIST's.*prunelab data get mnist"):
        data.load_images("mnist")

    assert (own / f"{IMAGES}.gz").read_bytes() == damaged
    assert server.asked == []


def test_the_users_own_folder_comes_before_the_cache_and_is_not_written(server, published, tmp_path, monkeypatch):
    own = write_set(tmp_path / "own" / "mnist", pack=bytes, suffix="")
    monkeypatch.setenv("PRUNELAB_DATA", str(tmp_path / "own"))

    assert data.get("mnist") == own
    assert server.asked == []
    assert not (tmp_path / "cache").exists()


def test_a_folder_without_the_set_falls_through_to_the_cache(server, published, cache, tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNELAB_DATA", str(tmp_path))

    assert data.get("mnist") == cache / "mnist"


def test_a_mistaken_setting_is_named_before_anything_is_fetched(server, published, tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNELAB_DATA", str(tmp_path / "nowhere"))

    with pytest.raises(FileNotFoundError, match=r"PRUNELAB_DATA must name a folder.*nowhere"):
        data.load_images("mnist")

    assert server.asked == []
    assert "nowhere" in next(row for row in data.status() if row.name == "mnist").problem


def test_without_a_network_one_line_says_where_it_looked_and_what_to_do(published, cache, monkeypatch, capsys):
    dead = "http://127.0.0.1:9/"  # the discard port, where nothing answers
    monkeypatch.setitem(KNOWN, "mnist", replace(KNOWN["mnist"], mirrors=(dead,)))

    with pytest.raises(FileNotFoundError) as caught:
        data.load_images("mnist")

    line = str(caught.value)
    assert "\n" not in line
    assert all(part in line for part in ("PRUNELAB_DATA", str(cache), dead, "prunelab data get mnist", "Connection"))
    assert dead in capsys.readouterr().err


def test_verifying_never_downloads(server, published):
    with pytest.raises(FileNotFoundError, match="not complete on this machine"):
        data.verify("mnist")

    assert server.asked == []


def test_a_failed_write_into_the_cache_is_no_half_file(server, published, cache, monkeypatch):
    def refuse(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch.Path, "replace", refuse)
    with pytest.raises(KeyboardInterrupt):
        data.get("mnist")

    assert everything_in(cache) in ([], ["mnist"])


def test_a_progress_bar_is_drawn_when_asked_for(server, published, capsys):
    data.get("mnist", progress=True)

    assert "100%" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["digits", "espeak", "cifar", "../mnist"])
def test_only_downloadable_names_can_be_got(name):
    with pytest.raises(ValueError, match="there are mnist, fashion-mnist, cifar10, cifar10-jpeg, fsdd"):
        data.get(name)


def test_the_status_says_what_is_here_and_how_to_get_the_rest(server, published, cache):
    before = {row.name: row for row in data.status()}
    data.get("mnist")
    after = {row.name: row for row in data.status()}

    assert list(before) == ["digits", "mnist", "fashion-mnist", "cifar10", "cifar10-jpeg", "espeak", "fsdd"]
    assert before["digits"].where.is_file()
    assert (before["mnist"].where, before["mnist"].problem) == (None, None)
    assert before["mnist"].get == "prunelab data get mnist"
    assert after["mnist"].where == cache / "mnist"
    assert all(row.licence and row.identity and row.home.startswith("http") for row in after.values())


def test_the_status_names_the_file_that_an_incomplete_folder_lacks(server, published, cache):
    data.get("mnist")
    (cache / "mnist" / f"{IMAGES}.gz").unlink()
    row = next(row for row in data.status() if row.name == "mnist")

    assert row.where is None
    assert IMAGES in row.problem


def test_every_known_set_has_mirrors_and_an_identity_for_each_file():
    for known in KNOWN.values():
        assert len(known.mirrors) >= 2
        assert all(mirror.endswith("/") for mirror in known.mirrors)
        assert list(known.md5) == list(idx.FILES)
        assert all(len(md5) == 32 for md5 in known.md5.values())
