"""Published data sets: found, fetched from mirrors, verified; small ones stand in for all four kinds."""

import gzip
import hashlib
from dataclasses import replace

import pytest

from made_data import everything_in, known, load, registry, row, write_set
from prunelab import data
from prunelab.data import idx, images, published, recordings
from refusals import refused

IMAGES = f"{idx.FILES[0]}.gz"
KNOWN = {**images.KNOWN, **recordings.KNOWN}


def complete(small):
    folders = {path.split("/")[0] for path in small.stored.values() if "/" in path}
    return sorted({*folders, *small.stored.values()})


def test_a_set_is_fetched_verified_and_loaded_and_not_fetched_again(each, cache):
    assert data.get(each.name) == each.place(cache)
    assert each.server.asked == [f"first/{served}" for served in each.stored]
    assert everything_in(cache) == complete(each)
    assert load(each.name).content_id == data.verify(each.name).content_id
    assert len(each.server.asked) == len(each.stored)


def test_loading_fetches_what_is_missing(each, cache, tmp_path):
    loaded = load(each.name)
    there = each.lay_out(tmp_path / "laid")

    assert everything_in(cache) == complete(each)
    if each.name != "fsdd":  # whose archive is no folder of a user's recordings
        assert loaded.content_id == data.verify(str(there)).content_id


def test_only_the_missing_file_is_fetched(mnist, cache):
    data.get("mnist")
    (cache / "mnist" / IMAGES).unlink()
    mnist.server.asked.clear()

    data.get("mnist")

    assert mnist.server.asked == [f"first/{IMAGES}"]


def test_when_the_first_mirror_lacks_a_file_it_is_reported_and_the_second_serves(each, cache):
    each.server.status["first"] = 404
    reports = []

    data.get(each.name, report=reports.append)

    assert everything_in(cache) == complete(each)
    assert len(reports) == len(each.stored)
    assert f"first/{each.first} (HTTP 404)" in reports[0]


def test_mirrors_can_be_named(each):
    (folder,) = each.server("third")
    data.get(each.name, mirrors=[folder if each.name == "mnist" else f"{folder}served"])

    assert {path.split("/")[0] for path in each.server.asked} == {"third"}


def broken_off(body, small):
    return body[: len(body) // 2], len(body)


def shortened(body, small):
    return body[: len(body) // 2], len(body) // 2


def tampered(body, small):
    changed = small.repacked(body)
    return changed, len(changed)


def error_page(body, small):
    return b"<html>log in to continue</html>", 31


ZIP = "not a readable zip archive"
BROKEN = r"Chunked|Connection|Incomplete"
SAID = {
    broken_off: {"mnist": BROKEN, "cifar10": BROKEN, "cifar10-jpeg": BROKEN, "fsdd": BROKEN},
    shortened: {"mnist": "ends too early", "cifar10": "bytes, is", "cifar10-jpeg": ZIP, "fsdd": ZIP},
    tampered: {"mnist": "MD5", "cifar10": "MD5", "cifar10-jpeg": "manifest", "fsdd": "manifest"},
    error_page: {"mnist": "MD5", "cifar10": "bytes, is 31", "cifar10-jpeg": ZIP, "fsdd": ZIP},
}


@pytest.mark.parametrize("damage", SAID)
def test_a_damaged_delivery_is_reported_leaves_nothing_behind_and_the_next_mirror_is_asked(damage, each, cache):
    path = f"first/{each.first}"
    each.server.body[path], each.server.promised[path] = damage(each.server.body[each.first], each)
    reports = []
    first = known(each.name).mirrors[0]

    with refused(f"could not be downloaded.*({SAID[damage][each.name]})", FileNotFoundError):
        data.get(each.name, mirrors=[first], report=lambda line: None)
    assert everything_in(cache) == []

    data.get(each.name, report=reports.append)
    assert everything_in(cache) == complete(each)
    assert len(reports) == 1
    assert path in reports[0]
    assert data.verify(each.name).content_id == load(each.name).content_id


def test_a_recompressed_file_of_a_set_known_by_its_content_is_the_same(mnist, tmp_path):
    there = mnist.lay_out(tmp_path / "laid")
    for name, body in mnist.server.body.items():
        mnist.server.body[name] = gzip.compress(gzip.decompress(body), compresslevel=1, mtime=7)

    data.get("mnist")

    assert data.verify("mnist").content_id == data.verify(str(there)).content_id


def test_a_set_known_by_its_packed_files_takes_no_recompressed_one(mnist, cache, monkeypatch):
    files = [
        replace(file, identity=hashlib.md5(body).hexdigest())
        for file, body in zip(known("mnist").files, mnist.server.body.values(), strict=True)
    ]
    packed = replace(
        KNOWN["fashion-mnist"], classes=("0", "1", "2"), files=tuple(files), mirrors=known("mnist").mirrors
    )
    monkeypatch.setitem(images.KNOWN, "fashion-mnist", packed)
    data.get("fashion-mnist")
    assert data.verify("fashion-mnist").train == 12
    path = cache / "fashion-mnist" / IMAGES
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), mtime=7))

    with pytest.raises(ValueError, match=r"MD5 of the .gz file as published"):
        data.verify("fashion-mnist")


