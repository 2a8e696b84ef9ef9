"""Frame times from packet time stamps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection.timeline import frame_times

NAN = float("nan")


@given(st.lists(st.floats(0.001, 3.0), min_size=1, max_size=30), st.randoms())
def test_times_are_those_of_the_container_in_display_order(steps: list[float], random: object) -> None:
    shown = np.concatenate([[5.0], 5.0 + np.cumsum(steps)])
    order = np.arange(len(shown))
    random.shuffle(order)  # type: ignore[attr-defined]
    decoded = np.arange(len(shown)) * 0.01
    np.testing.assert_allclose(frame_times(shown[order], decoded, fps=10), shown - 5.0, atol=1e-9)


def test_joined_recordings_follow_each_other() -> None:
    one = np.arange(30) / 25
    pts = np.concatenate([one, one, one])
    np.testing.assert_allclose(frame_times(pts, pts, fps=10), np.arange(90) / 25, atol=1e-9)


def test_a_gap_in_the_file_is_a_gap_in_time() -> None:
    pts = np.array([0.0, 0.1, 0.2, 60.0, 60.1])
    np.testing.assert_allclose(frame_times(pts, pts, fps=10), pts)


@pytest.mark.parametrize(
    ("pts", "dts", "expected"),
    [
        ([NAN, NAN, NAN], [0.0, 0.1, 0.4], [0.0, 0.1, 0.4]),
        ([NAN, NAN, NAN], [NAN, NAN, NAN], [0.0, 0.2, 0.4]),
        ([3.0], [3.0], [0.0]),
        ([], [], []),
    ],
)
def test_what_holds_where_stamps_are_missing(pts: list[float], dts: list[float], expected: list[float]) -> None:
    np.testing.assert_allclose(frame_times(np.array(pts), np.array(dts), fps=5), expected, atol=1e-12)
