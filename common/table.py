"""Tables: columns of equal length as arrays, one row per item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, NamedTuple, Self, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.bool_] | npt.NDArray[np.integer] | slice
"""A selection of rows: a mask, row numbers, or a slice."""


class Width(NamedTuple):
    """Marks a column that holds several values per row.

    Attributes:
        values: how many; None: any number, the same in every row of a table.
    """

    values: int | None


@dataclass(frozen=True, slots=True)
class Table:
    """Base class of tables. A subclass is a frozen dataclass whose fields, with annotated types, are its columns.

    Columns must have as many rows as the first one; a constructor takes them as they are, `_of` converts them.

    >>> @dataclass(frozen=True, slots=True)
    ... class Points(Table):
    ...     name: npt.NDArray[np.int32]
    ...     place: Annotated[npt.NDArray[np.float32], Width(2)]
    >>> table = Points._of([7, 8, 9], [[0, 0], [1, 1], [2, 2]])
    >>> table[table.name > 7].place.tolist()
    [[1.0, 1.0], [2.0, 2.0]]
    >>> len(Points.concatenate([table, table[:1], Points.empty()]))
    4

    Raises:
        ValueError: columns differ in length, or a column is not as wide as it must be.
    """

    def __post_init__(self) -> None:
        columns = _columns(type(self))
        n = len(self)
        for column in columns:
            if not column.fits(getattr(self, column.name).shape, n):
                shapes = ", ".join(f"{c.name} {getattr(self, c.name).shape}" for c in columns)
                raise ValueError(f"{type(self).__name__}: columns differ in length or have a wrong width: {shapes}")

    @classmethod
    def _of(cls, *values: npt.ArrayLike) -> Self:
        """Convert values to the columns' dtypes and shapes, in their order; a single number stands for all rows."""
        columns = _columns(cls)
        arrays: list[npt.NDArray[Any]] = [
            np.asarray(value, column.dtype) for value, column in zip(values, columns, strict=True)
        ]
        n = next((len(array) for array in arrays if array.ndim), 0)
        return cls(*(column.shaped(array, n) for array, column in zip(arrays, columns, strict=True)))

    @classmethod
    def empty(cls) -> Self:
        """A table without rows."""
        return cls(*(column.none for column in _columns(cls)))

    @classmethod
    def concatenate(cls, tables: Sequence[Self]) -> Self:
        """All rows of `tables`, in their order."""
        if not tables:
            return cls.empty()
        return cls(*(np.concatenate([getattr(t, column.name) for t in tables]) for column in _columns(cls)))

    def __len__(self) -> int:
        return len(getattr(self, _columns(type(self))[0].name))

    def __getitem__(self, rows: Rows) -> Self:
        # Rows of a valid table are valid. They are not checked again, since trackers slice tables at every frame.
        chosen = object.__new__(type(self))
        for column in _columns(type(self)):
            object.__setattr__(chosen, column.name, getattr(self, column.name)[rows])
        return chosen


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    dtype: np.dtype[Any]
    width: Width | None

    def fits(self, shape: tuple[int, ...], n: int) -> bool:
        if self.width is None:
            return shape == (n,)
        return len(shape) == 2 and shape[0] == n and self.width.values in (None, shape[1])

    def shaped(self, array: npt.NDArray[Any], n: int) -> npt.NDArray[Any]:
        if self.width is None:
            return array.reshape(n) if array.ndim else np.full(n, array)
        return array.reshape(n, -1 if self.width.values is None else self.width.values)

    @property
    def none(self) -> npt.NDArray[Any]:
        return np.zeros(0 if self.width is None else (0, self.width.values or 0), self.dtype)


_KNOWN: dict[Any, tuple[_Column, ...]] = {}


def _columns(table: Any) -> tuple[_Column, ...]:
    """The columns of a class of tables, read from its annotations once."""
    if table not in _KNOWN:
        hints = get_type_hints(table, include_extras=True)
        columns = []
        for field in fields(table):
            hint, width = hints[field.name], None
            if get_origin(hint) is Annotated:
                hint, width = get_args(hint)[:2]
            scalar = get_args(get_args(hint)[1])[0]
            columns.append(_Column(field.name, np.dtype(scalar), width))
        _KNOWN[table] = tuple(columns)
    return _KNOWN[table]
