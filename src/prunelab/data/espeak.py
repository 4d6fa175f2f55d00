"""Digit words spoken on the spot by eSpeak NG: the embedded recordings, synthetic and the same on every call.

The library is GPL-3.0-or-later and comes with an optional package; it is loaded in a process of its own.
"""

import importlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prunelab.data import wav
from prunelab.data.spoken import FULL_SCALE, RATE, WORDS, PartName, Recording

NAME = "espeak"
PACKAGE = "espeakng_loader"
INSTALL = "pip install -e '.[book]' in the project's folder"
_REINSTALL = f"reinstall espeakng-loader, or {INSTALL} again"

# An accent and a variant of the vocal tract: eight low and two high voices, each unlike the others. Variants with
# breath (f2, f3, f5, victor, whisper) draw noise that is not the same in every process.
VOICES = (
    "en+m1",
    "en-us+m2",
    "en-gb-scotland+m3",
    "en-gb-x-rp+m4",
    "en-029+m5",
    "en-us+m6",
    "en-gb-x-gbclan+m7",
    "en-us-nyc+m3",
    "en-gb-x-rp+f1",
    "en-us+f4",
)

VARIANTS = 15  # times that each voice says each word, each at a rate, pitch and intonation of its own
_SILENCE_DB = -40  # below the loudest frame; the weakest sounds of digit words, f and th, stay above
_FRAME = RATE // 100  # samples of 10 ms
_PATIENCE = 300  # seconds; speaking takes about one


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """One word as the library is asked to say it."""

    voice: str  # a language and a variant, "en-us+f4"
    rate: int  # words a minute
    pitch: int  # 0 to 99, 50 = the voice's own
    range: int  # 0 to 99, of the pitch; 0 = monotone
    text: str


def installed() -> Path | None:
    """Return the folder of the optional package that brings the library, None where it is not installed."""
    spec = find_spec(PACKAGE)
    return Path(spec.origin).parent if spec and spec.origin else None


def recordings() -> Iterator[Recording]:
    """Speak every word in every voice and variant, and give the recordings by voice, variant and word.

    The variant decides the part: 0 to 2 test, 3 and 4 dev, the others train; so all voices are in all parts.
    `Recording.speaker` is the voice.
    """
    asked = [
        (voice, variant, word, manner(voice, variant, text))
        for voice in VOICES
        for variant in range(VARIANTS)
        for word, text in enumerate(WORDS)
    ]
    rate, spoken = speak([utterance for *_, utterance in asked])
    for (voice, variant, word, _), numbers in zip(asked, spoken, strict=True):
        samples = wav.at_rate(numbers.astype(np.float64) / FULL_SCALE, rate)
        yield Recording(
            name=f"{word}_{voice}_{variant}",
            samples=trimmed(samples),
            words=(word,),
            speaker=voice,
            part=part_of(variant),
        )


def manner(voice: str, variant: int, text: str) -> Utterance:
    """Return how a voice says a word in one variant.

    Steps without a common factor with 15 give each variant another rate, pitch and range, and each part both slow
    and fast, low and high ones.
    """
    return Utterance(
        voice=voice,
        rate=110 + 10 * (variant * 4 % VARIANTS),  # 110 to 250 words a minute
        pitch=20 + 4 * (variant * 7 % VARIANTS),  # 20 to 76
        range=25 + 3 * (variant * 11 % VARIANTS),  # 25 to 67
        text=text,
    )


def part_of(variant: int) -> PartName:
    """Return the part that a recording's variant puts it into."""
    if variant < 3:
        return "test"
    return "dev" if variant < 5 else "train"


def trimmed(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut the silence before and after a word.

    Args:
        samples: (n,) at RATE.

    Returns:
        The 10-ms frames from the first to the last whose power is within 40 dB of the loudest frame's.
    """
    whole = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)  # (frames, 80)
    power = np.square(whole, dtype=np.float64).mean(axis=1)
    loud = np.flatnonzero(power > power.max(initial=0) * 10 ** (_SILENCE_DB / 10))
    return samples[loud[0] * _FRAME : (loud[-1] + 1) * _FRAME] if len(loud) else samples[:0]


def speak(utterances: Sequence[Utterance]) -> tuple[int, list[NDArray[np.int16]]]:
    """Say a list of utterances in a fresh process, whose samples depend on the list alone.

    Returns:
        The sampling rate in Hz, and the samples of each utterance, at full 16-bit scale.
    """
    if installed() is None:
        raise FileNotFoundError(
            f"the recordings {NAME!r} are spoken by eSpeak NG, and the package espeakng-loader that brings it is not "
            f"installed: {INSTALL}, or take other recordings (data='fsdd')"
        )
    loader = importlib.import_module(PACKAGE)
    order = {
        "library": loader.get_library_path(),
        "data": loader.get_data_path(),
        "utterances": [asdict(utterance) for utterance in utterances],
    }
    with tempfile.TemporaryDirectory(prefix="prunelab-espeak-") as name:
        folder = Path(name)
        (folder / "order.json").write_text(json.dumps(order), encoding="utf-8")
        _run(folder)
        said = json.loads((folder / "spoken.json").read_text(encoding="utf-8"))
        samples = np.fromfile(folder / "spoken.s16", dtype=np.int16)
    spoken = np.split(samples, np.cumsum(said["lengths"])[:-1])
    for utterance, numbers in zip(utterances, spoken, strict=True):
        if not numbers.any():
            raise ValueError(f"eSpeak NG gave no sound for {utterance.text!r} in {utterance.voice}; {_REINSTALL}")
    return said["rate"], spoken


def _run(folder: Path) -> None:
    # -P: the script's own folder must not become a place to import from, its neighbours have short names.
    command = [sys.executable, "-P", str(Path(__file__).with_name("espeak_process.py")), str(folder)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=_PATIENCE
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"eSpeak NG did not finish within {_PATIENCE} s; {_REINSTALL}") from None
    if done.returncode != 0:
        why = next(reversed(done.stderr.split("\n")[:-1]), "") or f"exit code {done.returncode}"
        raise ValueError(f"eSpeak NG failed: {why.strip()}; {_REINSTALL}")
