"""The layout: which package may import which, no circles, few loose files."""

from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from common.code_version import PACKAGES, SourceTree

ROOT = Path(__file__).parents[2]
MAY_IMPORT = {
    "common": set(),
    "evaluation": {"common"},
    "detection": {"common"},
    "reid": {"common", "evaluation"},
    "mtmc": {"common", "evaluation", "detection", "reid"},
}
LOOSE_IN_MTMC = {
    "__init__", "__main__", "run", "simulate", "live", "serve", "pipeline", "config", "stage_log", "identities",
}  # fmt: skip


@pytest.fixture(scope="module")
def tree() -> SourceTree:
    return SourceTree(ROOT, PACKAGES)


def test_no_package_imports_one_above_it(tree: SourceTree) -> None:
    upward = [
        f"{module} imports {imported}"
        for module in tree.modules
        for imported in tree.imports(module)
        if (importer := module.split(".")[0]) != (package := imported.split(".")[0])
        and package not in MAY_IMPORT[importer]
    ]
    assert not upward


def test_no_module_imports_itself_in_a_circle(tree: SourceTree) -> None:
    circle: list[str] = []
    try:
        TopologicalSorter({module: tree.imports(module) for module in tree.modules}).prepare()
    except CycleError as error:
        circle = error.args[1]
    assert not circle


def test_mtmc_has_no_other_loose_files() -> None:
    assert {path.stem for path in (ROOT / "mtmc").glob("*.py")} <= LOOSE_IN_MTMC
