"""The log of a live site: in its store, in files that rotate, and on standard error."""

from __future__ import annotations

import contextlib
import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

from mtmc.online.redaction import redact

MAX_BYTES = 5_000_000
"""Size at which a file of the log is closed and a new one begun. Raising it costs space."""
FILES = 5
"""Older files that are kept. Raising it keeps more of the past."""


class RedactingFormatter(logging.Formatter):
    """Takes credentials out of whatever is logged, tracebacks included.

    >>> record = logging.LogRecord("x", logging.INFO, "", 0, "lost %s", ("rtsp://u:p@h/1",), None)
    >>> RedactingFormatter("%(message)s").format(record)
    'lost rtsp://***@h/1'
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        return redact(super().format(record))


class _LogFile(RotatingFileHandler):
    """Files that rotate. What cannot be written is left out: where the disk is full, the store says so."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass


def write_logs(folder: Path, quiet: bool = False) -> logging.Logger:
    """Let the logger `mtmc.live` write to `folder`/live.log and, unless quiet, to standard error."""
    folder.mkdir(parents=True, exist_ok=True)
    logger = logging.getLogger("mtmc.live")
    for old in list(logger.handlers):
        logger.removeHandler(old)
        with contextlib.suppress(OSError, ValueError):  # what it held back may not fit on the disk, or it was closed
            old.close()
    handlers: list[logging.Handler] = [_LogFile(folder / "live.log", "a", MAX_BYTES, FILES, "utf-8")]
    if not quiet:
        handlers.append(logging.StreamHandler(sys.stderr))
    for handler in handlers:
        handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(message)s"))
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return logger
