"""All cameras in one video, side by side and in sync."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from common.files import atomic
from detection.video import Video
from mtmc.report.drawing import IdentityOverlay, Picture, draw_label, resized
from mtmc.report.video_writer import VideoWriter
from mtmc.report.view import clock_text
from mtmc.scenarios.clock import Clock
from mtmc.tracking.tracks import Tracks

MAX_WIDTH = 3840
"""Pixels across the whole mosaic. Raising it makes the cells of many cameras larger; many hardware decoders stop at
4096."""
_EMPTY = 40  # grey level of a cell without a frame


@dataclass(frozen=True, slots=True)
class MosaicCamera:
    """One camera of the mosaic.

    Attributes:
        name: written into its cell.
        video: its video.
        clock: frames to seconds on the scenario's common axis.
        tracks: its boxes; `track` holds the identity, negative for none.
        frames: number of frames of the video; 0 takes what the video says of itself.
    """

    name: str
    video: Video
    clock: Clock
    tracks: Tracks
    frames: int = 0


def write_mosaic(
    cameras: Sequence[MosaicCamera],
    path: Path,
    *,
    fps: float = 10.0,
    cell_width: int = 480,
    threads: int = 0,
    advance: Callable[[int], None] | None = None,
) -> int:
    """Write an H.264 MP4 of all cameras on the common time axis; it appears at `path` whole or not at all.

    Each cell shows the latest frame of its camera at that time, and is grey before its first and after its last
    frame. Every video is decoded once, frame by frame.

    Args:
        cameras: at least one, in reading order.
        path: the file to write.
        fps: frames per second of the mosaic.
        cell_width: width of a cell in pixels; less if the mosaic would be wider than `MAX_WIDTH`.
        threads: encoding threads; 0 leaves the number to the encoder.
        advance: called with the number of frames written since its last call.

    Returns:
        Frames written.
    """
    if not cameras:
        raise ValueError("a mosaic needs at least one camera")
    columns = int(np.ceil(np.sqrt(len(cameras))))
    width = min(cell_width, MAX_WIDTH // columns) // 2 * 2
    height = _cell_height(cameras, width)
    lengths = [camera.frames or camera.video.info.frames for camera in cameras]
    start = min(float(camera.clock.at(1)) for camera in cameras)
    end = max(float(camera.clock.at(length)) for camera, length in zip(cameras, lengths, strict=True))
    seconds = start + np.arange(int((end - start) * fps) + 1) / fps
    cells = [_cell(camera, length, seconds, (width, height)) for camera, length in zip(cameras, lengths, strict=True)]
    sheet = np.full((-(-len(cameras) // columns) * height, columns * width, 3), _EMPTY, np.uint8)
    with (
        atomic(path) as aside,
        VideoWriter(aside, sheet.shape[1], sheet.shape[0], fps, threads=threads) as writer,
    ):
        for second in seconds:
            for i, cell in enumerate(cells):
                top, left = i // columns * height, i % columns * width
                sheet[top : top + height, left : left + width] = next(cell)
            picture = sheet.copy()
            draw_label(picture, clock_text(float(second)), (picture.shape[1], picture.shape[0]), (32, 32, 32))
            writer.write(picture, float(second - start))
            if advance:
                advance(1)
    return len(seconds)


def _cell_height(cameras: Sequence[MosaicCamera], width: int) -> int:
    """The height of a cell, by the median aspect ratio of the cameras."""
    ratio = float(np.median([camera.video.info.height / camera.video.info.width for camera in cameras]))
    return max(2, round(width * ratio / 2) * 2)


def _cell(
    camera: MosaicCamera, length: int, seconds: npt.NDArray[np.float64], size: tuple[int, int]
) -> Iterator[Picture]:
    """The camera's picture at each of `seconds`, scaled into `size` (width, height)."""
    # The small offset keeps rounding from selecting the previous frame.
    shown = np.floor(camera.clock.frame_at(seconds) + 1e-6).astype(np.int64)
    within = (shown >= 1) & (shown <= length)
    frames = camera.video.frames(wanted=np.unique(shown[within]).tolist()) if within.any() else iter(())
    overlay = IdentityOverlay(camera.tracks)
    empty = np.full((size[1], size[0], 3), _EMPTY, np.uint8)
    draw_label(empty, camera.name, (0, 0), (90, 90, 90))
    picture = empty
    following = next(frames, None)
    for number, inside in zip(shown.tolist(), within.tolist(), strict=True):
        # Frames that could not be read are missing from `frames`: the previous one stays.
        while following is not None and following[0] <= number:
            picture = _fitted(following[1], following[0], overlay, size)
            draw_label(picture, camera.name, (0, 0), (32, 32, 32))
            following = next(frames, None)
        yield picture if inside else empty


def _fitted(frame: Picture, number: int, overlay: IdentityOverlay, size: tuple[int, int]) -> Picture:
    """The frame with its identities, scaled to fit `size`, on grey."""
    width, height = size
    factor = min(width / frame.shape[1], height / frame.shape[0])
    inner = (max(1, round(frame.shape[1] * factor)), max(1, round(frame.shape[0] * factor)))
    small = resized(frame, *inner)
    overlay.draw(small, number, (inner[0] / frame.shape[1], inner[1] / frame.shape[0]))
    cell = np.full((height, width, 3), _EMPTY, np.uint8)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    cell[top : top + inner[1], left : left + inner[0]] = small
    return cell
