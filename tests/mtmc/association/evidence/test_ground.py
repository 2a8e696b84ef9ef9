"""Two tracks on the ground at once: how far apart, and what that says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mtmc.association.evidence.ground import ground_log_ratio, ground_offsets
from mtmc.association.track_summaries import TrackSummaries

Make = Callable[..., TrackSummaries]


def path(begin: float, steps: int, across: float = 0.0) -> np.ndarray:
    return np.column_stack([begin + 5.0 * np.arange(steps), np.full(steps, across)])


def test_the_offset_is_measured_while_both_are_visible(make_summaries: Make) -> None:
    """The second camera sees the vehicle from second 2 on, 3 metres aside of where the first sees it."""
    summaries = make_summaries([0, 1], [0.0, 2.0], [6.0, 8.0], ground=[path(0.0, 13), path(20.0, 13, across=3.0)])
    offset, spread = ground_offsets(summaries, np.array([0, 1]), np.array([1, 0]))
    assert offset == pytest.approx(np.array([[0.0, 3.0], [0.0, -3.0]]), abs=1e-6)
    assert spread == pytest.approx([0.0, 0.0], abs=1e-6)


def test_a_track_that_strays_for_a_while_is_still_where_it_mostly_was(make_summaries: Make) -> None:
    stray = path(0.0, 13)
    stray[9:] += 40.0
    summaries = make_summaries([0, 1], [0.0, 0.0], [6.0, 6.0], ground=[path(0.0, 13), stray])
    offset, _ = ground_offsets(summaries, np.array([0]), np.array([1]))
    assert np.linalg.norm(offset[0]) < 1.0


def test_tracks_that_are_not_simultaneous_or_not_calibrated_have_no_offset(make_summaries: Make) -> None:
    horizon = np.full((13, 2), np.nan)
    summaries = make_summaries(
        [0, 1, 2, 3],
        [0.0, 20.0, 0.0, 0.0],
        [6.0, 26.0, 6.0, 6.0],
        ground=[path(0.0, 13), path(0.0, 13), np.zeros((0, 2)), horizon],
    )
    offset, spread = ground_offsets(summaries, np.zeros(3, np.int64), np.array([1, 2, 3]))
    assert np.isnan(offset).all()
    assert np.isnan(spread).all()


def test_nearer_is_likelier_and_unmeasured_is_no_evidence() -> None:
    offset = np.array([[0.0, 0.0], [3.0, 0.0], [8.0, 0.0], [60.0, 0.0], [np.nan, np.nan]])
    spread = np.array([0.5, 0.5, 0.5, 0.5, np.nan])
    found = ground_log_ratio(offset, spread, np.full(5, 0.2), np.zeros(5, np.int64))
    assert (np.diff(found[:4]) < 0).all()
    assert found[0] > 0.0 > found[2]
    assert np.isfinite(found).all()
    assert found[4] == 0.0


def test_what_two_calibrations_differ_by_is_learned_for_each_two_cameras() -> None:
    """Cameras 0 and 1 differ by 5 metres, 0 and 2 by nothing: an offset of 5 metres is right for one, wrong for one."""
    random = np.random.default_rng(0)
    cameras = np.repeat([0, 1], 100)
    offset = 0.7 * random.normal(size=(200, 2))
    offset[:100, 0] += 5.0
    offset[[0, 100]] = [5.0, 0.0]
    found = ground_log_ratio(offset, np.full(200, 0.5), np.full(200, 0.95), cameras)
    assert found[0] > found[100] + 1.0


def test_the_ratio_is_of_a_density_over_the_disc_that_strangers_are_spread_on() -> None:
    """Strangers lie anywhere within a radius; their density times the ratio must be a density."""
    step = 0.25
    axis = np.arange(-60.0, 60.0, step)
    grid = np.stack(np.meshgrid(axis, axis), 2).reshape(-1, 2)
    found = ground_log_ratio(grid, np.zeros(len(grid)), np.zeros(len(grid)), np.zeros(len(grid), np.int64))
    strangers = 1.0 / (np.pi * 25.0**2)
    assert (np.exp(found) * strangers).sum() * step**2 == pytest.approx(1.0, abs=0.02)
