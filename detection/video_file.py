"""A video in a file, decoded by FFmpeg through PyAV."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.stream import Disposition
from av.video.reformatter import VideoReformatter

from common.errors import InputError
from detection.frames import Frame, Selection, VideoInfo, VideoStats
from detection.timeline import frame_times, starts_recording

DEFAULT_FPS = 25.0
"""Frames per second of a file that declares none: FFmpeg's own default for raw streams."""
MISSING_SECONDS = 1.0
"""Seconds that a file has to be shorter than the length it announces for frames to count as lost, where it announces no
number of frames. Announced lengths include the sound, which may outlast the pictures by a fraction of a second."""

_RAW_FORMATS = frozenset({"h264", "hevc", "m4v", "mjpeg", "mpegvideo"})
"""FFmpeg's names of streams without a container: their rate is FFmpeg's assumption."""
_PROBED_PACKETS = 200
"""Packets that are looked at to tell a stream that films from a still picture, where a file holds several streams."""
_STILL = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image


class VideoFile:
    """A video in a file.

    Args:
        path: the file.
        threads: decoding threads; 0 leaves the number to FFmpeg.

    Raises:
        InputError: it cannot be opened, or holds no readable frame.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self._path = path
        self._threads = threads
        self._stats = VideoStats()
        self._times: npt.NDArray[np.float64] | None = None
        self._index: int | None = None
        with self._open() as container:
            stream = container.streams[self._index]
            rate = stream.average_rate or stream.guessed_rate or stream.base_rate
            self._fps = float(rate) if rate else DEFAULT_FPS
            self._timed = bool(rate) and container.format.name not in _RAW_FORMATS
            frame = next((frame for _, frame in _decode(container, stream, VideoStats()) if frame is not None), None)
            if frame is None:
                raise InputError(f"{path}: holds no readable video frame; give a whole file or leave the camera out")
            self._turns = round(getattr(frame, "rotation", 0) / 90) % 4
            self._size = (frame.width, frame.height)
            self._announced = int(stream.frames)
            # The stream's own length, since sound may go on after the pictures; else the container's.
            own = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
            self._seconds = own or (container.duration or 0) / av.time_base

    @property
    def info(self) -> VideoInfo:
        width, height = self._size if self._turns % 2 == 0 else self._size[::-1]
        frames = self._announced or round(self._seconds * self._fps)
        return VideoInfo(width, height, self._fps, frames, self._timed)

    @property
    def stats(self) -> VideoStats:
        return self._stats

    def frames(
        self, *, first: int = 1, last: int | None = None, step: int = 1, wanted: Collection[int] | None = None
    ) -> Iterator[Frame]:
        selection = Selection.of(first, last, step, wanted)
        stats = self._stats = VideoStats()
        width, height = self._size
        packets = _Packets()
        # One converter for all frames: a frame's own would set its tables up anew each time.
        converter = VideoReformatter()
        with self._open() as container:
            for number, frame in _decode(container, container.streams[self._index], stats, packets):
                if selection.ends_before(number):
                    # The frame that showed the end is not part of what was asked for.
                    stats.decoded -= frame is not None
                    stats.broken -= frame is None
                    stats.expected = selection.last or 0
                    return
                if frame is not None and number in selection:
                    converted = converter.reformat(frame, width=width, height=height, format="bgr24")
                    picture = np.asarray(converted.to_ndarray(), np.uint8)
                    yield number, np.ascontiguousarray(np.rot90(picture, self._turns)) if self._turns else picture
        expected = len(packets.pts) + self._missing(packets)
        stats.expected = expected if selection.last is None else min(expected, selection.last)

    def times(self) -> npt.NDArray[np.float64]:
        if self._times is None:
            packets = _Packets()
            with self._open() as container:
                for packet in _demux(container, container.streams[self._index], VideoStats()):
                    packets.add(packet)
                self._times = packets.times(self._fps)
        return self._times

    def _missing(self, packets: _Packets) -> int:
        """Frames beyond the end of a file that was cut off."""
        if self._announced:
            return max(self._announced - packets.seen, 0)
        times = packets.times(self._fps)
        if not self._seconds or len(times) < 2:
            return 0
        steps = np.diff(times)
        missing = self._seconds - float(times[-1] + np.median(steps))
        # A camera that films seldom may well have filmed nothing more.
        return round(missing / float(np.mean(steps))) if missing > max(MISSING_SECONDS, 1.5 * float(steps.max())) else 0

    def _open(self) -> Any:
        """The file, its stream set up for decoding."""
        if self._index is None:
            with self._container() as container:  # choosing may read packets: those are read again
                self._index = _best_stream(container).index
        container = self._container()
        context = container.streams[self._index].codec_context
        context.thread_type = "AUTO"
        context.thread_count = self._threads
        return container

    def _container(self) -> Any:
        try:
            # Only local files: a playlist that names an address is not followed.
            container = av.open(
                str(self._path), metadata_errors="ignore", container_options={"protocol_whitelist": "file"}
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            raise InputError(f"{self._path}: cannot be opened as a video ({_reason(error)})") from error
        if not any(stream.codec_context is not None for stream in container.streams.video):
            container.close()
            raise InputError(f"{self._path}: holds no video that can be decoded")
        return container


def _best_stream(container: Any) -> Any:
    """The stream that films: no cover picture or thumbnail, and of several the largest picture."""
    streams = [stream for stream in container.streams.video if stream.codec_context is not None]
    streams = [stream for stream in streams if not stream.disposition & _STILL] or streams
    if len(streams) == 1:
        return streams[0]
    # Not every container marks a cover picture as one: it is the stream of a single packet.
    probed = islice(_demux(container, streams, VideoStats()), _PROBED_PACKETS)
    packets = Counter(packet.stream.index for packet in probed if packet.size)
    return max(streams, key=lambda s: (packets[s.index] > 1, s.codec_context.width * s.codec_context.height))


@dataclass(slots=True)
class _Packets:
    """The time stamps of a file's packets, in its order.

    Attributes:
        seen: packets, including those that are not to be shown.
        pts, dts: of those that hold a frame to show, in seconds; NaN where there is none.
    """

    seen: int = 0
    pts: list[float] = field(default_factory=list)
    dts: list[float] = field(default_factory=list)

    def add(self, packet: Any) -> bool:
        """Count a packet; whether it holds a frame that is to be shown."""
        if not packet.size:
            return False
        self.seen += 1
        if packet.is_discard:
            return False
        self.pts.append(np.nan if packet.pts is None else float(packet.pts * packet.time_base))
        self.dts.append(np.nan if packet.dts is None else float(packet.dts * packet.time_base))
        return True

    def times(self, fps: float) -> npt.NDArray[np.float64]:
        return frame_times(np.array(self.pts), np.array(self.dts), fps)


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

    def end_recording(self) -> int:
        """Go on after the last packet of a recording; the number of its frames that never came out."""
        lost = len(self.pending) if self.by_time else 0
        self.number += lost
        self.pending.clear()
        return lost


def _decode(
    container: Any, stream: Any, stats: VideoStats, packets: _Packets | None = None
) -> Iterator[tuple[int, Any]]:
    """Yield (number, frame); the frame is None where it exists but is broken. Counts into `stats` and `packets`."""
    numbering = _Numbering(by_time="avi" not in container.format.name.split(","))
    packets = packets if packets is not None else _Packets()

    def outcomes(packet: Any) -> Iterator[tuple[int, Any]]:
        try:
            frames = stream.codec_context.decode(packet)
        except (av.FFmpegError, ValueError):
            # Counted where the numbers show the gap; without times the packet itself is the gap.
            numbering.lost_packet()
            stats.broken += not numbering.by_time
            return
        for frame in frames:
            before = numbering.number
            number = numbering.frame(frame.pts)
            if numbering.by_time:
                stats.broken += number - before - 1
            stats.broken += bool(frame.is_corrupt)
            stats.decoded += not frame.is_corrupt
            yield number, None if frame.is_corrupt else frame

    previous: float | None = None
    for packet in _demux(container, stream, stats):
        dts = None if packet.dts is None else float(packet.dts * packet.time_base)
        if starts_recording(previous, dts):
            # What the decoder still holds belongs to the recording before, whose times may come again.
            yield from outcomes(None)
            stream.codec_context.flush_buffers()
            stats.broken += numbering.end_recording()
        previous = previous if dts is None else dts
        if packets.add(packet):
            numbering.packet(packet.pts)
        yield from outcomes(packet)
    stats.broken += numbering.end_recording()


def _demux(container: Any, streams: Any, stats: VideoStats) -> Iterator[Any]:
    """The packets of one or several streams, up to where the file can no longer be read; the last are empty."""
    packets = container.demux(streams)
    while True:
        try:
            yield next(packets)
        except StopIteration:
            return
        except (av.FFmpegError, ValueError):
            stats.broken += 1
            return


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).splitlines()[0]
