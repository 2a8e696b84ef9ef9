"""The map of cameras and links, and the histograms of travel times."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from mtmc.report.data import CameraInfo, LinkInfo
from mtmc.report.link_map import draw_histogram, draw_map


def camera(name: str, position: tuple[float, float] | None = None) -> CameraInfo:
    return CameraInfo(name, 960, 540, 10.0, 0.0, 60.0, 600, position=position)


def link(source: str, target: str, seconds: float, count: float = 10) -> LinkInfo:
    edges = np.array([seconds - 1, seconds + 1])
    return LinkInfo(source, target, count, edges, np.array([count]))


def test_measured_places_keep_their_shape_and_north_is_up() -> None:
    cameras = [camera("a", (0, 0)), camera("b", (400, 0)), camera("c", (0, 200))]
    drawn = draw_map(cameras, [link("a", "b", 20)])
    a, b, c = drawn.nodes
    assert drawn.measured
    assert (b.x - a.x) == pytest.approx(2 * (a.y - c.y), rel=1e-3) and a.y > c.y
    for node in drawn.nodes:
        assert 0 <= node.x <= drawn.width and 0 <= node.y <= drawn.height


def test_without_places_a_corridor_comes_out_in_its_order() -> None:
    names = ["a", "b", "c", "d", "e"]
    links = [link(s, t, 20) for s, t in pairwise(names)]
    drawn = draw_map([camera(n) for n in names], links)
    assert not drawn.measured
    across = [node.x for node in drawn.nodes]
    assert across == sorted(across)
    assert np.ptp([node.y for node in drawn.nodes]) < 1


def test_cameras_at_one_place_are_told_apart() -> None:
    drawn = draw_map([camera(f"c{i}", (0.0, 0.0)) for i in range(5)], [])
    places = np.array([(node.x, node.y) for node in drawn.nodes])
    distances = np.linalg.norm(places[:, None] - places[None], axis=2) + 1e3 * np.eye(5)
    assert np.isfinite(places).all() and distances.min() > 30


def test_cameras_without_links_and_unknown_names_are_no_trouble() -> None:
    drawn = draw_map([camera("a"), camera("b"), camera("c"), camera("d")], [link("a", "b", 10), link("a", "zz", 3)])
    assert len(drawn.nodes) == 4 and [(arc.source, arc.target) for arc in drawn.arcs] == [("a", "b")]
    assert np.isfinite([(node.x, node.y) for node in drawn.nodes]).all()
    assert draw_map([], []).nodes == ()
    assert len(draw_map([camera("a")], [link("a", "a", 30)]).arcs) == 1, "a U-turn is a loop"


def test_links_between_the_same_cameras_are_one_curve_and_the_busiest_is_the_widest() -> None:
    cameras = [camera("a", (0, 0)), camera("b", (100, 0))]
    drawn = draw_map(cameras, [link("a", "b", 10, 30), link("a", "b", 20, 10), link("b", "a", 12, 5)])
    forth, back = drawn.arcs
    assert (forth.count, back.count) == (40, 5)
    assert forth.median == pytest.approx(12.5) and forth.width > back.width
    assert forth.path != back.path


def test_a_histogram_is_trimmed_and_has_its_median() -> None:
    shown = draw_histogram(LinkInfo("a", "b", 8, np.arange(0.0, 60.0, 10), np.array([0.0, 2, 4, 2, 0])))
    assert (shown.low, shown.high) == (10, 40)
    assert shown.median == pytest.approx(25) and shown.median_at == pytest.approx(0.5)
    assert [bar.height for bar in shown.bars] == [0.5, 1.0, 0.5]


def test_negative_travel_times_of_overlapping_views() -> None:
    shown = draw_histogram(LinkInfo("a", "b", 4, np.array([-4.0, -2.0, 0.0, 2.0]), np.array([1.0, 2.0, 1.0])))
    assert (shown.low, shown.high) == (-4, 2) and shown.median == pytest.approx(-1)


def test_an_empty_histogram_has_no_bars() -> None:
    shown = draw_histogram(LinkInfo("a", "b", 0, np.arange(3.0), np.zeros(2)))
    assert shown.bars == () and np.isnan(shown.median)
