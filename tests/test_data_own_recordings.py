import csv
import io
import os
import unicodedata
import wave

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import wavfile

from prunelab import data
from prunelab.data import own_recordings, wav
from prunelab.data.recordings import load_recordings
from prunelab.data.spoken import RATE
from refusals import refused

SPOKEN = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def tone(seconds=0.5, rate=RATE, hertz=440.0, level=0.5):
    return level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def encoded(numbers, rate=RATE):
    out = io.BytesIO()
    wavfile.write(out, rate, numbers)
    return out.getvalue()


def sixteen_bit(samples, rate=RATE):
    return encoded(np.rint(samples * 2**15).astype(np.int16), rate)


def twenty_four_bit(numbers):
    """Encode by the standard library's writer, since scipy has none for 24 bit."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 3, RATE, 0, "NONE", ""))
        file.writeframes(b"".join(number.to_bytes(3, "little", signed=True) for number in numbers))
    return out.getvalue()


def write(folder, rows, *, columns=("file", "words", "part"), contents=None):
    """Write a CSV and, for each row, a wav file of its own."""
    folder.mkdir(exist_ok=True)
    for number, row in enumerate(rows):
        if contents is None and row[0].endswith(".wav"):
            path = folder / row[0]
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(sixteen_bit(tone(0.1 + 0.2 * max(1, len(row[1].split())), hertz=200 + 10 * number)))
    for name, content in (contents or {}).items():
        (folder / name).write_bytes(content)
    with (folder / "transcripts.csv").open("w", newline="", encoding="utf-8") as table:
        csv.writer(table).writerows([columns, *rows])
    return str(folder)


THREE = [("a.wav", "one", "train"), ("b.wav", "two three", "dev"), ("c.wav", "oh", "test")]


@pytest.fixture
def mine(tmp_path):
    return tmp_path / "mine"


def only(folder, content):
    """Read one recording's content as a user's first, beside two that are good."""
    good = sixteen_bit(tone())
    rows = [("a.wav", "one", "train"), ("b.wav", "two", "dev"), ("c.wav", "oh", "test")]
    source = write(folder, rows, contents={"a.wav": content, "b.wav": good, "c.wav": good})
    return load_recordings(source).recordings[0].samples


def test_recordings_come_in_the_order_of_the_table_with_words_and_parts(mine):
    found = load_recordings(write(mine, THREE))

    assert [(one.name, one.words, one.part) for one in found.recordings] == [
        ("a.wav", (1,), "train"),
        ("b.wav", (2, 3), "dev"),
        ("c.wav", (0,), "test"),
    ]
    assert {one.speaker for one in found.recordings} == {"unknown"}
    assert (found.name, found.synthetic, found.isolated) == ("mine", False, False)


def test_a_relative_path_and_one_of_the_home_folder_are_the_same_recordings(mine, monkeypatch):
    ids = {load_recordings(write(mine, THREE)).content_id}
    monkeypatch.chdir(mine.parent)
    monkeypatch.setenv("HOME", str(mine.parent))
    ids |= {load_recordings(source).content_id for source in ("./mine", "~/mine", "../" + mine.parent.name + "/mine")}

    assert len(ids) == 1


def test_a_table_as_spreadsheets_write_it_is_read(mine):
    write(mine, THREE)
    lines = ["\ufefffile, words, speaker, part", "./a.wav, One ,anna,train", "b.wav,TWO  three,ben,dev"]
    (mine / "transcripts.csv").write_bytes("\r\n".join([*lines, "c.wav,Oh,anna,test", ""]).encode())

    assert [(one.speaker, one.words) for one in load_recordings(str(mine)).recordings] == [
        ("anna", (1,)),
        ("ben", (2, 3)),
        ("anna", (0,)),
    ]


def test_files_in_folders_below_are_found_and_hidden_ones_passed_over(mine):
    source = write(mine, [("x/a.wav", "one", "train"), *THREE[1:]])
    (mine / "._b.wav").write_bytes(b"left by a file system")
    (mine / "notes.txt").write_text("not a recording")

    assert [one.name for one in load_recordings(source).recordings] == ["x/a.wav", "b.wav", "c.wav"]


# Each format's own numbers for the same three samples: a quarter up, silence, half down.
FORMATS = {
    "8 bit": encoded(np.array([160, 128, 64] * 400, np.uint8)),
    "16 bit": encoded(np.array([8192, 0, -16384] * 400, np.int16)),
    "24 bit": twenty_four_bit([2**21, 0, -(2**22)] * 400),
    "32 bit": encoded(np.array([2**29, 0, -(2**30)] * 400, np.int32)),
    "float": encoded(np.array([0.25, 0, -0.5] * 400, np.float32)),
    "double": encoded(np.array([0.25, 0, -0.5] * 400, np.float64)),
}


@pytest.mark.parametrize("content", FORMATS.values(), ids=FORMATS)
def test_every_format_of_samples_has_the_same_full_scale(content, mine):
    samples = only(mine, content)

    assert np.array_equal(samples, np.tile(np.array([0.25, 0, -0.5], np.float32), 400))


def test_two_channels_become_their_mean(mine):
    left, right = tone(hertz=300), tone(hertz=500, level=0.25)

    both = only(mine, encoded(np.stack([left, right], axis=1)))

    assert np.allclose(both, (left + right) / 2, atol=2**-16)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000])
def test_any_rate_becomes_8_khz_at_the_same_pitch_level_and_length(rate, mine):
    samples = only(mine, sixteen_bit(tone(1.0, rate), rate))

    assert len(samples) == RATE
    inner = slice(800, -800)  # the filter's ends fade
    assert np.allclose(samples[inner], tone(1.0)[inner], atol=0.01)


def test_what_lies_above_4_khz_does_not_fold_into_the_band(mine):
    # 7 kHz sampled at 16 kHz would be heard at 1 kHz, if every second sample were taken.
    samples = only(mine, sixteen_bit(tone(1.0, 16000) + tone(1.0, 16000, hertz=7000, level=0.4), 16000))

    assert np.allclose(samples[800:-800], tone(1.0)[800:-800], atol=0.01)


def test_chunks_that_are_not_samples_are_passed_over(mine):
    content = sixteen_bit(tone())
    named = content + b"LIST" + (4).to_bytes(4, "little") + b"INFO" + b"xyzw" + (2).to_bytes(4, "little") + b"ab"

    assert np.array_equal(only(mine, named), only(mine, content))


BAD_RECORDINGS = {
    "text": (b"no recording at all", "not a readable wav file"),
    "empty": (b"", "not a readable wav file"),
    "ends early": (sixteen_bit(tone())[:-700], "not a readable wav file"),
    "no samples": (encoded(np.zeros(0, np.int16)), "too short"),
    "4 kHz": (sixteen_bit(tone(rate=4000), 4000), "from 8000 to .* got 4000"),
    "absurd rate": (sixteen_bit(tone(), 2**28), "from 8000 to .* got 268435456"),
    "silent": (encoded(np.zeros(4000, np.int16)), "silent"),
    "constant": (encoded(np.full(4000, 9000, np.int16)), "silent"),
    "near silent": (sixteen_bit(tone(level=0.0005)), "silent"),
    "cancelling channels": (encoded(np.stack([tone(), -tone()], axis=1)), "silent"),
    "NaN": (encoded(np.append(tone(), np.nan)), "NaN"),
    "infinite": (encoded(np.append(tone(), np.inf)), "infinite"),
    "beyond 1": (encoded(tone(level=1.5)), "beyond 1"),
    "short": (sixteen_bit(tone(0.09)), "too short"),
    "three channels": (encoded(np.stack([tone()] * 3, axis=1)), "3 channels"),
    "mu-law": (sixteen_bit(tone())[:20] + b"\x07\x00" + sixteen_bit(tone())[22:], "not a readable wav file"),
}


@pytest.mark.parametrize(("content", "said"), BAD_RECORDINGS.values(), ids=BAD_RECORDINGS)
def test_a_recording_that_cannot_be_used_is_named_in_one_line(content, said, mine):
    with refused(rf"mine/a\.wav: .*{said}"):
        only(mine, content)


GOOD = encoded((tone(0.02) * 2**15).astype(np.int16))


@given(
    content=st.builds(
        lambda start, patch, end: (GOOD[:start] + patch + GOOD[start + len(patch) :])[:end],
        st.integers(0, 60),
        st.binary(max_size=6),
        st.integers(0, len(GOOD)),
    )
)
def test_no_damage_to_a_wav_file_brings_more_than_one_line(content):
    lines = []
    try:
        rate, samples = wav.decode(content)
    except ValueError as error:
        lines = str(error).splitlines()
    else:
        assert samples.ndim == 1
        assert rate >= RATE

    assert len(lines) <= 1


ROW_ERRORS = {
    "unknown word": ([("a.wav", "one too", "train")], "'too' for a.wav is none of zero, .*did you mean 'two'"),
    "a number": ([("a.wav", "7", "train")], "'7' for a.wav is none of"),
    "no words": ([("a.wav", " ", "train")], "no words for a.wav"),
    "unknown part": ([("a.wav", "one", "validation")], "train, dev, test; got 'validation' for a.wav"),
    "no part": ([("a.wav", "one", "")], "got '' for a.wav"),
    "no file": ([("", "one", "train")], "line 5: no file"),
    "twice": ([THREE[0]], "a.wav stands there twice"),
    "twice in other letters": ([("./a.wav", "one", "train")], "a.wav stands there twice"),
    "no wav": ([("d.mp3", "one", "train")], "d.mp3 is no wav file"),
    "a cell missing": ([("a.wav", "one")], "line 5: fewer cells"),
    "a cell too many": ([("a.wav", "one", "train", "x")], "line 5: more cells"),
}


@pytest.mark.parametrize(("rows", "said"), ROW_ERRORS.values(), ids=ROW_ERRORS)
def test_a_line_of_the_table_that_cannot_be_used_is_named(rows, said, mine):
    source = write(mine, [*THREE, *rows])

    with refused(said) as caught:
        load_recordings(source)
    assert "transcripts.csv" in str(caught.value)


@pytest.mark.parametrize("speaker", ["", "  "])
def test_a_line_without_its_speaker_is_named(speaker, mine):
    columns = ("file", "words", "part", "speaker")
    source = write(mine, [(*row, "anna") for row in THREE] + [("d.wav", "one", "train", speaker)], columns=columns)

    with pytest.raises(ValueError, match=r"line 5: no speaker for d\.wav"):
        load_recordings(source)


@pytest.mark.parametrize("name", ["../out.wav", "/etc/out.wav", "x/../../out.wav", "link.wav"])
def test_a_path_that_leaves_the_folder_is_refused(name, mine):
    source = write(mine, THREE)
    (mine.parent / "out.wav").write_bytes(sixteen_bit(tone()))
    (mine / "link.wav").symlink_to(mine.parent / "out.wav")
    with (mine / "transcripts.csv").open("a") as table:
        table.write(f"{name},one,train\n")

    with pytest.raises(ValueError, match=r"out\.wav leads out|link\.wav leads out"):
        load_recordings(source)


FOLDER_ERRORS = {
    "a file less": (lambda mine: (mine / "b.wav").unlink(), FileNotFoundError, r"names b\.wav, which is not in"),
    "a file more": (lambda mine: (mine / "D.WAV").touch(), ValueError, r"D\.WAV is not in transcripts\.csv"),
    "two tables": (lambda mine: (mine / "a.csv").touch(), ValueError, r"2 CSV files, a\.csv, transcripts\.csv"),
    "no table": (lambda mine: (mine / "transcripts.csv").unlink(), FileNotFoundError, "has no CSV of transcripts"),
    "two words at less than 0.1 s each": (
        lambda mine: (mine / "b.wav").write_bytes(sixteen_bit(tone(0.19))),
        ValueError,
        r"b\.wav: 0\.19 s for 2 word\(s\), too short",
    ),
    "a pipe, which would be waited for": (
        lambda mine: ((mine / "a.wav").unlink(), os.mkfifo(mine / "a.wav")),
        ValueError,
        r"a\.wav: not a plain file; put the file itself there",
    ),
    "a link to nothing": (
        lambda mine: ((mine / "a.wav").unlink(), (mine / "a.wav").symlink_to("nowhere.wav")),
        ValueError,
        r"a\.wav: a link to nothing; put the file itself there",
    ),
}


@pytest.mark.parametrize(("harm", "error", "said"), FOLDER_ERRORS.values(), ids=FOLDER_ERRORS)
def test_a_folder_that_does_not_hold_what_its_table_names_is_refused(harm, error, said, mine):
    source = write(mine, THREE)
    harm(mine)

    with refused(said, error):
        load_recordings(source)


@pytest.mark.parametrize("between", [";", "\t"])
def test_a_table_with_what_spreadsheets_write_for_commas_is_read(between, mine):
    source = write(mine, THREE)
    table = mine / "transcripts.csv"
    expected = load_recordings(source)
    table.write_text(table.read_text(encoding="utf-8").replace(",", between), encoding="utf-8-sig")

    assert load_recordings(source).content_id == expected.content_id


@pytest.mark.parametrize(("stored", "written"), [("NFD", "NFC"), ("NFC", "NFD"), ("NFD", "NFD")])
def test_a_name_is_found_whether_its_accents_stand_apart_or_not(stored, written, mine):
    rows = [(f"prüfung/é-{name}", words, part) for name, words, part in THREE]
    source = write(mine, [(unicodedata.normalize(stored, name), words, part) for name, words, part in rows])
    with (mine / "transcripts.csv").open("w", newline="", encoding="utf-8") as table:
        written_rows = [(unicodedata.normalize(written, name), words, part) for name, words, part in rows]
        csv.writer(table).writerows([("file", "words", "part"), *written_rows])

    assert len(load_recordings(source).recordings) == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "found none"),
        (b"file,words,part\n", "no line below"),
        (b"file,transcript\n", "found 'file', 'transcript'"),
        (b"file,words,Part\n", "found .*'Part'"),
        (b"file;transcript\na.wav;one\n", "found 'file', 'transcript'"),
        (b"file words\na.wav one\n", "with commas between; found 'file words'"),
        (b"file,words,words\n", "each once"),
        (b"file,words\na.wav,\xff\n", "not a CSV file in UTF-8"),
        (b'file,words\na.wav,"one\n', "not a CSV file"),
    ],
)
def test_a_table_of_another_shape_is_refused(content, said, mine):
    source = write(mine, THREE)
    (mine / "transcripts.csv").write_bytes(content)

    with refused(f"transcripts.csv: .*{said}"):
        load_recordings(source)


def test_too_large_a_recording_is_refused_unread(mine, monkeypatch):
    source = write(mine, THREE)
    monkeypatch.setattr(wav, "SIZE_LIMIT", 4000)
    monkeypatch.setattr(wav, "decode", lambda _: pytest.fail("read"))

    with pytest.raises(ValueError, match="a recording may have 4000"):
        load_recordings(source)


@pytest.mark.parametrize("part", ["train", "dev", "test"])
def test_a_part_without_recordings_is_named(part, mine):
    with pytest.raises(ValueError, match=f"no recording in part '{part}'"):
        load_recordings(write(mine, [row for row in THREE if row[2] != part]))


SPEAKERS = ("file", "words", "speaker")


def takes(speakers, count):
    """Go through the ten digits in turn, as one records them."""
    return [
        (f"{speaker}{take}{word}.wav", word, speaker)
        for speaker in speakers
        for take in range(count)
        for word in SPOKEN
    ]


def test_without_a_column_a_fifth_is_for_test_and_a_sixth_of_the_rest_for_development(mine):
    found = load_recordings(write(mine, takes("ab", 6), columns=SPEAKERS))

    # 120 recordings: every fifth is 24, every sixth of the other 96 is 16.
    assert {part: len(found.part(part)) for part in ("train", "dev", "test")} == {"train": 80, "dev": 16, "test": 24}
    for part in ("train", "dev", "test"):
        assert {one.speaker for one in found.part(part)} == {"a", "b"}
    assert {one.words for one in found.part("test")} == {(word,) for word in range(10)}


def test_parts_that_are_made_do_not_depend_on_the_order_of_speakers(mine):
    rows = takes("ab", 6)
    sources = (write(mine, order, columns=SPEAKERS) for order in (rows, rows[60:] + rows[:60]))
    first, second = ({one.name: one.part for one in load_recordings(source).recordings} for source in sources)

    assert first == second


def test_seven_recordings_are_the_fewest_that_can_be_divided(mine):
    rows = [(f"{word}.wav", word) for word in SPOKEN[:7]]

    found = load_recordings(write(mine, rows, columns=("file", "words")))
    assert [one.part for one in found.recordings] == ["train"] * 4 + ["test", "train", "dev"]
    (mine / "six.wav").unlink()
    with pytest.raises(ValueError, match="no recording in part 'dev'"):
        load_recordings(write(mine, rows[:6], columns=("file", "words")))


def test_speakers_of_the_table_can_be_held_out(mine):
    source = write(mine, takes("ab", 6), columns=SPEAKERS)
    held = load_recordings(source, held_out=["b"])

    assert {one.speaker for one in held.part("test")} == {"b"}
    assert {one.speaker for one in (*held.part("train"), *held.part("dev"))} == {"a"}


def test_a_folder_of_recordings_can_be_verified(mine):
    found = data.verify(write(mine, THREE))

    assert found.holds == "1 training, 1 development and 1 test recordings of 1 speaker"
    assert found.content_id == load_recordings(str(mine)).content_id


def test_the_words_a_table_may_use_are_the_digits_and_oh():
    assert set(own_recordings._SPOKEN) == {*SPOKEN, "oh"}
