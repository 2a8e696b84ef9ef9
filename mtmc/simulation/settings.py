"""What decides a simulated scenario."""

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
        "network: blocks with loops, one camera a junction",
    )
    seed: int = Field(
        7, ge=0, description="decides roads, vehicles, traffic, cameras; another seed is another scenario"
    )
    seconds: float = Field(
        60.0, gt=0, description="length of each camera's clip; more gives more vehicles and more time to render"
    )
    fps: float = Field(
        10.0, gt=0, le=60, description="frames a second; more makes tracking easier and rendering slower"
    )
    width: int = Field(960, ge=160, multiple_of=2, description="image width in pixels; more shows smaller details")
    height: int = Field(540, ge=90, multiple_of=2, description="image height in pixels")
    vehicles: int | None = Field(
        None,
        ge=1,
        description="vehicles that enter from warm-up to end; more is denser traffic; none: as the roads can bear",
    )
    cameras: int = Field(6, ge=1, description="number of cameras; a corridor or network grows with it")
    first_camera: int = Field(41, ge=0, description="number of the first camera, the others follow")
    video: bool = Field(True, description="false writes everything but vdo.avi, many times faster")
