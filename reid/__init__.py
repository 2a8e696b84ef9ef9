"""Crops to vectors: data sets, views, backbones, losses, SSBVER training, extraction, export, analysis.

A person who only wants vectors: `reid.Extractor.load("ssbver").embed(list_of_images)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reid.extractor import Extractor

__all__ = ["Extractor"]


def __getattr__(name: str) -> object:
    # Networks are imported when first asked for: reading a data set must not cost the seconds that they take.
    if name == "Extractor":
        from reid.extractor import Extractor

        return Extractor
    raise AttributeError(f"module 'reid' has no attribute {name!r}")
