"""A key depends on the sources that a module imports, and on nothing else."""

from pathlib import Path

import pytest

from common.code_version import PACKAGES, SourceTree, code_version

ROOT = Path(__file__).parents[2]

SOURCES = {
    "house/__init__.py": "",
    "house/stage.py": '"""A stage."""\nfrom house.room import chair\nfrom house.room.shelf import (\n    BOOK,\n)\n',
    "house/late.py": "import sys\n\ndef f():\n    try:\n        import house.cellar\n    finally:\n        pass\n",
    "house/typed.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from house.cellar import Wine\n",
    "house/relative.py": "from . import cellar\nfrom .room import chair as seat\n",
    "house/cellar.py": "import numpy as np\nWine = np.ndarray\n",
    "house/unrelated.py": "from house import stage\n",
    "house/room/__init__.py": "from house.room.lamp import light\n\ndef __getattr__(name):\n    import house.cellar\n",
    "house/room/chair.py": "",
    "house/room/lamp.py": "light = 1\n",
    "house/room/shelf.py": "BOOK = PEN = 1\n",
}


@pytest.fixture
def house(tmp_path: Path) -> Path:
    for name, text in SOURCES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def tree(house: Path) -> SourceTree:
    return SourceTree(house, ["house"])


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("house.stage", {"house", "house.room", "house.room.chair", "house.room.lamp", "house.room.shelf"}),
        ("house.late", {"house", "house.cellar"}),
        ("house.typed", {"house"}),
        ("house.relative", {"house", "house.cellar", "house.room", "house.room.chair", "house.room.lamp"}),
        ("house.cellar", {"house"}),
    ],
)
def test_imports_of_a_module_are_found(house: Path, module: str, expected: set[str]) -> None:
    assert tree(house).closure(module) == expected | {module}


def test_a_package_that_is_imported_itself_counts_with_what_its_functions_import(house: Path) -> None:
    assert "house.cellar" in tree(house).closure("house.room")
    assert "house.cellar" not in tree(house).closure("house.room.chair")


@pytest.mark.parametrize("changed", ["stage.py", "__init__.py", "room/__init__.py", "room/lamp.py", "room/shelf.py"])
def test_a_change_of_an_imported_module_changes_the_key(house: Path, changed: str) -> None:
    before = tree(house).digest("house.stage")
    path = house / "house" / changed
    path.write_text(path.read_text() + "# changed\n")
    assert tree(house).digest("house.stage") != before


@pytest.mark.parametrize("changed", ["unrelated.py", "cellar.py", "late.py"])
def test_a_change_of_another_module_does_not(house: Path, changed: str) -> None:
    before = tree(house).digest("house.stage")
    (house / "house" / changed).write_text("changed = True\n")
    assert tree(house).digest("house.stage") == before


def test_a_module_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"common\.nothing"):
        code_version("common.nothing")


STAGES = {
    "observe": (
        ["mtmc.observation.camera"],
        ["detection.video", "mtmc.crops.selector", "mtmc.tracking.state", "mtmc.tracking.roi", "evaluation.overlap"],
        [
            "evaluation.tables",
            "mtmc.report",
            "mtmc.association",
            "mtmc.config",
            "mtmc.pipeline",
            "reid",
            "mtmc.simulation",
        ],
    ),
    "detect": (
        ["detection.loading", "detection.video", "mtmc.tracking.tracks_file"],
        [
            "detection.network_detector",
            "detection.torchvision_detector",
            "detection.openvino_weights",
            "detection.letterbox",
        ],
        ["detection.train", "mtmc.tracking.tracker", "mtmc.crops", "mtmc.association", "evaluation"],
    ),
    "embed": (
        ["mtmc.appearance.embedding", "reid.extractor"],
        ["reid.pooling", "reid.models", "reid.backbones.resnet", "reid.checkpoint", "reid.views", "reid.deploy"],
        ["reid.training", "reid.datasets", "reid.train", "mtmc.association", "mtmc.tracking.tracker", "mtmc.report"],
    ),
    "associate": (
        ["mtmc.association.associate", "mtmc.appearance.splitting", "mtmc.tracking.reliable_span"],
        ["mtmc.association.links.discovery", "mtmc.association.solving.chains", "mtmc.association.track_summaries"],
        ["reid", "detection", "mtmc.observation", "mtmc.report", "mtmc.tracking.tracker", "evaluation.tables"],
    ),
    "simulated": (
        ["mtmc.simulation.scenario"],
        ["mtmc.simulation.raster", "mtmc.simulation.traffic", "mtmc.simulation.settings"],
        ["mtmc.simulation.reid_set", "mtmc.simulation.detection_set", "mtmc.simulation.difficulty", "mtmc.tracking"],
    ),
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stages_key_covers_its_imports_and_no_more(stage: str) -> None:
    modules, inside, outside = STAGES[stage]
    closure = SourceTree(ROOT, PACKAGES).closure(*modules)
    assert set(inside) <= closure
    assert not [m for m in closure if any(m == name or m.startswith(f"{name}.") for name in outside)]
