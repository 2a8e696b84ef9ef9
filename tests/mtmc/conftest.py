"""A tiny scenario in CityFlow's layout: two cameras, rectangles that drive from the first to the second."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

WIDTH, HEIGHT, FPS, FRAMES = 160, 96, 10, 40


def write_video(path: Path, frames: list[np.ndarray], fps: int = FPS, codec: str = "mpeg4") -> None:
    """Encode BGR frames."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height = frames[0].shape[1], frames[0].shape[0]
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 2_000_000
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
        container.mux(stream.encode(None))


def passing(colour: tuple[int, int, int], first: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Frames in which one box crosses from frame `first` on, and its rows frame, left, top, width, height."""
    frames, rows = [], []
    noise = np.random.default_rng(0)
    for number in range(1, FRAMES + 1):
        picture = noise.integers(80, 100, (HEIGHT, WIDTH, 3)).astype(np.uint8)
        left = 10 + 5 * (number - first)
        if number >= first and left + 40 < WIDTH:
            cv2.rectangle(picture, (left, 40), (left + 40, 64), colour, -1)
            rows.append([number, left, 40, 40, 24])
        frames.append(picture)
    return frames, np.array(rows)


@pytest.fixture
def make_cityflow(tmp_path: Path) -> Callable[..., Path]:
    """Write a scenario below a fresh root; returns the root."""

    def make(name: str = "X01", split: str = "validation", video: bool = True, truth: bool = True) -> Path:
        root = tmp_path / "cityflow"
        for index, camera in enumerate(("c101", "c102")):
            folder = root / split / name / camera
            (folder / "det").mkdir(parents=True)
            (folder / "mtsc").mkdir()
            frames, rows = passing((30, 30, 200), first=1 + 4 * index)
            if video:
                write_video(folder / "vdo.avi", frames)
            lines = [",".join(map(str, [f, -1, *box, 0.9, -1, -1, -1])) for f, *box in rows.tolist()]
            (folder / "det" / "det_ssd512.txt").write_text("\n".join(lines) + "\n")
            lines = [",".join(map(str, [f, 7, *box, 1, -1, -1, -1])) for f, *box in rows.tolist()]
            (folder / "mtsc" / "mtsc_tc_ssd512.txt").write_text("\n".join(lines) + "\n")
            if truth:
                (folder / "gt").mkdir()
                lines = [",".join(map(str, [f, 5, *box, 1, -1, -1, -1])) for f, *box in rows.tolist()]
                (folder / "gt" / "gt.txt").write_text("\n".join(lines) + "\n")
            cv2.imwrite(str(folder / "roi.jpg"), np.full((HEIGHT, WIDTH), 255, np.uint8))
        for kind, values in (("cam_timestamp", ("0", "3.5")), ("cam_framenum", (FRAMES, FRAMES))):
            (root / kind).mkdir(exist_ok=True)
            pairs = zip(("c101", "c102"), values, strict=True)
            (root / kind / f"{name}.txt").write_text("".join(f"{camera} {value}\n" for camera, value in pairs))
        return root

    return make


@pytest.fixture
def links_file(tmp_path: Path) -> Path:
    """The zones and the link of the tiny scenario: out of c101 at the right, into c102 at the left 1 to 3 s later."""
    path = tmp_path / "given-links.yaml"
    path.write_text(
        "zones:\n"
        "- {name: out, camera: c101, kind: exit, polygon: [[80, 0], [160, 0], [160, 96], [80, 96]]}\n"
        "- {name: in, camera: c102, kind: entry, polygon: [[0, 0], [80, 0], [80, 96], [0, 96]]}\n"
        "links:\n"
        "- {source: out, target: in, share: 0.9, travel_time: {min: 0.5, max: 4}}\n"
    )
    return path


@pytest.fixture
def make_roundabout(tmp_path: Path) -> Callable[..., Path]:
    """Write two cameras in the layout of RoundaboutHD below a fresh root; returns the root.

    Labels are named after frames from 0, as in the data set; tracks and the truth count from `first_frame`.
    The vehicle is there in the first frame and in the last, which tells how frames are counted; or, in `whole` clips,
    it leaves the first camera before the end and enters the second after the beginning.
    """

    def make(name: str = "data", first_frame: int = 0, whole: bool = False) -> Path:
        root = tmp_path / name
        truth = []
        for camera in (1, 2):
            folder = root / "RoundaboutHD" / f"imagesc00{camera}"
            for part in ("detection", "SCT", "geo-mapping"):
                (folder / part).mkdir(parents=True)
            frames, rows = passing((30, 30, 200), first=1 + 4 * whole * (camera - 1))
            write_video(folder / "video.mp4", frames if whole else frames[: len(rows)], fps=15)
            with zipfile.ZipFile(folder / "detection" / "labels_GT.zip", "w") as labels:
                for f, x, y, w, h in rows.tolist():
                    labels.writestr(f"labels_GT/img{f - 1:06d}.txt", f"2 {x} {y} {x + w} {y + h}\n")
            counted = [(f - 1 + first_frame, *box) for f, *box in rows.tolist()]
            tracks = [f"{f} 4 {x} {y} {x + w} {y + h}" for f, x, y, w, h in counted]
            (folder / "SCT" / f"imagesc00{camera}_SCT_GT.txt").write_text("\n".join(tracks) + "\n")
            truth += [f"{camera} 0 {f} {x:.2f} {y:.2f} {w:.2f} {h:.2f} -1 -1" for f, x, y, w, h in counted]
            fitted = {
                "gps_lat": 51.38,
                "gps_lon": -2.36 + 0.001 * camera,
                "focallength_x_px": 120.0,
                "focallength_y_px": 120.0,
                "center_x_px": WIDTH / 2,
                "center_y_px": HEIGHT / 2,
                "image_height_px": HEIGHT,
                "image_width_px": WIDTH,
                "elevation_m": 8,
                "tilt_deg": 65.0,
                "roll_deg": 1.0,
                "heading_deg": 90.0 * camera,
                "pos_x_m": 0,
                "pos_y_m": 0,
                "k1": -0.05,
                "k2": 0.01,
                "k3": 0.0,
                "projection": 0,
                "lens": 2,
            }
            (folder / "geo-mapping" / f"cam0{camera}_fitted_cam.json").write_text(json.dumps(fitted))
        (root / "RoundaboutHD" / "Multi_CAM_Ground_Truth.txt").write_text("\n".join(truth) + "\n")
        return root

    return make
