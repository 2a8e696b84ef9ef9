"""From what association computes with to what a user edits, and back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from common.errors import InputError
from mtmc.association.evidence.common_views import OverlappingViews
from mtmc.association.links.candidates import LinkTable
from mtmc.association.links.travel_times import fit_travel_times
from mtmc.association.links.zones import RawEnds, cluster_ends
from mtmc.association.links_exchange import from_links, from_views, to_links, to_views
from mtmc.association.links_file import Link, Links, TravelTime, Zone
from mtmc.association.track_summaries import TrackSummaries

Make = Callable[..., TrackSummaries]


def two_way_street(make: Make, seed: int = 0) -> TrackSummaries:
    """Two cameras; in each, vehicles drive to the right in the lower half of the picture, to the left in the upper."""
    random, n = np.random.default_rng(seed), 40
    left = np.tile([False, True], n)
    height = np.where(left, 0.3, 0.8) + 0.02 * random.normal(size=2 * n)
    low, high = (np.column_stack([x + 0.01 * random.normal(size=2 * n), height]) for x in (0.1, 0.9))
    start = np.sort(random.uniform(0.0, 600.0, 2 * n))
    entry, leave = np.where(left[:, None], high, low), np.where(left[:, None], low, high)
    camera = np.repeat([0, 1], 2 * n)
    columns = {"entry": np.tile(entry, (2, 1)), "exit": np.tile(leave, (2, 1))}
    return make(camera, np.tile(start, 2), np.tile(start + 6.0, 2), **columns)


def test_links_that_are_written_and_given_back_are_the_same_to_association(make_summaries: Make) -> None:
    summaries = two_way_street(make_summaries)
    entries, exits = (cluster_ends(side(summaries), 2) for side in (RawEnds.entries, RawEnds.exits))
    assert len(entries.camera) == len(exits.camera) == 4
    table = LinkTable(
        overlap=np.array([False, False, True]),
        source=np.array([0, 3, 0]),
        target=np.array([2, 1, 2]),
        low=np.array([-15.0, -15.0, 0.0]),
        high=np.full(3, 240.0),
    )
    random = np.random.default_rng(1)
    link = np.repeat([0, 1, 2], 100)
    seconds = np.array([20.0, 50.0, 3.0])[link] + random.normal(size=300)
    times = fit_travel_times(link, seconds, np.ones(300), 3)
    share = np.array([0.6, 0.3, 0.2])
    written = to_links(
        summaries, entries=entries, exits=exits, table=table, mass=np.array([30.0, 12.0, 5.0]), share=share, times=times
    )
    assert [link.overlap for link in written.links] == [False, False, True]
    back_entries, back_exits, back, prior = from_links(summaries, written)
    assert prior.probability == pytest.approx(share, abs=1e-3)
    for row in range(3):
        ends, learned = (back_entries, entries) if table.overlap[row] else (back_exits, exits)
        assert (ends.zone == back.source[row]).tolist() == (learned.zone == table.source[row]).tolist()
        assert (back_entries.zone == back.target[row]).tolist() == (entries.zone == table.target[row]).tolist()
        bounds = np.linspace(back.low[row], back.high[row], 41)
        which = np.full(len(bounds), row)
        found, expected = prior.times.mass_below(which, bounds), times.mass_below(which, bounds)
        assert found == pytest.approx(expected, abs=0.06)
        assert found[-1] == pytest.approx(1.0)
        at = np.linspace(back.low[row] - 1.0, back.high[row] + 1.0, 4001)
        assert np.trapezoid(prior.times.at(np.full(4001, row), at), at) == pytest.approx(1.0, abs=0.01)


def test_links_that_no_vehicle_took_are_not_written(make_summaries: Make) -> None:
    summaries = two_way_street(make_summaries)
    entries, exits = (cluster_ends(side(summaries), 2) for side in (RawEnds.entries, RawEnds.exits))
    one = np.zeros(1, np.int64)
    table = LinkTable(np.zeros(1, np.bool_), one, one + 2, np.array([-15.0]), np.array([240.0]))
    times = fit_travel_times(one, np.array([20.0]), np.ones(1), 1)
    written = to_links(
        summaries,
        entries=entries,
        exits=exits,
        table=table,
        mass=np.array([0.2]),
        share=np.array([0.1]),
        times=times,
    )
    assert written.links == written.zones == ()


def square(name: str, camera: str, kind: str, x: float, y: float, **more: object) -> Zone:
    corners = ((x - 96, y - 54), (x + 96, y - 54), (x + 96, y + 54), (x - 96, y + 54))
    return Zone.model_validate({"name": name, "camera": camera, "kind": kind, "polygon": corners, **more})


def test_ends_outside_all_zones_are_linked_to_nothing(make_summaries: Make) -> None:
    """The user draws zones for the lower lane alone."""
    summaries = two_way_street(make_summaries)
    links = Links(
        zones=(
            square("out", "c001", "exit", 0.9 * 960, 0.8 * 540),
            square("in", "c002", "entry", 0.1 * 960, 0.8 * 540),
        ),
        links=(Link(source="out", target="in", travel_time=TravelTime(min=5.0, max=50.0)),),
    )
    entries, exits, table, _ = from_links(summaries, links)
    lower = summaries.exit[:, 1] > 0.55
    assert ((exits.zone == table.source[0]) == (lower & (summaries.camera == 0))).all()
    assert ((entries.zone == table.target[0]) == (lower & (summaries.camera == 1))).all()
    assert (table.low[0], table.high[0]) == (5.0, 50.0)


def test_zones_at_the_same_place_are_distinguished_by_direction(make_summaries: Make) -> None:
    """All enter in one place; half of them drive to the right, half to the left."""
    to_the_right = np.arange(20) % 2 == 0
    leave = np.column_stack([np.where(to_the_right, 0.9, 0.1), np.full(20, 0.5)])
    start = 10.0 * np.arange(20)
    summaries = make_summaries([0] * 20, start, start + 6.0, entry=np.array([0.5, 0.5]), exit=leave)
    right = square("right", "c001", "entry", 480, 270, direction=(1.0, 0.0))
    left = square("left", "c001", "entry", 480, 270, direction=(-1.0, 0.0))
    entries, _, _, _ = from_links(summaries, Links(zones=(right, left)))
    assert (entries.zone == np.where(to_the_right, 0, 1)).all()


def test_a_zone_of_a_camera_that_does_not_take_part_is_an_error(make_summaries: Make) -> None:
    links = Links(zones=(square("out", "c009", "exit", 100, 100),))
    with pytest.raises(InputError, match="c009"):
        from_links(two_way_street(make_summaries), links)


def homography(seed: int) -> npt.NDArray[np.float64]:
    random = np.random.default_rng(seed)
    return np.eye(3) + 0.2 * random.normal(size=(3, 3)) * [[1, 1, 1], [1, 1, 1], [0.3, 0.3, 0]]


@pytest.mark.parametrize("seed", range(5))
def test_overlapping_views_are_written_once_and_come_back_both_ways(make_summaries: Make, seed: int) -> None:
    summaries = make_summaries([0, 1, 2], [0.0] * 3, [6.0] * 3)
    summaries.shape[1] = [1920.0, 1080.0]
    mapping = homography(seed)
    written = to_views(summaries, OverlappingViews.of({(0, 1): mapping, (1, 0): np.linalg.inv(mapping)}))
    assert [view.cameras for view in written] == [("c001", "c002")]
    back = from_views(summaries, written)
    assert list(zip(back.source.tolist(), back.target.tolist(), strict=True)) == [(0, 1), (1, 0)]
    for found, expected in zip(back.mapping, (mapping, np.linalg.inv(mapping)), strict=True):
        assert found / found[2, 2] == pytest.approx(expected / expected[2, 2], rel=1e-4, abs=1e-5)


def test_views_of_cameras_that_do_not_take_part_are_left_out(make_summaries: Make) -> None:
    both = make_summaries([0, 1], [0.0, 0.0], [6.0, 6.0])
    written = to_views(both, OverlappingViews.of({(0, 1): np.eye(3), (1, 0): np.eye(3)}))
    assert len(from_views(make_summaries([0], [0.0], [6.0]), written)) == 0
