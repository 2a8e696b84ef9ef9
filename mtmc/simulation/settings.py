"""Settings of a simulated scenario."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.settings import Settings

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
