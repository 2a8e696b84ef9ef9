"""Columns of boxes in, a column of identities out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mtmc
from common.errors import InputError

VEHICLES, BOXES = 30, 30


def road(seed: int = 1) -> dict[str, Any]:
    """Two cameras, twenty seconds apart; a vehicle has the same track number in both. Rows are in no order."""
    random = np.random.default_rng(seed)
    passed = np.cumsum(random.uniform(3, 9, VEHICLES))
    starts = np.concatenate([passed, passed + 20 + random.normal(0, 1, VEHICLES)])
    step = np.tile(np.arange(BOXES), 2 * VEHICLES)
    looks = random.normal(size=(VEHICLES, 32))
    columns = {
        "camera": np.repeat(["west", "east"], VEHICLES * BOXES),
        "track": np.tile(np.repeat(np.arange(VEHICLES), BOXES), 2) + 5,
        "seconds": np.repeat(starts, BOXES) + step / 10,
        "box": np.column_stack([9.0 * step, 0 * step + 150, 0 * step + 40, 0 * step + 30]),
    }
    order = random.permutation(len(step))
    vectors = {
        (camera, number + 5): looks[number] + 0.5 * random.normal(size=32)
        for camera in ("west", "east")
        for number in range(VEHICLES)
    }
    return {name: column[order] for name, column in columns.items()} | {"frame_size": (310, 300), "vectors": vectors}


def test_vehicles_keep_their_identity_in_the_second_camera() -> None:
    given = road()
    identity = mtmc.associate(**given)
    assert identity.min() == 1
    by_track = {
        (camera, track): set(identity[(given["camera"] == camera) & (given["track"] == track)].tolist())
        for camera in ("west", "east")
        for track in range(5, VEHICLES + 5)
    }
    assert all(len(found) == 1 for found in by_track.values())
    right = sum(by_track["west", track] == by_track["east", track] for track in range(5, VEHICLES + 5))
    assert right >= 0.9 * VEHICLES
    np.testing.assert_array_equal(identity, mtmc.associate(**given))


def test_scales_of_vectors_and_missing_ones_do_not_matter() -> None:
    given = road()
    identity = mtmc.associate(**given)
    scaled = {key: 7 * vector for key, vector in given["vectors"].items()}
    np.testing.assert_array_equal(mtmc.associate(**given | {"vectors": scaled}), identity)
    del scaled["west", 5]
    scaled["east", 9] = np.full(32, np.nan)
    assert len(mtmc.associate(**given | {"vectors": scaled})) == len(identity)


def test_no_boxes_give_no_identities() -> None:
    assert len(mtmc.associate([], [], [], np.zeros((0, 4)), frame_size=(100, 100))) == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seconds": np.zeros(3)}, "seconds: must have the shape"),
        ({"box": np.full((2 * VEHICLES * BOXES, 4), np.nan)}, "box: row 0 is not finite"),
        ({"seconds": np.zeros(2 * VEHICLES * BOXES)}, "two boxes of track"),
        ({"vectors": {("north", 1): [1.0]}}, "no track 1 in camera north"),
        ({"vectors": {("west", 5): [1.0], ("east", 5): [1.0, 2.0]}}, "has 2 values, others have 1"),
        ({"frame_size": {"west": (310, 300)}}, "frame_size: camera east is missing"),
        ({"settings": {"treshold": 0.5}}, "did you mean threshold"),
    ],
)
def test_wrong_arguments_are_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        mtmc.associate(**road() | change)
