"""The extractors that ship with the project."""

from __future__ import annotations

from pathlib import Path

from common.resources import resource

EXTRACTORS = {"baseline": "baseline.safetensors", "ssbver": "ssbver.safetensors"}
"""Name to file in `weights/`, in the order in which a comparison lists them."""


def shipped_extractor(name: str) -> Path | None:
    """The weights of the shipped extractor `name`; None if no extractor of that name ships.

    Raises:
        InputError: it ships, but its file is missing: the installation is incomplete.

    >>> shipped_extractor("baseline").name
    'baseline.safetensors'
    >>> shipped_extractor("my_network.onnx") is None
    True
    """
    return resource("weights", EXTRACTORS[name]) if name in EXTRACTORS else None
