"""Files that are never written half, and the digest of what they hold."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`, and rename it onto `path` only when the block succeeds.

    Readers see the old content or the new, never a part; a failure leaves the old content as it was.

    Args:
        path: the file to write; its folder is made where missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes private files; results are for everyone who may read the folder.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> Path:
    r"""Write UTF-8 text with `\n` line ends, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    return path


def write_json(path: Path, value: object) -> Path:
    """Write JSON in the order given, whole or not at all.

    Raises:
        ValueError: a number is NaN or infinite, which JSON cannot hold.
    """
    return write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def replace_folder(temporary: Path, target: Path) -> None:
    """Put a finished folder in the place of an older one, by renames alone.

    Args:
        temporary: the finished folder, on the same file system as `target`.
        target: the place to fill; what stood there is removed after the new one is in, and put back where the new
            one cannot be moved.

    Raises:
        FileNotFoundError: there is no folder `temporary`; `target` is left as it was.
    """
    if not temporary.is_dir():
        raise FileNotFoundError(f"a finished folder takes the place of {target}; {temporary} is none")
    target.parent.mkdir(parents=True, exist_ok=True)
    old = target.with_name(f".{target.name}.old")
    if old.exists() and not target.exists():  # killed between the two renames below: the old one is all there is
        old.rename(target)
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    try:
        temporary.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, or of a folder's file names and bytes in sorted order.

    Raises:
        FileNotFoundError: there is nothing at the path; an empty folder has a digest, a missing one has none.
    """
    if not path.is_dir():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    lines = (
        f"{digest(file)}  {file.relative_to(path).as_posix()}\n" for file in sorted(path.rglob("*")) if file.is_file()
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()
