"""The README's examples and links."""

import re
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def readme(repository: Path) -> str:
    return (repository / "README.md").read_text()


def test_the_python_example_is_the_script_that_the_tests_run(readme: str, repository: Path) -> None:
    (example,) = [block for block in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "import mtmc" in block]
    script = (repository / "examples" / "run_scenario.py").read_text().replace("name, data_root", '"sim-S06"')
    lines = iter(script.splitlines())
    missing = [line for line in example.splitlines() if line not in lines]  # consumes the iterator: the order counts
    assert not missing


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "mtmc/simulation/README.md"])
def test_links_lead_to_files(repository: Path, name: str) -> None:
    folder = (repository / name).parent
    targets = re.findall(r"\]\(([^)#\s:]+)\)", (repository / name).read_text())
    assert [target for target in targets if not (folder / target).exists()] == []


def test_every_make_target_that_is_named_exists(readme: str, repository: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (repository / "Makefile").read_text(), re.MULTILINE))
    documents = readme + (repository / "CONTRIBUTING.md").read_text()
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", documents, re.MULTILINE)) <= targets
