"""Settings of a simulated scenario."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from common.nearest import nearest
from common.settings import Settings
from mtmc.simulation.condition_names import Condition

Layout = Literal["corridor", "crossing", "network"]


class SimulationSettings(Settings):
    """The `simulation:` section of a scenario's YAML file."""

    layout: Layout = Field(
        "corridor",
        description="corridor: one main road, views do not overlap; crossing: all cameras see one junction; "
        "network: street grid with loops, one camera per junction",
    )
    seed: int = Field(
        7, ge=0, description="seed of roads, vehicles, traffic and cameras; each seed is a different scenario"
    )
    seconds: float = Field(
        60.0,
        gt=0,
        description="length of each camera's clip in seconds; longer clips have more vehicles and render slower",
    )
    fps: float = Field(
        10.0, gt=0, le=60, description="frames per second; higher rates make tracking easier and rendering slower"
    )
    width: int = Field(
        960, ge=160, multiple_of=2, description="image width in pixels; wider images resolve smaller details"
    )
    height: int = Field(540, ge=90, multiple_of=2, description="image height in pixels")
    vehicles: int | None = Field(
        None,
        ge=1,
        description="vehicles that enter, including warm-up; more means denser traffic; null: chosen for the roads",
    )
    cameras: int = Field(6, ge=1, description="number of cameras; corridors and networks grow with it")
    first_camera: int = Field(41, ge=0, description="number of the first camera; the others are numbered consecutively")
    video: bool = Field(True, description="false writes everything except vdo.avi, which is many times faster")
    two_wheelers: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of motorcycles and scooters; they are narrow, hidden often and hard to tell apart",
    )
    conditions: tuple[Condition, ...] = Field(
        (), description="weather, time of day and lens faults of all cameras; several hold together; none: a clear day"
    )
    camera_conditions: dict[str, tuple[Condition, ...]] = Field(
        default_factory=dict, description="conditions of single cameras by name, instead of the scenario's"
    )

    @property
    def camera_names(self) -> list[str]:
        """The names of the cameras, `c041` and so on."""
        return [f"c{self.first_camera + i:03d}" for i in range(self.cameras)]

    def conditions_of(self, camera: str) -> tuple[Condition, ...]:
        """The conditions of one camera."""
        return self.camera_conditions.get(camera, self.conditions)

    @model_validator(mode="after")
    def _cameras_exist(self) -> SimulationSettings:
        for name in self.camera_conditions:
            if name not in self.camera_names:
                raise ValueError(f"camera_conditions: no camera {name}{nearest(name, self.camera_names)}")
        return self
