import hashlib
from dataclasses import replace

import numpy as np
import pytest

from prunelab import data
from prunelab.data import recordings, spoken
from prunelab.data.recordings import hold_out, load_recordings
from prunelab.data.spoken import RATE, WORDS, Recording, content_id, gather


def recording(name="one", *, words=(1,), speaker="anna", part="train", seed=0, samples=None):
    if samples is None:
        samples = np.random.default_rng(seed).uniform(-0.5, 0.5, 900).astype(np.float32)
    return Recording(name=name, samples=samples, words=words, speaker=speaker, part=part)


def every_part(speakers=("anna", "ben")):
    """One recording of each speaker in each part."""
    parts = [(speaker, part) for speaker in speakers for part in ("train", "dev", "test")]
    return [recording(f"{s}-{p}", speaker=s, part=p, seed=i) for i, (s, p) in enumerate(parts)]


def test_the_words_are_the_ten_digits_in_order():
    assert [WORDS.index(word) for word in ("zero", "five", "nine")] == [0, 5, 9]
    assert len(WORDS) == 10
    assert RATE == 8000


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"samples": np.zeros((4, 2), np.float32)}, r"\(n,\) float32.*\(4, 2\)"),
        ({"samples": np.zeros(4)}, "float64"),
        ({"samples": np.zeros(0, np.float32)}, "at least 1"),
        ({"samples": np.array([0, 1.5], np.float32)}, r"in \[-1, 1\]"),
        ({"samples": np.array([0, np.nan], np.float32)}, r"in \[-1, 1\]"),
        ({"words": ()}, "at least one"),
        ({"words": (3, 10)}, r"0 to 9.*\(3, 10\)"),
        ({"words": (-1,)}, "0 to 9"),
        ({"part": "validation"}, "train, dev, test; one is in 'validation'"),
    ],
)
def test_a_recording_that_would_go_wrong_later_is_refused(change, said):
    with pytest.raises(ValueError, match=said):
        recording(**change)


def test_parts_keep_the_order_of_the_source():
    whole = gather("made-up", every_part(), synthetic=False)

    assert [one.name for one in whole.part("test")] == ["anna-test", "ben-test"]
    assert whole.speakers == ("anna", "ben")
    with pytest.raises(ValueError, match="'validation'"):
        whole.part("validation")


def test_recordings_are_isolated_when_each_is_one_word():
    one_each = every_part()

    assert gather("made-up", one_each, synthetic=False).isolated
    assert not gather("made-up", [*one_each, recording("two", words=(1, 2))], synthetic=False).isolated


def test_the_content_id_is_the_sha256_that_its_docstring_defines():
    samples = np.array([0, 0.5, -1, 1], np.float32)
    one = recording(samples=samples, words=(7, 0), part="test")
    hashed = hashlib.sha256()
    for numbers, kind in ([4, 2, 2], "<i8"), ([0, 16384, -32768, 32767], "<i2"), ([7, 0], "<i8"):
        hashed.update(np.array(numbers, kind).tobytes())

    assert content_id([one]) == hashed.hexdigest()[:12]


@pytest.mark.parametrize(
    "change",
    [
        {"samples": np.full(900, 0.25, np.float32)},
        {"words": (2,)},
        {"words": (1, 1)},
        {"part": "dev"},
    ],
    ids=["samples", "another word", "a word more", "part"],
)
def test_the_content_id_changes_with_what_is_heard_said_or_asked(change):
    assert content_id([replace(recording(), **change)]) != content_id([recording()])


def test_the_content_id_depends_on_the_order_and_not_on_names_or_speakers():
    first, second = recording(seed=1), recording("two", seed=2)

    assert content_id([first, second]) != content_id([second, first])
    assert content_id([first, second]) == content_id([replace(first, name="x", speaker="y"), second])


def test_a_sample_moved_between_two_recordings_changes_the_content_id():
    samples = np.linspace(-0.5, 0.5, 1000, dtype=np.float32)
    cuts = [[recording(samples=samples[:at]), recording("two", samples=samples[at:])] for at in (400, 401)]

    assert content_id(cuts[0]) != content_id(cuts[1])


def test_sixteen_bit_numbers_survive_the_way_through_samples():
    numbers = np.arange(-(2**15), 2**15).astype(np.int16)

    assert np.array_equal(spoken.to_int16(spoken.from_int16(numbers)), numbers)


@pytest.mark.parametrize("part", ["train", "dev", "test"])
def test_a_part_without_recordings_is_named(part):
    rest = [one for one in every_part() if one.part != part]

    with pytest.raises(ValueError, match=f"no recording in part '{part}'"):
        gather("made-up", rest, synthetic=False)


def test_one_name_stands_for_one_recording():
    with pytest.raises(ValueError, match="two recordings are called 'anna-dev'"):
        gather("made-up", [*every_part(), recording("anna-dev")], synthetic=False)


def test_held_out_speakers_are_tested_and_nothing_else():
    whole = gather("made-up", every_part(("anna", "ben", "cem")), synthetic=True)
    held = hold_out(whole, ["ben"])

    assert [one.name for one in held.recordings] == ["anna-train", "anna-dev", "ben-test", "cem-train", "cem-dev"]
    assert held.synthetic
    assert held.content_id != whole.content_id


def test_holding_out_takes_known_speakers_and_leaves_some():
    whole = gather("made-up", every_part(), synthetic=False)

    with pytest.raises(ValueError, match="no speaker 'Ben' in made-up; there are anna, ben"):
        hold_out(whole, ["anna", "Ben"])
    with pytest.raises(
        ValueError, match="with anna, ben held out, part 'train' of made-up has no recording: hold out others"
    ):
        hold_out(whole, ["anna", "ben"])


def test_held_out_is_a_list_and_not_one_name():
    with pytest.raises(ValueError, match=r"write \['theo'\]"):
        load_recordings("fsdd", held_out="theo")


@pytest.mark.parametrize(
    ("source", "hint"),
    [("fsd", "did you mean 'fsdd'?"), ("espeek", "did you mean 'espeak'?"), ("", "or ~"), ("mnist", "or ~")],
)
def test_an_unknown_name_lists_the_sources_and_the_nearest(source, hint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="there are espeak, fsdd, and paths that start with") as caught:
        load_recordings(source)

    if source:
        assert str(caught.value).endswith(hint)


def test_a_folder_without_its_dot_is_guessed(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ValueError, match=r"did you mean './mine'\?"):
        load_recordings("mine")


@pytest.mark.parametrize("source", ["./nothing", "../nothing", "~/nothing"])
def test_a_missing_folder_is_named(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))

    with pytest.raises(FileNotFoundError, match=f"{source}: no such folder of wav files"):
        load_recordings(source)


def test_verifying_an_unknown_name_lists_images_and_recordings():
    with pytest.raises(ValueError, match=r"no data set 'fsd': there are digits, mnist, .*fsdd.*did you mean 'fsdd'"):
        data.verify("fsd")


def test_every_name_has_a_row_in_the_status():
    assert set(recordings.NAMES) < {row.name for row in data.status()}
