"""Exit statuses of the command lines: 0 done, 2 wrong usage or input, 1 an internal error."""

from __future__ import annotations

import errno
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from common.errors import InputError
from common.files import DISK_FULL

# What can be wrong with an output path: taken, not writable by the user, on a read-only or full disk.
_OUTPUT_PROBLEMS = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.EEXIST,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.EROFS,
        errno.ENOSPC,
        errno.EDQUOT,
    }
)


def run_command(
    main: Callable[[Sequence[str] | None], int],
    argv: Sequence[str] | None = None,
) -> int:
    """Run `main(argv)` and turn a user's mistake into one line on standard error and status 2.

    Args:
        main: takes the arguments (None: `sys.argv[1:]`), returns an exit status.
        argv: handed to `main`.

    Returns:
        The exit status. A file or folder that cannot be used, or a full disk, counts as the user's mistake as well.
        Any other exception passes through: Python prints its traceback and exits with 1.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal or file that knows ASCII only gets what it can show
            stream.reconfigure(errors="replace")
    try:
        status = main(argv)
        try:
            sys.stdout.flush()
        except BrokenPipeError:  # who read the output, such as `head`, has enough of it
            _drop_output()
        return status
    except InputError as error:
        line = " ".join(str(error).split())
        sys.stderr.write(f"error: {line}\n")
        return 2
    except OSError as error:
        if error.errno not in _OUTPUT_PROBLEMS:
            raise
        if error.errno in DISK_FULL:
            where, fix = _full_place(error), "the disk is full; free some space, or name another folder"
        else:
            where, fix = str(error.filename or ""), "nothing can be read or written there"
        sys.stderr.write(f"error: {where}{': ' if where else ''}{error.strerror}; {fix}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130


def _full_place(error: OSError) -> str:
    """What could not be written on a full disk: the file that the error names, else the place that is full."""
    if error.filename:
        return str(error.filename)
    temporary = Path(tempfile.gettempdir())
    if shutil.disk_usage(temporary).free < shutil.disk_usage(temporary).total >> 10:
        return f"{temporary} (temporary files)"
    _drop_output()
    return "standard output"


def _drop_output() -> None:
    """Send what is left of standard output nowhere, so that Python does not fail on it once more at the end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
