import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from prunelab import data
from prunelab.data import espeak
from prunelab.data.recordings import load_recordings
from prunelab.data.spoken import RATE, WORDS
from refusals import refused

needs_library = pytest.mark.skipif(espeak.installed() is None, reason="needs espeakng-loader, of the extra book")


@pytest.fixture(scope="module")
def spoken():
    return load_recordings("espeak")


@needs_library
def test_two_calls_speak_the_same_samples(spoken):
    assert load_recordings().content_id == spoken.content_id
    assert spoken.synthetic


@needs_library
def test_every_voice_says_every_word_fifteen_times_and_is_in_every_part(spoken):
    assert len(spoken.recordings) == 10 * 10 * 15
    assert spoken.isolated
    for part, count in {"train": 10, "dev": 2, "test": 3}.items():
        said = [(one.speaker, one.words[0]) for one in spoken.part(part)]
        assert {pair: said.count(pair) for pair in set(said)} == {
            (voice, word): count for voice in espeak.VOICES for word in range(10)
        }


@needs_library
def test_no_two_recordings_are_alike(spoken):
    assert len({one.samples.tobytes() for one in spoken.recordings}) == len(spoken.recordings)


@needs_library
def test_recordings_last_as_long_as_spoken_digits_and_are_loud_enough(spoken):
    seconds = [len(one.samples) / RATE for one in spoken.recordings]

    assert min(seconds) > 0.1
    assert max(seconds) < 1.5
    assert all(0.1 < np.abs(one.samples).max() <= 1 for one in spoken.recordings)


@needs_library
def test_silence_is_cut_from_both_ends(spoken):
    for one in spoken.recordings[::37]:
        first, last = (np.square(part.astype(np.float64)).mean() for part in (one.samples[:80], one.samples[-80:]))
        assert min(first, last) > np.square(one.samples).reshape(-1, 80).mean(axis=1).max() * 1e-4


def test_trimming_keeps_the_frames_within_40_db_of_the_loudest():
    levels = [0, 0.009, 0.011, 0, 1, 0.5, 0.011, 0.009, 0]  # 0.01 = -40 dB
    samples = np.repeat(np.array(levels, np.float32), 80)

    assert np.array_equal(espeak.trimmed(samples), samples[160:560])


def test_trimming_leaves_nothing_of_silence():
    assert len(espeak.trimmed(np.zeros(800, np.float32))) == 0
    assert len(espeak.trimmed(np.zeros(0, np.float32))) == 0


@needs_library
def test_faster_is_shorter_and_higher_pitch_is_higher(spoken):
    def say(rate, pitch):
        one = espeak.Utterance(voice="en+m1", rate=rate, pitch=pitch, range=0, text="nine")
        hertz, (samples,) = espeak.speak([one])
        spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 2**17)) ** 2
        autocorrelation = np.fft.irfft(spectrum)[: hertz // 60]
        shortest = hertz // 400
        return len(samples), hertz / (shortest + int(autocorrelation[shortest:].argmax()))

    (slow, low), (fast, _), (_, high) = say(120, 30), say(240, 30), say(120, 70)

    assert fast < 0.8 * slow
    assert high > 1.1 * low


@needs_library
def test_the_voices_exist_in_the_library_and_have_no_breath():
    # eSpeak NG takes an unknown variant for none without a word, so the names are held against its files.
    folder = espeak.installed() / "espeak-ng-data"
    languages = "\n".join(
        path.read_text(encoding="utf-8", errors="replace") for path in (folder / "lang").rglob("*") if path.is_file()
    ).split()
    for voice in espeak.VOICES:
        language, variant = voice.split("+")
        assert (folder / "voices" / "!v" / variant).is_file()
        assert language in languages
        assert variant not in {"f2", "f3", "f5", "victor", "whisper"}
    assert len(set(espeak.VOICES)) == 10


def test_variants_differ_in_rate_pitch_and_range_and_each_part_spreads():
    manners = [espeak.manner("en+m1", variant, "one") for variant in range(espeak.VARIANTS)]
    for name in ("rate", "pitch", "range"):
        values = [getattr(one, name) for one in manners]
        assert len(set(values)) == espeak.VARIANTS
        assert max(values[:3]) - min(values[:3]) > (max(values) - min(values)) / 3
    assert [espeak.part_of(variant) for variant in range(6)] == ["test"] * 3 + ["dev"] * 2 + ["train"]


def test_without_the_library_one_line_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)

    with refused(r"not installed: pip install -e '\.\[book\]' in the project's folder", FileNotFoundError):
        load_recordings("espeak")
    row = next(row for row in data.status() if row.name == "espeak")
    assert row.where is None
    assert "pip install -e '.[book]'" in row.problem


@needs_library
def test_the_status_names_the_library_and_its_licence():
    row = next(row for row in data.status() if row.name == "espeak")

    assert row.where == espeak.installed()
    assert "GPL-3.0-or-later" in row.licence
    assert "1,500 synthetic" in row.holds


@needs_library
def test_the_library_is_never_loaded_into_the_callers_process(spoken):
    code = (
        "from prunelab.data import load_recordings; load_recordings('espeak'); "
        "print(any('espeak-ng' in line for line in open('/proc/self/maps')))"
    )
    if not Path("/proc/self/maps").exists():
        pytest.skip("reads the process's memory map")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"


@needs_library
@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"voice": "nosuch"}, "no voice nosuch"), ({"text": ""}, "no sound for ''")],
)
def test_what_the_library_cannot_say_is_named(wrong, said):
    asked = {"voice": "en+m1", "rate": 150, "pitch": 50, "range": 50, "text": WORDS[1], **wrong}

    with pytest.raises(ValueError, match=said) as caught:
        espeak.speak([espeak.Utterance(**asked)])
    assert "reinstall espeakng-loader" in str(caught.value)


@needs_library
def test_a_library_that_does_not_load_is_one_line(tmp_path, monkeypatch):
    import espeakng_loader

    (tmp_path / "libespeak-ng.so").write_bytes(b"nothing")
    monkeypatch.setattr(espeakng_loader, "get_library_path", lambda: str(tmp_path / "libespeak-ng.so"))

    with refused(r"eSpeak NG failed: OSError: .*libespeak-ng.so"):
        load_recordings("espeak")


@needs_library
def test_a_library_that_hangs_is_ended(monkeypatch):
    monkeypatch.setattr(espeak, "_PATIENCE", 0.001)

    with pytest.raises(ValueError, match="did not finish within"):
        load_recordings("espeak")
