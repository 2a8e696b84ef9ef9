"""Answers of people about pairs of tracks: same vehicle, or different ones."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from common.errors import InputError, path_not_found
from common.nearest import nearest
from reid.adaptation.tracks import TrackCrops

COLUMNS = ("first", "second", "answer", "first_track", "second_track", "author", "time")
"""Columns of `pairs.csv`: the file name of a crop of each track, as in the run's list of crops; `same` or `different`;
and, for people, the tracks (`c041/12`), who answered, and when. The first three are needed."""
ANSWERS = ("same", "different")


@dataclass(frozen=True, slots=True)
class AnsweredPairs:
    """Pairs of tracks that somebody has compared.

    Attributes:
        same, different: (p, 2) int64, numbers of tracks, see `TrackCrops.track`.
    """

    same: npt.NDArray[np.int64]
    different: npt.NDArray[np.int64]

    @classmethod
    def none(cls) -> AnsweredPairs:
        """No answers."""
        return cls(np.zeros((0, 2), np.int64), np.zeros((0, 2), np.int64))

    def __len__(self) -> int:
        return len(self.same) + len(self.different)


def read_pairs(path: Path, crops: TrackCrops) -> AnsweredPairs:
    """Read `pairs.csv`, as the page exports it or as you write it.

    Args:
        path: the file.
        crops: the run that it is about.

    Raises:
        InputError: it is missing or malformed, or names a crop that the run's list does not have; with the line.
    """
    if not path.is_file():
        raise path_not_found(path, "list of answered pairs")
    track_of = {PurePosixPath(p).name: int(t) for p, t in zip(crops.path.tolist(), crops.track.tolist(), strict=True)}
    pairs: dict[str, list[tuple[int, int]]] = {answer: [] for answer in ANSWERS}
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            columns: Sequence[str] = reader.fieldnames or ()
            for column in COLUMNS[:3]:
                if column not in columns:
                    raise InputError(f"{path}: no column {column!r}{nearest(column, columns)}")
            for row in reader:
                line = reader.line_num
                answer = (row["answer"] or "").strip()
                if answer not in ANSWERS:
                    raise InputError(f"{path}:{line}: answer: must be same or different, not {answer[:40]!r}")
                names = [PurePosixPath((row[side] or "").strip()).name for side in COLUMNS[:2]]
                unknown = next((name for name in names if name not in track_of), None)
                if unknown is not None:
                    raise InputError(f"{path}:{line}: the run has no crop {unknown!r}; is it of this run, --crops too?")
                one, other = (track_of[name] for name in names)
                if one == other and answer == "different":
                    raise InputError(f"{path}:{line}: {names[0]} and {names[1]} are crops of one track")
                if one != other:
                    pairs[answer].append((min(one, other), max(one, other)))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV in UTF-8 ({error})") from error
    same, different = (np.array(sorted(set(pairs[answer])), np.int64).reshape(-1, 2) for answer in ANSWERS)
    return AnsweredPairs(same, different)
