"""What the scoring commands share: two files of boxes in, figures out."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from common.errors import InputError
from evaluation.boxes import Boxes
from evaluation.scoring import Score
from evaluation.submission import read_submission
from evaluation.tables import score_table


def add_score_arguments(parser: argparse.ArgumentParser) -> None:
    """Add GROUND_TRUTH, PREDICTIONS and --json."""
    columns = "camera_id obj_id frame_id xmin ymin width height [xworld yworld], separated by spaces or commas"
    parser.add_argument("ground_truth", type=Path, metavar="GROUND_TRUTH", help=f"text, one box a line: {columns}")
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS", help="text of the same form (track1.txt)")
    parser.add_argument("--json", action="store_true", help="print JSON; ratios are fractions")


def read_sides(arguments: argparse.Namespace, first_frame: int = 1) -> tuple[Boxes, Boxes]:
    """Ground truth and predictions of the command line.

    Raises:
        InputError: a file is missing or malformed, or the ground truth is empty.
    """
    truth = read_submission(arguments.ground_truth, first_frame)
    if not len(truth):
        raise InputError(f"{arguments.ground_truth}: no boxes, so there is nothing to score against")
    return truth, read_submission(arguments.predictions, first_frame)


def print_score(score: Score, title: str, arguments: argparse.Namespace) -> None:
    """Write the figures to standard output, as a table or as JSON."""
    text = json.dumps(score.to_json(), indent=2) + "\n" if arguments.json else score_table(score, title)
    sys.stdout.write(text)
