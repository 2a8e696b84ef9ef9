from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mtmc.association.track_summaries import CameraTracks, summarise
from mtmc.scenarios.clock import Clock
from mtmc.tracking.tracks import Tracks

Crossing = Callable[..., Tracks]


def resized(tracks: Tracks, width: float, height: float) -> Tracks:
    """The boxes about the same foot points with another size."""
    box = tracks.box.copy()
    box[:, 0] -= (width - box[:, 2]) / 2
    box[:, 1] -= height - box[:, 3]
    box[:, 2:] = width, height
    return Tracks(tracks.track, tracks.frame, box, tracks.score, tracks.label)


def test_size_is_the_height_whatever_the_width_and_what_the_border_cuts(crossing_track: Crossing) -> None:
    cars = [resized(crossing_track(v + 1, 10.0 * v, 10.0, 0.0, False, 0.0), 60 + 5 * v, 40) for v in range(8)]
    lorry = resized(crossing_track(9, 80.0, 10.0, 0.0, False, 0.0), 60, 80)
    box = cars[0].box.copy()
    beyond = np.maximum(0.0, -box[:, 0])  # drives in: the border cuts its box, in height, too
    box[:, 0] += beyond
    box[:, 2] -= beyond
    cut = box[:, 0] <= 2
    box[cut, 1] += 25
    box[cut, 3] -= 25
    cars[0] = Tracks(cars[0].track, cars[0].frame, box, cars[0].score, cars[0].label)
    tracks = Tracks.concatenate([*cars, lorry])
    size = summarise([CameraTracks("c001", tracks, Clock.uniform(10.0), 960, 540)]).size
    assert np.ptp(size[:8]) < 0.05
    assert size[8] - size[:8].max() > 0.5


def test_paths_run_from_the_first_to_the_last_box_of_each_track(crossing_track: Crossing) -> None:
    tracks = Tracks.concatenate(
        [crossing_track(1, 0.0, 30.0, 0.0, False, 0.0), crossing_track(2, 3.0, 30.0, 0.0, True, 0.0)]
    )
    summaries = summarise([CameraTracks("c001", tracks, Clock.uniform(30.0), 960, 540)])
    first, last = summaries.path_first[:-1], summaries.path_first[1:] - 1
    assert np.allclose(summaries.path_time[first], summaries.start)
    assert np.allclose(summaries.path_time[last], summaries.end)
    assert np.allclose(summaries.path_place[first], summaries.entry)
    assert np.allclose(summaries.path_place[last], summaries.exit)
    assert len(summaries.path_time) < len(tracks) / 4
