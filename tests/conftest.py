"""What the tests share: one thread for torch, and the folder of real data, where it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")

# A script that torchrun starts; collecting doctests would import it.
collect_ignore = ["reid/training/train_by_rank.py"]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared(repository: Path) -> Path:
    """The folder of real clips, weights and scenarios beside the checkout; tests that need it skip without it."""
    folder = repository.parent / "shared"
    if not folder.is_dir():
        pytest.skip("no ../shared: real clips, weights and scenarios are not part of the project")
    return folder
