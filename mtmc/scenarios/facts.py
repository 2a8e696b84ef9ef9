"""The YAML file of a scenario: facts that its folder does not contain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from common.settings import Settings, read_yaml, validate
from mtmc.scenarios.clock import Clock
from mtmc.simulation.settings import SimulationSettings

Positive = Annotated[float, Field(gt=0)]


class CameraFacts(Settings):
    """Facts about the clip of one camera."""

    fps: Positive | None = Field(None, description="Frames per second; default: the scenario's, else the video's.")
    start: float | None = Field(None, description="Time of frame 1 in seconds; default: cam_timestamp's, else 0.")
    clock_scale: Positive = Field(1.0, description="Seconds on the camera's clock per second of the scenario.")
    clock: tuple[tuple[float, float], ...] | None = Field(
        None, description="Knots (frame, seconds) of a piecewise linear clock; replaces fps, start and clock_scale."
    )
    calibrated: bool = Field(True, description="False: ignore calibration.txt.")

    @field_validator("clock")
    @classmethod
    def _rises(cls, clock: tuple[tuple[float, float], ...] | None) -> tuple[tuple[float, float], ...] | None:
        if clock is not None:
            Clock.of_knots([frame for frame, _ in clock], [second for _, second in clock])
        return clock

    def make_clock(self, fps: float, start: float) -> Clock:
        """The clock of the clip; `fps` and `start` apply where the facts have none."""
        if self.clock is not None:
            frames, seconds = zip(*self.clock, strict=True)
            return Clock.of_knots(frames, seconds)
        return Clock.uniform((self.fps or fps) * self.clock_scale, start if self.start is None else self.start)


class ScenarioFacts(Settings):
    """The YAML file of a scenario."""

    name: str
    split: str = Field("", description="The folder that holds it: train, validation or test.")
    fps: Positive | None = Field(None, description="Frames per second of cameras that do not have their own.")
    cameras: dict[str, CameraFacts] = Field(
        default_factory=dict, description="Cameras by name; one that is not on disk is reported as missing."
    )
    links: str | None = Field(None, description="YAML file of zones and links, relative to this one; default: learned.")
    simulation: SimulationSettings | None = Field(
        None, description="How to render the scenario; default: it is filmed."
    )

    def facts_of(self, camera: str) -> CameraFacts:
        """The facts of one camera; defaults if the file does not name it."""
        return self.cameras.get(camera, CameraFacts())


def read_scenario_file(path: Path) -> ScenarioFacts:
    """Read and check a scenario's YAML file.

    Raises:
        InputError: the file is not YAML, or a key or value is wrong.
    """
    content = read_yaml(path)
    if isinstance(content.get("cameras"), list):
        content["cameras"] = {str(name): {} for name in content["cameras"]}
    if isinstance(content.get("cameras"), dict):
        content["cameras"] = {str(name): facts or {} for name, facts in content["cameras"].items()}
    return validate(ScenarioFacts, content, str(path))
