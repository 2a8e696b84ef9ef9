"""Videos as numbered BGR frames: files through PyAV, and folders of images.

OpenCV's `VideoCapture` is not used: it ends the whole process on some small raw-video files.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from common.errors import InputError, path_not_found

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

Frame = tuple[int, npt.NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a video says of itself before it is read.

    Attributes:
        width, height: size of a frame in pixels, after the rotation that a phone's video asks for.
        fps: frames per second, the mean over the file where the rate varies (see `Video.times`).
        frames: number of frames that the container announces; 0 where it announces none.
    """

    width: int
    height: int
    fps: float
    frames: int


@dataclass(slots=True)
class VideoStats:
    """What became of a video's frames; filled while it is read.

    Attributes:
        expected: frames that should be there: announced by the container or found in it, whichever is more.
        decoded: frames that could be read (those skipped on demand included).
        broken: frames that are there but cannot be decoded whole.
    """

    expected: int = 0
    decoded: int = 0
    broken: int = 0

    @property
    def lost(self) -> int:
        """Frames that should be there and could not be read: broken ones and those beyond an early end."""
        return max(self.expected - self.decoded, self.broken)


class Video(Protocol):
    """A video that can be read, any number of times, from its first frame on."""

    @property
    def info(self) -> VideoInfo:
        """Size, rate and announced length."""

    @property
    def stats(self) -> VideoStats:
        """What became of the frames in the latest complete reading by `frames`."""

    def frames(
        self, *, first: int = 1, last: int | None = None, step: int = 1, wanted: Collection[int] | None = None
    ) -> Iterator[Frame]:
        """Yield (number, picture) in order; the picture is (height, width, 3) BGR uint8 and the caller's own.

        A frame that cannot be decoded is left out and counted; the numbers of the frames after it stay true.

        Args:
            first: the first number wanted, counted from 1.
            last: the last number wanted; reading ends there.
            step: every how many frames one is wanted. Others are decoded but not converted.
            wanted: where given, only these numbers, besides the conditions above.
        """

    def times(self) -> npt.NDArray[np.float64]:
        """Seconds of each frame since the first, as the container says: the base of a clock where the rate varies."""


def open_video(path: str | Path, *, threads: int = 0, image_fps: float = 10.0) -> Video:
    """Open a video file or a folder of images.

    Args:
        path: a file that FFmpeg can read, or a folder whose images, in natural order (2 before 10), are the frames.
        threads: decoding threads; 0 leaves the number to FFmpeg. Use 1 where cameras run in parallel processes.
        image_fps: frames per second of a folder of images, which does not say so itself.

    Raises:
        InputError: nothing is there, it cannot be opened, or it holds no readable frame.
    """
    path = Path(path)
    if path.is_dir():
        return ImageFolder(path, image_fps)
    if not path.is_file():
        raise path_not_found(path, "video")
    return VideoFile(path, threads)


@dataclass(frozen=True, slots=True)
class _Selection:
    """Which frame numbers a reader wants."""

    first: int
    last: int | None
    step: int
    wanted: frozenset[int] | None

    @classmethod
    def of(cls, first: int, last: int | None, step: int, wanted: Collection[int] | None) -> _Selection:
        if first < 1 or step < 1:
            raise ValueError(f"first and step count from 1, not {first} and {step}")
        numbers = None if wanted is None else frozenset(int(n) for n in wanted)
        if numbers is not None:
            last = min(max(numbers, default=0), last) if last is not None else max(numbers, default=0)
        return cls(first, last, step, numbers)

    def __contains__(self, number: int) -> bool:
        return (
            number >= self.first
            and (number - self.first) % self.step == 0
            and (self.wanted is None or number in self.wanted)
        )

    def ends_before(self, number: int) -> bool:
        return self.last is not None and number > self.last


