"""MOTChallenge text: what is read, what is refused with file and line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.errors import InputError
from detection.mot_text import MotTable, read_mot, write_mot


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "boxes.txt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "1,-1,10,20.5,30,40,0.9,-1,-1,-1\n2,7,1e1,-5,3,4,1,-1,-1,-1\n",
        "1 -1 10 20.5 30 40 0.9 -1\n2\t7  10 -5 3 4 1 -1",
        "\ufeff1, -1, 10, 20.5, 30, 40, 0.9\r\n\r\n2, 7, 10, -5, 3, 4, 1\r\n",
        "1,-1,10,20.5,30,40,0.9,-1,-1,-1\n2,7,10,-5,3,4\n",
        "1;-1;10;20,5;30;40;0,9;-1\r2;7;10;-5;3;4;1;-1\r",
        "1\t-1\t10\t20,5\t30\t40\t0,9\n2\t7\t10\t-5\t3\t4\t1\n",
    ],
)
def test_reads_the_dialects(tmp_path: Path, text: str) -> None:
    table = read_mot(written(tmp_path, text))
    assert table.frame.tolist() == [1, 2] and table.id.tolist() == [-1, 7]
    np.testing.assert_allclose(table.box, np.array([[10, 20.5, 30, 40], [10, -5, 3, 4]]))
    np.testing.assert_allclose(table.score, [0.9, 1.0])
    dtypes = [column.dtype.name for column in (table.frame, table.id, table.box, table.score)]
    assert dtypes == ["int32", "int32", "float32", "float32"]


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_empty_file_is_an_empty_table(tmp_path: Path, text: str) -> None:
    assert len(read_mot(written(tmp_path, text))) == 0


def test_six_columns_score_one(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_mot(written(tmp_path, "1,2,3,4,5,6\n2,2,3,4,5,6\n")).score, [1, 1])


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("3,1,2,3", "4 columns"),
        ("3,-1,100,50,40,40,0,9,-1,-1,-1", "11 columns, at most 10 .* semicolons"),
        ("3,1,2,3,x,5,1", "width is 'x'"),
        ("3,1,2,,4,5,1", "top is ''"),
        ("3,1,2,3,nan,5,1", "width is not a finite number"),
        ("3,1,2,3,4,5,inf", "score is not a finite number"),
        ("3,1,2,3,4e40,5,1", "width is not a finite number"),
        ("0,1,2,3,4,5,1", "frames count from 1"),
        ("2.5,1,2,3,4,5,1", "frame is 2.5, not a whole number"),
        ("3,1.5,2,3,4,5,1", "id is 1.5, not a whole number"),
        ("3,99999999999,2,3,4,5,1", "id is 1e\\+11, not a whole number"),
    ],
)
def test_malformed_row_is_named_with_its_line(tmp_path: Path, row: str, fault: str) -> None:
    path = written(tmp_path, f"1,1,2,3,4,5,1\n\n{row}\n4,1,2,3,4,5,1\n")
    with pytest.raises(InputError, match=rf"boxes\.txt:3: .*{fault}") as caught:
        read_mot(path)
    assert "\n" not in str(caught.value)


def test_file_that_is_not_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a text file"):
        read_mot(written(tmp_path, b"\xff\xfe\x00\x81" * 10))


def test_missing_file_names_the_nearest(tmp_path: Path) -> None:
    written(tmp_path, "")
    with pytest.raises(InputError, match=r"box\.txt: no such file of boxes; did you mean boxes\.txt"):
        read_mot(tmp_path / "box.txt")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(
            st.integers(1, 10**6),
            st.integers(-1, 10**6),
            *[st.floats(-5000, 5000, width=32)] * 4,
            st.floats(0, 1, width=32),
        )
    )
)
def test_what_is_written_is_read_back(tmp_path: Path, rows: list[tuple[float, ...]]) -> None:
    data = np.array(rows, np.float64).reshape(-1, 7)
    table = MotTable.of(data[:, 0], data[:, 1], data[:, 2:6], data[:, 6])
    write_mot(tmp_path / "t.txt", table)
    back = read_mot(tmp_path / "t.txt")
    np.testing.assert_array_equal(back.frame, table.frame)
    np.testing.assert_array_equal(back.id, table.id)
    np.testing.assert_allclose(back.box, table.box, atol=6e-3)
    np.testing.assert_allclose(back.score, table.score, atol=6e-5)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = written(tmp_path, "1,2,3,4,5,6,1\n")
    broken = MotTable.of([1], [1], [[1, 2, 3, 4]])
    object.__setattr__(broken, "score", np.ones(2, np.float32))
    with pytest.raises(ValueError):
        write_mot(path, broken)
    assert len(read_mot(path)) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["boxes.txt"]
