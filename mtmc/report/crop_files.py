"""The crops of a run as image files with a list, for `python -m reid.adapt`."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt

from common.files import atomic, write_text
from mtmc.pipeline import RunResult
from mtmc.tracking.tracks import Tracks
from reid.adaptation.tracks import CROPS_FILE


def write_crop_files(result: RunResult, folder: Path) -> Path:
    """Write the crops of all tracks, and a list of them with each track's times and identities.

    A track that an extractor's run cut where it switches to another vehicle is listed as several tracks. Crops of an
    earlier run in the same folder are replaced.

    Args:
        result: the run.
        folder: the run's folder.

    Returns:
        The list; `reid.adaptation.tracks` has its columns.
    """
    file = folder / CROPS_FILE
    target = file.parent
    text = io.StringIO(newline="")
    names = [outcome.extraction.name for outcome in result.outcomes]
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["path", "track", "camera", "start", "end", *(f"identity {name}" for name in names)])
    if target.exists():
        shutil.rmtree(target)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic(target) as part:
        part.mkdir()
        for index, observation in enumerate(result.observations):
            camera, tracks, crops = observation.camera, observation.tracks, observation.crops()
            spans = _spans(tracks, camera.clock.at(tracks.frame))
            identities = [o.identities.of_boxes(index, crops.track, crops.frame) for o in result.outcomes]
            for row in range(len(crops)):
                number = int(crops.track[row])
                seen = [int(identity[row]) for identity in identities]
                name = crop_file_name(camera.name, number, int(crops.frame[row]))
                (part / name).write_bytes(crops.image[row])
                # The parts of a track that was cut have other identities.
                track = "_".join(map(str, [camera.name, number, *seen]))
                span = [f"{value:.3f}" for value in spans[number]]
                rows.writerow([name, track, camera.name, *span, *("" if i < 0 else i for i in seen)])
        write_text(part / file.name, text.getvalue())
    return file


def crop_file_name(camera: str, track: int, frame: int) -> str:
    """The file name of a crop.

    >>> crop_file_name("c041", 12, 340)
    'c041_00012_000340.jpg'
    """
    return f"{camera}_{track:05d}_{frame:06d}.jpg"


def _spans(tracks: Tracks, seconds: npt.NDArray[np.float64]) -> dict[int, tuple[float, float]]:
    """First and last second of each track."""
    order = np.argsort(tracks.track, kind="stable")
    number, first = np.unique(tracks.track[order], return_index=True)
    if not len(number):
        return {}
    low, high = (function.reduceat(seconds[order], first) for function in (np.minimum, np.maximum))
    return {int(n): (float(a), float(b)) for n, a, b in zip(number, low, high, strict=True)}
