"""Detections read from MOTChallenge text, one file per camera."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from common.errors import InputError
from common.nearest import nearest
from detection.boxes import suppress
from detection.detections import Detections
from detection.mot_text import read_mot

# Other detectors round a score of 1 up to 1.0000002 now and then.
_SLACK = 1e-3


def find_det_file(camera_folder: Path, camera: str, name_or_folder: str) -> Path:
    """Find the detection file of one camera.

    Args:
        camera_folder: the camera's folder in CityFlow's layout, which holds `det/`.
        camera: the camera's name, such as "c041".
        name_or_folder: NAME of `det/det_NAME.txt` in the camera's folder, or a folder that holds `<camera>.txt`.

    Raises:
        InputError: there is no such file; the nearest names are listed.
    """
    folder = Path(name_or_folder)
    if folder.is_dir():
        path = folder / f"{camera}.txt"
        if not path.is_file():
            raise InputError(f"{path}: no detections of {camera}{nearest(path.name, _texts(folder, ''))}")
        return path
    path = camera_folder / "det" / f"det_{name_or_folder}.txt"
    if not path.is_file():
        names = [name.removesuffix(".txt") for name in _texts(camera_folder / "det", "det_")]
        raise InputError(
            f"{path}: no detections '{name_or_folder}', neither there nor as a folder{nearest(name_or_folder, names)}"
        )
    return path


def read_detections(path: str | Path, *, score: float = 0.0, nms_iou: float | None = None) -> Detections:
    """Detections from MOTChallenge text; ids and further columns are ignored, labels are -1.

    Args:
        path: rows `frame,id,left,top,width,height,score`.
        score: rows with a lower score are dropped. A score of -1 means "none" in this format and counts as 1.
        nms_iou: if given, duplicates are suppressed in each frame: of boxes that overlap by more, the best is kept.

    Returns:
        The rows, sorted by frame; boxes without area are dropped.

    Raises:
        InputError: the file is missing or malformed, or a score is not in [0, 1].
    """
    table = read_mot(path)
    scores = np.where(table.score == -1, 1, table.score)
    outside = (scores < -_SLACK) | (scores > 1 + _SLACK)
    if outside.any():
        row = int(np.argmax(outside))
        raise InputError(
            f"{path}: score {scores[row]:g} in frame {table.frame[row]} is not in [0, 1]; scale the seventh column"
        )
    detections = Detections.of(table.frame, table.box, scores.clip(0, 1))
    kept = detections[(detections.score >= score) & (detections.box[:, 2:] > 0).all(1)]
    kept = kept[np.argsort(kept.frame, kind="stable")]
    return kept if nms_iou is None else kept[_distinct(kept, nms_iou)]


def _distinct(detections: Detections, nms_iou: float) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Rows that survive suppression, in their order. `detections` is sorted by frame."""
    corners = detections.box.copy()
    corners[:, 2:] += corners[:, :2]
    bounds = [*np.flatnonzero(np.diff(detections.frame, prepend=-1)), len(detections)]
    kept = [
        start + suppress(corners[start:end], detections.score[start:end], nms_iou, max_boxes=end - start)
        for start, end in pairwise(bounds)
    ]
    return np.sort(np.concatenate(kept)) if kept else np.zeros(0, np.intp)


def _texts(folder: Path, prefix: str) -> list[str]:
    return [path.name.removeprefix(prefix) for path in folder.glob(f"{prefix}*.txt")] if folder.is_dir() else []
