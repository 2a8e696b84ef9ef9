"""The networks of a camera's process."""

from __future__ import annotations

from pathlib import Path

from common.plugins import is_reference
from mtmc.appearance.embedding import CropExtractor
from mtmc.appearance.own_extractor import OwnExtractor
from mtmc.config import PipelineSettings
from mtmc.observation.job import DetectorChoice

NO_APPEARANCE = "none"
"""The name of the extractor that extracts nothing."""


def choose_detector(name: str, settings: PipelineSettings, cache: Path, device: str = "auto") -> DetectorChoice:
    """The detector of this name or file with the settings of a run."""
    chosen = settings.detection
    options = {
        "device": device,
        "score": chosen.score,
        "image_size": chosen.image_size,
        "precision": chosen.precision,
        "classes": chosen.classes,
        "layout": chosen.layout,
        "cache_dir": cache,
        "own_options": settings.options.detector,
    }
    return DetectorChoice(name, options)


def load_extractor(name: str, settings: PipelineSettings, cache: Path, threads: int = 0) -> CropExtractor | None:
    """The extractor of this name or file; None for "none".

    Raises:
        InputError: there is no such extractor, or its file is damaged.
    """
    if name == NO_APPEARANCE:
        return None
    if is_reference(name):
        return OwnExtractor(name, settings.options.extractor)
    # Imported here: torch and the association take seconds, in every process of a camera.
    from mtmc.interface.running import choose_extractors
    from reid.extractor import Extractor

    [extraction] = choose_extractors(name, cache)
    if extraction.weights is None:
        return None
    weights = f"{extraction.weights}:{extraction.options}" if extraction.options else extraction.weights
    return Extractor.load(weights, threads=threads, cache_dir=cache / "extractors")
