"""A made-up run with everything that a report can show."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from mtmc.report.data import (
    CameraInfo,
    CropImage,
    ExtractorResult,
    JoinInfo,
    LinkInfo,
    ReportData,
    TrackTable,
)
from mtmc.stage_log import StageInfo

ReportMaker = Callable[..., ReportData]


def fake_report(
    vehicles: int = 12,
    cameras: int = 6,
    *,
    seed: int = 0,
    truth: bool = True,
    extractors: tuple[str, ...] = ("baseline", "ssbver"),
    pictures: int = 2,
    positions: bool = True,
    links: bool = True,
) -> ReportData:
    """Vehicles that pass a row of cameras in both directions; each later extractor makes fewer mistakes."""
    rng = np.random.default_rng(seed)
    table, crops = _passages(rng, vehicles, cameras, pictures)
    wrong_share = np.linspace(0.25, 0.08, len(extractors))
    results = []
    for name, share in zip(extractors, wrong_share, strict=True):
        identity = np.where(table.truth >= 0, table.truth + 100, 900 + np.arange(len(table)) % 7).astype(np.int32)
        moved = rng.random(len(table)) < share
        identity[moved] = rng.choice(identity, moved.sum())
        identity[rng.random(len(table)) < share / 8] = -1
        idf1 = 0.91 - share
        scores = {"idf1": idf1, "idp": idf1 + 0.03, "idr": idf1 - 0.03, "hota": idf1 - 0.2, "mota": None}
        per_camera = {f"c{41 + c:03d}": float(rng.uniform(0.7, 0.99)) for c in range(cameras)}
        joins = [JoinInfo(101, 0.42, ("c041", 1), ("c042", 1), False), JoinInfo(102, 0.97, ("c041", 2), ("c043", 7))]
        scored = (scores, per_camera, joins) if truth else (None, {}, [])
        results.append(ExtractorResult(name, identity, *scored))
    rows = zip(table.truth.tolist(), table.camera.tolist(), table.boxes.tolist(), strict=True)
    lengths = {(v, c): b for v, c, b in rows if v >= 0}
    lengths[vehicles + 5, 0] = 31
    if not truth:
        table = TrackTable.of(
            table.camera, table.track, table.start, table.end, table.first_frame, table.last_frame, table.boxes
        )
    return ReportData(
        scenario="sim-S06",
        simulated=True,
        created="2026-11-22 15:30 +00:00",
        cameras=[
            CameraInfo(
                f"c{41 + c:03d}",
                960,
                540,
                10.0,
                1.5 * c,
                1.5 * c + 200,
                0 if c == cameras - 1 and cameras > 4 else 2000 - 7 * (c == 1),
                7 * (c == 1),
                "cannot be opened: Invalid data found" if c == cameras - 1 and cameras > 4 else "",
                (180.0 * c, 12.0 * (c % 2)) if positions else None,
            )
            for c in range(cameras)
        ],
        tracks=table,
        extractors=results,
        crops=crops,
        links=_links(rng, cameras) if links else [],
        links_origin="learned" if links else "",
        truth_lengths=lengths if truth else {},
        stages=[
            *(StageInfo("observe", 21.3 + c, 2000, c == 0, f"c{41 + c:03d}") for c in range(cameras)),
            *(StageInfo("embed", 3.4, 900, False, name) for name in extractors),
            StageInfo("associate", 0.41),
            StageInfo("evaluate", 0.05),
        ],
        summary={"Detector": "weights/detector.onnx", "Tracker": "SORT, second association", "Links": "learned"},
        configuration={"detector": {"score": 0.25, "classes": [2, 5, 7]}, "tracking": {"max_gap": 12}},
        versions={"mtmc": "0.1.0", "torch": "2.15.0", "weights/baseline": "blake2b 0f31c2"},
        command="python -m mtmc.run --scenario sim-S06 --reid baseline ssbver",
    )


def _passages(
    rng: np.random.Generator, vehicles: int, cameras: int, pictures: int
) -> tuple[TrackTable, dict[tuple[int, int], list[CropImage]]]:
    rows: list[tuple[int, int, float, float, int, int, int, int]] = []
    crops: dict[tuple[int, int], list[CropImage]] = {}
    numbers = [0] * cameras
    for vehicle in range(vehicles):
        first, count = int(rng.integers(0, max(1, cameras - 2))), int(rng.integers(2, max(3, cameras)))
        way = list(range(first, min(first + count, cameras)))
        now = float(rng.uniform(2, 150))
        colour = rng.integers(20, 236, 3)
        for camera in way if rng.random() < 0.5 else way[::-1]:
            stay = float(rng.uniform(3, 12))
            numbers[camera] += 1
            stranger = rng.random() < 0.03
            frame = int((now - 1.5 * camera) * 10) + 1
            length = int(stay * 10)
            rows.append(
                (camera, numbers[camera], now, now + stay, frame, frame + length, length, -1 if stranger else vehicle)
            )
            if pictures:
                crops[camera, numbers[camera]] = [
                    CropImage(_drawing(rng, colour), float(rng.random()), frame + i) for i in range(pictures)
                ]
            now += stay + float(rng.uniform(12, 28))
    columns = zip(*rows, strict=True)
    return TrackTable.of(*columns), crops


def _drawing(rng: np.random.Generator, colour: np.ndarray) -> bytes:
    """A car of a few shapes as JPEG."""
    height, width = int(rng.integers(60, 240)), int(rng.integers(90, 300))
    picture = rng.normal(110, 6, (height, width, 3)).clip(0, 255).astype(np.uint8)
    paint = tuple(int(c) for c in colour)
    x, y = width // 10, height // 10
    cv2.rectangle(picture, (x, 4 * y), (width - x, 8 * y), paint, -1)
    cv2.rectangle(picture, (3 * x, y), (width - 3 * x, 4 * y), (40, 36, 30), -1)
    cv2.circle(picture, (3 * x, 8 * y), y, (10, 10, 10), -1)
    cv2.circle(picture, (width - 3 * x, 8 * y), y, (10, 10, 10), -1)
    return bytes(cv2.imencode(".jpg", picture)[1].tobytes())


def _links(rng: np.random.Generator, cameras: int) -> list[LinkInfo]:
    edges = np.arange(0.0, 61.0, 2.0)
    links = []
    for c in range(cameras - 1):
        for source, target in ((c, c + 1), (c + 1, c)):
            times = rng.gamma(12, 1.7, int(rng.integers(8, 60)))
            counts = np.histogram(times, edges)[0].astype(np.float64)
            name = f"c{41 + source:03d}", f"c{41 + target:03d}"
            links.append(LinkInfo(*name, float(counts.sum()), edges, counts, "east exit", "west entry"))
    return links


@pytest.fixture
def make_fake_report() -> ReportMaker:
    return fake_report
