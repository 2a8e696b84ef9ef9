"""Links that a run learned, given back to it: what a user does who keeps `links.yaml` for the next recording."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mtmc.association.associate import Association, associate
from mtmc.association.links_file import Links, read_links, write_links
from mtmc.association.settings import AssociationSettings
from mtmc.association.track_summaries import TrackSummaries, summarise

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def summaries() -> Any:
    """Six uncalibrated cameras and 20 vehicles: many links are taken by one or two vehicles."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        from association_quality import Looks, with_features
        from synthetic_tracks import LAYOUTS
    finally:
        sys.path.remove(str(BENCHMARKS))
    problem = LAYOUTS["site"](601, degraded=True, calibrated=False)
    return summarise(with_features(problem, Looks(problem, 601).at(1.0)))


@pytest.fixture(scope="module")
def learned(summaries: TrackSummaries) -> Association:
    return associate(summaries, None, AssociationSettings())


def _joined(found: Association) -> npt.NDArray[np.bool_]:
    return np.triu(found.identity[:, None] == found.identity, 1)


def _agreement(first: Association, second: Association) -> float:
    """Pairs of tracks that both join, as a fraction of those that any of them joins."""
    one, other = _joined(first), _joined(second)
    return float((one & other).sum() / (one | other).sum())


def test_identities_stay_where_one_vehicle_takes_a_link(
    summaries: TrackSummaries, learned: Association, tmp_path: Path
) -> None:
    write_links(tmp_path / "links.yaml", learned.links)
    again = associate(summaries, read_links(tmp_path / "links.yaml"), AssociationSettings())
    assert _agreement(learned, again) > 0.9


def test_links_of_the_user_are_the_only_ones(summaries: TrackSummaries, learned: Association) -> None:
    assert learned.links.unlisted and not Links().unlisted
    some = [link for link in learned.links.links if link.vehicles > 3.5]
    few = learned.links.model_copy(update={"links": tuple(some)})
    closed = associate(summaries, few.model_copy(update={"unlisted": False}), AssociationSettings())
    joins = [int(_joined(found).sum()) for found in (closed, associate(summaries, few, AssociationSettings()))]
    assert 0 < joins[0] < joins[1]
