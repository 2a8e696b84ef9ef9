"""Simulated vehicles on a road past several cameras, as tracks without pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from mtmc.appearance.features import TrackFeatures
from mtmc.association.track_summaries import GROUND_STEP, CameraTracks, TrackSummaries
from mtmc.scenarios.clock import Clock
from mtmc.tracking.tracks import Tracks

WIDTH, HEIGHT, SPEED = 960, 540, 160.0


@dataclass(frozen=True)
class Road:
    """Cameras with tracks, and the vehicle of each row of their summaries."""

    cameras: list[CameraTracks]
    truth: npt.NDArray[np.int64]


def _crossing(
    number: int, enter: float, fps: float, start: float, backwards: bool, lane: float, label: int = 2
) -> Tracks:
    """A vehicle that drives through the picture from left to right (or back), first seen at second `enter`."""
    first = int(np.ceil((enter - start) * fps)) + 1
    seconds = (np.arange(first, first + int(WIDTH / SPEED * fps)) - 1) / fps + start - enter
    x = SPEED * seconds
    if backwards:
        x = WIDTH - x
    y = (150.0 if backwards else 350.0) + lane
    box = np.column_stack([x - 30, np.full(len(x), y - 40), np.full(len(x), 60.0), np.full(len(x), 40.0)])
    return Tracks.of(np.full(len(x), number), first + np.arange(len(x)), box, label=np.full(len(x), label))


@pytest.fixture
def crossing_track() -> Callable[..., Tracks]:
    """`crossing_track(number, enter, fps, start, backwards, lane)`: one vehicle through a 960 x 540 picture in 6 s."""
    return _crossing


@pytest.fixture
def make_road() -> Callable[..., Road]:
    """A factory: `make_road(seed, vehicles, cameras, travel, scatter, rates, offsets, pixels)`."""

    def make(
        seed: int = 0,
        vehicles: int = 40,
        cameras: int = 3,
        travel: float = 20.0,
        scatter: float = 1.0,
        rates: tuple[float, ...] = (10.0,),
        offsets: tuple[float, ...] = (0.0,),
        pixels: bool = False,
        both_ways: bool = True,
        headway: float = 12.0,
    ) -> Road:
        rng = np.random.default_rng(seed)
        look = rng.normal(size=(vehicles, 32))
        tracks: list[list[Tracks]] = [[] for _ in range(cameras)]
        vehicle: list[list[int]] = [[] for _ in range(cameras)]
        vectors: list[list[npt.NDArray[np.float64]]] = [[] for _ in range(cameras)]
        shift = rng.normal(size=(cameras, 32))
        enter = 5.0 + np.cumsum(rng.exponential(headway, vehicles))
        for v in range(vehicles):
            backwards = both_ways and v % 2 == 1
            time = enter[v]
            lane = float(rng.choice([0.0, 30.0]))
            for c in range(cameras)[:: -1 if backwards else 1]:
                fps, start = rates[c % len(rates)], offsets[c % len(offsets)]
                if time - start > 0.5:
                    tracks[c].append(_crossing(len(tracks[c]) + 1, time, fps, start, backwards, lane))
                    vehicle[c].append(v)
                    vectors[c].append(look[v] + shift[c] + 0.5 * rng.normal(size=32))
                time += WIDTH / SPEED + max(travel + scatter * rng.normal(), 1.0)
        made = []
        for c in range(cameras):
            features = None
            if pixels:
                vector = np.array(vectors[c], np.float32).reshape(-1, 32)
                vector /= np.linalg.norm(vector, axis=1, keepdims=True)
                number = np.arange(1, len(vector) + 1, dtype=np.int32)
                features = TrackFeatures(number, vector, np.ones(len(vector), np.float32))
            clock = Clock.uniform(rates[c % len(rates)], offsets[c % len(offsets)])
            table = Tracks.concatenate(tracks[c])
            made.append(CameraTracks(f"c{c + 1:03d}", table, clock, WIDTH, HEIGHT, features=features))
        return Road(made, np.array([v for own in vehicle for v in own], np.int64))

    return make


@pytest.fixture
def right_share() -> Callable[[npt.NDArray[np.int64], npt.NDArray[np.int64]], float]:
    """Share of tracks whose identity holds exactly the tracks of their vehicle."""

    def share(identity: npt.NDArray[np.int64], truth: npt.NDArray[np.int64]) -> float:
        same = identity[:, None] == identity[None]
        wanted = truth[:, None] == truth[None]
        return float((same == wanted).all(1).mean())

    return share


@pytest.fixture
def make_summaries() -> Callable[..., TrackSummaries]:
    """A factory of track summaries from a few columns: `make_summaries(camera, start, end, **columns)`.

    Every vehicle drives from left to right at the same height of a 960 x 540 picture unless a column says otherwise.
    `ground` is one (k, 2) array of metres a track, sampled on the grid of `GROUND_STEP`; rows must be sorted by camera.
    """

    def make(
        camera: Sequence[int],
        start: Sequence[float],
        end: Sequence[float],
        cameras: int = 0,
        recorded: tuple[float, float] = (0.0, 0.0),
        ground: Sequence[npt.ArrayLike] | None = None,
        **columns: npt.ArrayLike,
    ) -> TrackSummaries:
        number, first, last = np.asarray(camera, np.int32), np.asarray(start, float), np.asarray(end, float)
        n, count = len(number), cameras or int(np.max(number, initial=-1)) + 1
        assert (np.diff(number) >= 0).all()
        given = {name: np.asarray(value) for name, value in columns.items()}
        entry = np.broadcast_to(given.pop("entry", np.array([0.1, 0.5])), (n, 2)).astype(float)
        leave = np.broadcast_to(given.pop("exit", np.array([0.9, 0.5])), (n, 2)).astype(float)
        speed = (leave - entry) / np.maximum(last - first, 1e-3)[:, None]
        length = np.linalg.norm(leave - entry, axis=1, keepdims=True)
        direction = np.where(length > 0, (leave - entry) / np.maximum(length, 1e-9), 0.0)
        vector = given.pop("vector", np.zeros((n, 0))).astype(np.float32)
        places = [np.asarray(place, float).reshape(-1, 2) for place in ground or [np.zeros((0, 2))] * n]
        values = {
            "cameras": tuple(f"c{k + 1:03d}" for k in range(count)),
            "shape": np.tile([960.0, 540.0], (count, 1)),
            "recorded": np.tile(recorded if any(recorded) else (0.0, float(last.max(initial=1.0))), (count, 1)),
            "camera": number,
            "track": np.arange(1, n + 1, dtype=np.int32),
            "start": first,
            "end": last,
            "boxes": np.maximum(10 * (last - first), 1).astype(np.int32),
            "entry": entry,
            "exit": leave,
            "entry_direction": direction,
            "exit_direction": direction,
            "entry_speed": speed,
            "exit_speed": speed,
            "extent": np.tile([0.08, 0.08], (n, 1)),
            "size": np.zeros(n),
            "label": np.full(n, -1, np.int16),
            "parked": np.zeros(n, np.bool_),
            "vector": vector,
            "weight": np.full(n, float(vector.shape[1] > 0), np.float32),
            "path_first": 2 * np.arange(n + 1),
            "path_time": np.column_stack([first, last]).ravel(),
            "path_place": np.stack([entry, leave], 1).reshape(-1, 2).astype(np.float32),
            "ground_first": np.concatenate([[0], np.cumsum([len(place) for place in places])]).astype(np.int64),
            "ground_tick": np.ceil(first / GROUND_STEP).astype(np.int64),
            "ground_place": np.concatenate([np.zeros((0, 2)), *places]),
        }
        return TrackSummaries(**(values | given))

    return make
