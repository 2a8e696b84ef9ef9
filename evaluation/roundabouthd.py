"""RoundaboutHD's scoring of multi-camera vehicle tracking (arXiv 2507.08729), as a function and as a command.

python -m evaluation.roundabouthd GROUND_TRUTH PREDICTIONS [--json]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import numpy as np

from common.command_line import run_command
from evaluation.boxes import Boxes
from evaluation.score_command import add_score_arguments, print_score, read_sides
from evaluation.scoring import Score, score_boxes

NAME = "roundabouthd"
"""The rule's name in files of figures."""
MAX_DISTANCE = 0.7
"""Boxes coincide up to this 1 - IoU: the data set's choice (CityFlow's is 0.5). Raising it accepts looser boxes."""
FIRST_FRAME = 0
"""Frames in the data set's files of all cameras count from here."""


def score(truth: Boxes, predictions: Boxes) -> Score:
    """Score predictions by the rule of RoundaboutHD's `eval_label.py`.

    It differs from CityFlow's (`evaluation.cityflow.score`): there is no region of interest, identities that only one
    camera sees count, and boxes coincide at IoU >= 0.3. As there, repeats of (camera, identity, frame) are dropped, the
    cameras are laid one after the other on one time axis, each as long as its larger last frame of both sides, and
    predicted cameras that the ground truth lacks are ignored.

    The data set's script counts frames from 0 and so puts the last frame of a camera and the first of the next on the
    same time; here every frame has its own, so that no box is compared with one of another camera.

    Args:
        truth: ground truth, which holds only vehicles that several cameras see.
        predictions: what to score.

    >>> truth = Boxes.of([1, 2], [7, 7], [1, 1], [[0, 0, 10, 10], [0, 0, 10, 10]])
    >>> predicted = Boxes.of([1, 2], [3, 3], [1, 1], [[0, 0, 10, 4], [0, 0, 10, 2]])
    >>> score(truth, predicted).identity.idf1
    0.5
    """
    kept = predictions.without_duplicates()
    dropped = {
        "duplicate": len(predictions) - len(kept),
        "camera without ground truth": int((~np.isin(kept.camera, truth.camera)).sum()),
    }
    return score_boxes(truth, kept, dropped, distance=MAX_DISTANCE)


def main(argv: Sequence[str] | None = None) -> int:
    """Read two files, score them, print the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.roundabouthd",
        description="Score multi-camera tracks by RoundaboutHD's rule. Frames in both files count from 0.",
    )
    add_score_arguments(parser)
    arguments = parser.parse_args(argv)
    truth, predictions = read_sides(arguments, FIRST_FRAME)
    print_score(score(truth, predictions), "RoundaboutHD's rule", arguments)
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
