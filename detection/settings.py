"""Settings of the detection of vehicles in pictures."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.settings import Settings


class DetectionSettings(Settings):
    """Pixels to boxes."""

    score: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="minimum confidence of a box; raising it loses faint vehicles and false boxes alike",
    )
    image_size: int = Field(
        640, ge=64, description="longer side of the detector's input; raising it finds smaller vehicles, more slowly"
    )
    precision: Literal["auto", "float32", "bf16", "int8"] = Field(
        "auto", description="arithmetic of the network on the CPU; auto: bf16 where the CPU has it, else float32"
    )
