"""A scenario: several fixed cameras that recorded at the same time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mtmc.scenarios.clock import Clock
from mtmc.scenarios.ground_map import GroundMap


@dataclass(frozen=True, slots=True)
class Camera:
    """One clip of one camera. CityFlow reuses camera names across scenarios: a clip is (scenario, camera).

    Attributes:
        name: the camera's name, unique in the scenario ("c041").
        number: its number in a submission (41).
        fps: frames per second.
        width, height: size of the image in pixels.
        frame_count: frames in the clip; 0 if unknown.
        clock: frame number to seconds on the scenario's time axis.
        directory: the folder that holds det/, mtsc/ and gt/; None for a plain video.
        video: the clip; None if there are only boxes.
        roi: the image of the region of interest (white is inside), or None.
        ground_truth: gt.txt, or None.
        ground: map from pixels to metres about the scenario's origin; None if uncalibrated.
    """

    name: str
    number: int
    fps: float
    width: int
    height: int
    frame_count: int
    clock: Clock
    directory: Path | None = None
    video: Path | None = None
    roi: Path | None = None
    ground_truth: Path | None = None
    ground: GroundMap | None = None

    @property
    def span(self) -> tuple[float, float]:
        """The times of the clip's first and last frame, in seconds."""
        first, last = self.clock.at([1, max(self.frame_count, 1)])
        return float(first), float(last)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Several cameras and what they have in common.

    Attributes:
        name: "S06", "sim-S06", or a folder's name.
        split: train, validation, test; empty for a plain folder.
        cameras: the cameras that can be used.
        missing: camera name to the reason why it cannot be used.
        simulated: whether the videos are rendered; every table and page says so.
        links: a YAML file of zones and links, or None: learned from the tracks.
        notes: sentences that the user should read: clocks that were guessed, files that were ignored.
        rule: by which rule it is scored besides CityFlow's: "roundabouthd", or "" for no other.
        first_frame: the number of a camera's first frame in the submission; files of one camera count from 1 always.
    """

    name: str
    split: str
    cameras: tuple[Camera, ...]
    missing: Mapping[str, str] = field(default_factory=dict)
    simulated: bool = False
    links: Path | None = None
    notes: tuple[str, ...] = ()
    rule: str = ""
    first_frame: int = 1

    @property
    def has_ground_truth(self) -> bool:
        """Whether any camera has ground truth."""
        return any(camera.ground_truth is not None for camera in self.cameras)
