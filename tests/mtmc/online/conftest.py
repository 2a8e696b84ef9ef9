"""A real RTSP server on the loopback, that can be killed, frozen and started again."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest


def write_video(path: Path, *, size: tuple[int, int] = (160, 120), frames: int = 50, fps: int = 10) -> Path:
    """A video whose frames tell their number by their brightness."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"g": "5", "tune": "zerolatency", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(frames):
            picture = np.full((size[1], size[0], 3), 20 + 4 * (number % 50), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "bgr24")))
        container.mux(stream.encode())
    return path


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class RtspServer:
    """`rtsp-server` of the package aio-rtsp-toolkit over a folder of videos, which it plays in a loop."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self._control = folder, free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def address(self, video: str = "gate.mp4") -> str:
        return f"rtsp://admin:hunter2@127.0.0.1:{self.port}/{video}"

    def start(self) -> None:
        command = [sys.executable, "-c", "import server_demo; server_demo.main()"]
        places = ["--dir", str(self.folder), "--host", "127.0.0.1", "--port", str(self.port)]
        self._process = subprocess.Popen(
            [*command, *places, "--control-port", str(self._control)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 120
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.2).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("the RTSP server did not start")

    def signal(self, number: int) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        if self._process is not None:
            self.signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


@pytest.fixture
def rtsp_server(tmp_path: Path) -> Iterator[RtspServer]:
    if importlib.util.find_spec("aio_rtsp_toolkit") is None:
        pytest.skip("the RTSP server needs the package aio-rtsp-toolkit (requirements-dev.lock)")
    media = tmp_path / "media"
    media.mkdir()
    write_video(media / "gate.mp4")
    server = RtspServer(media)
    server.start()
    yield server
    server.kill()
