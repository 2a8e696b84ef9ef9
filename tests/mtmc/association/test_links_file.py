"""Zones and links as YAML: what is written is read back, and what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.errors import InputError
from mtmc.association.links_file import Link, Links, TravelTime, Zone, read_links, write_links

FINITE = st.floats(-1e4, 1e4).map(lambda value: round(value, 3))
# Names that YAML would take for something else, when written without quotes, among others.
NAME = st.one_of(
    st.sampled_from(["on", "null", "1e3", "012", "a: b", "- x", "#1", "Zufahrt Süd", "~"]), st.text("abc", min_size=1)
)
WINDOW = st.tuples(FINITE, st.floats(0.1, 500.0)).map(lambda pair: TravelTime(min=pair[0], max=pair[0] + pair[1]))
BINS = st.builds(
    TravelTime,
    first=FINITE,
    step=st.floats(0.01, 10.0),
    weights=st.lists(st.floats(0.0, 100.0), min_size=1, max_size=32).map(lambda w: (*w, 1.0)),
)


@st.composite
def any_links(draw: st.DrawFn) -> Links:
    names = draw(st.lists(NAME, min_size=2, max_size=6, unique=True))
    zones = [
        Zone(
            name=name,
            camera=draw(NAME),
            kind="exit" if number % 2 else "entry",
            polygon=tuple(draw(st.lists(st.tuples(FINITE, FINITE), min_size=3, max_size=8))),
            direction=draw(st.one_of(st.none(), st.tuples(FINITE, FINITE))),
        )
        for number, name in enumerate(names)
    ]
    entry, leave = [[z.name for z in zones if z.kind == kind] for kind in ("entry", "exit")]
    links = []
    for _ in range(draw(st.integers(0, 4))):
        overlap = draw(st.booleans())
        links.append(
            Link(
                source=draw(st.sampled_from(entry if overlap else leave)),
                target=draw(st.sampled_from(entry)),
                overlap=overlap,
                share=draw(st.floats(0.001, 1.0)),
                vehicles=draw(st.floats(0.0, 1e6)),
                travel_time=draw(st.one_of(WINDOW, BINS)),
            )
        )
    return Links(zones=tuple(zones), links=tuple(links))


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(any_links())
def test_what_is_written_is_read_back(tmp_path: Path, links: Links) -> None:
    write_links(tmp_path / "links.yaml", links)
    assert read_links(tmp_path / "links.yaml") == links


@settings(deadline=None)
@given(st.one_of(WINDOW, BINS))
def test_a_travel_time_is_a_distribution_over_its_bins(time: TravelTime) -> None:
    assert len(time.edges) == len(time.mass) + 1
    assert (np.diff(time.edges) > 0).all()
    assert time.mass.sum() == pytest.approx(1.0)
    assert (time.mass >= 0).all()


GOOD = """
zones:
- {name: out, camera: c001, kind: exit, polygon: [[0, 0], [10, 0], [10, 10]]}
- {name: in, camera: c002, kind: entry, polygon: [[0, 0], [10, 0], [10, 10]]}
links:
- {source: out, target: in, travel_time: {min: 5, max: 20}}
"""


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("source: out", "source: uot", "'uot'"),
        ("source: out", "source: in", "kind exit"),
        ("kind: exit", "kind: leave", "kind"),
        ("name: in", "name: out", "zone name 'out'"),
        ("max: 20", "max: 2", "travel_time"),
        ("{min: 5, max: 20}", "{min: 5}", "travel_time"),
        ("{min: 5, max: 20}", "{first: 5, step: 1, weights: [0, 0]}", "weights"),
        ("max: 20", "maximum: 20", "maximum"),
        ("camera: c002", "camera: c003", "c003"),
        ("links:", "linkz:", "linkz"),
        ("zones:", "- zones:", "YAML"),
    ],
)
def test_a_mistake_is_named_with_the_file(tmp_path: Path, was: str, becomes: str, said: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD)
    assert len(read_links(path, ["c001", "c002"]).links) == 1
    path.write_text(GOOD.replace(was, becomes))
    with pytest.raises(InputError) as error:
        read_links(path, ["c001", "c002"])
    assert "mine.yaml" in str(error.value)
    assert said in str(error.value)
    assert "\n" not in str(error.value) or said == "YAML"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        read_links(tmp_path / "nowhere.yaml")
