"""The names closest to one that does not exist, for error lines."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, names: Iterable[str], limit: int = 6) -> str:
    """A clause for the end of an error line: the closest of `names`, else all of them; empty if there are none.

    Args:
        name: what the user gave.
        names: the names that exist.
        limit: how many names to list if none is close.

    >>> nearest("c042", ["c041", "gate"])
    '; did you mean c041?'
    >>> nearest("x", ["car", "bus"])
    '; there are: bus, car'
    """
    existing = sorted(set(names))
    close = difflib.get_close_matches(name, existing, n=3, cutoff=0.5)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    if existing:
        more = f" and {len(existing) - limit} more" if len(existing) > limit else ""
        return f"; there are: {', '.join(existing[:limit])}{more}"
    return ""
