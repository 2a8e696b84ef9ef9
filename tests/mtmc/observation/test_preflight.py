"""Given boxes are checked against the clip."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import InputError
from mtmc.observation.preflight import check_boxes
from mtmc.scenarios.clock import Clock
from mtmc.scenarios.scenario import Camera

CAMERA = Camera("c1", 1, 10.0, 640, 360, 100, Clock.uniform(10.0))


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("3,1,5,5,0,40,1", r"boxes\.txt:4: the box is 0 x 40 pixels"),
        ("111,1,5,5,40,40,1", r"boxes\.txt:4: frame 111 is beyond the 100 frames of camera c1"),
        ("3,1,1500,5,40,40,1", r"boxes\.txt:4: the box at 1500, 5 lies outside the picture of camera c1 \(640 x 360\)"),
    ],
)
def test_boxes_that_do_not_fit_are_named_with_their_line(tmp_path: Path, row: str, fault: str) -> None:
    path = tmp_path / "boxes.txt"
    path.write_text(f"1,1,5,5,40,40,1\n\n2,1,5,5,40,40,1\n{row}\n")
    with pytest.raises(InputError, match=fault):
        check_boxes(path, CAMERA)


def test_output_of_detectors_and_trackers_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "boxes.txt"
    rows = [f"{f},1,5,5,40,40,1" for f in range(1, 100)]
    path.write_text("\n".join([*rows, "101,1,5,5,40,40,1", "50,2,641,10,20,20,1", "51,3,10,10,0,0,0.5"]))
    assert len(check_boxes(path, CAMERA, flat_allowed=True)) == 102
