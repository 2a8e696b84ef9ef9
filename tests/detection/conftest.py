"""Small videos and small networks made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
import torch

from detection.ultralytics_package import ultralytics_module

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
            stream: Any = container.add_stream(codec, rate=fps)
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


@pytest.fixture(scope="session")
def yolo_modules() -> Any:
    """A small YOLO11 with random weights and three classes, whose scores spread over [0, 1]."""
    torch.manual_seed(0)
    tasks = ultralytics_module("ultralytics.nn.tasks")
    modules = tasks.DetectionModel("yolo11n.yaml", nc=3, verbose=False).eval()
    modules.names = {0: "car", 1: "Truck", 2: "person"}
    head = modules.model[-1]
    for branch in head.cv3:
        torch.nn.init.zeros_(branch[-1].bias)
    norms = [module for module in modules.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        # One pass sets the batch norms to the scale of the signal, which would vanish on its way otherwise.
        modules.train()(torch.rand(4, 3, 64, 96))
        modules.eval()
        logits = torch.logit(modules(torch.rand(1, 3, 64, 96))[0][0, 4:].double(), eps=1e-12)
        for branch in head.cv3:
            branch[-1].weight *= 2 / logits.std()
    return modules


@pytest.fixture(scope="session")
def checkpoint(yolo_modules: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a `.pt`, as ultralytics writes it after training."""
    path = tmp_path_factory.mktemp("weights") / "tiny.pt"
    torch.save({"epoch": -1, "model": deepcopy(yolo_modules).half(), "ema": None, "train_args": {"imgsz": 96}}, path)
    return path


@pytest.fixture(scope="session")
def pictures() -> list[npt.NDArray[np.uint8]]:
    """Five noisy frames of 90 x 160."""
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (90, 160, 3), np.uint8) for _ in range(5)]
