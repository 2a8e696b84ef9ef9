"""Detections from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from detection.det_files import find_det_file, read_detections


@pytest.fixture
def camera(tmp_path: Path) -> Path:
    """A camera's folder in CityFlow's layout."""
    folder = tmp_path / "S06" / "c041"
    (folder / "det").mkdir(parents=True)
    (folder / "det" / "det_ssd512.txt").write_text(
        "2,-1,10,10,20,20,0.4,-1,-1,-1\n1,-1,10,10,20,20,0.9,-1,-1,-1\n1,-1,11,10,20,20,0.8,-1,-1,-1\n"
        "1,-1,50,10,0,20,0.8,-1,-1,-1\n3,-1,50,10,9,20,-1,-1,-1,-1\n"
    )
    return folder


def test_rows_in_the_order_of_frames_without_empty_boxes(camera: Path) -> None:
    found = read_detections(find_det_file(camera, "c041", "ssd512"))
    assert found.frame.tolist() == [1, 1, 2, 3]
    np.testing.assert_allclose(found.score, [0.9, 0.8, 0.4, 1.0])
    assert set(found.label.tolist()) == {-1}


def test_threshold_and_suppression(camera: Path) -> None:
    path = find_det_file(camera, "c041", "ssd512")
    assert read_detections(path, score=0.5).frame.tolist() == [1, 1, 3]
    distinct = read_detections(path, nms_iou=0.5)
    assert distinct.frame.tolist() == [1, 2, 3]
    np.testing.assert_allclose(distinct.score, [0.9, 0.4, 1.0])


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "c041.txt").write_text("")
    assert len(read_detections(tmp_path / "c041.txt", nms_iou=0.5)) == 0


def test_a_folder_with_one_file_a_camera(tmp_path: Path, camera: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "c041.txt").write_text("1,-1,1,1,5,5,1\n")
    assert find_det_file(camera, "c041", str(tmp_path / "mine")) == tmp_path / "mine" / "c041.txt"
    with pytest.raises(InputError, match=r"c042\.txt: no detections of c042; did you mean c041\.txt"):
        find_det_file(camera, "c042", str(tmp_path / "mine"))


def test_unknown_name_lists_what_is_there(camera: Path) -> None:
    with pytest.raises(InputError, match=r"no detections 'ssd51'.*did you mean ssd512"):
        find_det_file(camera, "c041", "ssd51")


def test_scores_that_are_no_confidences(tmp_path: Path) -> None:
    (tmp_path / "c041.txt").write_text("1,-1,1,1,5,5,0.5\n4,-1,1,1,5,5,87\n")
    with pytest.raises(InputError, match=r"c041\.txt: score 87 in frame 4"):
        read_detections(tmp_path / "c041.txt")
    (tmp_path / "c041.txt").write_text("1,-1,1,1,5,5,1.0000002\n")
    assert read_detections(tmp_path / "c041.txt").score.tolist() == [1.0]
