"""Where frames of running cameras come from: RTSP and HTTP streams, and files that are played at a set speed."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np
import numpy.typing as npt

from common.errors import InputError
from detection.video import open_video
from mtmc.online.frames import LiveFrame
from mtmc.online.redaction import redact
from mtmc.online.stream_clock import StreamClock
from mtmc.scenarios.clock import Clock

OPEN_SECONDS = 5.0
"""Seconds in which a stream has to open. Raising it waits longer for slow cameras."""
READ_SECONDS = 4.0
"""Seconds without data after which a stream counts as lost. Raising it survives longer pauses, and notices a frozen
camera later. FFmpeg may take twice as long."""
FIRST_WAIT = 0.5
"""Seconds before the first new attempt to connect. Raising it loses more after a short interruption."""
MAX_WAIT = 30.0
"""Longest pause between two attempts in seconds. Raising it spares a dead camera's network, and finds the camera later
when it is back."""
MAX_UNSTAMPED = 10
"""Frames without a time stamp that are left out at the beginning of a session, until stamps come. Raising it waits
longer in streams that have none. A stamp takes one frame with RTSP."""
WITHOUT_STAMPS = ("mpjpeg", "mjpeg", "h264", "hevc", "m4v")
"""FFmpeg's names of formats that hold no time stamps (pictures over HTTP, mostly). FFmpeg makes some up, 25 frames a
second whatever the camera sends; the times of arrival are used instead."""
JITTER = 0.3
"""Share of a pause that is random, so that cameras behind one switch do not all come back at the same moment."""


class StreamError(Exception):
    """A stream could not be opened or was lost; the text is for the user and holds no credentials."""


class FrameSource(Protocol):
    """One camera's frames, from when it is opened until it is lost."""

    def frames(self, session: int, first_number: int) -> Iterator[LiveFrame]:
        """Yield frames in the order of time; ends where the camera ends for good.

        Args:
            session: the number of this session.
            first_number: the number of its first frame, where the source does not number them itself.

        Raises:
            StreamError: it could not be opened, or was lost.
        """

    @property
    def clock(self) -> str:
        """Where the frames' times come from: stream, arrival, or file."""

    @property
    def lag(self) -> float | None:
        """What was learned of the camera's clock, see `StreamClock`; None where it tells no time."""


