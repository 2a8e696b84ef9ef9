"""Results of stages on disk, each in a folder named after a key of everything that the result depends on."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common.files import file_digest, naming_full_disk, write_text


class Cache:
    """Folders of finished results: `<root>/<stage>/<key>/`. A folder is complete or absent.

    A result is written aside and renamed when it is complete, so a full disk or a killed process leaves nothing that
    could be read as a result.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, stage: str, key: str) -> Path:
        """Where the result of `stage` under `key` is, or will be."""
        return self.root / stage / key

    def find(self, stage: str, key: str) -> Path | None:
        """The folder of a finished result, or None."""
        folder = self.folder(stage, key)
        return folder if folder.is_dir() else None

    @contextmanager
    def write(self, stage: str, key: str) -> Iterator[Path]:
        """A fresh folder to fill; it becomes the result when the block ends without an exception.

        Raises:
            OSError: it cannot be written; names the result's folder where the disk is full.
        """
        target = self.folder(stage, key)
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{key}-{_host()}-{os.getpid()}-", dir=target.parent))
        try:
            with naming_full_disk(target):
                yield aside
            try:
                aside.rename(target)
            except OSError:
                if not target.is_dir():  # not another process that finished the same result first
                    raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what killed processes of this machine left half-written, but not what other runs are writing now."""
        for aside in self.root.glob("*/.*-*"):
            writer = _WRITER.match(aside.name)
            if writer and writer["host"] == _host() and not _alive(int(writer["process"])):
                shutil.rmtree(aside, ignore_errors=True)

    def file_digest(self, path: Path) -> str:
        """The content's digest, remembered by path, size and modification time: a long video is read only once."""
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        states = [(file.name, state.st_size, state.st_mtime_ns) for file in files for state in (file.stat(),)]
        name = key_of({"path": os.fsencode(path.resolve()).hex(), "files": states})
        remembered = self.root / "digests" / name
        if remembered.is_file():
            return remembered.read_text(encoding="ascii")
        digest = file_digest(path)
        remembered.parent.mkdir(parents=True, exist_ok=True)
        write_text(remembered, digest)
        return digest


_WRITER = re.compile(r"\.+[^-]+-(?P<host>[0-9a-f]{8})-(?P<process>\d+)-")


def _host() -> str:
    """A short name of this machine: several may share a cache, and process numbers are per machine."""
    return hashlib.blake2b(socket.gethostname().encode(), digest_size=4).hexdigest()


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def key_of(parts: Mapping[str, Any]) -> str:
    """A short key for plain values: equal parts give equal keys, whatever their order."""
    text = json.dumps(parts, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
