"""One row per passage of a finished run: a track, or a part of a track that was cut at an identity switch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from common.table import Table
from mtmc.report.stored_run import StoredRun


@dataclass(frozen=True, slots=True)
class Passages(Table):
    """The passages of all cameras, camera after camera, by ascending part number (as `interface.rows_of` has them).

    Attributes:
        camera: (n,) int32, index into the scenario's cameras.
        track: (n,) int32, the track's number in its camera.
        since: (n,) int32, the first frame of a part behind a cut; 0 for a track's first part, usually the only one.
        part: (n,) int32, the part's number, unique in its camera.
        first_frame, last_frame: (n,) int32, frames of its first and last box, counted from 1.
        start, end: (n,) float64, their seconds on the scenario's time axis.
        boxes: (n,) int32, its number of boxes.
        label: (n,) int16, the most frequent COCO class; -1 where unknown.
        height: (n,) float32, height of its largest box in pixels.
    """

    camera: npt.NDArray[np.int32]
    track: npt.NDArray[np.int32]
    since: npt.NDArray[np.int32]
    part: npt.NDArray[np.int32]
    first_frame: npt.NDArray[np.int32]
    last_frame: npt.NDArray[np.int32]
    start: npt.NDArray[np.float64]
    end: npt.NDArray[np.float64]
    boxes: npt.NDArray[np.int32]
    label: npt.NDArray[np.int16]
    height: npt.NDArray[np.float32]


def load_passages(run: StoredRun) -> Passages:
    """The passages of a run, summarised from its tracks."""
    tables = []
    for index, (observation, cuts) in enumerate(zip(run.observations, run.cuts, strict=True)):
        tracks = cuts.apply(observation.tracks).sorted()
        if not len(tracks):
            continue
        part, begin, count = np.unique(tracks.track, return_index=True, return_counts=True)
        track, since = cuts.whole(part.astype(np.int32))
        first, last = tracks.frame[begin], tracks.frame[begin + count - 1]
        clock = observation.camera.clock
        tables.append(
            Passages._of(
                index,
                track,
                since,
                part,
                first,
                last,
                clock.at(first),
                clock.at(last),
                count,
                _most_frequent(tracks.label, np.repeat(np.arange(len(part)), count), len(part)),
                np.maximum.reduceat(tracks.box[:, 3], begin),
            )
        )
    return Passages.concatenate(tables)


def passage_keys(passages: Passages, cameras: Sequence[str]) -> list[str]:
    """Names that stay valid when identities change, (n,).

    `c041/12` is track 12 of camera c041; where a track was cut, `c041/12/340` is its part that begins in frame 340.

    >>> table = Passages._of([0, 0, 0], [5, 6, 6], [0, 0, 40], [5, 6, 7], [1, 3, 40], [9, 39, 60], 0, 0, 1, -1, 0)
    >>> passage_keys(table, ["c041"])
    ['c041/5', 'c041/6/3', 'c041/6/40']
    """
    whole = passages.camera.astype(np.int64) << 32 | passages.track
    _, place, count = np.unique(whole, return_inverse=True, return_counts=True)
    rows = zip(
        passages.camera.tolist(),
        passages.track.tolist(),
        passages.first_frame.tolist(),
        (count[place] > 1).tolist(),
        strict=True,
    )
    return [f"{cameras[camera]}/{track}" + (f"/{frame}" if cut else "") for camera, track, frame, cut in rows]


def _most_frequent(label: npt.NDArray[np.int16], owner: npt.NDArray[np.int64], n: int) -> npt.NDArray[np.int16]:
    """(n,) the label that most rows of each owner have; unknown ones do not vote."""
    result = np.full(n, -1, np.int16)
    pairs, count = np.unique(np.stack([owner[label >= 0], label[label >= 0]], 1), axis=0, return_counts=True)
    order = np.lexsort((-pairs[:, 1], count, pairs[:, 0]))
    result[pairs[order, 0]] = pairs[order, 1]  # the last write, of the most frequent label, stays
    return result
