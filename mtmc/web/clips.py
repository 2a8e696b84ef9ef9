"""A clip of a passage, cut from the recorded video at the right second and kept for the next time."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from common.errors import InputError
from common.files import atomic
from detection.video import Frame, Video, open_video
from mtmc.report.drawing import IdentityOverlay, resized
from mtmc.report.video_writer import VideoWriter
from mtmc.scenarios.scenario import Camera
from mtmc.tracking.tracks import Tracks

MARGIN = 0.5
"""Seconds before and after the passage. Raising it shows more of what came before."""
LONGEST = 40.0
"""Seconds of a clip; of a longer passage, such as a vehicle that waits, its beginning is shown. Raising it costs time
and space."""
NEAR = 200
"""Frames from the start of a video up to which they are read in turn; beyond, the file is entered near the clip.
Raising it costs time."""
HEIGHT = 480
"""Pixels; larger frames are scaled down. Raising it costs time and space."""


class ClipStore:
    """Makes clips on demand, one at a time, and keeps them in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def clip(self, camera: Camera, tracks: Tracks, identity: int) -> Path:
        """The MP4 of a passage with its box drawn.

        Args:
            camera: the camera.
            tracks: the boxes of the passage.
            identity: written beside the box; -1 for none.

        Raises:
            InputError: the camera has no video, or it cannot be opened any more.
        """
        if camera.video is None:
            raise InputError(f"{camera.name}: has no video, only boxes")
        if not camera.video.exists():
            raise InputError(f"{camera.video}: is gone; clips need the recorded video")
        margin = round(MARGIN * camera.fps)
        first = max(1, int(tracks.frame.min()) - margin)
        last = min(int(tracks.frame.max()) + margin, first + round(LONGEST * camera.fps))
        about = f"{camera.video.resolve()}:{camera.video.stat().st_mtime_ns}:{first}:{last}:{identity}:"
        digest = hashlib.blake2b(about.encode() + tracks.box.tobytes(), digest_size=12).hexdigest()
        path = self._folder / f"{digest}.mp4"
        if path.is_file():
            return path
        with self._lock:
            if not path.is_file():
                _write(path, camera, tracks, identity, first, last)
        return path


def _write(path: Path, camera: Camera, tracks: Tracks, identity: int, first: int, last: int) -> None:
    video = open_video(str(camera.video), image_fps=camera.fps)
    info = video.info
    scale = min(1.0, HEIGHT / info.height)
    width, height = max(2, round(info.width * scale / 2) * 2), max(2, round(info.height * scale / 2) * 2)
    drawn = Tracks(np.full(len(tracks), identity, np.int32), tracks.frame, tracks.box, tracks.score, tracks.label)
    overlay = IdentityOverlay(drawn)
    times = video.times()
    start = float(times[min(first, len(times)) - 1])
    written = 0
    with atomic(path) as aside, VideoWriter(aside, width, height, info.fps) as writer:
        for number, frame in _frames(camera, video, times, first, last):
            picture = resized(frame, width, height)
            if picture is frame:
                picture = picture.copy()
            overlay.draw(picture, number, (width / info.width, height / info.height))
            writer.write(picture, float(times[min(number, len(times)) - 1]) - start)
            written += 1
        if not written:
            raise InputError(f"{camera.video}: frames {first} to {last} cannot be read")


def _frames(camera: Camera, video: Video, times: npt.NDArray[np.float64], first: int, last: int) -> Iterator[Frame]:
    """The frames `first` to `last`, without reading the whole video before them where its times allow."""
    if first > NEAR and camera.video is not None and camera.video.is_file():
        found = _entered(camera.video, times, first, last)
        if found:
            yield from found
            return
    yield from video.frames(first=first, last=last)


def _entered(path: Path, times: npt.NDArray[np.float64], first: int, last: int) -> list[Frame]:
    """The frames, read from the key frame before them; none where the times of the file do not say which they are."""
    found: list[Frame] = []
    with av.open(str(path), metadata_errors="ignore", container_options={"protocol_whitelist": "file"}) as container:
        stream: Any = container.streams.best("video")
        if stream is None or stream.time_base is None:
            return []
        stream.thread_type = "AUTO"
        origin = next((float(f.pts * stream.time_base) for f in container.decode(stream) if f.pts is not None), None)
        if origin is None:
            return []
        tolerance = 0.5 * float(np.median(np.diff(times))) if len(times) > 1 else 0.01
        try:
            container.seek(int((origin + times[first - 1]) / stream.time_base), stream=stream)
            for frame in container.decode(stream):
                if frame.pts is None:
                    return []
                seconds = float(frame.pts * stream.time_base) - origin
                number = int(np.argmin(np.abs(times - seconds))) + 1
                if abs(times[number - 1] - seconds) > tolerance:
                    return []
                if number > last:
                    break
                if number >= first:
                    turns = round(getattr(frame, "rotation", 0) / 90) % 4
                    picture = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
                    found.append((number, np.ascontiguousarray(np.rot90(picture, turns))))
        except (av.FFmpegError, ValueError):
            return []
    return found if found and found[0][0] == first else []