@dataclass(slots=True)
class _Numbering:
    """Numbers decoded frames so that a frame lost inside the decoder leaves a gap instead of shifting the rest.

    A decoder hands frames out in the order of their presentation times, so the number of a frame is the count of
    packets shown up to it. AVI holds no presentation times: there frames are counted one by one.
    """

    by_time: bool
    number: int = 0
    pending: list[int] = field(default_factory=list)

    def packet(self, pts: int | None) -> None:
        if pts is None:
            self.by_time = False
        elif self.by_time:
            heapq.heappush(self.pending, pts)

    def lost_packet(self) -> None:
        if not self.by_time:
            self.number += 1

    def frame(self, pts: int | None) -> int:
        before = self.number
        if self.by_time and pts is not None:
            while self.pending and self.pending[0] <= pts:
                heapq.heappop(self.pending)
                self.number += 1
        self.number = max(self.number, before + 1)
        return self.number


class VideoFile:
    """A video in a file, decoded by FFmpeg through PyAV."""

    def __init__(self, path: Path, threads: int) -> None:
        self._path = path
        self._threads = threads
        self._stats = VideoStats()
        with self._open() as container:
            stream = container.streams.video[0]
            rate = stream.average_rate or stream.guessed_rate or stream.base_rate
            fps = float(rate) if rate else 0.0
            frame = next((frame for _, frame in _decode(container, VideoStats()) if frame is not None), None)
            if frame is None:
                raise InputError(f"{path}: holds no readable video frame; give a whole file or leave the camera out")
            self._turns = round(getattr(frame, "rotation", 0) / 90) % 4
            self._size = (frame.width, frame.height)
            self._announced = int(stream.frames)
            self._estimated = _estimated_frames(container, stream, fps)
            # A rate that nothing declares is taken as 25, FFmpeg's own default for raw streams.
            self._fps = fps if fps > 0 else 25.0

    @property
    def info(self) -> VideoInfo:
        width, height = self._size if self._turns % 2 == 0 else self._size[::-1]
        return VideoInfo(width, height, self._fps, self._announced or self._estimated)

    @property
    def stats(self) -> VideoStats:
        return self._stats

    def frames(
        self, *, first: int = 1, last: int | None = None, step: int = 1, wanted: Collection[int] | None = None
    ) -> Iterator[Frame]:
        selection = _Selection.of(first, last, step, wanted)
        stats = self._stats = VideoStats()
        width, height = self._size
        number = 0
        # One converter for all frames: a frame's own would set its tables up anew each time.
        converter = VideoReformatter()
        with self._open() as container:
            for number, frame in _decode(container, stats):
                if selection.ends_before(number):
                    # The frame that showed the end is not part of what was asked for.
                    stats.decoded -= frame is not None
                    stats.broken -= frame is None
                    break
                if frame is not None and number in selection:
                    converted = converter.reformat(frame, width=width, height=height, format="bgr24")
                    picture = np.asarray(converted.to_ndarray(), np.uint8)
                    yield number, np.ascontiguousarray(np.rot90(picture, self._turns)) if self._turns else picture
        if selection.last is not None:
            stats.expected = min(max(self._announced, self._estimated, number), selection.last)
            return
        stats.expected = max(stats.expected, self._announced)
        if not self._announced and self._estimated - stats.expected > self._fps:
            # Only a length in seconds is announced; it counts where more than a second is missing.
            stats.expected = self._estimated

    def times(self) -> npt.NDArray[np.float64]:
        with self._open() as container:
            stream = container.streams.video[0]
            packets = [packet for packet in _packets(container, VideoStats()) if packet.size and not packet.is_discard]
            stamps = [packet.pts for packet in packets]
            if _holds_no_times(container) or any(stamp is None for stamp in stamps):
                return np.arange(len(packets)) / self._fps
            ticks = np.sort(np.array(stamps, np.float64))
            seconds: npt.NDArray[np.float64] = (ticks - ticks[:1]) * float(stream.time_base)
            return seconds

    def _open(self) -> Any:
        try:
            # Only local files: a playlist that names an address is not followed.
            container = av.open(
                str(self._path), metadata_errors="ignore", container_options={"protocol_whitelist": "file"}
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            raise InputError(f"{self._path}: cannot be opened as a video ({_reason(error)})") from error
        if not container.streams.video or container.streams.video[0].codec_context is None:
            container.close()
            raise InputError(f"{self._path}: holds no video that can be decoded")
        context = container.streams.video[0].codec_context
        context.thread_type = "AUTO"
        context.thread_count = self._threads
        return container


def _decode(container: Any, stats: VideoStats) -> Iterator[tuple[int, Any]]:
    """Yield (number, frame); the frame is None where it is there but broken. Counts into `stats`."""
    numbering = _Numbering(by_time=not _holds_no_times(container))
    found = 0
    for packet in _packets(container, stats):
        if packet.size and not packet.is_discard:
            numbering.packet(packet.pts)
            found += 1
            stats.expected = found
        try:
            frames = packet.decode()
        except (av.FFmpegError, ValueError):
            # Counted below where the numbers show the gap; without times the packet itself is the gap.
            numbering.lost_packet()
            stats.broken += not numbering.by_time
            continue
        for frame in frames:
            before = numbering.number
            number = numbering.frame(frame.pts)
            if numbering.by_time:
                stats.broken += number - before - 1
            if frame.is_corrupt:
                stats.broken += 1
                yield number, None
            else:
                stats.decoded += 1
                yield number, frame
    stats.broken += len(numbering.pending) if numbering.by_time else 0


def _packets(container: Any, stats: VideoStats) -> Iterator[Any]:
    """The packets of the first video stream, up to the place where the file can no longer be read."""
    packets = container.demux(container.streams.video[0])
    while True:
        try:
            yield next(packets)
        except StopIteration:
            return
        except (av.FFmpegError, ValueError):
            stats.broken += 1
            return


def _holds_no_times(container: Any) -> bool:
    return "avi" in container.format.name.split(",")


def _estimated_frames(container: Any, stream: Any, fps: float) -> int:
    if stream.duration and stream.time_base:
        return round(float(stream.duration * stream.time_base) * fps)
    return round(container.duration / av.time_base * fps) if container.duration else 0


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).splitlines()[0]


