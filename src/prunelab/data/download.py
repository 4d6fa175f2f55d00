"""A file from the network: from the first address that has it, verified, and in its place whole or not at all."""

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pooch

Report = Callable[[str], None]
_Content = TypeVar("_Content")


def to_stderr(line: str) -> None:
    """Write a line beside a program's output."""
    print(line, file=sys.stderr)


def deliver(
    urls: Sequence[str],
    target: Path,
    read: Callable[[Path], _Content],
    *,
    cache: Path,
    progress: bool | None,
    report: Report,
    missing: str,
) -> _Content:
    """Fetch a file from the first address that delivers it, verified, and only then put it in its place.

    Args:
        urls: addresses to try in turn.
        target: where the file is to stand, in `cache` or a folder of it.
        read: reads and verifies the file that arrived; a ValueError says that it is not the one asked for.
        cache: folder of downloads, made where missing; the file arrives in a temporary folder of it.
        progress: draw a bar; None does so on a terminal.
        report: receives one line for each address that failed.
        missing: what the error says before the addresses that failed.

    Returns:
        What `read` returned, with the temporary path where it holds one.

    Raises:
        FileNotFoundError: no address delivered the file.
    """
    bar = sys.stderr.isatty() if progress is None else progress
    # pooch writes 1 KiB at a time unless told otherwise, which costs more than the network does.
    downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=2**16, timeout=(10, 30))
    failures = []
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=f".{target.name}-") as staging:
        arrived = Path(staging) / target.name
        for url in urls:
            try:
                downloader(url, str(arrived), None)
                content = read(arrived)
            except (OSError, ValueError) as error:  # requests' exceptions are OSErrors
                failures.append(f"{url} ({_reason(error, arrived)})")
                report(f"failed, trying the next mirror if there is one: {failures[-1]}")
                continue
            target.parent.mkdir(exist_ok=True)
            arrived.replace(target)
            return content
    raise FileNotFoundError(f"{missing}; tried {', '.join(failures)}")


def _reason(error: Exception, arrived: Path) -> str:
    """Say in a few words why a mirror did not deliver; requests' own messages run over several lines."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP {response.status_code}"
    if isinstance(error, ValueError):
        return str(error).removeprefix(f"{arrived}: ").split(";")[0]
    return getattr(error, "strerror", None) or type(error).__name__
