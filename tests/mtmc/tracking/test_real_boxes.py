"""Hand-checked boxes of real vehicles, tracked and repaired: numbers must come back as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detection.detections import Detections
from evaluation.boxes import Boxes
from evaluation.comparison import compare
from evaluation.identity import identity_score
from mtmc.scenarios.clock import Clock
from mtmc.tracking.repair import RepairSettings, repair
from mtmc.tracking.tracker import track

REAL = Path(__file__).resolve().parents[3].parent / "shared" / "real" / "validation"
CLIPS = {("R01", "c901"): (25, 960, 324), ("R01", "c902"): (25, 960, 448), ("R02", "c903"): (20, 512, 280)}


@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/real is not here")
@pytest.mark.parametrize(("scenario", "camera"), CLIPS)
def test_real_vehicles_keep_their_numbers_with_a_sixth_of_the_boxes_missing(scenario: str, camera: str) -> None:
    fps, width, height = CLIPS[scenario, camera]
    texts = [REAL / scenario / camera / "gt" / name for name in ("gt.txt", "gt_single.txt")]
    rows = np.concatenate([np.loadtxt(t, delimiter=",", ndmin=2) for t in texts if t.stat().st_size])
    truth = Boxes.of(1, rows[:, 1], rows[:, 0], rows[:, 2:6])
    found = np.random.default_rng(0).random(len(rows)) > 1 / 6
    clock = Clock.uniform(fps)
    raw = track(Detections.of(rows[found, 0], rows[found, 2:6]), clock)
    tracks = repair(raw, clock, (width, height), RepairSettings(min_boxes=3, drop_slivers=False)).tracks
    score = identity_score(compare(truth, Boxes.of(1, tracks.track, tracks.frame, tracks.box)))
    assert score.idf1 > 0.95
