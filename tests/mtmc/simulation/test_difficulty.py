"""What the figures of difficulty mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from common.errors import InputError
from detection.detections import Detections
from mtmc.simulation.difficulty import count_detections, look_alikes, main, read_visible


class Recall:
    """Returns a camera's true boxes, or none; frames are asked for one by one, every tenth."""

    def __init__(self, table: npt.NDArray[np.float64], blind: bool) -> None:
        self._table, self._blind, self._frame = table, blind, 1

    @property
    def key(self) -> str:
        return "test"

    def detect(self, frames: Sequence[npt.NDArray[np.uint8]]) -> list[Detections]:
        assert len(frames) == 1
        rows = self._table[self._table[:, 0] == self._frame]
        self._frame += 10
        box = rows[:, 2:6] if not self._blind else np.zeros((0, 4))
        return [Detections.of(np.ones(len(box)), box)]


def test_a_perfect_detector_finds_all_and_a_blind_one_nothing(small_scenario: Path) -> None:
    camera = small_scenario / "validation" / "sim-tiny" / "c041"
    table = read_visible(camera)
    perfect = count_detections([camera], Recall(table, False), 10)
    assert perfect.annotated > 0
    assert perfect.annotated_found == perfect.annotated
    assert perfect.tall_found == perfect.tall
    assert perfect.boxes_right == perfect.boxes == np.isin(table[:, 0], (1, 11, 21)).sum()
    blind = count_detections([camera], Recall(table, True), 10)
    assert (blind.annotated, blind.annotated_found, blind.boxes) == (perfect.annotated, 0, 0)


def test_look_alikes_share_model_and_paint(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("# identity look-alikes model paint\n1 0 7 white\n2 0 7 white\n3 -1 7 black\n4 -1 8 white\n")
    assert look_alikes(path) == (2, 4)


def test_the_command_prints_the_figures(
    small_scenario: Path, small_reid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--scenario", str(small_scenario / "validation" / "sim-tiny"), "--reid", str(small_reid)]) == 0
    printed = capsys.readouterr().out
    assert "scenario (simulated) sim-tiny" in printed
    assert "mAP of colour histograms" in printed
    assert printed.count("vehicles with a look-alike") == 2


def test_nothing_to_measure_is_a_mistake() -> None:
    with pytest.raises(InputError, match="nothing to measure"):
        main([])
