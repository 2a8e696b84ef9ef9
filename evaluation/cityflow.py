"""The AI City Challenge's official scoring of multi-camera vehicle tracking, as functions and as a command.

python -m evaluation.cityflow GROUND_TRUTH PREDICTIONS [--roi-dir DIR [--split test]] [--json]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from common.command_line import run_command
from common.errors import InputError
from evaluation.boxes import Boxes
from evaluation.roi import outside_roi, read_rois
from evaluation.score_command import add_score_arguments, print_score, read_sides
from evaluation.scoring import Score, score_boxes


def score(truth: Boxes, predictions: Boxes, rois: Mapping[int, npt.NDArray[np.uint8]] | None = None) -> Score:
    """Score predictions by the challenge's rules (the steps of its `eval.py`, in that order).

    1. A predicted box with a corner outside the region of interest is dropped.
    2. Predicted identities that are left in one camera only are dropped.
    3. Of several boxes with the same (camera, identity, frame) the first is kept.
    4. The cameras are put on one time axis; predicted cameras that the ground truth lacks are ignored.
    5. Boxes coincide at IoU >= 0.5; identities are the same vehicle in all cameras.

    The ground truth is taken as it is. The figures of each camera are computed after steps 1 to 3 as well.

    Args:
        truth: ground truth.
        predictions: what to score.
        rois: (h, w) uint8 per predicted camera, 255 is inside; None skips step 1.

    Raises:
        InputError: a predicted camera has no region of interest.
    """
    return score_filtered(truth, *filter_predictions(predictions, rois))


def score_filtered(truth: Boxes, kept: Boxes, dropped: Mapping[str, int]) -> Score:
    """Steps 4 and 5 of `score`, for predictions that `filter_predictions` has gone through."""
    foreign = int((~np.isin(kept.camera, truth.camera)).sum())
    return score_boxes(truth, kept, {**dropped, "camera without ground truth": foreign})


def filter_predictions(
    predictions: Boxes, rois: Mapping[int, npt.NDArray[np.uint8]] | None = None
) -> tuple[Boxes, dict[str, int]]:
    """Steps 1 to 3 of `score`: the predictions that count, and how many boxes were dropped for which reason."""
    dropped: dict[str, int] = {}
    kept = predictions
    if rois is not None:
        kept = kept[~outside_roi(kept, rois)]
        dropped["outside the region of interest"] = len(predictions) - len(kept)
    before = len(kept)
    kept = kept[_in_several_cameras(kept)]
    dropped["identity in one camera only"] = before - len(kept)
    before = len(kept)
    kept = kept.without_duplicates()
    dropped["duplicate"] = before - len(kept)
    return kept, dropped


def _in_several_cameras(boxes: Boxes) -> npt.NDArray[np.bool_]:
    """(n,) whether the box's identity is seen by more than one camera."""
    _, identity = np.unique(boxes.identity, return_inverse=True)
    cameras, camera = np.unique(boxes.camera, return_inverse=True)
    seen = np.unique(identity * max(len(cameras), 1) + camera)
    count = np.bincount(seen // max(len(cameras), 1))
    several: npt.NDArray[np.bool_] = count[identity] > 1
    return several


def main(argv: Sequence[str] | None = None) -> int:
    """Read two files, score them, print the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.cityflow", description="Score a submission by the AI City Challenge's rules."
    )
    add_score_arguments(parser)
    parser.add_argument(
        "--roi-dir",
        type=Path,
        metavar="DIR",
        help="folder with [SPLIT/][SCENARIO/]c041/roi.jpg; without it no box is outside",
    )
    parser.add_argument("--split", metavar="NAME", help="the folder in DIR: train, validation or test")
    arguments = parser.parse_args(argv)
    if arguments.split is not None and arguments.roi_dir is None:
        raise InputError("--split: it names a folder in --roi-dir, which is not given")
    truth, predictions = read_sides(arguments)
    rois = None
    if arguments.roi_dir is not None:
        folder = arguments.roi_dir / arguments.split if arguments.split else arguments.roi_dir
        rois = read_rois(folder, np.unique(predictions.camera).tolist())
    result = score(truth, predictions, rois)
    print_score(result, "with regions of interest" if rois else "without regions of interest", arguments)
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
