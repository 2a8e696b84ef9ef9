"""The error that a person's input causes."""

from __future__ import annotations

import difflib
from pathlib import Path


class InputError(ValueError):
    """Wrong usage or input: one line that names the file, the field and the mend. Ends a command with status 2."""


def path_not_found(path: Path, what: str) -> InputError:
    """The error for a path that is not there; it names the deepest folder that exists and the nearest names in it.

    Args:
        path: what was looked for.
        what: what it should have been, as in "the submission file".
    """
    parent = path.parent
    while not parent.is_dir() and parent != parent.parent:
        parent = parent.parent
    wanted = path.relative_to(parent).parts[0] if path != parent else path.name
    names = sorted(entry.name for entry in parent.iterdir())
    nearest = difflib.get_close_matches(wanted, names, n=3, cutoff=0.4) or names[:3]
    mend = f"nearest names in {parent}: {', '.join(nearest)}" if nearest else f"{parent} is empty"
    return InputError(f"{path}: {what} is not there; {mend}")
