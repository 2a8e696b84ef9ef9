"""A finished run is opened again from its folder and the cache."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import mtmc
from common.errors import InputError
from mtmc.association.constraints import Constraints, TrackName
from mtmc.report.stored_run import open_run


@pytest.fixture
def finished(make_cityflow: Callable[..., Path], tmp_path: Path) -> mtmc.ScenarioResult:
    scenario = mtmc.load_scenario("X01", make_cityflow())
    result = mtmc.run_scenario(
        scenario,
        reid=["none"],
        tracks="tc_ssd512",
        association="linkage",
        cache=tmp_path / "cache",
        workers=1,
        settings={"linkage.threshold": 0.75},
    )
    result.write(tmp_path / "run")
    return result


def test_what_a_run_found_is_there_again_unless_something_is_gone(
    finished: mtmc.ScenarioResult, tmp_path: Path
) -> None:
    opened = open_run(tmp_path / "run")
    run = finished.run
    assert opened.scenario.name == "X01" and opened.extractors == ("none",)
    assert opened.settings == finished.settings and opened.association == "linkage"
    for stored, camera in zip(opened.scenario.cameras, finished.scenario.cameras, strict=True):
        assert (stored.name, stored.width, stored.frame_count) == (camera.name, camera.width, camera.frame_count)
        assert stored.video == camera.video
        assert stored.clock.at([1, 17.5, 40]).tolist() == camera.clock.at([1, 17.5, 40]).tolist()
    for name in ("camera", "track", "since", "identity"):
        assert np.array_equal(getattr(opened.identities, name), getattr(run.outcomes[0].identities, name))
    for again, observation in zip(opened.observations, run.observations, strict=True):
        assert np.array_equal(again.tracks.box, observation.tracks.box)
        assert len(again.crops()) == len(observation.crops()) > 0
    # A cache that was moved is asked for; what is no run is refused.
    (tmp_path / "cache").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="no longer holds the tracks of c101; name the cache with --cache"):
        open_run(tmp_path / "run")
    assert len(open_run(tmp_path / "run", cache=tmp_path / "elsewhere").observations) == 2
    (tmp_path / "elsewhere").rename(tmp_path / "cache")
    folder = tmp_path / "run"
    with pytest.raises(InputError, match=r"runn: no such run folder; did you mean run"):
        open_run(tmp_path / "runn")
    with pytest.raises(InputError, match=r"has no stages\.json: no run's folder"):
        open_run(tmp_path / "cache")
    with pytest.raises(InputError, match=r"--extractor ssbver: took no part in .*; there are: none"):
        open_run(folder, extractor="ssbver")
    content = json.loads((folder / "stages.json").read_text())
    (folder / "stages.json").write_text(json.dumps({**content, "format": 99}))
    with pytest.raises(InputError, match=r"has format 99, this version reads 1"):
        open_run(folder)
    (folder / "stages.json").write_text('{"format": 1}')
    with pytest.raises(InputError, match="cannot be read"):
        open_run(folder)
    (folder / "stages.json").unlink()
    with pytest.raises(InputError, match=r"written by an earlier version; run it again"):
        open_run(folder)


def test_what_a_run_was_given_about_tracks_is_in_its_folder(finished: mtmc.ScenarioResult, tmp_path: Path) -> None:
    assert not len(open_run(tmp_path / "run").constraints)
    names = [TrackName(o.camera.name, int(o.tracks.track[0])) for o in finished.run.observations]
    given = Constraints.cannot_link(*names, line=3)
    options = {"reid": ["none"], "tracks": "tc_ssd512", "association": "linkage", "cache": tmp_path / "cache"}
    again = mtmc.run_scenario(finished.scenario, constraints=given, workers=1, **options)
    again.write(tmp_path / "run")
    found = open_run(tmp_path / "run").constraints
    assert [found.names(row) for row in range(len(found))] == [tuple(names)]
    finished.write(tmp_path / "run")
    assert not len(open_run(tmp_path / "run").constraints)
