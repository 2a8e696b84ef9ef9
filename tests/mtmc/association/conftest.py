"""Simulated vehicles on a road past several cameras, as tracks without pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from mtmc.association import CameraTracks, TrackFeatures
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
