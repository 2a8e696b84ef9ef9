"""Names and numbers of cameras: unique, printable, and fit for a file's name."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

MAX_NUMBER = 99_999
"""Largest number that is taken from a camera's name; larger ones are dates and times."""
_MAX_BYTES = 200
"""Bytes of a name: file systems allow 255, and endings are added."""


def camera_number(name: str) -> int | None:
    """The number in a camera's name, None where there is none.

    >>> camera_number("c041"), camera_number("gate"), camera_number("20240501103000")
    (41, None, None)
    """
    digits = re.search(r"\d+", name)
    number = int(digits.group()) if digits and len(digits.group()) < 10 else None
    return number if number is not None and number <= MAX_NUMBER else None


def camera_names(files: Sequence[Path]) -> list[str]:
    """One name for each file: its stem, or the whole file name where several share a stem.

    >>> camera_names([Path("gate.mp4"), Path("gate.mkv"), Path("c1.mp4")])
    ['gate.mp4', 'gate.mkv', 'c1']
    """
    # Compared without case: results must not collide on file systems that ignore it either.
    stems = Counter(path.stem.casefold() for path in files)
    names = [fit_name(path.name if stems[path.stem.casefold()] > 1 else path.stem) for path in files]
    seen: Counter[str] = Counter()
    for i, name in enumerate(names):
        seen[name.casefold()] += 1
        if seen[name.casefold()] > 1:
            names[i] = f"{name}-{seen[name.casefold()]}"
    return names


def fit_name(name: str) -> str:
    """The name with what cannot be printed replaced, and shortened where a file system would refuse it."""
    printable = "".join(c if c.isprintable() else "_" for c in os.fsencode(name).decode("utf-8", "replace"))
    raw = printable.encode()
    if len(raw) <= _MAX_BYTES:
        return printable
    digest = hashlib.blake2b(raw, digest_size=4).hexdigest()
    return f"{raw[: _MAX_BYTES - 9].decode('utf-8', 'ignore')}-{digest}"
