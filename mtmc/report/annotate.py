"""A camera's video with the identities drawn on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from common.files import atomic
from detection.video import Video
from mtmc.report.drawing import IdentityOverlay, draw_label, resized
from mtmc.report.video_writer import VideoWriter
from mtmc.report.view import clock_text
from mtmc.scenarios.clock import Clock
from mtmc.tracking.tracks import Tracks


def annotate_video(
    video: Video,
    tracks: Tracks,
    path: Path,
    *,
    name: str = "",
    clock: Clock | None = None,
    height: int | None = None,
    threads: int = 0,
    advance: Callable[[int], None] | None = None,
) -> int:
    """Write an H.264 MP4 in one pass; it appears at `path` whole or not at all.

    Args:
        video: the camera's video.
        tracks: its boxes in pixels of the video; `track` holds the identity, negative for none.
        path: the file to write.
        name: the camera's name, written into the corner.
        clock: the camera's clock; the time of each frame is written beside the name.
        height: scale frames down to this height in pixels, never up; None keeps their size.
        threads: encoding threads; use 1 where cameras run in parallel processes.
        advance: called with the number of frames written since its last call.

    Returns:
        Frames written. Frames that cannot be read are skipped; the others keep their times.
    """
    info = video.info
    width, height = _size(info.width, info.height, height)
    scale = (width / info.width, height / info.height)
    overlay = IdentityOverlay(tracks)
    written = 0
    with atomic(path) as aside, VideoWriter(aside, width, height, info.fps, threads=threads) as writer:
        times = video.times()
        for number, frame in video.frames():
            picture = resized(frame, width, height)
            overlay.draw(picture, number, scale)
            caption = " ".join(part for part in (name, clock_text(float(clock.at(number))) if clock else "") if part)
            if caption:
                draw_label(picture, caption, (0, 0), (32, 32, 32))
            writer.write(picture, float(times[min(number, len(times)) - 1]))
            written += 1
            if advance:
                advance(1)
    return written


def _size(width: int, height: int, max_height: int | None) -> tuple[int, int]:
    """Width and height of the written frames; scaled ones get even sides, which the encoder needs."""
    if max_height is None or height <= max_height:
        return width, height
    return max(2, round(width * max_height / height / 2) * 2), max(2, max_height // 2 * 2)