def test_a_damaged_file_in_the_cache_is_named_and_fetched_again(each, cache):
    data.get(each.name)
    path = cache / each.stored[each.first]
    good = path.read_bytes()
    path.write_bytes(good[:-50])
    reports = []

    with pytest.raises(ValueError, match=rf"{path.name}: .*{SAID[shortened][each.name]}"):
        data.verify(each.name)
    data.get(each.name, report=reports.append)

    assert str(path) in reports[0]
    assert path.read_bytes() == good


def test_a_damaged_file_of_the_users_own_is_named_and_left_alone(each, own):
    each.lay_out(own)
    path = own / each.stored[each.first]
    damaged = each.repacked(path.read_bytes())
    path.write_bytes(damaged)

    title = known(each.name).title.replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(ValueError, match=f"{path}: not {title}'s {path.name}: .*prunelab data get {each.name}"):
        load(each.name)

    assert path.read_bytes() == damaged
    assert each.server.asked == []


def test_the_users_own_files_come_before_the_cache_which_is_not_written(each, own, cache):
    there = each.lay_out(own)

    assert data.get(each.name) == there
    assert each.server.asked == []
    assert not cache.exists()


def test_the_users_own_files_may_be_unpacked_from_gzip(mnist, own):
    there = write_set(own / "mnist", pack=bytes, suffix="")

    assert data.get("mnist") == there
    assert mnist.server.asked == []


def test_a_folder_without_the_set_falls_through_to_the_cache(each, own, cache):
    assert data.get(each.name) == each.place(cache)


