"""A folder of a user's own recordings: wav files, and one CSV file that says which digit words are heard in each."""

import csv
import difflib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from prunelab.data import wav
from prunelab.data.archive import folder_sizes
from prunelab.data.spoken import PARTS, WORDS, PartName, Recording

COLUMNS = ("file", "words")
OPTIONAL = ("speaker", "part")
NOBODY = "unknown"  # the speaker of every recording, where the CSV has no such column
SHORTEST = 0.1  # seconds a word; the shortest recordings of spoken digits have 0.14
QUIETEST = 1e-3  # of full scale, peak around the mean; below it 16 bit hold no speech

_TEST_EVERY, _DEV_EVERY = 5, 6
_TOTAL_LIMIT = 2 * 2**30  # bytes of all files; they are held in memory
_SPOKEN = {word: index for index, word in enumerate(WORDS)} | {"oh": 0}


@dataclass(frozen=True, kw_only=True)
class Row:
    """What the CSV says of one file."""

    file: str  # path below the folder
    words: tuple[int, ...]
    speaker: str
    part: PartName | None  # None: the CSV has no such column


def recordings(folder: Path) -> Iterator[Recording]:
    """Read a folder of wav files and its CSV of transcripts, and give the recordings in the order of the CSV.

    The CSV has the columns `file` (path below the folder) and `words` ("seven oh three": zero to nine, or oh for
    zero, with spaces between), and may have `speaker` and `part` (train, dev or test). Without `part`, the parts
    are made, the same each time: in the order of speaker, words and line, every fifth recording is for test, and
    every sixth of the others for dev. So each speaker, and each word of isolated words, is in every part where there
    are enough recordings. Give a column `part` where that is not the division you need.

    Files: 8-bit, 16-bit, 24-bit and 32-bit PCM or floating point; mono, or the mean of two channels; any rate from
    8 kHz up, resampled to 8 kHz.

    Args:
        folder: an existing folder; wav files may stand in folders below it, the CSV may not.

    Raises:
        ValueError: a CSV, a transcript or a recording that cannot be used, or a wav file that is not in the CSV; the
            line names it.
        FileNotFoundError: there is no CSV, or a file that it names is missing.
    """
    sizes = {name: size for name, size in folder_sizes(folder).items() if not _hidden(name)}
    table = _table(folder, sizes)
    # Some systems unpack names with their accents apart (é as e and ´), as the CSV has them together.
    stored = {unicodedata.normalize("NFC", name): name for name in sizes}
    rows = [
        row if row.file in sizes else replace(row, file=stored.get(unicodedata.normalize("NFC", row.file), row.file))
        for row in _rows(table)
    ]
    _check_files(folder, table, rows, sizes)
    parts = divide(rows)
    for row in rows:
        yield _recording(folder, row, parts[row.file])


def divide(rows: Sequence[Row]) -> dict[str, PartName]:
    """Return the part of each file: its own where it has one, else by the rule of `recordings`.

    By words before the line: in a table that goes through the digits in turn, every fifth line would be one of
    two words.
    """
    parts: dict[str, PartName] = {}
    others = 0
    ordered = sorted(enumerate(rows), key=lambda item: (item[1].speaker, item[1].words, item[0]))
    for position, (_, row) in enumerate(ordered, start=1):
        part: PartName = "test"
        if position % _TEST_EVERY:
            others += 1
            part = "train" if others % _DEV_EVERY else "dev"
        parts[row.file] = row.part or part
    return parts


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in PurePosixPath(name).parts)


def _table(folder: Path, sizes: Mapping[str, int]) -> Path:
    found = sorted(name for name in sizes if "/" not in name and name.lower().endswith(".csv"))
    if not found:
        raise FileNotFoundError(
            f"{folder} has no CSV of transcripts; recordings need one with the columns file and words"
        )
    if len(found) > 1:
        raise ValueError(f"{folder} has {len(found)} CSV files, {', '.join(found)}; keep the one of transcripts")
    return folder / found[0]


def _rows(table: Path) -> list[Row]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as lines:
            # Spreadsheets write what their language has for commas; a cell of words holds none of these.
            between = max(",;\t", key=lines.readline().count)
            lines.seek(0)
            reader = csv.DictReader(lines, delimiter=between, strict=True, skipinitialspace=True)
            _check_columns(table, list(reader.fieldnames or []))
            rows = [_row(f"{table}, line {reader.line_num}", cells) for cells in reader]
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{table}: not a CSV file in UTF-8 ({error}); save it as one, with commas") from None
    if not rows:
        raise ValueError(f"{table}: no line below the columns' names; write one for each wav file")
    return rows


