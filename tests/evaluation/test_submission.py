"""Reading and writing track1.txt; errors name the line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from evaluation.boxes import Boxes
from evaluation.submission import read_submission, write_submission


def test_what_is_written_is_read_again_sorted(tmp_path: Path) -> None:
    boxes = Boxes.of([42, 41, 41], [1, 2, 1], [5, 1, 7], [[1.4, 2.6, 10, 10], [-3, 0, 5, 5.2], [1, 1, 0.2, 4]])
    path = tmp_path / "run" / "track1.txt"
    write_submission(path, boxes)
    assert path.read_text() == "41 1 7 1 1 1 4 -1 -1\n41 2 1 -3 0 5 5 -1 -1\n42 1 5 1 3 10 10 -1 -1\n"
    again = read_submission(path)
    assert again.camera.tolist() == [41, 41, 42]
    assert again.identity.tolist() == [1, 2, 1]
    assert again.frame.tolist() == [7, 1, 5]
    assert again.box.tolist() == [[1, 1, 1, 4], [-3, 0, 5, 5], [1, 3, 10, 10]]
    assert [entry.name for entry in path.parent.iterdir()] == ["track1.txt"]


def test_a_failed_write_leaves_the_earlier_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "track1.txt"
    write_submission(path, Boxes.of(41, [1], [1], [[1, 1, 5, 5]]))
    before = path.read_text()

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_submission(path, Boxes.empty())
    assert path.read_text() == before
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "text",
    [
        "41 7 3 1.5 2 30 40 -1 -1\n",
        "41 7 3 1.5 2 30 40\n",
        "41,7,3,1.5,2,30,40,-1,-1\n",
        "41, 7, 3, 1.5, 2, 30, 40\r\n",
        "\ufeff41\t7\t3.0\t1.5 2 30 40 42.49 -90.7\n\n",
    ],
)
def test_forms_that_are_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "track1.txt"
    path.write_text(text, encoding="utf-8")
    boxes = read_submission(path)
    assert (boxes.camera[0], boxes.identity[0], boxes.frame[0]) == (41, 7, 3)
    assert boxes.box.tolist() == [[1.5, 2, 30, 40]]


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("41 7 3 1 2 30", "6 columns"),
        ("41 7 3 1 2 30 40 1 2 3 4", "11 columns"),
        ("41 7 3 1 2 30 forty -1 -1", "height.*forty"),
        ("41 7 3 1 2 30 40 -1 west", "yworld.*west"),
        ("41 7 3 1 2 30 nan -1 -1", "finite"),
        ("41 7 3 inf 2 30 40 -1 -1", "finite"),
        ("41 7 3 1e30 2 30 40 -1 -1", "below 1e"),
        ("41 7 3 1 2 0 40 -1 -1", "width and height"),
        ("41 7 3 1 2 30 -4 -1 -1", "width and height"),
        ("41 7 0 1 2 30 40 -1 -1", "frames count from 1"),
        ("41.5 7 3 1 2 30 40 -1 -1", "camera_id.*41.5"),
        ("41 nan 3 1 2 30 40 -1 -1", "obj_id.*nan"),
        ("41 7 3 1 2 30 40", "7 columns where line 1 has 9"),
    ],
)
def test_a_wrong_line_is_named_with_its_number(tmp_path: Path, line: str, named: str) -> None:
    path = tmp_path / "track1.txt"
    path.write_text(f"41 7 1 1 2 30 40 -1 -1\n\n{line}\n")
    with pytest.raises(InputError, match=f"track1.txt:3: .*({named})"):
        read_submission(path)


def test_text_of_one_camera_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "gt.txt"
    path.write_text("1,7,1,2,30,40,1,-1,-1,-1\n2,7,1,2,30,40,1,-1,-1,-1\n")
    with pytest.raises(InputError, match="no camera column"):
        read_submission(path)


def test_files_that_are_not_there_or_not_text(tmp_path: Path) -> None:
    (tmp_path / "video.avi").write_bytes(b"RIFF\xff\xfe\x00")
    with pytest.raises(InputError, match=r"video\.avi: this is not text"):
        read_submission(tmp_path / "video.avi")
    with pytest.raises(InputError, match=r"did you mean video\.avi"):
        read_submission(tmp_path / "vidoe.avi")
    with pytest.raises(InputError, match="this is a folder"):
        read_submission(tmp_path)
    with pytest.raises(InputError, match="missing"):
        read_submission(tmp_path / "missing" / "deeper" / "track1.txt")


def test_an_empty_file_has_no_boxes(tmp_path: Path) -> None:
    (tmp_path / "track1.txt").write_text("\n")
    assert len(read_submission(tmp_path / "track1.txt")) == 0


@pytest.mark.parametrize(
    ("frame", "box"), [(0, [0, 0, 1, 1]), (1, [0, 0, 0, 1]), (1, [0, np.nan, 1, 1]), (1, [np.inf, 0, 1, 1])]
)
def test_boxes_made_in_memory_are_checked_too(frame: int, box: list[float]) -> None:
    with pytest.raises(InputError, match="row 1"):
        Boxes.of(1, [1, 1], [1, frame], [[0, 0, 1, 1], box])
