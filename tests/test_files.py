import hashlib
import json
import math
import os
import stat

import pytest

from prunelab import files


def test_text_is_written_as_utf_8_with_plain_line_ends_and_its_folders_are_made(tmp_path):
    path = files.write_text(tmp_path / "a" / "b.txt", "≥ 1\n2\n")

    assert path.read_bytes() == "≥ 1\n2\n".encode()
    assert list(path.parent.iterdir()) == [path]


def test_a_block_that_fails_leaves_the_old_content_and_nothing_beside_it(tmp_path):
    path = files.write_text(tmp_path / "table.csv", "old")

    def write_half():
        with files.replacing(path) as temporary:
            temporary.write_text("ne")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        write_half()

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_readers_see_the_old_content_until_the_block_ends(tmp_path):
    path = files.write_text(tmp_path / "table.csv", "old")

    with files.replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == path.parent  # a rename across file systems would copy

    assert path.read_text() == "new"


def test_a_written_file_has_the_rights_that_any_new_file_has(tmp_path):
    before = os.umask(0o027)
    try:
        path = files.write_text(tmp_path / "table.csv", "1")
        after = os.umask(0o027)
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert after == 0o027


def test_json_keeps_its_order_and_its_letters(tmp_path):
    path = files.write_json(tmp_path / "facts.json", {"b": "größer", "a": [1, None]})

    assert path.read_text(encoding="utf-8").endswith("]\n}\n")
    assert "größer" in path.read_text(encoding="utf-8")
    assert list(json.loads(path.read_text(encoding="utf-8"))) == ["b", "a"]


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_number_that_json_cannot_hold_changes_nothing(tmp_path, number):
    path = files.write_json(tmp_path / "facts.json", {"a": 1})

    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(path, {"a": number})

    assert json.loads(path.read_text()) == {"a": 1}


def folder(path, **contents):
    for name, text in contents.items():
        files.write_text(path / name, text)
    return path


@pytest.mark.parametrize("older", [False, True])
def test_a_finished_folder_takes_the_place_of_an_older_one_whole(tmp_path, older):
    target = tmp_path / "runs" / "sweep"
    if older:
        folder(target, gone="1", kept="1")

    files.replace_folder(folder(tmp_path / "staging", kept="2"), target)

    assert {path.name: path.read_text() for path in target.iterdir()} == {"kept": "2"}
    assert [path.name for path in target.parent.iterdir()] == ["sweep"]
    assert not (tmp_path / "staging").exists()


def test_a_folder_left_over_by_a_killed_process_is_no_hindrance(tmp_path):
    target = folder(tmp_path / "sweep", a="1")
    folder(tmp_path / ".sweep.old", a="0")

    files.replace_folder(folder(tmp_path / "staging", a="2"), target)

    assert (target / "a").read_text() == "2"
    assert [path.name for path in tmp_path.iterdir()] == ["sweep"]


def test_a_missing_folder_replaces_nothing(tmp_path):
    target = folder(tmp_path / "sweep", a="1")

    with pytest.raises(FileNotFoundError, match="staging is none"):
        files.replace_folder(tmp_path / "staging", target)

    assert (target / "a").read_text() == "1"


@pytest.fixture
def unmovable(tmp_path, monkeypatch):
    """Give a finished folder that no rename can move."""
    staging = folder(tmp_path / "staging", a="2")
    rename = type(staging).rename

    def refusing(path, to):
        if path == staging:
            raise OSError(18, "another file system")
        return rename(path, to)

    monkeypatch.setattr(type(staging), "rename", refusing)
    return staging


def test_a_folder_that_cannot_be_moved_in_leaves_the_older_one_in_place(tmp_path, unmovable):
    target = folder(tmp_path / "sweep", a="1")
    with pytest.raises(OSError, match="another file system"):
        files.replace_folder(unmovable, target)

    assert (target / "a").read_text() == "1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["staging", "sweep"]


def test_a_folder_whose_replacing_was_killed_between_its_renames_is_not_lost(tmp_path, unmovable):
    folder(tmp_path / ".sweep.old", a="1")  # all that such a kill leaves
    with pytest.raises(OSError, match="another file system"):
        files.replace_folder(unmovable, tmp_path / "sweep")

    assert (tmp_path / "sweep" / "a").read_text() == "1"


def test_the_digest_of_a_file_is_its_sha_256(tmp_path):
    path = files.write_text(tmp_path / "a", "abc")

    # The example of FIPS 180-2, appendix B.1.
    assert files.digest(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_digest_of_a_folder_depends_on_names_and_bytes_and_on_nothing_else(tmp_path):
    one = folder(tmp_path / "one", a="1", b="2")
    same = folder(tmp_path / "same", b="2", a="1")
    (same / "empty").mkdir()
    others = [
        folder(tmp_path / "swapped", a="2", b="1"),
        folder(tmp_path / "renamed", a="1", c="2"),
        folder(tmp_path / "fewer", a="1"),
        folder(tmp_path / "nested" / "x", a="1", b="2").parent,
    ]
    lines = "".join(f"{hashlib.sha256(text).hexdigest()}  {name}\n" for name, text in (("a", b"1"), ("b", b"2")))

    assert files.digest(one) == files.digest(same) == hashlib.sha256(lines.encode()).hexdigest()
    assert files.digest(one) not in {files.digest(other) for other in others}


def test_what_is_missing_has_no_digest(tmp_path):
    with pytest.raises(FileNotFoundError):
        files.digest(tmp_path / "missing")
