"""Annotated videos and the mosaic: size, length, what is drawn, and the common clock."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from detection.video import Video, VideoInfo, VideoStats, open_video
from mtmc.report.annotate import annotate_video
from mtmc.report.colours import identity_colours
from mtmc.report.mosaic import MosaicCamera, write_mosaic
from mtmc.scenarios.clock import Clock
from mtmc.tracking.tracks import Tracks


class MadeUpVideo:
    """Grey frames whose brightness tells their number; those in `broken` cannot be read."""

    def __init__(self, width: int, height: int, frames: int, fps: float = 10.0, broken: Collection[int] = ()) -> None:
        self.info = VideoInfo(width, height, fps, frames)
        self.stats = VideoStats()
        self._broken = broken

    def frames(
        self, *, first: int = 1, last: int | None = None, step: int = 1, wanted: Collection[int] | None = None
    ) -> Iterator[tuple[int, np.ndarray]]:
        for number in range(first, (last or self.info.frames) + 1, step):
            if number not in self._broken and (wanted is None or number in wanted):
                yield number, np.full((self.info.height, self.info.width, 3), 60 + 5 * number, np.uint8)

    def times(self) -> np.ndarray:
        return np.arange(self.info.frames) / self.info.fps


def read(path: Path) -> list[np.ndarray]:
    return [frame for _, frame in open_video(path).frames()]


def moving(identity: int, frames: int) -> Tracks:
    return Tracks.of([identity] * frames, range(1, frames + 1), [[40 + 4 * f, 30, 40, 30] for f in range(frames)])


def test_an_annotated_video_plays_in_browsers_and_shows_the_identity(tmp_path: Path) -> None:
    path = tmp_path / "videos" / "c041.mp4"
    done: list[int] = []
    video: Video = MadeUpVideo(200, 120, 12)
    assert annotate_video(video, moving(7, 12), path, name="c041", clock=Clock.uniform(10), advance=done.append) == 12
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264" and stream.codec_context.pix_fmt == "yuv420p"
        assert stream.average_rate == 10
    frames = read(path)
    assert len(frames) == 12 and frames[0].shape == (120, 200, 3) and sum(done) == 12
    colour = identity_colours([7])[0][::-1].astype(int)
    edge = frames[5][45, 58:63].astype(int)
    assert np.abs(edge - colour).sum(axis=1).min() < 90, "the box's left side has the identity's colour"
    assert np.abs(frames[5][100, 180].astype(int) - 90).max() < 12, "the rest of the picture stays"
    assert list(path.parent.iterdir()) == [path]


def test_odd_sizes_and_smaller_heights(tmp_path: Path) -> None:
    annotate_video(MadeUpVideo(201, 121, 3), Tracks.empty(), tmp_path / "odd.mp4")
    assert read(tmp_path / "odd.mp4")[0].shape == (120, 200, 3)
    annotate_video(MadeUpVideo(320, 180, 3), moving(1, 3), tmp_path / "small.mp4", height=90)
    assert read(tmp_path / "small.mp4")[0].shape == (90, 160, 3)


def test_unreadable_frames_leave_the_others_in_their_time(tmp_path: Path) -> None:
    path = tmp_path / "gap.mp4"
    assert annotate_video(MadeUpVideo(64, 48, 10, broken={4, 5}), Tracks.empty(), path) == 8
    with av.open(str(path)) as container:
        times = [float(frame.time) for frame in container.decode(video=0)]
    np.testing.assert_allclose(times, np.array([0, 1, 2, 5, 6, 7, 8, 9]) / 10, atol=1e-3)


def test_boxes_beyond_the_border_and_tracks_without_identity_are_drawn(tmp_path: Path) -> None:
    tracks = Tracks.of([-1, 3], [1, 1], [[-30, -20, 60, 40], [180, 100, 90, 90]], score=[0, 1])
    assert annotate_video(MadeUpVideo(200, 120, 2), tracks, tmp_path / "a.mp4") == 2


def test_a_failure_leaves_no_video(tmp_path: Path) -> None:
    class Failing(MadeUpVideo):
        def frames(self, **_: object) -> Iterator[tuple[int, np.ndarray]]:
            yield 1, np.zeros((48, 64, 3), np.uint8)
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="disk"):
        annotate_video(Failing(64, 48, 5), Tracks.empty(), tmp_path / "x.mp4")
    assert list(tmp_path.iterdir()) == []


def test_the_mosaic_shows_all_cameras_at_the_same_instant(tmp_path: Path) -> None:
    path = tmp_path / "mosaic.mp4"
    cameras = [
        MosaicCamera("c041", MadeUpVideo(160, 90, 20, fps=10), Clock.uniform(10), moving(1, 20)),
        MosaicCamera("c042", MadeUpVideo(160, 90, 10, fps=5), Clock.uniform(5, start=1.0), Tracks.empty()),
        MosaicCamera("c043", MadeUpVideo(90, 90, 10, fps=10, broken={3}), Clock.uniform(10, start=0.5), Tracks.empty()),
    ]
    count = write_mosaic(cameras, path, fps=10, cell_width=160)
    frames = read(path)
    assert count == len(frames) == 29, "from 0 s to the last frame of c042 at 2.8 s"
    assert frames[0].shape == (180, 320, 3)

    def brightness(frame: int, row: int, column: int) -> int:
        # The lower right corner of the cell holds no text and no box.
        return int(frames[frame][90 * row + 80, 160 * column + 80].mean())

    assert brightness(0, 0, 0) == pytest.approx(65, abs=4), "frame 1 of c041"
    assert brightness(0, 0, 1) == pytest.approx(40, abs=4), "c042 has not begun"
    assert brightness(14, 0, 0) == pytest.approx(60 + 5 * 15, abs=4)
    assert brightness(14, 0, 1) == pytest.approx(60 + 5 * 3, abs=4), "1.4 s is in frame 3 of c042"
    assert brightness(7, 1, 0) == pytest.approx(60 + 5 * 2, abs=4), "frame 3 of c043 is broken: frame 2 stays"
    assert brightness(27, 0, 0) == pytest.approx(40, abs=4), "c041 is over"
    assert brightness(27, 1, 1) == pytest.approx(40, abs=4), "no fourth camera"


def test_a_mosaic_of_many_cameras_stays_within_bounds(tmp_path: Path) -> None:
    cameras = [MosaicCamera(f"c{i}", MadeUpVideo(64, 36, 1), Clock.uniform(10), Tracks.empty()) for i in range(90)]
    assert write_mosaic(cameras, tmp_path / "many.mp4") == 1
    assert read(tmp_path / "many.mp4")[0].shape[1] <= 3840
    with pytest.raises(ValueError, match="at least one camera"):
        write_mosaic([], tmp_path / "none.mp4")
