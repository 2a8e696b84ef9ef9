"""Exit statuses of the command lines: 0 done, 2 wrong usage or input, 1 an internal error."""

from __future__ import annotations

import errno
import io
import sys
from collections.abc import Callable, Sequence

from common.errors import InputError

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
        return main(argv)
    except InputError as error:
        line = " ".join(str(error).split())
        sys.stderr.write(f"error: {line}\n")
        return 2
    except OSError as error:
        if error.errno not in _OUTPUT_PROBLEMS:
            raise
        where = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"error: {where}{error.strerror}; nothing can be read or written there\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
