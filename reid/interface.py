"""What deployed networks and their users agree on. Imports no torch, which whoever reads cached vectors spares."""

from __future__ import annotations

from typing import Literal

from common.devices import Precision

Distance = Literal["cosine", "common_visible"]
"""How two vectors are compared: by their angle, or over the parts that both images show (`reid.parts.distance`)."""
COSINE_APPROXIMATES = "the cosine of its vectors approximates its distance (common parts), which reid.evaluate ranks by"
"""Note for uses that compare vectors by their angle alone."""

INPUT = "images"
OUTPUT = "embedding"
VISIBILITY = "visibility"
"""Names of the input and the outputs of exported networks."""

PRECISIONS: tuple[Precision, ...] = ("auto", "float32", "bfloat16")
"""What extractors compute in, of `common.devices.PRECISIONS`."""
