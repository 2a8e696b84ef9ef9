"""A camera's clock."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtmc.scenarios.clock import Clock


def test_uniform_clock_follows_the_data_sets_formula() -> None:
    clock = Clock.uniform(fps=8.0, start=1.64)
    np.testing.assert_allclose(clock.at([1, 9, 2001]), [1.64, 2.64, 1.64 + 2000 / 8])


def test_piecewise_clock_bends_at_its_knots_and_continues_beyond_them() -> None:
    clock = Clock.of_knots([1, 101, 201], [0.0, 10.0, 30.0])
    np.testing.assert_allclose(clock.at([51, 151, 301, -99]), [5.0, 20.0, 50.0, -10.0])


@given(st.lists(st.floats(0.01, 5.0), min_size=1, max_size=6), st.integers(-50, 5000))
def test_frame_at_inverts_at(steps: list[float], frame: int) -> None:
    knots = 1.0 + 100.0 * np.arange(len(steps) + 1)
    clock = Clock.of_knots(knots, np.concatenate([[0.0], np.cumsum(steps)]))
    assert clock.frame_at(clock.at([frame]))[0] == pytest.approx(frame, abs=1e-6 * max(1, abs(frame)))


@pytest.mark.parametrize(("frames", "seconds"), [([1], [0]), ([1, 1], [0, 1]), ([1, 2], [1, 0]), ([1, 2, 3], [0, 1])])
def test_a_clock_that_stands_still_or_runs_backwards_is_an_error(frames: list[int], seconds: list[int]) -> None:
    with pytest.raises(ValueError, match="clock"):
        Clock.of_knots(frames, seconds)


def test_a_clock_through_a_files_times_bends_where_the_rate_changes() -> None:
    clock = Clock.of_times(np.concatenate([np.arange(30) / 30, 1 + np.arange(30) / 5]), start=10.0)
    np.testing.assert_allclose(clock.at([1, 31, 60]), [10.0, 11.0, 16.8])
    assert clock.frames.tolist() == [1, 31, 60]


@given(st.lists(st.floats(0.0, 2.0), min_size=2, max_size=60), st.floats(0.5, 2.0))
def test_a_clock_through_a_files_times_stays_within_the_tolerance(steps: list[float], scale: float) -> None:
    times = np.round(np.concatenate([[0.0], np.cumsum(steps)]), 6)
    if times[-1] < 0.01:
        return
    clock = Clock.of_times(times, start=3.0, scale=scale, tolerance=0.005)
    rising = np.concatenate([[True], np.diff(times) > 0])
    off = clock.at(np.flatnonzero(rising) + 1) - (3.0 + times[rising] / scale)
    assert np.abs(off).max() <= 0.005 / min(scale, 1) + 1e-9
