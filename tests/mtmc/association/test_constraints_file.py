"""Files of constraints: what can be written, and the line of every mistake."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from mtmc.association.constraints import Constraints, TrackName
from mtmc.association.constraints_file import read_constraints, write_constraints

YAML = """# seen in the report
- must-link: [{camera: c041, track: 12}, {camera: c042, track: 7}]

- cannot-link:
    - {camera: c041, track: 3}
    - {camera: c043, frame: 250, point: [640, 380.5]}
- not-a-vehicle: {camera: c045, track: 9, frame: 3}
"""
JSON = """{"must-link": [{"camera": "c041", "track": 12}, {"camera": "c042", "track": 7}]}

{"cannot-link": [{"camera": "c041", "track": 3}, {"camera": "c043", "frame": 250, "point": [640, 380.5]}]}
{"not-a-vehicle": [{"camera": "c045", "track": 9, "frame": 3}]}
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "known.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(("text", "lines"), [(YAML, [2, 4, 7]), (JSON, [1, 3, 4])])
def test_yaml_and_json_lines_say_the_same(tmp_path: Path, text: str, lines: list[int]) -> None:
    found = read_constraints(written(tmp_path, text))
    assert found.kind.tolist() == [0, 1, 2]
    assert found.names(0) == (TrackName("c041", 12), TrackName("c042", 7))
    assert found.names(1) == (TrackName("c041", 3), TrackName("c043", 0, 250, (640.0, 380.5)))
    assert found.names(2) == (TrackName("c045", 9, 3),)
    assert found.line.tolist() == lines


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    names = [TrackName("yes", 1), TrackName("12", 2), TrackName("a: b", 0, 3, (1.25, 7.0))]
    given = Constraints.concatenate([Constraints.must_link(*names), Constraints.not_a_vehicle(names[2])])
    path = tmp_path / "known.yaml"
    write_constraints(path, given)
    found = read_constraints(path)
    for column in ("kind", "camera", "track", "frame", "point"):
        assert np.array_equal(getattr(found, column), getattr(given, column), equal_nan=column == "point"), column
    write_constraints(path, Constraints.empty())
    assert len(read_constraints(path)) == 0


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("must-link: [1]", ":1: must be a list"),
        ("- must-lnk: []", ":1: unknown constraint 'must-lnk'; did you mean must-link?"),
        ("\n- must-link: [{camera: a, track: 1}]", ":2: must-link: must be a list of at least two tracks"),
        ("- not-a-vehicle: []", ":1: not-a-vehicle: names no track"),
        ("- not-a-vehicle: {camera: a, tracks: 1}", "unknown key 'tracks'; did you mean track?"),
        ("- not-a-vehicle: {track: 1}", "'camera' must be a camera's name, not None"),
        ("- not-a-vehicle: {camera: a, track: 0}", "'track' must be a number from 1, not 0"),
        ("- not-a-vehicle: {camera: a}", "a track is named by camera and track, or by camera, frame and point"),
        ("- not-a-vehicle: {camera: a, point: [1, 2]}", "'frame' is missing beside 'point'"),
        ("- not-a-vehicle: {camera: a, frame: 1, point: [1, .nan]}", r"'point' must be \[x, y\] in pixels"),
        ("- not-a-vehicle: 7", "a track must be {camera: NAME, track: NUMBER}, not 7"),
        ("- 7", "must be one of must-link, cannot-link, not-a-vehicle"),
        ("- [", "cannot be read as YAML"),
        ('{"must-link": [\n', ":1: must be one JSON object"),
    ],
)
def test_a_mistake_is_named_in_one_line(tmp_path: Path, text: str, error: str) -> None:
    with pytest.raises(InputError, match=error) as caught:
        read_constraints(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file of constraints"):
        read_constraints(tmp_path / "none.yaml")
    path = tmp_path / "known.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        read_constraints(path)
