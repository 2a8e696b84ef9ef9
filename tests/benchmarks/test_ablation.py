"""The ablation measures the configuration that it is given."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from evaluation.boxes import Boxes
from mtmc.association.settings import AssociationSettings
from mtmc.config import load_config
from mtmc.scenarios.scenario import Scenario


@pytest.fixture(scope="module")
def ablation() -> ModuleType:
    folder = Path(__file__).parents[2] / "benchmarks"
    spec = importlib.util.spec_from_file_location("ablation", folder / "ablation.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["ablation"] = module  # dataclasses look their module up
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))  # as for a script that Python runs
        spec.loader.exec_module(module)
    return module


def test_settings_of_the_association_are_used(ablation: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[AssociationSettings] = []

    def associate(summaries: object, links: object, settings: AssociationSettings) -> SimpleNamespace:
        used.append(settings)
        return SimpleNamespace(identity=np.zeros(0, np.int32), dropped=np.zeros(0, np.bool_))

    monkeypatch.setattr(ablation, "associate", associate)
    rows = SimpleNamespace(camera=np.zeros(0, np.int32), track=np.zeros(0, np.int32))
    settings = load_config(None, ["association.threshold=0.9"]).association
    scenario = Scenario("X", None, (), {}, False)
    problem = ablation.Problem(scenario, Boxes.empty(), {}, settings, [], rows, np.zeros(0, np.int64))
    monkeypatch.setattr(ablation.Problem, "idf1", lambda self, identity: 0.0)
    problem.solved(appearance=False)
    assert (used[0].threshold, used[0].appearance) == (0.9, False)
