"""Recordings of spoken digit words by name or path: one fixed training, development and test part."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from prunelab.data import espeak, fsdd, own_recordings, published
from prunelab.data.published import DataSet, is_path
from prunelab.data.spoken import PARTS, Recordings, gather

KNOWN: dict[str, DataSet[Recordings]] = {fsdd.FSDD.name: fsdd.FSDD}
NAMES = (espeak.NAME, *KNOWN)


def load_recordings(source: str = espeak.NAME, *, held_out: Sequence[str] = ()) -> Recordings:
    """Load recordings of digit words by name or path.

    The parts do not depend on any seed. Test and development recordings are never among the training recordings.

    Args:
        source: "espeak" (spoken on the spot by the optional package espeakng-loader, synthetic), "fsdd" (Free Spoken
            Digit Dataset: test is its own part, index 0 to 4, dev index 5 to 9), or a path that starts with ".", "/"
            or "~": a folder of wav files with one CSV of transcripts, see `own_recordings.recordings`. "fsdd" is
            looked for as `$PRUNELAB_DATA/fsdd.zip` or `fsdd/recordings/` there, then in the user's cache, then
            downloaded.
        held_out: speakers to test and never to train or tune on. The test part is then that of these speakers alone,
            and the training and development parts are those of all others.

    Raises:
        ValueError: unknown name or speaker, a part without recordings, or files that are not what they should be.
        FileNotFoundError: nothing at the path, a named set that is neither on this machine nor to be had, or the
            optional package that speaks is not installed.
    """
    if isinstance(held_out, str):
        raise ValueError(f"held_out is a list of speakers; got the text {held_out!r}: write [{held_out!r}]")
    whole = read(source)
    return hold_out(whole, held_out) if held_out else whole


def hold_out(whole: Recordings, speakers: Iterable[str]) -> Recordings:
    """Return the recordings with some speakers in the test part alone, and the others everywhere else.

    Raises:
        ValueError: no recording is of such a speaker, or a part is left without recordings.
    """
    chosen = set(speakers)
    for speaker in sorted(chosen - set(whole.speakers)):
        raise ValueError(f"no speaker {speaker!r} in {whole.name}; there are {', '.join(whole.speakers)}")
    kept = [one for one in whole.recordings if (one.part == "test") == (one.speaker in chosen)]
    for part in PARTS:
        if not any(one.part == part for one in kept):
            raise ValueError(
                f"held_out speakers are tested and the others trained and tuned on; with {', '.join(sorted(chosen))} "
                f"held out, part {part!r} of {whole.name} has no recording: hold out others, or fewer"
            )
    return gather(whole.name, kept, synthetic=whole.synthetic)


def read(source: str, *, download: bool = True) -> Recordings:
    """Read a source with all its speakers.

    Args:
        source: see `load_recordings`.
        download: False asks for what is on this machine alone.
    """
    if is_path(source):
        folder = published.path_of(source, what="folder of wav files", exists=Path.is_dir)
        return gather(folder.resolve().name, own_recordings.recordings(folder), synthetic=False)
    if source == espeak.NAME:
        return gather(source, espeak.recordings(), synthetic=True)
    if source in KNOWN:
        return published.load(KNOWN[source], download=download)
    raise published.unknown(source, NAMES, what="recordings")


def holds_recordings(folder: Path) -> bool:
    """Tell a folder of wav files from one of images."""
    return folder.is_dir() and any(path.suffix.lower() == ".wav" for path in folder.rglob("*"))
