"""A scenario's YAML file: the facts of a data set that its folder does not tell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from common.settings import Settings, read_yaml, validate
from mtmc.scenarios.clock import Clock
from mtmc.simulation.settings import SimulationSettings

Positive = Annotated[float, Field(gt=0)]


class CameraFacts(Settings):
    """What is known of one camera's clip."""

    fps: Positive | None = Field(None, description="frames per second; left out: the scenario's, then the video's")
    start: float | None = Field(None, description="seconds of frame 1; left out: cam_timestamp's, then 0")
    clock_scale: Positive = Field(1.0, description="seconds on the camera's own clock in one second of the scenario's")
    clock: tuple[tuple[float, float], ...] | None = Field(
        None, description="knots (frame, seconds) of a piecewise-linear clock; replaces fps, start and clock_scale"
    )
    calibrated: bool = Field(True, description="false: calibration.txt is not to be used")

    @field_validator("clock")
    @classmethod
    def _rises(cls, clock: tuple[tuple[float, float], ...] | None) -> tuple[tuple[float, float], ...] | None:
        if clock is not None:
            Clock.of_knots([frame for frame, _ in clock], [second for _, second in clock])
        return clock

    def make_clock(self, fps: float, start: float) -> Clock:
        """The clock of the clip, given what holds where these facts say nothing."""
        if self.clock is not None:
            frames, seconds = zip(*self.clock, strict=True)
            return Clock.of_knots(frames, seconds)
        return Clock.uniform((self.fps or fps) * self.clock_scale, start if self.start is None else self.start)


class ScenarioFacts(Settings):
    """A scenario's YAML file."""

    name: str
    split: str = Field("", description="train, validation or test: the folder it lies in")
    fps: Positive | None = Field(None, description="frames per second of all cameras that say nothing else")
    cameras: dict[str, CameraFacts] = Field(
        default_factory=dict, description="cameras by name; one named here that is not on disk is reported as missing"
    )
    links: str | None = Field(None, description="a YAML file of zones and links beside this one; left out: learned")
    simulation: SimulationSettings | None = Field(None, description="how to render the scenario; left out: it is real")

    def facts_of(self, camera: str) -> CameraFacts:
        """The facts of one camera, defaults where the file does not name it."""
        return self.cameras.get(camera, CameraFacts())


def read_scenario_file(path: Path) -> ScenarioFacts:
    """Read and check a scenario's YAML file.

    Raises:
        InputError: the file is no YAML, or a key or value is wrong.
    """
    content = read_yaml(path)
    if isinstance(content.get("cameras"), list):
        content["cameras"] = {str(name): {} for name in content["cameras"]}
    if isinstance(content.get("cameras"), dict):
        content["cameras"] = {str(name): facts or {} for name, facts in content["cameras"].items()}
    return validate(ScenarioFacts, content, str(path))
