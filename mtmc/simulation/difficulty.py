"""python -m mtmc.simulation.difficulty: are simulated vehicles detected, and are they hard to tell apart?"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from common.boxes import iou
from common.command_line import run_command
from common.errors import InputError
from detection.detections import Detections
from detection.detector import Detector
from detection.loading import load_detector
from detection.video import open_video
from evaluation.ranking import Ranking, find_matches, rank

MIN_HEIGHT = 40
"""Minimum height in pixels of the vehicles in the detector test."""
MIN_UNOCCLUDED = 0.9
"""Minimum visible fraction of the silhouette, and fraction inside the image, of an unoccluded vehicle."""


@dataclass(frozen=True, slots=True)
class DetectionCounts:
    """Counts of a detector: recall on tall unoccluded and on all annotated vehicles, and precision."""

    tall: int
    tall_found: int
    annotated: int
    annotated_found: int
    boxes: int
    boxes_right: int

    def text(self) -> str:
        """A summary of three lines."""
        return (
            f"recall, unoccluded and taller than {MIN_HEIGHT} px: {_share(self.tall_found, self.tall)}\n"
            f"recall, all annotated: {_share(self.annotated_found, self.annotated)}\n"
            f"precision: {_share(self.boxes_right, self.boxes)}\n"
        )


def count_detections(cameras: Sequence[Path], detector: Detector, every: int) -> DetectionCounts:
    """Compare a detector's boxes with the vehicles in `gt/visible.txt` at IoU 0.5.

    Args:
        cameras: camera folders of a simulated scenario.
        detector: the detector to test.
        every: use every n-th frame.
    """
    counts = np.zeros(6, np.int64)
    for camera in cameras:
        table = read_visible(camera)
        for number, frame in open_video(camera / "vdo.avi").frames(step=every):
            counts += _compare(table[table[:, 0] == number], detector.detect([frame])[0])
    return DetectionCounts(*(int(c) for c in counts))


def colour_ranking(root: Path) -> Ranking:
    """Rank a re-id set in VeRi-776's layout by HSV histograms with 8 bins per channel (Hellinger distance)."""
    query, query_identity, query_camera = _histograms(root / "image_query")
    gallery, identity, camera = _histograms(root / "image_test")
    return rank(query, gallery, find_matches(query_identity, identity, query_camera, camera))


def look_alikes(path: Path) -> tuple[int, int]:
    """Count the vehicles in a `simulated_vehicles` file that share model and paint with another, and all of them."""
    if not path.is_file():
        raise InputError(f"{path}: file not found; simulate the data with python -m mtmc.simulate")
    rows = [line.split() for line in path.read_text().splitlines() if not line.startswith("#")]
    kinds = [(model, paint) for _, _, model, paint in rows]
    return sum(kinds.count(kind) > 1 for kind in kinds), len(kinds)


def read_visible(camera: Path) -> npt.NDArray[np.float64]:
    """`gt/visible.txt`: (n, 9) float64 frame, id, left, top, width, height, visible, inside, label."""
    path = camera / "gt" / "visible.txt"
    if not path.is_file():
        raise InputError(f"{path}: file not found; simulate the scenario with python -m mtmc.simulate")
    rows = [line.split(",") for line in path.read_text().splitlines()]
    return np.array(rows, np.float64).reshape(-1, 9)


def _compare(truth: npt.NDArray[np.float64], found: Detections) -> npt.NDArray[np.int64]:
    overlap: npt.NDArray[np.bool_] = np.greater_equal(iou(truth[:, None, 2:6], found.box[None].astype(np.float64)), 0.5)
    hit = np.logical_or.reduce(overlap, axis=1)
    clear = (truth[:, 6] >= MIN_UNOCCLUDED) & (truth[:, 7] >= MIN_UNOCCLUDED) & (truth[:, 5] > MIN_HEIGHT)
    annotated = (truth[:, 6] >= 0.35) & (truth[:, 4:6] >= 20).all(1)
    right: npt.NDArray[np.bool_] = np.logical_or.reduce(overlap, axis=0)
    return np.array(
        [clear.sum(), hit[clear].sum(), annotated.sum(), hit[annotated].sum(), len(right), right.sum()], np.int64
    )


def _histograms(folder: Path) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    paths = sorted(folder.glob("*.jpg"))
    if not paths:
        raise InputError(f"{folder}: no images; create a set with python -m mtmc.simulate --reid --output DIR")
    rows = []
    for path in paths:
        hsv = cv2.cvtColor(np.asarray(cv2.imread(str(path))), cv2.COLOR_BGR2HSV)
        histogram = cv2.calcHist([hsv], [0, 1, 2], None, [8, 8, 8], [0, 180, 0, 256, 0, 256]).ravel()
        rows.append(np.sqrt(histogram / histogram.sum()))
    identity = np.array([int(p.name[:4]) for p in paths], np.int64)
    camera = np.array([int(p.name[6:9]) for p in paths], np.int64)
    return np.array(rows, np.float32), identity, camera


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole}" + (f", {part / whole:.1%}" if whole else "")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m mtmc.simulation.difficulty", description=__doc__)
    parser.add_argument(
        "--scenario", type=Path, help="folder of a simulated scenario, for example DIR/validation/sim-S06"
    )
    parser.add_argument("--weights", help="weights of a detector, for example a COCO-trained YOLO11n")
    parser.add_argument(
        "--image-size", type=int, default=640, help="input size of the detector in pixels (default: 640)"
    )
    parser.add_argument("--every", type=int, default=15, help="use every n-th frame (default: 15)")
    parser.add_argument("--reid", type=Path, help="folder of a simulated re-id set")
    arguments = parser.parse_args(argv)
    if not arguments.scenario and not arguments.reid:
        raise InputError("nothing to measure: name --scenario DIR --weights FILE, or --reid DIR, or both")
    if arguments.scenario:
        _scenario(arguments.scenario, arguments.weights, arguments.image_size, arguments.every)
    if arguments.reid:
        ranking = colour_ranking(arguments.reid)
        if not ranking.queries:
            raise InputError(f"--reid {arguments.reid}: no query has a match in image_test; simulate more identities")
        sys.stdout.write(f"re-id set (simulated) {arguments.reid.name}\n")
        sys.stdout.write(
            f"mAP of colour histograms: {ranking.mean_average_precision:.1%} over {ranking.queries} queries\n"
        )
        sys.stdout.write(
            f"vehicles with a look-alike: {_share(*look_alikes(arguments.reid / 'simulated_vehicles.txt'))}\n"
        )
    return 0


def _scenario(folder: Path, weights: str | None, image_size: int, every: int) -> None:
    cameras = sorted(path.parent for path in folder.glob("*/vdo.avi"))
    if not cameras:
        raise InputError(f"--scenario {folder}: contains no <camera>/vdo.avi")
    sys.stdout.write(f"scenario (simulated) {folder.name}\n")
    listed = folder.parent.parent / "simulated_vehicles" / f"{folder.name}.txt"
    sys.stdout.write(f"vehicles with a look-alike: {_share(*look_alikes(listed))}\n")
    if weights:
        detector = load_detector(weights, device="cpu", image_size=image_size)
        sys.stdout.write(f"detector {Path(weights).name}, confidence .25, every {every} frames\n")
        sys.stdout.write(count_detections(cameras, detector, every).text())


if __name__ == "__main__":
    raise SystemExit(run_command(main))
