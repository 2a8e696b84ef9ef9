"""Vehicle re-identification: data sets, views, backbones, losses, SSBVER training, extraction, export, analysis.

If you only need feature vectors: `reid.Extractor.load("ssbver").embed(list_of_images)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reid.extractor import Extractor

__all__ = ["Extractor"]


def __getattr__(name: str) -> object:
    # Imported lazily: reading a data set must not pay the seconds that importing the networks takes.
    if name == "Extractor":
        from reid.extractor import Extractor

        return Extractor
    raise AttributeError(f"module 'reid' has no attribute {name!r}")
