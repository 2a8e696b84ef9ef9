"""H.264 files that browsers play, written frame by frame."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Colorspace

_TICK = Fraction(1, 90000)


class VideoWriter:
    """A context manager that encodes frames into an MP4 file (H.264, yuv420p, index at the front).

    Args:
        path: the file.
        width, height: size of the frames. H.264 in yuv420p needs even sizes: an odd last column or row is cut off.
        fps: frames per second that the file declares, and by which its last frame is shown; every frame has a time
            of its own.
        quality: constant rate factor; raising it by 6 halves the file. The encoder's default is 23.
        threads: encoding threads; 0 leaves the number to the encoder.
    """

    def __init__(self, path: Path, width: int, height: int, fps: float, *, quality: int = 24, threads: int = 0) -> None:
        self._size = (width // 2 * 2, height // 2 * 2)
        self._tick = -1
        self._frame_ticks = max(round(1 / fps / _TICK), 1)
        if min(self._size) < 2:
            raise ValueError(f"a video of {width}x{height} pixels cannot be encoded; the minimum is 2x2")
        rate = Fraction(fps).limit_denominator(1001)
        self._container = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        self._stream: Any = self._container.add_stream("libx264", rate=rate)
        self._stream.width, self._stream.height = self._size
        self._stream.pix_fmt = "yuv420p"
        # Frames are stored in the order in which they are shown: where the rate varies, reordered ones, whose times of
        # decoding run ahead, give the file another length.
        self._stream.options = {"preset": "veryfast", "crf": str(quality), "bf": "0"}
        context = self._stream.codec_context
        context.thread_count = threads
        # As fine as MPEG's own clock, so that frames of any rate keep their times.
        self._stream.time_base = context.time_base = _TICK
        # Without these, players guess the colour space from the frame size.
        context.colorspace = context.color_primaries = context.color_trc = int(Colorspace.ITU709)
        context.color_range = int(ColorRange.MPEG)

    def write(self, picture: npt.NDArray[np.uint8], seconds: float) -> None:
        """Encode `picture` (height, width, 3) BGR, to be shown from `seconds` on; times rise strictly from 0."""
        width, height = self._size
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[:height, :width]), format="bgr24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG)
        # Two frames never share a tick: an encoder refuses times that do not rise.
        self._tick = frame.pts = max(round(seconds / _TICK), self._tick + 1)
        frame.time_base = _TICK
        self._container.mux(self._stream.encode(frame))

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            packets = self._stream.encode(None)
            for packet in packets[-1:]:
                packet.duration = self._frame_ticks
            self._container.mux(packets)
        self._container.close()
