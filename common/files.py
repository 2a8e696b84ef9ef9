"""Atomic writing of files and folders, and digests of their content."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a path to write a file or a folder to; it replaces `path` when the block ends without an error.

    A reader never sees a half-written result: a full disk or a killed process leaves `path` as it was. If two
    processes write the same folder, the first one stays. Missing parent folders are created.

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