class ImageFolder:
    """A folder of images as a video: the images in natural order are the frames."""

    def __init__(self, folder: Path, fps: float) -> None:
        self._paths = sorted(
            (path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES), key=lambda p: _natural(p.name)
        )
        if not self._paths:
            raise InputError(f"{folder}: holds no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
        picture = next((picture for picture in map(_read_image, self._paths) if picture is not None), None)
        if picture is None:
            raise InputError(f"{folder}: none of its {len(self._paths)} images can be read")
        self._info = VideoInfo(picture.shape[1], picture.shape[0], fps, len(self._paths))
        self._stats = VideoStats()

    @property
    def info(self) -> VideoInfo:
        return self._info

    @property
    def stats(self) -> VideoStats:
        return self._stats

    def frames(
        self, *, first: int = 1, last: int | None = None, step: int = 1, wanted: Collection[int] | None = None
    ) -> Iterator[Frame]:
        selection = _Selection.of(first, last, step, wanted)
        stats = self._stats = VideoStats()
        for number, path in enumerate(self._paths, start=1):
            if selection.ends_before(number):
                return
            stats.expected += 1
            if number not in selection:
                stats.decoded += 1
                continue
            picture = _read_image(path)
            if picture is None or picture.shape[:2] != (self._info.height, self._info.width):
                stats.broken += 1
                continue
            stats.decoded += 1
            yield number, picture

    def times(self) -> npt.NDArray[np.float64]:
        return np.arange(len(self._paths)) / self._info.fps


def _read_image(path: Path) -> npt.NDArray[np.uint8] | None:
    data = np.fromfile(path, np.uint8)
    if not data.size:
        return None
    try:
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if picture is None else picture.astype(np.uint8, copy=False)


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
