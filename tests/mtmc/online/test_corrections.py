"""How a running site hears what users know."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import InputError
from mtmc.online.corrections import (
    DIFFERENT,
    FILE,
    NOT_A_VEHICLE,
    PAGE,
    PAGE_LOG,
    SAME,
    UNDO,
    Corrected,
    Correction,
    FileConstraints,
    page_corrections,
)
from mtmc.web.correction_log import CorrectionLog

CAMERAS = ("gate", "bridge")
LINES = """
- must-link: [{camera: gate, track: 1}, {camera: bridge, track: 2}]
- cannot-link: [{camera: gate, track: 3}, {camera: bridge, track: 2}]
- not-a-vehicle: {camera: gate, track: 9}
"""


def test_the_answers_of_the_page_are_read_once_and_without_writing(tmp_path: Path) -> None:
    assert page_corrections(tmp_path, 0) == []
    log = CorrectionLog(tmp_path / PAGE_LOG)
    log.append("same", ["gate/1"], ["bridge/2", "bridge/4/300"], author="Ada")
    log.append("unsure", ["gate/1"], ["nonsense"])
    log.undo(1)
    assert page_corrections(tmp_path, 0) == [
        Correction(PAGE, 1, SAME, (("gate", 1),), (("bridge", 2), ("bridge", 4))),
        Correction(PAGE, 2, "unsure", (("gate", 1),), (("nonsense", 0),)),
        Correction(PAGE, 3, UNDO, (("gate", 1),), (("bridge", 2), ("bridge", 4)), 1),
    ]
    assert [each.seq for each in page_corrections(tmp_path, 2)] == [3]


def test_a_damaged_log_is_named(tmp_path: Path) -> None:
    (tmp_path / PAGE_LOG).parent.mkdir()
    (tmp_path / PAGE_LOG).write_text("no database, but long enough to be read as one " * 40)
    with pytest.raises(InputError, match=r"corrections.sqlite: cannot be read \(file is not a database\)"):
        page_corrections(tmp_path, 0)


def known(corrections: list[Correction], state: str = "applied") -> list[Corrected]:
    return [Corrected(each, state, "", 0.0, {}) for each in corrections]


def test_rows_of_a_file_wait_for_their_tracks_and_hold_while_they_stand_there(tmp_path: Path) -> None:
    path = tmp_path / "known.yaml"
    path.write_text(LINES)
    first = FileConstraints(path, CAMERAS, [])
    seen = {("gate", 1), ("bridge", 2)}
    told = first.ready(seen.__contains__)
    assert told == [Correction(FILE, 1, SAME, (("gate", 1),), (("bridge", 2),))]
    seen |= {("gate", 3), ("gate", 9)}
    told += first.ready(seen.__contains__)
    assert [(each.seq, each.kind) for each in told] == [(1, SAME), (2, DIFFERENT), (3, NOT_A_VEHICLE)]
    assert first.ready(seen.__contains__) == []

    again = FileConstraints(path, CAMERAS, known(told))
    assert again.ready(seen.__contains__) == []
    refused = FileConstraints(path, CAMERAS, known(told[:1]) + known(told[1:], "refused"))
    assert [each.kind for each in refused.ready(seen.__contains__)] == [DIFFERENT, NOT_A_VEHICLE]
    path.write_text(LINES.split("\n- not")[0])
    less = FileConstraints(path, CAMERAS, known(told))
    assert less.ready(seen.__contains__) == [Correction(FILE, 4, UNDO, (("gate", 9),), (), 3)]
    assert [each.undoes for each in FileConstraints(None, CAMERAS, known(told)).ready(seen.__contains__)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("- not-a-vehicle: {camera: gat, track: 9}", "known.yaml:1: there is no camera gat; did you mean gate"),
        (
            "- not-a-vehicle: {camera: gate, frame: 3, point: [1, 2]}",
            "known.yaml:1: a track of a live site is named by",
        ),
        ("- must-lnk: []", "known.yaml:1: unknown constraint 'must-lnk'"),
    ],
)
def test_wrong_rows_are_refused_with_their_line(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "known.yaml"
    path.write_text(line)
    with pytest.raises(InputError, match=message):
        FileConstraints(path, CAMERAS, [])
