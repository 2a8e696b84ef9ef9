"""Crops: which images of a track are kept, and reading them back from disk."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from common.errors import InputError
from mtmc.crops.quality import geometric_quality, occlusion, sharpness
from mtmc.crops.selector import CropSelector, choose_frames
from mtmc.crops.settings import CropSettings
from mtmc.crops.table import Crops, best_rows, read_crops, write_crops
from mtmc.tracking.tracks import Tracks

SIZE = (640, 360)


def picture(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 255, (SIZE[1] // 4, SIZE[0] // 4, 3), np.uint8)
    return np.asarray(cv2.resize(noise, SIZE), np.uint8)


def approaching(frames: int) -> Tracks:
    """One vehicle that comes nearer; it is largest in the last frame."""
    n = np.arange(frames)
    side = 30 + 2 * n
    return Tracks.of(np.ones(frames), n + 1, np.column_stack((100 + n, 50 + n, side, side)))


def run(tracks: Tracks, settings: CropSettings, images: dict[int, np.ndarray] | None = None) -> CropSelector:
    selector = CropSelector(settings)
    for frame in np.unique(tracks.frame).tolist():
        selector.add(picture() if images is None else images[frame], frame, tracks[tracks.frame == frame])
    return selector


def test_box_nearer_to_the_camera_hides_the_one_behind() -> None:
    rows = Tracks.of([1, 2, 3], [5, 5, 6], [[0, 0, 100, 100], [50, 20, 100, 100], [0, 0, 100, 100]])
    assert occlusion(rows).tolist() == pytest.approx([0.5 * 0.8, 0, 0])


def test_occlusion_without_rows() -> None:
    assert occlusion(Tracks.empty()).shape == (0,)


def test_truncated_occluded_small_and_uncertain_boxes_are_worse() -> None:
    box = [[200, 100, 100, 100], [0, 100, 100, 100], [200, 100, 40, 40], [200, 100, 100, 100], [200, 100, 5, 100]]
    rows = Tracks.of([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], box, [1, 1, 1, 0, 1])
    good, cut, small, guessed, sliver = geometric_quality(rows, np.zeros(5, np.float32), SIZE, CropSettings())
    assert good > cut > 0 and good > small > 0 and good > guessed > 0 and sliver == 0


def test_blurred_crop_is_less_sharp() -> None:
    crop = picture()[:100, :100]
    assert sharpness(crop, CropSettings()) > 2 * sharpness(cv2.GaussianBlur(crop, (0, 0), 6), CropSettings())


def test_best_rows_are_spread_in_time_and_do_not_repeat_a_frame() -> None:
    frame = np.repeat(np.arange(1, 101), 2).astype(np.int32)
    quality = np.linspace(0.5, 1.0, 200).astype(np.float32)
    rows = best_rows(np.ones(200, np.int32), frame, quality, 4)
    assert frame[rows].tolist() == [25, 50, 75, 100]
    assert (rows % 2 == 1).all(), "of two rows of one frame the better one"


def test_worthless_parts_of_a_track_leave_their_place_to_better_ones() -> None:
    quality = np.where(np.arange(100) < 50, 0.1, 0.9).astype(np.float32)
    rows = best_rows(np.ones(100, np.int32), np.arange(1, 101, dtype=np.int32), quality, 4)
    assert len(rows) == 4 and (rows >= 50).all()


def test_selector_keeps_a_few_crops_of_each_track_including_the_near_ones() -> None:
    crops = run(approaching(90), CropSettings(per_track=6)).finish()
    assert len(crops) == 6
    assert crops.frame.max() > 80
    assert crops.frame.min() < 60, "spread in time"
    assert (np.diff(crops.frame) > 0).all()
    assert ((crops.quality > 0) & (crops.quality <= 1)).all()


def test_crops_show_the_box() -> None:
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    image[100:150, 200:280] = (0, 0, 255)
    crops = run(Tracks.of([1], [1], [[200, 100, 80, 50]]), CropSettings(), {1: image}).finish()
    (shown,) = crops.pictures()
    assert shown.shape == (50, 80, 3)
    assert shown[25, 40].tolist() == pytest.approx([0, 0, 255], abs=5)


def test_large_crops_are_shrunk() -> None:
    crops = run(Tracks.of([1], [1], [[0, 0, 600, 300]]), CropSettings(max_side=100)).finish()
    assert crops.pictures()[0].shape == (50, 100, 3)


def test_mapping_joins_fragments_and_drops_tracks() -> None:
    part = approaching(30)
    numbers = np.where(part.frame <= 15, 3, 5).astype(np.int32)
    other = Tracks.of(np.full(30, 4), part.frame, part.box + np.array([300, 0, 0, 0]))
    both = Tracks.concatenate([Tracks.of(numbers, part.frame, part.box), other])
    mapping = {3: 1, 5: 1}
    crops = run(both, CropSettings(per_track=5)).finish(mapping)
    assert crops.track.tolist() == [1] * 5
    assert (crops.frame <= 15).any() and (crops.frame > 15).any()


def test_renumbering_afterwards_equals_renumbering_at_once() -> None:
    part = approaching(40)
    mapping = {1: 7}
    at_once = run(part, CropSettings(per_track=4)).finish(mapping)
    afterwards = run(part, CropSettings(per_track=4)).finish().renumbered(mapping, 4)
    assert at_once.track.tolist() == afterwards.track.tolist() == [7] * 4
    assert at_once.frame.tolist() == afterwards.frame.tolist()


def test_memory_is_bounded_for_a_long_track() -> None:
    box = np.tile([100, 100, 60, 60], (1000, 1))
    selector = run(Tracks.of(np.ones(1000), np.arange(1, 1001), box), CropSettings(per_track=4))
    (album,) = selector._albums.values()
    assert len(album.kept) <= 8


def test_a_track_that_left_is_compressed_and_may_return() -> None:
    first = approaching(20)
    later = Tracks.of(first.track, first.frame + 300, first.box)
    crops = run(Tracks.concatenate([first, later]), CropSettings(per_track=6)).finish()
    assert len(crops) == 6
    assert (crops.frame <= 20).any() and (crops.frame > 300).any()


def test_chosen_frames_hold_the_best_rows_only() -> None:
    tracks = approaching(90)
    frames = choose_frames(tracks, SIZE, CropSettings(per_track=6))
    assert len(frames) == 6 and frames.max() > 60
    selector = CropSelector(CropSettings(per_track=6))
    for frame in frames.tolist():
        selector.add(picture(), frame, tracks)
    assert selector.finish().frame.tolist() == frames.tolist()


def test_no_tracks_give_no_crops() -> None:
    assert len(CropSelector().finish()) == 0
    assert len(choose_frames(Tracks.empty(), SIZE)) == 0
    selector = CropSelector()
    selector.add(picture(), 1, Tracks.empty())
    assert len(selector.finish({1: 1})) == 0


def test_crops_are_read_back_from_disk(tmp_path) -> None:
    crops = run(approaching(30), CropSettings(per_track=5)).finish()
    write_crops(tmp_path / "c001.parquet", crops)
    back = read_crops(tmp_path / "c001.parquet")
    for name in ("track", "frame", "box", "quality", "occlusion"):
        mine, theirs = getattr(crops, name), getattr(back, name)
        assert mine.dtype == theirs.dtype and (mine == theirs).all(), name
    assert back.image.tolist() == crops.image.tolist()
    write_crops(tmp_path / "none.parquet", Crops.empty())
    assert len(read_crops(tmp_path / "none.parquet")) == 0


def test_unreadable_crops_name_the_file(tmp_path) -> None:
    with pytest.raises(InputError, match=r"lost\.parquet"):
        read_crops(tmp_path / "lost.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"bad\.parquet"):
        read_crops(tmp_path / "bad.parquet")
