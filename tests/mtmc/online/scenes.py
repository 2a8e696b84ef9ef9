"""Pictures of bright boxes, a detector that finds them, and an extractor that knows their colour."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

from detection.detections import Detections
from mtmc.online.corrections import Correction
from mtmc.online.engine import Said
from mtmc.online.messages import CameraReport

SIZE = (320, 180)
VEHICLE = (40, 30)
_GROUND = 30


def draw(vehicles: Sequence[tuple[float, float, tuple[int, int, int]]]) -> npt.NDArray[np.uint8]:
    """A picture of vehicles, each as left, top and colour (BGR)."""
    picture = np.full((SIZE[1], SIZE[0], 3), _GROUND, np.uint8)
    for left, top, colour in vehicles:
        corner = (round(left) + VEHICLE[0] - 1, round(top) + VEHICLE[1] - 1)
        cv2.rectangle(picture, (round(left), round(top)), corner, colour, -1)
    return picture


class BrightBoxes:
    """A detector for `--detector`: every bright rectangle is a car."""

    def detect(self, frames: Sequence[npt.NDArray[np.uint8]]) -> list[Detections]:
        tables = []
        for frame in frames:
            bright = (frame.max(axis=2) > 120).astype(np.uint8)
            count, _, stats, _ = cv2.connectedComponentsWithStats(bright)
            boxes = [stats[i, :4] for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] > 150]
            tables.append(Detections.of([1] * len(boxes), np.array(boxes).reshape(-1, 4), 0.9, 2))
        return tables


class MeanColour:
    """An extractor for `extractor:`: a vehicle's colour."""

    def embed(self, crops: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        colours = np.array([crop.reshape(-1, 3).mean(axis=0) for crop in crops], np.float32) - _GROUND
        return np.asarray(colours / np.maximum(np.linalg.norm(colours, axis=1, keepdims=True), 1e-6), np.float32)


COLOURS = [(250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0), (250, 0, 250), (0, 250, 250), (250, 130, 0)]


def write_scene(
    folder: Path,
    *,
    cameras: int = 2,
    vehicles: int = 6,
    gap: float = 5.0,
    travel: float = 12.0,
    tail: float = 10.0,
    irregular: float = 0.0,
) -> Path:
    """Videos of cameras along a road, one vehicle every `gap` seconds, each `travel` seconds later in the next one.

    Up to `irregular` seconds come before each vehicle on top of that: regular traffic fits several travel times.
    """
    folder.mkdir(parents=True, exist_ok=True)
    fps, seconds = 10, gap * vehicles + travel * (cameras - 1) + tail + irregular
    begins = [gap * vehicle + irregular * (0.618 * vehicle % 1.0) for vehicle in range(vehicles)]
    for camera in range(cameras):
        with av.open(str(folder / f"c{camera + 1}.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=fps, options={"g": "10", "crf": "12", "bf": "0"})
            stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
            for number in range(round(seconds * fps)):
                seen = []
                for vehicle in range(vehicles):
                    passed = number / fps - 1 - begins[vehicle] - travel * camera - 0.2 * (vehicle % 3) * camera
                    if 0 <= passed <= 4:
                        left = -VEHICLE[0] + passed * (SIZE[0] + VEHICLE[0]) / 4
                        seen.append((left, 80.0, COLOURS[vehicle % len(COLOURS)]))
                container.mux(stream.encode(av.VideoFrame.from_ndarray(draw(seen), "bgr24")))
            container.mux(stream.encode())
    return folder


class ColourWindow:
    """An association that knows vehicles by their colour: what it says is final ten seconds after a track ended."""

    def __init__(self) -> None:
        self.horizon = float("-inf")
        self.final: set[tuple[str, int]] = set()
        self.known: dict[tuple[str, int], int] = {}
        self.identity_of: dict[str, int] = {}
        self.next = 1
        self.open: set[tuple[str, int]] = set()
        self.closed: dict[tuple[str, int], float] = {}
        self.identity: dict[tuple[str, int], int] = {}

    def restore(
        self,
        identities: Mapping[tuple[str, int], int],
        final: Collection[tuple[str, int]],
        next_identity: int,
        until: float,
    ) -> None:
        self.known, self.final, self.next = dict(identities), set(final), next_identity

    def tick(self, seconds: float, reports: Sequence[CameraReport]) -> list[Said]:
        said = []
        for report in reports:
            for track in np.unique(report.rows.track).tolist():
                if (report.camera, track) not in self.open:
                    self.open.add((report.camera, track))
                    said.append(Said("opened", None, report.camera, track, {"reason": "new track"}))
            for track, vector in zip(report.features.track.tolist(), report.features.vector, strict=True):
                said += self._assign(report.camera, track, vector)
            for ended in report.closed:
                key = (report.camera, ended.number)
                if ended.vector is not None and len(ended.rows):
                    said += self._assign(*key, ended.vector)
                said.append(Said("closed", self.identity.get(key), *key, {"reason": ended.why}))
                self.closed[key] = float(ended.rows.seconds.max()) if len(ended.rows) else seconds
        for key in [k for k, end in self.closed.items() if end + 10 <= seconds]:
            del self.closed[key]
            if key in self.identity and key not in self.final:
                said.append(Said("final", self.identity[key], *key, {"reason": "nothing can come any more"}))
        return said

    def lesson(self, *, last: bool = False) -> None:
        return None

    def use(self, lesson: str) -> None:
        raise AssertionError("nothing was learned")

    def hold(self, standing: Sequence[Correction]) -> None:
        self.standing = tuple(standing)

    def amend(self, merged: Mapping[int, int], moved: Mapping[tuple[str, int], int], next_identity: int) -> None:
        self.identity |= {key: merged[old] for key, old in self.identity.items() if old in merged}
        self.identity |= moved
        self.next = next_identity

    def _assign(self, camera: str, track: int, vector: npt.NDArray[np.float32]) -> list[Said]:
        if (camera, track) in self.identity:
            return []
        colour = "".join("1" if value > 0.3 else "0" for value in vector)
        if colour not in self.identity_of:
            identity = self.known.get((camera, track))
            if identity is None:
                identity, self.next = self.next, self.next + 1
            self.identity_of[colour] = identity
        self.identity[camera, track] = self.identity_of[colour]
        return [Said("assigned", self.identity_of[colour], camera, track, {"reason": "colour"})]
