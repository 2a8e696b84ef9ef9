"""Whether a disk has room for what a run is going to write."""

from __future__ import annotations

import shutil
from pathlib import Path

from common.errors import InputError

FRAME_BYTES = 10_000
"""Bytes of boxes, tracks, crops and vectors of two extractors for each frame that has yet to be observed. The simulated
and the real clips take 1,600 to 4,400, of which crops are 1,300 to 3,200. Raising it refuses disks that would have
sufficed; where it is too low, a disk that fills ends the run with one line, and nothing half-written."""
VIDEO_BITS = 0.25
"""Bits per pixel and frame of annotated videos and of the mosaic. Raising it refuses disks that would have sufficed."""


def check_space(folder: Path, needed: float, what: str, flag: str) -> None:
    """Make sure that a folder has room.

    Args:
        folder: it need not exist.
        needed: bytes.
        what: what is to be written, for the error.
        flag: the option that names the folder, for the error.

    Raises:
        InputError: it has not; names the folder, what is free and what is needed.
    """
    existing = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.is_dir())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise InputError(
            f"{existing}: {free / 1e6:.0f} MB are free, about {needed / 1e6:.0f} MB are needed for {what}; free some, "
            f"or name another folder with {flag}"
        )
