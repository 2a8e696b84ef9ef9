"""Settings of the detection of vehicles in pictures."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from common.devices import Precision, normalise_precision
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
    precision: Annotated[Precision, BeforeValidator(normalise_precision)] = Field(
        "auto",
        description="arithmetic of the network: float32, bfloat16, float16 or int8, as the device allows; "
        "auto: float16 on a GPU, bfloat16 on a CPU that computes in it, else float32",
    )
