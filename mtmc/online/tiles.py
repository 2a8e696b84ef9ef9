"""The newest picture of each camera with the boxes in it, for the page.

Off unless asked for (`python -m mtmc.live --tiles`). Every file is replaced as a whole; whoever reads them holds nobody
up.
"""

from __future__ import annotations

import base64
import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2

from common.files import write_text
from mtmc.online.frames import LiveFrame
from mtmc.online.messages import LiveRows

TILES = "tiles"
"""Folder of the store with `CAMERA.json`, the newest picture of each camera."""
TILE_SECONDS = 1.0
"""Seconds between two pictures of a camera. Raising it saves a few milliseconds of work each, and shows older ones."""
TILE_HEIGHT = 360
"""Pixels; larger pictures are scaled down. Raising it costs time and traffic."""
QUALITY = 75
"""JPEG quality of a picture. Raising it costs traffic."""


@dataclass(frozen=True, slots=True)
class Tile:
    """The newest picture of a camera, and where its vehicles are.

    Attributes:
        camera: its name.
        frame: the frame's number.
        seconds: when it was filmed, on the site's time axis.
        width, height: of the frame in pixels; the picture may be smaller.
        boxes: track, left, top, width and height in pixels of the frame, of each track in sight.
        picture: JPEG.
    """

    camera: str
    frame: int
    seconds: float
    width: int
    height: int
    boxes: tuple[tuple[int, float, float, float, float], ...]
    picture: bytes


class TileWriter:
    """Writes a camera's newest picture, in the camera's process.

    Args:
        folder: where `CAMERA.json` is written.
        camera: its name.
        wall: seconds of a clock that runs.
    """

    def __init__(self, folder: Path, camera: str, wall: Callable[[], float] = time.monotonic) -> None:
        self._path, self._camera, self._wall = folder / f"{camera}.json", camera, wall
        self._written = float("-inf")

    def offer(self, frame: LiveFrame, in_sight: Callable[[], LiveRows]) -> None:
        """Write the frame with the boxes that `in_sight` returns if the last one is a second old."""
        now = self._wall()
        if now - self._written < TILE_SECONDS:
            return
        self._written = now
        picture, rows = frame.to_picture(), in_sight()
        scale = min(1.0, TILE_HEIGHT / frame.height)
        if scale < 1.0:
            size = (max(1, round(frame.width * scale)), max(1, round(frame.height * scale)))
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        boxes = [
            [track, *(round(v, 1) for v in box)]
            for track, box in zip(rows.track.tolist(), rows.box.tolist(), strict=True)
        ]
        content = {
            "camera": self._camera,
            "frame": frame.number,
            "seconds": frame.seconds,
            "width": frame.width,
            "height": frame.height,
            "boxes": boxes,
            "picture": base64.b64encode(encoded.tobytes()).decode("ascii"),
        }
        # A full disk ends the program where results are written; a picture for the page is no result.
        with contextlib.suppress(OSError):
            write_text(self._path, json.dumps(content))


def read_tile(path: Path) -> Tile | None:
    """What a `TileWriter` wrote; None if there is nothing that can be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content["picture"] = base64.b64decode(content["picture"])
        content["boxes"] = tuple((int(track), *map(float, box)) for track, *box in content["boxes"])
        return Tile(**content)
    except (OSError, ValueError, KeyError, TypeError):
        return None
