"""Results of stages on object storage (S3, Google Cloud, a mounted folder), shared by machines that share no folder.

A result is a set of files below a name of their own and a small manifest, written last, that lists them with size and
digest. Object stores write an object whole or not at all; where a driver does not, a manifest in the middle of being
written is no JSON and does not count, and a file that does not match its manifest is refused. So nothing half-written
is ever read, and two machines that finish the same result at once do not mix.
"""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Any

from common.errors import InputError
from common.files import file_digest

DRIVERS = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}
"""Protocols whose driver is a package of its own."""
EXTRA = "pip install 'mtmc[storage]'"


class SharedStorage:
    """A folder on object storage.

    Args:
        url: as fsspec takes it: s3://bucket/folder, gs://bucket/folder, file:///folder. It may hold credentials, which
            appear in no message; where the driver reads them from its usual places they are better kept there.

    Raises:
        InputError: the address has no protocol.
    """

    def __init__(self, url: str) -> None:
        if not re.match(r"[a-z][a-z0-9+.\-]*://", url):
            raise InputError(f"--shared-cache {shown_address(url)}: not an address, such as s3://bucket/folder")
        self._url = url.rstrip("/")
        self._opened: tuple[Any, str] | None = None

    def __repr__(self) -> str:
        return f"SharedStorage({shown_address(self._url)!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {"_url": self._url, "_opened": None}  # each process has its own connections

    def check(self) -> None:
        """Raise unless the storage answers and its driver is installed.

        Raises:
            InputError: in one line, without credentials.
        """
        fs, base = self._open()
        try:
            fs.exists(base)
        except Exception as error:  # drivers raise what their libraries do
            raise self._failed("does not answer", error) from None

    def has(self, stage: str, key: str) -> bool:
        """Whether a finished result is there."""
        return self._manifest(stage, key) is not None

    def upload(self, folder: Path, stage: str, key: str) -> None:
        """Copy a finished result there.

        Raises:
            InputError: it cannot be written; the result in `folder` is not touched.
        """
        fs, base = self._open()
        name = f"{stage}/{key}-{uuid.uuid4().hex[:12]}"
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        listed = {str(path.relative_to(folder)): [path.stat().st_size, file_digest(path)] for path in files}
        try:
            for path in files:
                target = f"{base}/{name}/{path.relative_to(folder)}"
                fs.makedirs(target.rpartition("/")[0], exist_ok=True)
                fs.put_file(str(path), target)
            text = json.dumps({"folder": name, "files": listed})
            fs.pipe_file(f"{base}/{stage}/{key}.json", text.encode())
        except Exception as error:
            raise self._failed(
                f"cannot be written; {folder} is complete, and the same command goes on", error
            ) from None

    def download(self, stage: str, key: str, target: Path) -> bool:
        """Copy a result into the folder `target`; False if there is none, or what is there is damaged.

        Raises:
            InputError: it cannot be read.
        """
        manifest = self._manifest(stage, key)
        if manifest is None:
            return False
        fs, base = self._open()
        for name, (size, digest) in manifest["files"].items():
            path = target / name
            if not path.resolve().is_relative_to(target.resolve()):
                return False
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                fs.get_file(f"{base}/{manifest['folder']}/{name}", str(path))
            except FileNotFoundError:
                return False
            except Exception as error:
                raise self._failed("cannot be read", error) from None
            if path.stat().st_size != size or file_digest(path) != digest:
                return False
        return True

    def _manifest(self, stage: str, key: str) -> dict[str, Any] | None:
        fs, base = self._open()
        try:
            content = json.loads(fs.cat_file(f"{base}/{stage}/{key}.json"))
        except (FileNotFoundError, ValueError):
            return None
        except Exception as error:
            raise self._failed("cannot be read", error) from None
        return content if isinstance(content, dict) and {"folder", "files"} <= content.keys() else None

    def _open(self) -> tuple[Any, str]:
        """The file system and the folder in it."""
        if self._opened is None:
            self._opened = self._connect()
        return self._opened

    def _connect(self) -> tuple[Any, str]:
        protocol = self._url.partition("://")[0]
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise InputError(f"--shared-cache {shown_address(self._url)}: needs the package fsspec: {EXTRA}") from error
        try:
            fs, base = url_to_fs(self._url)
        except ImportError:
            package = DRIVERS.get(protocol, f"of fsspec for {protocol}")
            how = EXTRA if package in ("s3fs", "gcsfs") else "install it"
            raise InputError(f"--shared-cache {shown_address(self._url)}: needs the package {package}: {how}") from None
        except Exception as error:
            raise self._failed("cannot be opened", error) from None
        return fs, str(base).rstrip("/")

    def _failed(self, what: str, error: Exception) -> InputError:
        """The error in one line without anything of the address that could be a secret."""
        reason = str(error).replace(self._url, shown_address(self._url))
        user = re.match(r"[^:]+://(?P<user>.*)@", self._url)
        for secret in re.split("[:@]", user["user"]) if user else ():
            reason = reason.replace(secret, "***") if secret else reason
        line = shown_address(" ".join(reason.split()))[:160]
        return InputError(
            f"--shared-cache {shown_address(self._url)}: {what} ({type(error).__name__}{': ' if line else ''}{line})"
        )


def shown_address(text: str) -> str:
    """A text with addresses as people may see it: without user, password and query.

    >>> shown_address("s3://KEY:secret@bucket/folder?token=1")
    's3://***@bucket/folder?***'
    """
    return re.sub(r"(://[^\s?]*)\?\S+", r"\1?***", re.sub(r"://\S*@", "://***@", text))
