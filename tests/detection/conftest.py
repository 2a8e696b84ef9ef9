"""Small videos made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

MakeVideo = Callable[..., Path]


@pytest.fixture
def make_video(tmp_path: Path) -> MakeVideo:
    """Write a video whose frame k (from 1) is uniformly grey at 10 + 8 k, so that a reader's numbering shows."""

    def make(
        name: str,
        *,
        frames: int = 20,
        size: tuple[int, int] = (64, 48),
        codec: str = "mpeg4",
        gop: int = 1,
        fps: int = 10,
    ) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=fps)
            stream.width, stream.height = size
            stream.pix_fmt = {"rawvideo": "bgr24", "mjpeg": "yuvj420p"}.get(codec, "yuv420p")
            stream.codec_context.gop_size = gop
            stream.codec_context.bit_rate = 4_000_000
            for number in range(1, frames + 1):
                picture = np.full((size[1], size[0], 3), grey_of(number), np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
            container.mux(stream.encode())
        return path

    return make


def grey_of(number: int) -> int:
    """The grey that frame `number` of a made video has."""
    return min(10 + 8 * number, 250)
