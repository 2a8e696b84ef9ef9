"""A camera's clock."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtmc.scenarios.clock import Clock


def test_uniform_clock_follows_the_data_sets_formula() -> None:
    clock = Clock.uniform(fps=8.0, start=1.64)
    np.testing.assert_allclose(clock.at([1, 9, 2001]), [1.64, 2.64, 1.64 + 2000 / 8])


def test_piecewise_clock_bends_at_its_knots_and_goes_on_beyond_them() -> None:
    clock = Clock.of_knots([1, 101, 201], [0.0, 10.0, 30.0])
    np.testing.assert_allclose(clock.at([51, 151, 301, -99]), [5.0, 20.0, 50.0, -10.0])


@given(st.lists(st.floats(0.01, 5.0), min_size=1, max_size=6), st.integers(-50, 5000))
def test_frame_at_inverts_at(steps: list[float], frame: int) -> None:
    knots = 1.0 + 100.0 * np.arange(len(steps) + 1)
    clock = Clock.of_knots(knots, np.concatenate([[0.0], np.cumsum(steps)]))
    assert clock.frame_at(clock.at([frame]))[0] == pytest.approx(frame, abs=1e-6 * max(1, abs(frame)))


@pytest.mark.parametrize(("frames", "seconds"), [([1], [0]), ([1, 1], [0, 1]), ([1, 2], [1, 0]), ([1, 2, 3], [0, 1])])
def test_a_clock_that_stands_or_runs_backwards_is_refused(frames: list[int], seconds: list[int]) -> None:
    with pytest.raises(ValueError, match="clock"):
        Clock.of_knots(frames, seconds)
