"""The error that the user's input causes."""

from __future__ import annotations

from pathlib import Path

from common.nearest import nearest


class InputError(ValueError):
    """Wrong usage or input: one line that names the file, the field and the fix. Ends a command with exit status 2."""


def path_not_found(path: Path, what: str) -> InputError:
    """The error for a path that does not exist; names the deepest folder that exists and the closest names in it.

    Args:
        path: what the user named.
        what: what it should have been, as in "video" or "submission file".
    """
    parent = path.parent
    while not parent.is_dir() and parent != parent.parent:
        parent = parent.parent
    wanted = path.relative_to(parent).parts[0] if path != parent else path.name
    names = [entry.name for entry in parent.iterdir()]
    where = "" if parent == path.parent else f"; the folder {parent / wanted} does not exist"
    return InputError(f"{path}: no such {what}{where}{nearest(wanted, names) or f'; {parent} is empty'}")
