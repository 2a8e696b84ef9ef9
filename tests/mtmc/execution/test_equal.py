"""All executors give the same identities; benchmarks/city.py compares Ray's, too."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

import mtmc


def test_the_identities_do_not_depend_on_the_executor_nor_on_shards(
    make_cityflow: Callable[..., Path], links_file: Path, tmp_path: Path
) -> None:
    scenario = mtmc.load_scenario("X01", make_cityflow(video=False))
    found = {}
    for executor, shards in (("in-turn", {}), ("processes", {}), ("in-turn", {"sharding.max_tracks": 1})):
        cache = tmp_path / f"{executor}{len(shards)}"
        result = mtmc.run_scenario(
            scenario,
            reid="none",
            detections="ssd512",
            executor=executor,
            cache=cache,
            links=links_file,
            settings=shards,
        )
        identities = result.run.outcomes[0].identities
        found[cache.name] = np.stack([identities.camera, identities.track, identities.identity]).tolist()
    first, *others = found.values()
    assert len(first[0]) == 2 and len(set(first[2])) == 1
    assert all(other == first for other in others)