def test_a_mistaken_setting_is_named_before_anything_is_fetched(each, tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNELAB_DATA", str(tmp_path / "nowhere"))

    with pytest.raises(FileNotFoundError, match=r"PRUNELAB_DATA must name a folder.*nowhere"):
        load(each.name)

    assert each.server.asked == []
    assert "nowhere" in row(each.name).problem


def test_without_a_network_one_line_says_where_it_looked_and_what_to_do(each, cache, monkeypatch, capsys):
    dead = "http://127.0.0.1:9/"  # the discard port, where nothing answers
    monkeypatch.setitem(registry(each.name), each.name, replace(known(each.name), mirrors=(dead,)))

    with pytest.raises(FileNotFoundError) as caught:
        load(each.name)

    line = str(caught.value)
    assert "\n" not in line
    told = ("PRUNELAB_DATA", str(cache), dead, f"prunelab data get {each.name}", "Connection")
    assert all(part in line for part in told)
    assert dead in capsys.readouterr().err


def test_verifying_never_downloads_and_says_what_to_do(each):
    missing = f"{known(each.name).files[0].name} is not on this machine.*prunelab data get {each.name}"
    with pytest.raises(FileNotFoundError, match=missing):
        data.verify(each.name)

    assert each.server.asked == []


def test_a_failed_write_into_the_cache_is_no_half_file(each, cache, monkeypatch):
    def refuse(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(published.Path, "replace", refuse)
    with pytest.raises(KeyboardInterrupt):
        data.get(each.name)

    assert everything_in(cache) in ([], ["mnist"])


def test_a_progress_bar_is_drawn_when_asked_for(mnist, capsys):
    data.get("mnist", progress=True)

    assert "100%" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["digits", "espeak", "cifar", "../mnist"])
def test_only_downloadable_names_can_be_got(name):
    with pytest.raises(ValueError, match="there are mnist, fashion-mnist, cifar10, cifar10-jpeg, fsdd") as caught:
        data.get(name)

    assert ("is embedded" in str(caught.value)) == (name in ("digits", "espeak"))


@pytest.mark.parametrize("call", [data.load_images, data.verify, data.get])
@pytest.mark.parametrize(
    ("wrong", "right"), [("cifar", "cifar10"), ("cifar-10", "cifar10"), ("cifar10jpeg", "cifar10-jpeg")]
)
def test_a_misspelt_name_gets_the_right_one_suggested(call, wrong, right):
    with pytest.raises(ValueError, match=f"no data set '{wrong}'.*did you mean '{right}'"):
        call(wrong)


def test_the_status_says_what_is_here_how_it_is_recognised_and_how_to_get_the_rest(each, cache):
    before = row(each.name)
    data.get(each.name)

    assert (before.where, before.problem, before.get) == (None, None, f"prunelab data get {each.name}")
    assert row(each.name).where == each.place(cache)
    assert all(file.identity in before.identity for file in known(each.name).files)


def test_the_status_has_a_row_for_every_name(cache):
    rows = {row.name: row for row in data.status()}

    assert list(rows) == ["digits", "mnist", "fashion-mnist", "cifar10", "cifar10-jpeg", "espeak", "fsdd"]
    assert rows["digits"].where.is_file()
    assert all(row.licence and row.identity and row.home.startswith("http") for row in rows.values())
    assert rows["fsdd"].licence == "CC BY-SA 4.0"
    # Which of the two has CIFAR-10's own pixels.
    assert (rows["cifar10"].title, rows["cifar10-jpeg"].title) == ("CIFAR-10", "CIFAR-10 (JPEG)")
    assert "lossy" in rows["cifar10-jpeg"].holds


def test_the_status_names_the_file_that_an_incomplete_folder_lacks(mnist, cache):
    data.get("mnist")
    (cache / "mnist" / IMAGES).unlink()

    assert row("mnist").where is None
    assert IMAGES in row("mnist").problem


@pytest.mark.parametrize("name", KNOWN)
def test_every_known_set_has_mirrors_classes_and_an_identity_for_each_file(name):
    one = KNOWN[name]

    assert one.name == name
    assert len(one.mirrors) >= 2
    assert len(one.classes) == 10
    assert all(mirror.endswith("/") for mirror in one.mirrors) == (len(one.files) > 1)
    assert all(len(file.identity) == (64 if "SHA-256" in one.identity else 32) for file in one.files)
    if name.startswith("cifar10"):
        assert one.classes == ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
        assert all(mirror.startswith("https://") for mirror in one.mirrors)
    if len(one.files) == 4:
        assert [file.names for file in one.files] == [(f"{file}.gz", file) for file in idx.FILES]


def test_cifar10_is_known_as_its_home_page_gives_it():
    (file,) = KNOWN["cifar10"].files

    assert (file.identity, file.size) == ("c32a1d4ab5d03f1284b67883e8d87530", 170_052_171)
