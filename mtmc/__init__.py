"""Multi-camera vehicle tracking: videos of fixed cameras in, one identity per vehicle across all cameras out.

>>> import mtmc
>>> scenario = mtmc.load_scenario("sim-S06")  # doctest: +SKIP
>>> result = mtmc.run_scenario(scenario, reid=["baseline", "ssbver"])  # doctest: +SKIP
>>> print(result.table())  # doctest: +SKIP

`python -m mtmc.run` is the same as a command.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detection.detections import Detections
    from mtmc.association.settings import AssociationSettings
    from mtmc.config import PipelineSettings
    from mtmc.interface.association import associate
    from mtmc.interface.result import ScenarioResult
    from mtmc.interface.running import prepare_scenario, run_scenario
    from mtmc.interface.scenarios import load_scenario
    from mtmc.scenarios.clock import Clock
    from mtmc.scenarios.scenario import Camera, Scenario
    from mtmc.tracking.settings import TrackingSettings
    from mtmc.tracking.tracker import Tracker
    from mtmc.tracking.tracks import Tracks

    __version__: str

__all__ = [
    "AssociationSettings",
    "Camera",
    "Clock",
    "Detections",
    "PipelineSettings",
    "Scenario",
    "ScenarioResult",
    "Tracker",
    "TrackingSettings",
    "Tracks",
    "__version__",
    "associate",
    "load_scenario",
    "prepare_scenario",
    "run_scenario",
]

# Imported when first used: `import mtmc` and `--help` do not wait for the numerical packages.
_HOMES = {
    "AssociationSettings": "mtmc.association.settings",
    "Camera": "mtmc.scenarios.scenario",
    "Clock": "mtmc.scenarios.clock",
    "Detections": "detection.detections",
    "PipelineSettings": "mtmc.config",
    "Scenario": "mtmc.scenarios.scenario",
    "ScenarioResult": "mtmc.interface.result",
    "Tracker": "mtmc.tracking.tracker",
    "TrackingSettings": "mtmc.tracking.settings",
    "Tracks": "mtmc.tracking.tracks",
    "associate": "mtmc.interface.association",
    "load_scenario": "mtmc.interface.scenarios",
    "prepare_scenario": "mtmc.interface.running",
    "run_scenario": "mtmc.interface.running",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("mtmc")
    if name not in _HOMES:
        raise AttributeError(f"module 'mtmc' has no attribute {name!r}")
    found: object = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
