"""What answers mean: as constraints for the association, and applied directly to identities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mtmc.web.correction_log import Entry


def apply_directly(
    identity: npt.NDArray[np.int32], entries: Sequence[Entry], row_of: Mapping[str, int], taken: int
) -> npt.NDArray[np.int32]:
    """Identities with each answer carried out and nothing else changed: what the page shows until it has solved again.

    Args:
        identity: (n,) identities, -1 for none.
        entries: answers, in their order; those about passages that do not exist are skipped.
        row_of: the row of each passage by its key.
        taken: the highest number that was ever used; new identities get numbers above.
    """
    result = identity.copy()
    highest = max(taken, int(identity.max(initial=0)))
    for entry in entries:
        first = _rows(entry.first, row_of)
        second = _rows(entry.second, row_of)
        if entry.kind == "not-a-vehicle":
            result[first] = -1
        elif entry.kind == "same" and len(first) + len(second):
            both = np.concatenate([first, second])
            known = result[both][result[both] >= 0]
            if not len(known):
                highest += 1
            result[both] = known[0] if len(known) else highest
        elif entry.kind == "different":
            shared = second[np.isin(result[second], result[first][result[first] >= 0])]
            for number in np.unique(result[shared]):
                highest += 1
                result[shared[result[shared] == number]] = highest
    return result


def answered_pairs(entries: Iterable[Entry], row_of: Mapping[str, int]) -> set[tuple[int, int]]:
    """The pairs of rows, the smaller one first, that answers decide or that somebody was unsure about."""
    pairs: set[tuple[int, int]] = set()
    for entry in entries:
        first, second = _rows(entry.first, row_of).tolist(), _rows(entry.second, row_of).tolist()
        if entry.kind == "same":
            every = first + second
            pairs |= {(min(a, b), max(a, b)) for a in every for b in every if a != b}
        else:
            pairs |= {(min(a, b), max(a, b)) for a in first for b in second}
    return pairs


def _rows(keys: Iterable[str], row_of: Mapping[str, int]) -> npt.NDArray[np.int64]:
    return np.array([row_of[key] for key in keys if key in row_of], np.int64)


def around_answers(
    direct: npt.NDArray[np.int32], solved: npt.NDArray[np.int32], rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.int32]:
    """Identities of a new solution where answers are near, else what was there.

    Identities of both that have passages in common form a group; a group is taken over as a whole if answers name one
    of its passages.

    Args:
        direct: (n,) the identities before, with the answers carried out; -1 for none.
        solved: (n,) the new solution.
        rows: the passages that answers name.

    >>> direct, solved = np.array([1, 1, 2, 5, 6], np.int32), np.array([3, 3, 3, 4, 4], np.int32)
    >>> around_answers(direct, solved, np.array([0])).tolist()
    [3, 3, 3, 9, 10]
    """
    n = len(direct)
    # Passages without an identity stand for themselves.
    _, old = np.unique(np.where(direct >= 0, direct, -1 - np.arange(n)), return_inverse=True)
    _, new = np.unique(np.where(solved >= 0, solved, -1 - np.arange(n)), return_inverse=True)
    count = int(old.max(initial=-1)) + 1
    size = count + int(new.max(initial=-1)) + 1
    graph = coo_array((np.ones(n), (old.ravel(), count + new.ravel())), shape=(size, size))
    _, group = connected_components(graph, directed=False)
    near = np.isin(group[old.ravel()], group[old.ravel()[rows]])
    above = int(solved.max(initial=0))
    return np.where(near, solved, np.where(direct >= 0, direct + above, -1)).astype(np.int32)
