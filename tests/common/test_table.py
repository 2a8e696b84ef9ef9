"""Tables keep their columns together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
import pytest

from common.table import Table, Width


@dataclass(frozen=True, slots=True)
class Passages(Table):
    number: npt.NDArray[np.int32]
    box: Annotated[npt.NDArray[np.float32], Width(4)]
    vector: Annotated[npt.NDArray[np.float64], Width(None)]
    name: npt.NDArray[np.object_]


def some(n: int) -> Passages:
    return Passages._of(range(n), np.arange(4 * n), np.ones((n, 3)), np.array([f"v{i}" for i in range(n)], object))


def test_values_are_converted_to_the_dtypes_and_shapes_of_the_columns() -> None:
    table = some(2)
    assert [c.dtype for c in (table.number, table.box, table.vector, table.name)] == [np.int32, "f4", "f8", object]
    assert table.box.shape == (2, 4) and table.vector.shape == (2, 3)


def test_one_number_stands_for_all_rows() -> None:
    table = Passages._of(7, np.zeros((3, 4)), np.zeros((3, 2)), np.array(["a", "b", "c"], object))
    assert table.number.tolist() == [7, 7, 7]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (np.array([True, False, True]), [0, 2]),
        (np.array([2, 0, 2]), [2, 0, 2]),
        (slice(1, None), [1, 2]),
        (np.zeros(0, int), []),
    ],
)
def test_rows_are_selected_in_every_column(rows: npt.NDArray[np.int64] | slice, expected: list[int]) -> None:
    chosen = some(3)[rows]
    assert type(chosen) is Passages
    assert chosen.number.tolist() == expected
    assert chosen.name.tolist() == [f"v{i}" for i in expected]
    assert chosen.box[:, 0].tolist() == [4 * i for i in expected]


def test_tables_are_joined_in_their_order() -> None:
    joined = Passages.concatenate([some(2), some(1)])
    assert joined.name.tolist() == ["v0", "v1", "v0"] and len(joined) == 3


def test_an_empty_table_has_the_shapes_and_types_of_a_full_one() -> None:
    for empty in (Passages.empty(), Passages.concatenate([])):
        assert len(empty) == 0 and empty.box.shape == (0, 4) and empty.number.dtype == np.int32


@pytest.mark.parametrize(
    "columns",
    [
        (np.zeros(2, np.int32), np.zeros((3, 4), np.float32), np.zeros((2, 3)), np.zeros(2, object)),
        (np.zeros(2, np.int32), np.zeros((2, 3), np.float32), np.zeros((2, 3)), np.zeros(2, object)),
        (np.zeros(2, np.int32), np.zeros((2, 4), np.float32), np.zeros(2), np.zeros(2, object)),
    ],
)
def test_columns_that_do_not_match_are_rejected(columns: tuple[npt.NDArray[np.float64], ...]) -> None:
    with pytest.raises(ValueError, match="differ in length"):
        Passages(*columns)
