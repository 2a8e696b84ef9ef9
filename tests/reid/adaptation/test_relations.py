"""What is known about tracks without labels."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.errors import InputError
from reid.adaptation.batches import RelatedBatches
from reid.adaptation.pairs import AnsweredPairs, read_pairs
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


def test_answers_go_before_what_is_found() -> None:
    # Tracks 0 and 2 look alike and have one identity, but somebody says that 0 is 3.
    crops = _tracks([0, 0, 1, 1], [0, 10, 20, 40], [5, 15, 25, 45], [7, 8, 7, 8])
    vectors = _units([0.0, 1.0, 0.01, 1.01])
    assert relate(crops, vectors, 0.0).vehicle.tolist() == [0, 1, 0, 1]
    answered = AnsweredPairs(np.array([[0, 3]]), np.array([[0, 2]]))
    relations = relate(crops, vectors, 0.0, answered)
    vehicle = relations.vehicle
    assert vehicle[0] == vehicle[3] and vehicle[0] != vehicle[2]
    assert relations.differ(vehicle[[0, 2]])[0, 1]
    contradiction = AnsweredPairs(np.array([[0, 1], [1, 3]]), np.array([[0, 3]]))
    with pytest.raises(InputError, match=r"0\.jpg and 3\.jpg are one vehicle and different ones"):
        relate(crops, vectors, 0.0, contradiction)
    at_once = _tracks([0, 0, 1], [0, 1, 20], [5, 6, 25], [7, 7, 7])
    with pytest.raises(InputError, match="one camera sees both at the same time"):
        relate(at_once, _units([0.0, 0.0, 0.0]), 0.0, AnsweredPairs(np.array([[0, 2], [1, 2]]), np.zeros((0, 2), int)))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (["0.jpg", "b.jpg", "same"], "pairs.csv:2: the run has no crop 'b.jpg'"),
        (["0.jpg", "1.jpg", "maybe"], "pairs.csv:2: answer: must be same or different, not 'maybe'"),
        (["0.jpg", "crops/0.jpg", "different"], "pairs.csv:2: 0.jpg and 0.jpg are crops of one track"),
    ],
)
def test_a_wrong_list_of_pairs_is_named_with_its_line(tmp_path: Path, row: list[str], said: str) -> None:
    crops = _tracks([0, 1], [0, 10], [5, 15], [7, 8])
    file = tmp_path / "pairs.csv"
    file.write_text("first,second,answer\n" + ",".join(row) + "\n", encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_pairs(file, crops)
    assert said in str(error.value)
    file.write_text('first,second,answer,author\n0.jpg,1.jpg,same,"Ada\nL."\n' + ",".join(row) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"pairs\.csv:4: "):  # where an author takes two lines
        read_pairs(file, crops)
    file.write_text("first,other,answer\n", encoding="utf-8")
    with pytest.raises(InputError, match="no column 'second'"):
        read_pairs(file, crops)
