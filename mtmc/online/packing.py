"""Reports of cameras as bytes, for the log from which a restart goes on; arrays as safetensors, the rest as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load, save

from common.table import Table
from mtmc.appearance.features import TrackFeatures
from mtmc.crops.table import Crops
from mtmc.online.messages import CameraReport, ClosedTrack, LiveRows

AnyTable = TypeVar("AnyTable", bound=Table)
Arrays = dict[str, npt.NDArray[Any]]

_PLAIN = ("camera", "session", "state", "detail", "clock", "seconds", "frame", "width", "height")


def pack_rows(rows: LiveRows) -> bytes:
    """Rows of tracks as bytes."""
    return save(_arrays("rows", rows))


def unpack_rows(content: bytes) -> LiveRows:
    """What `pack_rows` packed."""
    return _table(load(content), "rows", LiveRows)


def pack_reports(reports: Sequence[CameraReport]) -> bytes:
    """Reports as bytes, without crops and counters, which a restart does not need; vectors in half precision."""
    arrays: Arrays = {}
    plain = []
    for index, report in enumerate(reports):
        arrays |= _arrays(f"{index}.rows", report.rows)
        arrays |= _arrays(f"{index}.features", report.features)
        closed = []
        for place, track in enumerate(report.closed):
            arrays |= _arrays(f"{index}.{place}.rows", track.rows)
            if track.vector is not None:
                arrays[f"{index}.{place}.vector"] = track.vector.astype(np.float16)
            closed.append([track.number, track.weight, track.why])
        plain.append({**{name: getattr(report, name) for name in _PLAIN}, "closed": closed})
    text = json.dumps(plain).encode()
    return save({**arrays, "json": np.frombuffer(text, np.uint8)})


def unpack_reports(content: bytes) -> list[CameraReport]:
    """What `pack_reports` packed."""
    arrays = load(content)
    reports = []
    for index, plain in enumerate(json.loads(arrays["json"].tobytes())):
        closed = []
        for place, (number, weight, why) in enumerate(plain.pop("closed")):
            vector = arrays.get(f"{index}.{place}.vector")
            closed.append(
                ClosedTrack(
                    number,
                    _table(arrays, f"{index}.{place}.rows", LiveRows),
                    Crops.empty(),
                    None if vector is None else vector.astype(np.float32),
                    weight,
                    why,
                )
            )
        rows = _table(arrays, f"{index}.rows", LiveRows)
        features = _table(arrays, f"{index}.features", TrackFeatures)
        reports.append(CameraReport(**plain, rows=rows, features=features, closed=tuple(closed)))
    return reports


def _arrays(name: str, table: Table) -> Arrays:
    if not len(table):
        return {}
    columns = {f"{name}.{f.name}": np.ascontiguousarray(getattr(table, f.name)) for f in fields(table)}
    if isinstance(table, TrackFeatures):
        columns[f"{name}.vector"] = table.vector.astype(np.float16)
    return columns


def _table(arrays: Arrays, name: str, kind: type[AnyTable]) -> AnyTable:
    columns = [f"{name}.{f.name}" for f in fields(kind)]
    if columns[0] not in arrays:
        return kind.empty()
    return kind._of(*(arrays[column] for column in columns))
