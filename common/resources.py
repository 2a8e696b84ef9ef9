"""Files that ship with the project: network weights and configurations."""

from __future__ import annotations

from pathlib import Path

from common.errors import InputError

_PACKAGED = Path(__file__).resolve().parent / "shipped"
_CHECKOUT = Path(__file__).resolve().parent.parent


def resource(kind: str, *parts: str) -> Path:
    """The path of a file or folder that ships with the project.

    A wheel carries the folders `weights/` and `configs/` below `common/shipped/`; in a checkout they are at its root.

    Args:
        kind: "weights" or "configs".
        parts: the path below that folder; none for the folder itself.

    Raises:
        InputError: the file is missing, so the installation is incomplete. There is no fallback.

    >>> resource("configs", "scenarios", "sim-S06.yaml").name
    'sim-S06.yaml'
    """
    root = _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT
    path = root.joinpath(kind, *parts)
    if not path.exists():
        raise InputError(f"{path}: this file should have come with mtmc; the installation is incomplete, reinstall it")
    return path
