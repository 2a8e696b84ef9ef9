"""Given boxes: files of detections or of tracks that replace the detector or the tracker."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from common.errors import InputError
from common.nearest import nearest
from detection.mot_text import read_mot
from mtmc.scenarios.scenario import Camera
from mtmc.tracking.tracks import Tracks

GROUND_TRUTH = "gt"
"""The name of tracks that stands for the ground truth, to measure association alone."""


def tracks_file(camera: Camera, source: str) -> Path:
    """The camera's file of tracks: `mtsc/mtsc_<source>.txt` (CityFlow), `gt/gt.txt` (`gt`), or `<source>/<camera>.txt`.

    Raises:
        InputError: there is none; the message gives the closest names.
    """
    if source == GROUND_TRUTH and camera.ground_truth is not None:
        return camera.ground_truth
    return _box_file(camera, source, "--tracks", "mtsc", "mtsc_")


def read_tracks_text(path: Path) -> Tracks:
    """The tracks in a MOTChallenge text file; if a track has several boxes in a frame, the first is kept.

    Raises:
        InputError: a row is malformed, or the rows have no track numbers.
    """
    table = read_mot(path)
    if len(table) and (table.id < 0).any():
        raise InputError(f"{path}: field id: every row needs a track number, 0 or above; without them use --detections")
    tracks = Tracks.of(table.id, table.frame, table.box, table.score).sorted()
    if not len(tracks):
        return tracks
    first = (tracks.track[1:] != tracks.track[:-1]) | (tracks.frame[1:] != tracks.frame[:-1])
    return tracks[np.concatenate([[True], first])]


def _box_file(camera: Camera, source: str, flag: str, part: str, prefix: str) -> Path:
    folder = Path(source)
    if folder.is_dir():
        path = folder / f"{camera.name}.txt"
        if not path.is_file():
            near = nearest(camera.name, (p.stem for p in folder.glob("*.txt")))
            raise InputError(f"{path}: no such file; {flag} needs one per camera{near}")
        return path
    if camera.directory is None:
        raise InputError(f"{flag} {source}: no such folder, and camera {camera.name} is a plain video without {part}/")
    path = camera.directory / part / f"{prefix}{source}.txt"
    if not path.is_file():
        there = (p.stem.removeprefix(prefix) for p in (camera.directory / part).glob(f"{prefix}*.txt"))
        raise InputError(f"{flag} {source}: neither a folder nor {path}{nearest(source, there)}")
    return path