def _check_columns(table: Path, found: Sequence[str]) -> None:
    missing = [name for name in COLUMNS if name not in found]
    # A misspelt column that is passed over would change speakers or parts without a word.
    strange = [name for name in found if name not in (*COLUMNS, *OPTIONAL)]
    if missing or strange or len(set(found)) < len(found):
        raise ValueError(
            f"{table}: the columns are {', '.join(COLUMNS)} and optionally {', '.join(OPTIONAL)}, each once, with "
            f"commas between; found {', '.join(map(repr, found)) or 'none'}: rename, add or remove"
        )


def _row(place: str, cells: Mapping[str | None, str | list[str] | None]) -> Row:
    """Check one line; the reader gives None for cells that it lacks, and a list for cells too many."""
    text = {name: cell.strip() for name, cell in cells.items() if name is not None and isinstance(cell, str)}
    if len(text) < len(cells):
        raise ValueError(f"{place}: {'more' if None in cells else 'fewer'} cells than columns; check its commas")
    if not text["file"]:
        raise ValueError(f"{place}: no file; name a wav file below the folder")
    speaker = text.get("speaker", NOBODY)
    if not speaker:
        raise ValueError(f"{place}: no speaker for {text['file']}; name one, or remove the column")
    part = next((part for part in PARTS if part == text.get("part")), None)
    if part is None and "part" in text:
        raise ValueError(f"{place}: a part is {', '.join(PARTS)}; got {text['part']!r} for {text['file']}")
    file = PurePosixPath(text["file"]).as_posix()  # "./one.wav" is one.wav
    return Row(file=file, words=_words(place, file, text["words"]), speaker=speaker, part=part)


def _words(place: str, file: str, text: str) -> tuple[int, ...]:
    said = text.lower().split()
    if not said:
        raise ValueError(f"{place}: no words for {file}; write what is said, or remove the recording")
    for word in said:
        if word not in _SPOKEN:
            close = difflib.get_close_matches(word, _SPOKEN, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"{place}: {word!r} for {file} is none of {', '.join(_SPOKEN)}{hint}")
    return tuple(_SPOKEN[word] for word in said)


def _check_files(folder: Path, table: Path, rows: Sequence[Row], sizes: Mapping[str, int]) -> None:
    """Hold the CSV and the folder against each other, before any recording is read."""
    named = set()
    for row in rows:
        # Resolved, because a link may lead out of the folder as well as a name can.
        if not (folder / row.file).resolve().is_relative_to(folder.resolve()) or ".." in Path(row.file).parts:
            raise ValueError(f"{table}: {row.file} leads out of the folder; put the recording into it")
        if row.file in named:
            raise ValueError(f"{table}: {row.file} stands there twice; keep one line")
        if not row.file.lower().endswith(".wav"):
            raise ValueError(f"{table}: {row.file} is no wav file; convert the recording to .wav")
        if row.file not in sizes:
            raise FileNotFoundError(
                f"{table} names {row.file}, which is not in {folder}; add the recording or remove its line"
            )
        if sizes[row.file] > wav.SIZE_LIMIT:
            raise ValueError(f"{folder / row.file}: {sizes[row.file]} bytes; a recording may have {wav.SIZE_LIMIT}")
        named.add(row.file)
    if sum(sizes[file] for file in named) > _TOTAL_LIMIT:
        raise ValueError(f"{folder}: more than {_TOTAL_LIMIT} bytes of recordings; take fewer, or convert to 8 kHz")
    unlisted = sorted(name for name in sizes if name.lower().endswith(".wav") and name not in named)
    if unlisted:
        raise ValueError(
            f"{folder / unlisted[0]} is not in {table.name} ({len(unlisted)} such); add a line or remove the file"
        )


def _recording(folder: Path, row: Row, part: PartName) -> Recording:
    path = folder / row.file
    try:
        rate, samples = wav.decode(path.read_bytes())
        if not np.isfinite(samples).all():
            raise ValueError("samples that are NaN or infinite; export the recording again")
        if np.abs(samples).max(initial=0) > 1:
            raise ValueError("samples beyond 1, full scale of floating point; divide them by the largest, or use PCM")
        if len(samples) < SHORTEST * rate * len(row.words):
            raise ValueError(
                f"{len(samples) / rate:.3g} s for {len(row.words)} word(s), too short; each takes at least "
                f"{SHORTEST} s: check the recording and its words"
            )
        if np.ptp(samples) < 2 * QUIETEST:
            raise ValueError(f"silent, below {QUIETEST} of full scale; record it again or raise its level")
        return Recording(
            name=row.file, samples=wav.at_rate(samples, rate), words=row.words, speaker=row.speaker, part=part
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
