"""Atomic writing of files and folders, and digests of their content."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common.errors import InputError

DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Errors of writing to a disk, or to a share of it, that is full."""
# Below this number of free bytes, the failure of a library that does not say why is put down to the full disk.
_NO_SPACE_BYTES = 1 << 16
# The same where a C++ library says that a stream failed: it may have removed what it had written of a large file.
_NO_SPACE_FOR_STREAMS_BYTES = 1 << 30


@contextmanager
def naming_full_disk(path: Path) -> Iterator[None]:
    """Turn what libraries raise on a full disk into an `OSError` that names `path`.

    Python's own error names no file once the file is open, and libraries written in other languages have errors of
    their own kinds.

    >>> with naming_full_disk(Path("results.parquet")):
    ...     raise OSError(errno.ENOSPC, "No space left on device")
    Traceback (most recent call last):
    OSError: [Errno 28] No space left on device: 'results.parquet'
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        number = _disk_full(error, path)
        if number is None:
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


def _disk_full(error: Exception, path: Path) -> int | None:
    """The error number of a full disk if that is why writing to `path` failed."""
    if isinstance(error, OSError):
        return error.errno if error.errno in DISK_FULL else None
    number = next((each for each in DISK_FULL if os.strerror(each) in str(error)), None)
    if number is None and isinstance(error, RuntimeError):
        existing = next(folder for folder in path.absolute().parents if folder.is_dir())
        limit = _NO_SPACE_FOR_STREAMS_BYTES if "iostream error" in str(error) else _NO_SPACE_BYTES
        number = errno.ENOSPC if shutil.disk_usage(existing).free < limit else None
    return number


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a path to write a file or a folder to; it replaces `path` when the block ends without an error.

    A reader never sees a half-written result: a full disk or a killed process leaves `path` as it was. If two
    processes write the same folder, the first one stays. Missing parent folders are created.

    Raises:
        OSError: it cannot be written; names `path` where the disk is full.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic(Path(folder) / "result.txt") as aside:
    ...         _ = aside.write_text("whole")
    ...     (Path(folder) / "result.txt").read_text()
    'whole'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # A folder of its own, so that what is written beside `aside` (a .bin beside an .xml) vanishes with it.
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name[:32]}.", dir=path.parent))
    try:
        aside = folder / path.name
        with naming_full_disk(path):
            yield aside
        try:
            aside.replace(path)
        except OSError:
            if not (aside.is_dir() and path.is_dir()):
                raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    with atomic(path) as aside:
        aside.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8 atomically."""
    write_bytes(path, text.encode())


def write_json(path: Path, content: Mapping[str, Any] | Sequence[Any]) -> None:
    """Write indented JSON atomically; values that JSON cannot represent are written as their `str`."""
    write_text(path, json.dumps(content, indent=2, default=str) + "\n")


def file_digest(path: Path) -> str:
    """The digest of a file's content, or of all files in a folder with their names (32 hexadecimal digits)."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    digest = hashlib.blake2b(digest_size=16)
    for file in files:
        digest.update(str(file.relative_to(path)).encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "blake2b").digest())
    return digest.hexdigest()
