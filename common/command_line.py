"""How a command line of this project ends: 0 done, 2 wrong usage or input, 1 a fault of ours."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Sequence

from common.errors import InputError

# What the place that a person gave for the results can be: taken, not theirs, read only, full.
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
    user_errors: tuple[type[Exception], ...] = (),
) -> int:
    """Run `main(argv)` and turn a person's mistake into one line on standard error and status 2.

    Args:
        main: takes the arguments (None: `sys.argv[1:]`), returns an exit status.
        argv: handed to `main`.
        user_errors: further exception types whose text is meant for the person, besides `InputError`.

    Returns:
        The exit status. A file or folder that cannot be used, or a full disk, is a person's mistake, too. Any other
        exception passes through: Python prints its traceback and exits with 1.
    """
    persons: tuple[type[Exception], ...] = (InputError, *user_errors)
    try:
        return main(argv)
    except persons as error:
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