class NetworkStream:
    """An RTSP or HTTP stream.

    Args:
        address: with credentials, if need be.
        clock_offset: seconds to add to its times.
        lag: what was learned of its clock before, see `StreamClock`.
        now: seconds since 1970.
    """

    def __init__(
        self,
        address: str,
        clock_offset: float = 0.0,
        lag: float | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._address, self._clock_offset, self._now = address, clock_offset, now
        self._clock = StreamClock(lag)

    @property
    def clock(self) -> str:
        return self._clock.source

    @property
    def lag(self) -> float | None:
        return self._clock.lag

    def frames(self, session: int, first_number: int) -> Iterator[LiveFrame]:
        """See `FrameSource`. An end of a network stream is a disconnection: it raises, it does not end."""
        self._clock = StreamClock(self._clock.lag)
        try:
            with self._open() as container:
                stream = next((s for s in container.streams.video if s.codec_context is not None), None)
                if stream is None:
                    raise StreamError("the stream holds no video that can be decoded")
                yield from self._decode(container, stream, session, first_number)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise StreamError(_reason(error)) from None
        raise StreamError("the camera ended the stream")

    def _open(self) -> Any:
        options = {"rtsp_transport": "tcp"} if self._address.lower().startswith("rtsp") else {}
        return av.open(self._address, options=options, timeout=(OPEN_SECONDS, READ_SECONDS), metadata_errors="ignore")

    def _decode(self, container: Any, stream: Any, session: int, number: int) -> Iterator[LiveFrame]:
        whole, unstamped = False, 0
        stamped = container.format.name not in WITHOUT_STAMPS
        for packet in container.demux(stream):
            # What precedes the first key frame cannot be decoded completely: it shows grey or smeared pictures.
            whole = whole or bool(packet.is_keyframe)
            if not whole or not packet.size:
                continue
            try:
                decoded = stream.codec_context.decode(packet)
            except (av.error.InvalidDataError, ValueError):
                whole = False
                continue
            for frame in decoded:
                stamp = float(frame.pts * frame.time_base) if stamped and frame.pts is not None else None
                if stamp is None and stamped and unstamped < MAX_UNSTAMPED:
                    unstamped += 1
                    continue
                start = container.start_time_realtime
                seconds = self._clock.at(stamp, self._now(), start / 1e6 if start is not None and start > 0 else None)
                if seconds is not None and not frame.is_corrupt:
                    seconds += self._clock_offset
                    yield LiveFrame(number, seconds, session, frame.width, frame.height, partial(_picture, frame))
                number += 1


@dataclass(frozen=True, slots=True)
class Playback:
    """How a file is played.

    Attributes:
        clock: its frames' times on the shared time axis.
        begin: frames before this time are left out.
        wall: when the frame of time `begin` is due: seconds since 1970, or since all cameras were told to begin.
        speed: seconds of the file in a second; infinite: as fast as its frames are taken.
    """

    clock: Clock
    begin: float
    wall: float
    speed: float = 1.0

    def due(self, seconds: float) -> float:
        """When the frame of this time is due, counted as `wall`."""
        return self.wall + (seconds - self.begin) / self.speed

    def after(self, seconds: float) -> Playback:
        """The rest of the file, after the frame of this time; what is left out is not played faster."""
        begin = seconds + 1e-4
        return Playback(self.clock, begin, self.due(begin), self.speed)


class PlayedFile:
    """A video file whose frames come when they are due, as if a camera sent them.

    Args:
        path: the file.
        playback: when they are due.
        stop: ends the waiting for a frame.
        image_fps: frames per second of a folder of images.
    """

    clock = "file"
    lag = None

    def __init__(self, path: Path, playback: Playback, stop: threading.Event, image_fps: float = 10.0) -> None:
        self._path, self._playback, self._stop, self._image_fps = path, playback, stop, image_fps

    def frames(self, session: int, first_number: int) -> Iterator[LiveFrame]:
        """See `FrameSource`; frames have the numbers of the file."""
        play = self._playback
        try:
            video = open_video(self._path, threads=1, image_fps=self._image_fps)
            first = max(math.ceil(float(play.clock.frame_at(play.begin)) - 1e-6), 1)
            size = (video.info.width, video.info.height)
            for number, picture in video.frames(first=first):
                seconds = float(play.clock.at(number))
                wait = play.due(seconds) - time.time() if math.isfinite(play.speed) else 0.0
                if wait > 0 and self._stop.wait(wait):
                    return
                yield LiveFrame(number, seconds, session, *size, partial(_same, picture))
        except InputError as error:
            raise StreamError(redact(error)) from None


class Pauses:
    """The pauses between attempts to reach a camera: twice as long each time, up to `MAX_WAIT`, with some jitter.

    Args:
        random: a number in [0, 1).

    >>> pauses = Pauses(lambda: 0.0)
    >>> [round(pauses.next(), 2) for _ in range(8)]
    [0.35, 0.7, 1.4, 2.8, 5.6, 11.2, 21.0, 21.0]
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self._random, self._wait = random, FIRST_WAIT

    def next(self) -> float:
        """Seconds to wait now."""
        wait, self._wait = self._wait, min(2 * self._wait, MAX_WAIT)
        return wait * (1.0 - JITTER + JITTER * self._random())

    def reset(self) -> None:
        """Start again with a short one: the camera was there."""
        self._wait = FIRST_WAIT


def _picture(frame: Any) -> npt.NDArray[np.uint8]:
    return np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


def _same(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return picture


def _reason(error: Exception) -> str:
    if isinstance(error, av.error.ExitError):  # FFmpeg's "immediate exit requested" is our time limit
        return f"no data for {READ_SECONDS:g} s"
    text = str(getattr(error, "strerror", None) or error) or type(error).__name__
    return redact(" ".join(text.split()))
