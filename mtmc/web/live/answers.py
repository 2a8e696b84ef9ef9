"""Answers about tracks of a live site: the page writes them to a log, the site takes them from there.

The site carries an answer out with its next tick and notes in its store what became of it (`mtmc.online.corrections`);
the page only reads that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtmc.online.corrections import PAGE, PAGE_LOG, Corrected
from mtmc.online.store import Store
from mtmc.web.correcting import MAX_NAMED
from mtmc.web.correction_log import CorrectionLog, Entry


@dataclass(frozen=True, slots=True, eq=False)
class LiveAnswers:
    """The log at one moment, and what the site has made of it.

    Attributes:
        entries: all of the log.
        outcomes: what became of each entry that the site has taken, by number.
    """

    entries: tuple[Entry, ...] = ()
    outcomes: Mapping[int, Corrected] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, store: Store) -> LiveAnswers:
        """The answers about a store.

        Raises:
            InputError: the log cannot be read.
        """
        log = log_of(folder)
        if log is None:
            return cls()
        return cls(tuple(log.entries()), {each.correction.seq: each for each in store.corrections(PAGE)})

    @property
    def last(self) -> int:
        """Number of the last entry; 0 for none."""
        return self.entries[-1].seq if self.entries else 0

    @property
    def taken(self) -> int:
        """Number of the last entry that the site has taken; 0 for none."""
        return max(self.outcomes, default=0)

    def words(self, seq: int) -> str:
        """What became of an entry."""
        found = self.outcomes.get(seq)
        if found is None:
            return "not taken yet"
        return {"applied": "in force", "undone": "taken back"}.get(found.state, f"refused: {found.reason}")

    def status(self) -> dict[str, Any]:
        """As plain values, with what the latest answer changed at once."""
        undone = {entry.undoes for entry in self.entries}
        latest = self.outcomes.get(self.taken)
        moved = _moved(latest.effect) if latest is not None else []
        return {
            "seq": self.last,
            "solved": self.taken,
            "waiting": sum(entry.seq > self.taken for entry in self.entries),
            "answers": sum(entry.kind != "undo" and entry.seq not in undone for entry in self.entries),
            "changes": moved[:MAX_NAMED],
            "refused": {str(seq): each.reason for seq, each in self.outcomes.items() if each.state == "refused"},
        }


def log_of(folder: Path, *, make: bool = False) -> CorrectionLog | None:
    """The log of answers of a store; None if nobody has answered yet, unless it is to be made.

    Raises:
        InputError: it cannot be used.
    """
    path = folder / PAGE_LOG
    return CorrectionLog(path) if make or path.is_file() else None


def _moved(effect: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Tracks with their identity before and after, -1 for none."""
    moves: list[tuple[Sequence[Any], int, int]] = [*effect.get("moved", ())]
    for other, into, keys in effect.get("merged", ()):
        moves += [(key, other, into) for key in keys]
    return [{"passage": f"{camera}/{track}", "before": old, "after": new} for (camera, track), old, new in moves]
