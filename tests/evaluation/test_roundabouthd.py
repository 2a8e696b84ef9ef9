"""RoundaboutHD's rule gives the figures of motmetrics at IoU 0.3 on all cameras, laid one after the other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from evaluation import roundabouthd
from evaluation.boxes import Boxes
from evaluation.cityflow import score as cityflow_score
from evaluation.roundabouthd import main, score
from evaluation.submission import read_submission, write_submission

MakeScene = Callable[..., tuple[Boxes, Boxes]]
Reference = Callable[..., dict[str, float]]


@pytest.mark.parametrize("seed", range(4))
def test_figures_are_those_of_motmetrics(make_scene: MakeScene, motmetrics_figures: Reference, seed: int) -> None:
    truth, predictions = make_scene(seed, noise=12.0)
    expected = motmetrics_figures(truth, predictions, limit=0.7)
    repeated = Boxes.concatenate([predictions, predictions[::7]])
    figures = score(truth, repeated)
    for name in ("idf1", "idp", "idr", "idtp", "idfp", "idfn", "mota"):
        assert figures.figures()[name] == pytest.approx(expected[name])
    assert figures.dropped["duplicate"] == len(predictions[::7])
    assert figures.identity.idf1 > cityflow_score(truth, repeated).identity.idf1


def test_vehicles_of_one_camera_count() -> None:
    """CityFlow's rule drops them."""
    box = [[0.0, 0.0, 10.0, 10.0]]
    truth = Boxes.of([1], [5], [1], box)
    assert score(truth, Boxes.of([1], [9], [1], box)).identity.idf1 == 1
    assert cityflow_score(truth, Boxes.of([1], [9], [1], box)).identity.idf1 == 0


def test_boxes_coincide_at_an_iou_of_exactly_three_tenths() -> None:
    truth = Boxes.of([1], [5], [1], [[0, 0, 10, 10]])
    assert score(truth, Boxes.of([1], [9], [1], [[0, 0, 10, 3]])).identity.idtp == 1
    assert score(truth, Boxes.of([1], [9], [1], [[0, 0, 10, 2.9]])).identity.idtp == 0


def test_cameras_that_the_ground_truth_lacks_are_ignored() -> None:
    truth = Boxes.of([1], [5], [1], [[0, 0, 10, 10]])
    predictions = Boxes.of([1, 4], [9, 9], [1, 1], np.tile([0.0, 0, 10, 10], (2, 1)))
    result = score(truth, predictions)
    assert result.identity.idp == 1
    assert result.dropped["camera without ground truth"] == 1


def test_the_command_reads_files_that_count_from_zero(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "truth.txt").write_text("1 0 0 10 10 20.5 20 -1 -1\n2 0 5 10 10 20 20 -1 -1\n")
    (tmp_path / "mine.txt").write_text("1 4 0 10 10 20 20 -1 -1\n2 4 4 10 10 20 20 -1 -1\n")
    assert main([str(tmp_path / "truth.txt"), str(tmp_path / "mine.txt"), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["idtp"], figures["idfp"], figures["idfn"]) == (1, 1, 1)
    main([str(tmp_path / "truth.txt"), str(tmp_path / "mine.txt")])
    assert "RoundaboutHD's rule" in capsys.readouterr().out


def test_a_frame_below_zero_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("1 4 0 10 10 20 20\n1 4 -1 10 10 20 20\n")
    with pytest.raises(InputError, match=r"mine.txt:2: frame_id is -1; frames count from 0"):
        read_submission(tmp_path / "mine.txt", roundabouthd.FIRST_FRAME)


def test_a_submission_is_written_as_it_is_read(tmp_path: Path) -> None:
    boxes = Boxes.of([1], [5], [1], [[0, 0, 10, 10]])
    write_submission(tmp_path / "track1.txt", boxes, first_frame=0)
    assert (tmp_path / "track1.txt").read_text().split()[2] == "0"
    assert read_submission(tmp_path / "track1.txt", first_frame=0).frame.tolist() == [1]
