"""Tracks that switch from one vehicle to another."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from mtmc.appearance.features import CropVectors
from mtmc.appearance.splitting import Cuts, split_tracks
from mtmc.tracking.tracks import Tracks

DIMS = 64
RANDOM = np.random.default_rng(5)
LOOKS = RANDOM.normal(size=(60, DIMS))


def camera(
    looks: dict[int, list[int]], unseen: dict[int, tuple[int, int]], near: dict[int, tuple[int, int]] | None = None
) -> tuple[Tracks, Callable[[], CropVectors]]:
    """Tracks of 60 frames, each in a lane of its own, with a crop every fifth frame.

    Args:
        looks: by track, the vehicle that each of its 12 crops shows.
        unseen: by track, the first and last frame in which it was not detected.
        near: by track, the frames in which the next track's box covers its own.
    """
    tracks, crops = [], []
    for number, vehicles in looks.items():
        frame = np.arange(1, 61)
        box = np.column_stack([4.0 * frame, np.full(60, 50.0 * number), np.full(60, 30.0), np.full(60, 30.0)])
        first, last = (near or {}).get(number - 1, (0, -1))
        over = (frame >= first) & (frame <= last)
        box[over, 1] = 50.0 * (number - 1) + 10
        first, last = unseen.get(number, (0, -1))
        score = np.where((frame >= first) & (frame <= last), 0.0, 0.9)
        tracks.append(Tracks.of(np.full(60, number), frame, box, score))
        vector = LOOKS[vehicles] + 0.4 * RANDOM.normal(size=(12, DIMS))
        vector /= np.linalg.norm(vector, axis=1, keepdims=True)
        crops.append((np.full(12, number), 3 + 5 * np.arange(12), vector))
    track, frame, vector = (np.concatenate(column) for column in zip(*crops, strict=True))
    ones: npt.NDArray[np.float32] = np.ones(len(track), np.float32)
    table = CropVectors(
        track.astype(np.int32), frame.astype(np.int32), vector.astype(np.float32), ones, np.ones(len(track), np.bool_)
    )
    return Tracks.concatenate(tracks), lambda: table


def steady(count: int) -> dict[int, list[int]]:
    """`count` tracks of one vehicle each."""
    return {number: [number] * 12 for number in range(1, count + 1)}


def test_a_track_that_reappears_as_another_vehicle_is_cut_where_it_was_unseen() -> None:
    looks = steady(30) | {4: [4] * 6 + [50] * 6}
    (cuts,) = split_tracks([camera(looks, {4: (29, 33), 7: (20, 30)})])
    assert (cuts.track.tolist(), cuts.frame.tolist(), cuts.first) == ([4], [31], 31)


def test_a_track_is_cut_at_a_gap_in_its_boxes() -> None:
    looks = steady(30) | {4: [4] * 6 + [50] * 6}
    tracks, crops = camera(looks, {})
    tracks = tracks[(tracks.track != 4) | (tracks.frame < 29) | (tracks.frame > 32)]
    (cuts,) = split_tracks([(tracks, crops)])
    assert (cuts.track.tolist(), cuts.frame.tolist()) == ([4], [33])


def test_a_track_is_cut_where_another_box_occluded_it() -> None:
    looks = steady(30) | {4: [4] * 6 + [50] * 6}
    (cuts,) = split_tracks([camera(looks, {}, near={4: (29, 33)})])
    assert (cuts.track.tolist(), cuts.frame.tolist()) == ([4], [31])


def test_a_track_that_stayed_visible_is_not_cut_when_its_look_changes() -> None:
    looks = steady(30) | {4: [4] * 6 + [50] * 6}
    (cuts,) = split_tracks([camera(looks, {})])
    assert not len(cuts.track)


def test_a_track_that_switches_twice_is_cut_twice_in_its_own_camera() -> None:
    looks = steady(30) | {9: [9] * 4 + [50] * 4 + [51] * 4}
    other, mine = split_tracks([camera(steady(5), {}), camera(looks, {9: (15, 45)})])
    assert not len(other.track)
    assert mine.track.tolist() == [9, 9]
    assert 18 < mine.frame[0] <= 23 and 38 < mine.frame[1] <= 43


def test_one_odd_crop_does_not_cut_a_track() -> None:
    looks = steady(30) | {4: [4] * 6 + [50] + [4] * 5, 5: [50] + [5] * 11}
    (cuts,) = split_tracks([camera(looks, {4: (3, 58), 5: (3, 58)})])
    assert not len(cuts.track)


def test_nothing_is_cut_with_too_little_to_learn_from() -> None:
    looks = steady(9) | {4: [4] * 6 + [50] * 6}
    (cuts,) = split_tracks([camera(looks, {4: (29, 33)})])
    assert not len(cuts.track)


def test_an_extractor_that_cannot_tell_vehicles_apart_cuts_almost_nothing() -> None:
    looks = {number: [0] * 12 for number in range(1, 31)}
    (cuts,) = split_tracks([camera(looks, dict.fromkeys(range(1, 31, 10), (20, 40)))])
    assert len(cuts.track) <= 1


def test_parts_know_their_tracks() -> None:
    cuts = Cuts(np.array([2, 2, 5], np.int32), np.array([10, 20, 7], np.int32), 6)
    track = np.array([1, 2, 2, 2, 2, 5, 5], np.int32)
    frame = np.array([99, 9, 10, 19, 20, 6, 7], np.int32)
    part = cuts.part(track, frame)
    assert part.tolist() == [1, 2, 6, 6, 7, 5, 8]
    whole, since = cuts.whole(part)
    assert whole.tolist() == track.tolist()
    assert since.tolist() == [0, 0, 10, 10, 20, 0, 7]
    tracks = cuts.apply(Tracks.of(track, frame, np.zeros((7, 4))))
    assert list(zip(tracks.track.tolist(), tracks.frame.tolist(), strict=True)) == [
        (1, 99), (2, 9), (5, 6), (6, 10), (6, 19), (7, 20), (8, 7)
    ]  # fmt: skip
    assert Cuts.none().part(track, frame).tolist() == track.tolist()
