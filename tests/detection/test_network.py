"""What is kept of a network, so that a run from the cache need not read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from detection.layouts import Metadata, OutputShape
from detection.network import NetworkFacts, kept_facts

FACTS = NetworkFacts(
    Metadata({2: "car", 7: "truck"}, "detect", keypoints=None), (OutputShape("out", (1, 84, None)),), (640, 480), True
)


def _unread() -> NetworkFacts:
    raise AssertionError("the network was read again")


def test_facts_are_read_once(tmp_path: Path) -> None:
    file = tmp_path / "kept" / "facts.json"
    file.parent.mkdir()
    assert kept_facts(file, lambda: FACTS) == FACTS
    assert kept_facts(file, _unread) == FACTS
    assert kept_facts(None, lambda: FACTS) == FACTS


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"metadata": {"names": 3}}', '{"metadata": {"names": {"a": 1}}}']
)
def test_facts_that_are_damaged_are_read_again(tmp_path: Path, text: str) -> None:
    file = tmp_path / "facts.json"
    file.write_text(text)
    assert kept_facts(file, lambda: FACTS) == FACTS
    assert kept_facts(file, _unread) == FACTS


def test_bytes_that_are_no_text_are_read_again(tmp_path: Path) -> None:
    file = tmp_path / "facts.json"
    file.write_bytes(b"\xff\xfe\x00")
    assert kept_facts(file, lambda: FACTS) == FACTS
