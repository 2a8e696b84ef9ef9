"""A run with the user's own detector, tracker, extractor and association, all from files, in worker processes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from common.command_line import run_command
from mtmc.run import main

OWN = """
import cv2
import numpy as np

from detection.detections import Detections
from mtmc.association.associate import Association
from mtmc.association.interface import rows_of
from mtmc.association.links_file import Links
from mtmc.tracking.tracks import Tracks


class Red:
    def __init__(self, level=120):
        self.level = level

    def detect(self, frames):
        tables = []
        for frame in frames:
            mask = (frame[..., 2] > self.level).astype(np.uint8)
            box = cv2.connectedComponentsWithStats(mask)[2][1:, :4]
            box = box[box[:, 2:].min(axis=1) > 12]
            tables.append(Detections.of(np.ones(len(box)), box, np.full(len(box), 0.9), np.full(len(box), 2)))
        return tables


class One:
    def update(self, detections, seconds):
        first = detections[:1]
        return Tracks.of([3] * len(first), first.frame, first.box, first.score, first.label)


class Mean:
    def embed(self, crops):
        return np.array([crop.mean(axis=(0, 1)) for crop in crops], np.float32).reshape(-1, 3)


class Everything:
    def __init__(self, identity):
        self.identity = identity

    def associate(self, tracks, features, scenario, links=None, constraints=None):
        assert all(feature is not None and feature.vector.shape[1] in (0, 3) for feature in features)
        return Association.of(np.full(len(rows_of(tracks)[0]), self.identity), Links())


class Plain(Everything):
    def associate(self, tracks, features, scenario, links=None):
        return super().associate(tracks, features, scenario, links)


class TooFew(Everything):
    def associate(self, tracks, features, scenario, links=None, constraints=None):
        return Association.of(np.ones(1, np.int64), Links())


class Short:
    def detect(self, frames):
        return []
"""


@pytest.fixture
def run(tmp_path: Path, make_cityflow: Callable[..., Path]) -> Callable[..., int]:
    """The command on the tiny scenario."""
    (tmp_path / "own.py").write_text(OWN)
    root = make_cityflow()

    def command(*arguments: str) -> int:
        places = ["--data-root", str(root), "--cache", str(tmp_path / "cache"), "--output", str(tmp_path / "out")]
        own = [argument.replace("own.py", str(tmp_path / "own.py")) for argument in arguments]
        return run_command(main, ["--scenario", "X01", "--workers", "2", *places, *own])

    return command


ALL = (
    *("--detector", "own.py:Red", "--tracker", "own.py:One", "--reid", "looks=own.py:Mean"),
    *("--association", "own.py:Everything", "--set", "options.association.identity=7"),
)


def test_all_four_work_together_and_options_count(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*ALL) == 0, capsys.readouterr().err
    figures = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert figures["extractors"]["looks"]["idf1"] > 0.95
    assert (tmp_path / "out" / "track1.txt").read_text().split()[1] == "7"
    capsys.readouterr()
    assert run(*ALL) == 0
    assert "observe: reused" in capsys.readouterr().err
    # A detector that sees nothing: the option is part of what the cache is asked for.
    assert run(*ALL, "--set", "options.detector.level=255") == 0
    assert (tmp_path / "out" / "track1.txt").read_text() == ""


def test_a_class_that_takes_no_constraints_is_refused_only_if_there_are_some(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = [argument.replace("Everything", "Plain") for argument in ALL]
    assert run(*plain) == 0, capsys.readouterr().err
    (tmp_path / "known.yaml").write_text("- not-a-vehicle: {camera: c101, track: 3}\n")
    assert run(*plain, "--constraints", str(tmp_path / "known.yaml")) == 2
    assert "Plain: takes no constraints; leave them out" in capsys.readouterr().err


def test_plain_linkage_needs_a_name_only(run: Callable[..., int], tmp_path: Path) -> None:
    plain = ("--association", "linkage", "--set", "linkage.camera_mean=false", "--set", "linkage.threshold=0.9")
    assert run("--detections", "ssd512", "--reid", "own.py:Mean", *plain) == 0
    figures = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert figures["extractors"]["Mean"]["idf1"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--tracker", "own.py:On"), "has no On; did you mean One"),
        (("--tracker", "arays"), "--tracker arays: unknown; did you mean arrays"),
        (("--association", "linkge"), "--association linkge: unknown; did you mean linkage"),
        (("--association", "own.py:Everything"), "missing a required argument: 'identity'"),
        (("--association", "own.py:One"), "has no method associate"),
        (("--reid", "own.py:Means"), "has no Means; did you mean Mean"),
        (("--detector", "own.py:Mean"), "has no method detect"),
        (("--detector", "own.py:Short"), "detect returned 0 results for 8 frames"),
        (
            ("--association", "own.py:TooFew", "--set", "options.association.identity=1"),
            "gave 1 identities to 2 tracks",
        ),
    ],
)
def test_a_mistake_is_one_line(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    boxes = () if "--detector" in arguments else ("--detections", "ssd512")
    assert run(*boxes, *(() if "--reid" in arguments else ("--reid", "none")), *arguments) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("error: ")
    assert told in line
