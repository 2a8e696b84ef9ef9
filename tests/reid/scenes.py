"""Tiny scenarios of moving boxes."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np


def make_scenario(root: Path, name: str, cameras: list[str], truth: bool) -> None:
    """A scenario in CityFlow's layout with one box that drives from camera to camera."""
    folder = root / ("validation" if truth else "test") / name
    for index, camera in enumerate(cameras):
        (folder / camera / "mtsc").mkdir(parents=True)
        rows = []
        with av.open(str(folder / camera / "vdo.avi"), "w") as container:
            stream = container.add_stream("mpeg4", rate=10)
            stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
            for number in range(1, 31):
                image = np.full((96, 160, 3), 90, np.uint8)
                left = 5 + 5 * (number - 1 - 2 * index)
                if 0 <= left < 120:
                    cv2.rectangle(image, (left, 40), (left + 40, 64), (30, 30, 200), -1)
                    rows.append(f"{number},1,{left},40,40,24,1,-1,-1,-1")
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
            container.mux(stream.encode(None))
        (folder / camera / "mtsc" / "mtsc_tc_ssd512.txt").write_text("\n".join(rows) + "\n")
        if truth:
            (folder / camera / "gt").mkdir()
            (folder / camera / "gt" / "gt.txt").write_text("\n".join(rows) + "\n")
    for kind, value in (("cam_timestamp", "0"), ("cam_framenum", "30")):
        (root / kind).mkdir(exist_ok=True)
        (root / kind / f"{name}.txt").write_text("".join(f"{camera} {value}\n" for camera in cameras))
