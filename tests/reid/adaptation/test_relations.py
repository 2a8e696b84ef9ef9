"""What is known about tracks without labels."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.errors import InputError
from reid.adaptation.batches import RelatedBatches
from reid.adaptation.relations import relate, seen_at_once
from reid.adaptation.tracks import TrackCrops, read_run


def _tracks(camera: list[int], start: list[float], end: list[float], identity: list[int]) -> TrackCrops:
    paths = np.array([f"{i}.jpg" for i in range(len(camera))], np.object_)
    return TrackCrops._of(paths, np.arange(len(camera)), camera, start, end, identity)


def _units(angles: list[float]) -> np.ndarray:
    return np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)


def test_tracks_of_a_camera_whose_times_overlap_are_different() -> None:
    random = np.random.default_rng(0)
    start = random.uniform(0, 50, 60)
    tracks = _tracks(random.integers(0, 3, 60).tolist(), start.tolist(), (start + 4).tolist(), [-1] * 60)
    expected = {
        (i, j)
        for i in range(60)
        for j in range(i + 1, 60)
        if tracks.camera[i] == tracks.camera[j]
        and tracks.start[i] <= tracks.end[j]
        and tracks.start[j] <= tracks.end[i]
    }
    found = seen_at_once(tracks)
    assert {tuple(pair) for pair in found.tolist()} == expected
    assert len(found) == len(expected) > 20


def test_identities_and_similarity_must_agree_to_join_tracks() -> None:
    crops = _tracks([0, 0, 1, 1], [0, 1, 20, 21], [5, 6, 25, 26], [7, 8, 7, 8])
    agreeing = relate(crops, _units([0.0, 1.0, 0.1, 1.1]), 0.05)
    assert agreeing.joined == 2
    assert agreeing.vehicle[0] == agreeing.vehicle[2] != agreeing.vehicle[1] == agreeing.vehicle[3]
    assert agreeing.differ(agreeing.vehicle[:2]).tolist() == [[False, True], [True, False]]
    assert relate(crops, _units([0.0, 1.0, 1.1, 0.1]), 0.05).joined == 0  # the run says one thing, appearance another


def test_without_identities_the_nearest_track_must_lead_clearly() -> None:
    crops = _tracks([0, 0, 1, 1], [0, 1, 20, 21], [5, 6, 25, 26], [-1] * 4)
    assert relate(crops, _units([0.0, 1.0, 0.1, 1.1]), 0.05).joined == 2
    assert relate(crops, _units([0.0, 0.2, 0.1, 0.3]), 0.05).joined == 0


def test_no_join_makes_one_vehicle_of_tracks_seen_at_once() -> None:
    crops = _tracks([0, 0, 1, 2], [0, 1, 20, 40], [5, 6, 25, 45], [7, 7, 7, 7])
    relations = relate(crops, _units([0.0, 0.02, 0.01, 0.03]), 0.0)
    assert relations.vehicle[0] != relations.vehicle[1]
    assert relations.differ(relations.vehicle[[0, 1]])[0, 1]


def test_half_of_a_batch_differs_from_the_other_half() -> None:
    crops = _tracks([0] * 20, [10.0 * (i // 2) for i in range(20)], [10.0 * (i // 2) + 5 for i in range(20)], [-1] * 20)
    relations = relate(crops, np.eye(20, dtype=np.float32), 0.05)
    labels = np.repeat(relations.vehicle, 3)
    batches = RelatedBatches(labels, relations, np.arange(20), identities=6, images=2, seed=0)
    for number in range(10):
        vehicles = labels[batches.batch(number)].reshape(6, 2)
        assert (vehicles[:, 0] == vehicles[:, 1]).all()
        assert len(set(vehicles[:, 0])) == 6
        assert relations.differ(vehicles[:, 0]).any(axis=1).all()
    with pytest.raises(InputError, match="lower it"):
        RelatedBatches(labels, relations, np.arange(20), identities=21, images=2, seed=0)


def test_a_list_of_crops_is_read_and_mistakes_are_named(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg")
    file = tmp_path / "crops" / "crops.csv"
    file.parent.mkdir()

    def write(*rows: list[str]) -> None:
        with file.open("w", newline="") as stream:
            csv.writer(stream).writerows(rows)

    head = ["path", "track", "camera", "start", "end", "identity one", "identity two"]
    write(head, ["../a.jpg", "t2", "c1", "0", "1", "5", ""], ["../a.jpg", "t1", "c2", "0.5", "2", "5", "4"])
    crops = read_run(tmp_path, "one")
    assert crops.track.tolist() == [0, 1] and crops.camera.tolist() == [1, 0]
    assert crops.identity[0] == crops.identity[1] != -1
    assert (read_run(file, "two").identity == -1).tolist() == [False, True]
    assert len(read_run(file, "another")) == 2
    write(head, ["../b.jpg", "t", "c", "0", "1", "", ""])
    with pytest.raises(InputError, match=r"b\.jpg does not exist"):
        read_run(tmp_path)
    write(head, ["../a.jpg", "t", "c", "soon", "1", "", ""])
    with pytest.raises(InputError, match="must be seconds"):
        read_run(tmp_path)
    write(["path", "track", "camera", "begin", "end"], ["../a.jpg", "t", "c", "0", "1"])
    with pytest.raises(InputError, match="no column 'start'"):
        read_run(tmp_path)
    file.unlink()
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(InputError, match=r"repeat its command with --crops"):
        read_run(tmp_path)
    with pytest.raises(InputError, match="nowhere"):
        read_run(tmp_path / "nowhere")
