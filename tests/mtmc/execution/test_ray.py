"""Clips on a Ray cluster: failures stay with their clip, and a node that dies costs nothing but time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.errors import InputError
from mtmc.execution.choice import make_executor
from mtmc.execution.interface import ClipFailure

ray = pytest.importorskip("ray", reason="the package ray is not installed")


@pytest.fixture
def two_nodes() -> Iterator[object]:
    """A cluster of two nodes of one core on the loopback."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def work(job: str) -> str:
    if job == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if job == "broken":
        raise ValueError("cannot be opened")
    if job == "large":
        raise MemoryError
    return job.upper()


def slow(job: tuple[Path, str]) -> str:
    """Say that it started; then last long enough to be killed with its node, but only the first time."""
    folder, name = job
    first = not (folder / name).exists()
    (folder / name).write_text(str(os.getpid()))
    time.sleep(20 if first and name == "long" else 0.1)
    return name


def test_failures_stay_with_their_clip_and_a_dead_node_is_replaced(two_nodes: object, tmp_path: Path) -> None:
    executor = make_executor("ray", address=two_nodes.address)  # type: ignore[attr-defined]
    assert executor.cores(100) == 1
    jobs = {"c1": "one", "c2": "crash", "c3": "broken", "c4": "large"}
    results = dict(executor.map(work, jobs, expected=(ValueError,)))
    assert results["c1"] == "ONE"
    assert str(results["c2"]) == "c2: its worker process died"
    assert str(results["c3"]) == "cannot be opened"
    assert str(results["c4"]) == "c4: out of memory"
    assert all(isinstance(results[name], ClipFailure) for name in ("c2", "c3", "c4"))
    names = ["long", *(f"c{i}" for i in range(5))]
    found = {}
    for name, result in executor.map(slow, {name: (tmp_path, name) for name in names}):
        found[name] = result
        if len(found) == 1:  # "long" is running somewhere: kill the node that runs it
            _kill_node_of(two_nodes, int((tmp_path / "long").read_text()))
    assert found == {name: name for name in names}
    executor.close()


def test_an_address_without_a_cluster_is_refused_at_once() -> None:
    with pytest.raises(InputError, match=r"--address 127\.0\.0\.1:1: no Ray cluster answers there"):
        make_executor("ray", address="127.0.0.1:1")


def test_a_node_that_does_not_start_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow_start(**_: object) -> None:
        raise Exception("The current node timed out during startup.\nMore of it.")

    monkeypatch.setattr(ray, "init", slow_start)
    with pytest.raises(InputError, match=r"ray: Ray does not start on this machine: The current .* startup\.$"):
        make_executor("ray")


def _kill_node_of(cluster: object, worker: int) -> None:
    """Kill the processes of the node whose raylet started the worker; the head must live, so else only the worker."""
    parent = int(Path(f"/proc/{worker}/stat").read_text().rsplit(")", 1)[1].split()[1])
    node = cluster.worker_nodes.copy().pop()  # type: ignore[attr-defined]
    raylet = node.all_processes["raylet"][0].process.pid
    if parent == raylet:
        cluster.remove_node(node, allow_graceful=False)  # type: ignore[attr-defined]
    else:
        os.kill(worker, signal.SIGKILL)
