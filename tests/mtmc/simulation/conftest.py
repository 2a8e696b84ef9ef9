"""A small scenario and a small re-id set, rendered once for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtmc.simulation.reid_set import simulate_reid
from mtmc.simulation.scenario import simulate_scenario
from mtmc.simulation.settings import SimulationSettings


@pytest.fixture(scope="session")
def small_settings() -> SimulationSettings:
    """A crossing seen by two cameras for three seconds."""
    return SimulationSettings(layout="crossing", seed=3, seconds=3, cameras=2, width=480, height=270)


@pytest.fixture(scope="session")
def small_scenario(tmp_path_factory: pytest.TempPathFactory, small_settings: SimulationSettings) -> Path:
    """Its data root."""
    root = tmp_path_factory.mktemp("simulated") / "root"
    simulate_scenario(small_settings, root, 1, name="sim-tiny")
    return root


@pytest.fixture(scope="session")
def small_reid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve identities in four cameras."""
    root = tmp_path_factory.mktemp("simulated") / "veri"
    simulate_reid(root, seed=2, identities=12, workers=1, cameras=4)
    return root
