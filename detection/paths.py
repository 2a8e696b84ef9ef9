"""Paths that a person names, and files that appear whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

from detection.errors import InputError


def missing(path: Path, what: str) -> InputError:
    """The error for a path that is not there: names it and the nearest names beside it.

    Args:
        path: what the person named.
        what: the word for it, such as "video".
    """
    folder = path.parent
    if not folder.is_dir():
        return InputError(f"{path}: no such {what}; the folder {folder} is not there either")
    return InputError(f"{path}: no such {what}; {nearest(path.name, (entry.name for entry in folder.iterdir()))}")


def nearest(name: str, names: Iterable[str]) -> str:
    """A phrase that lists the names most like `name`, or some of them where none is alike."""
    existing = sorted(names)
    if not existing:
        return "nothing is there"
    close = get_close_matches(name, existing, n=3, cutoff=0.5)
    if close:
        return f"nearest: {', '.join(close)}"
    return f"there: {', '.join(existing[:8])}{' ...' if len(existing) > 8 else ''}"


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write a file or a folder to; it takes its place only when the block ends well.

    A reader never sees a half-written result. Where two processes make the same folder, the first one stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        target = aside / path.name
        yield target
        try:
            target.replace(path)
        except OSError:
            if not (target.is_dir() and path.is_dir()):
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
