"""Members of a ZIP archive, read so that a damaged archive ends in one line."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterator
from lzma import LZMAError
from pathlib import Path
from typing import BinaryIO

from common.errors import InputError

_DAMAGED = (zipfile.BadZipFile, zlib.error, LZMAError, EOFError, OSError, RuntimeError, ValueError)
"""What `zipfile` raises for bytes that are no archive, or a damaged one. RuntimeError: a member counts as encrypted, or
as compressed by a method that does not exist (NotImplementedError). ValueError: a name or an offset makes no sense."""


def read_members(
    archive: Path | BinaryIO, wanted: Callable[[str], bool], *, source: str, most_bytes: int | None = None
) -> Iterator[tuple[str, bytes]]:
    """Name and content of the wanted members, by name; each is read when it is asked for, and nothing is written.

    Names are as the archive has them: whoever makes paths of them has to keep them inside a folder.

    Args:
        archive: the file.
        wanted: whether a member is read, by its name with folders.
        source: what the message calls the archive.
        most_bytes: of all wanted members together, unpacked; None: as many as there are.

    Raises:
        InputError: it is no archive, is damaged, or is too large.

    >>> import io
    >>> file = io.BytesIO()
    >>> with zipfile.ZipFile(file, "w") as archive:
    ...     archive.writestr("b.txt", "two"), archive.writestr("a.txt", "one"), archive.writestr("c.jpg", "")
    (None, None, None)
    >>> list(read_members(file, lambda name: name.endswith(".txt"), source="upload"))
    [('a.txt', b'one'), ('b.txt', b'two')]
    """
    try:
        opened = zipfile.ZipFile(archive)
    except _DAMAGED as error:
        raise _unreadable(source, error) from error
    with opened:
        members = sorted((m for m in opened.infolist() if not m.is_dir() and wanted(m.filename)), key=_name)
        if most_bytes is not None and sum(member.file_size for member in members) > most_bytes:
            raise InputError(f"{source}: too large unpacked; at most {most_bytes / 1e6:.0f} MB are read")
        for member in members:
            try:
                content = opened.read(member)
            except _DAMAGED as error:
                raise _unreadable(source, error) from error
            yield member.filename, content


def _name(member: zipfile.ZipInfo) -> str:
    return member.filename


def _unreadable(source: str, error: Exception) -> InputError:
    return InputError(f"{source}: not a readable zip archive ({' '.join(str(error).split())}); get it again")
