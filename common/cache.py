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
from common.shared_storage import SharedStorage


class Cache:
    """Folders of finished results: `<root>/<stage>/<key>/`. A folder is complete or absent.

    A result is written aside and renamed when it is complete, so a full disk or a killed process leaves nothing that
    could be read as a result.

    Args:
        root: the folder on this machine.
        shared: the address of object storage (see `common.shared_storage`) that other machines use, too: what is
            missing here is fetched from there, and what is finished here is put there. None: there is none.

    Raises:
        InputError: the address cannot be used. (Also of all methods that read or write results.)
    """

    def __init__(self, root: Path, shared: str | None = None) -> None:
        self.root = root
        self.shared = None if shared is None else SharedStorage(shared)
        self._there: set[tuple[str, str]] = set()

    def folder(self, stage: str, key: str) -> Path:
        """Where the result of `stage` under `key` is, or will be."""
        return self.root / stage / key

    def find(self, stage: str, key: str) -> Path | None:
        """The folder of a finished result, or None. With shared storage it is then in both places."""
        folder = self.folder(stage, key)
        if self.shared is None or (stage, key) in self._there:
            return folder if folder.is_dir() else None
        if folder.is_dir():
            if not self.shared.has(stage, key):
                self.shared.upload(folder, stage, key)
        elif not self._fetch(self.shared, stage, key):
            return None
        self._there.add((stage, key))
        return folder

    def need(self, stage: str, key: str) -> Path:
        """The folder of a result that was finished, here or on another machine.

        Raises:
            FileNotFoundError: there is none.
        """
        found = self.find(stage, key)
        if found is None:
            raise FileNotFoundError(f"{self.folder(stage, key)}: this result of an earlier stage has gone")
        return found

    @contextmanager
    def write(self, stage: str, key: str) -> Iterator[Path]:
        """A fresh folder to fill; it becomes the result when the block ends without an exception.

        Raises:
            OSError: it cannot be written; names the result's folder where the disk is full.
        """
        with self._aside(stage, key) as aside:
            yield aside
        if self.shared is not None:
            self.shared.upload(self.folder(stage, key), stage, key)
            self._there.add((stage, key))

    def _fetch(self, shared: SharedStorage, stage: str, key: str) -> bool:
        """Copy a result of another machine here, if there is a whole one."""
        if not shared.has(stage, key):
            return False
        try:
            with self._aside(stage, key) as aside:
                if not shared.download(stage, key, aside):
                    raise _Damaged
        except _Damaged:
            return False
        return True

    @contextmanager
    def _aside(self, stage: str, key: str) -> Iterator[Path]:
        """A fresh folder that becomes that of the result when the block ends without an exception."""
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


class _Damaged(Exception):
    """A result on shared storage is not whole."""


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
