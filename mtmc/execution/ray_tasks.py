"""Clips as tasks of a Ray cluster: many machines that share the folder of the cache, or object storage."""

from __future__ import annotations

import importlib
import logging
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from common.devices import choose_device
from common.errors import InputError
from common.processes import available_processors
from mtmc.execution.interface import RETRIES, ClipFailure, Job, Result

GPU_SHARE = 0.25
"""Share of a GPU that a clip reserves on a cluster with GPUs: decoding on the CPU feeds a GPU slower than it detects.
Raising it runs fewer clips per GPU, each with more memory."""
_PATIENCE = 10.0
"""Seconds to wait for the cluster's address to answer. Raising it helps on very slow networks."""
_PENDING_PER_CORE = 2
"""Tasks submitted ahead for each core of the cluster, so that no node waits for the driver. Raising it makes a
cancelled run take longer to stop."""


class RayTasks:
    """An `Executor` on Ray Core. Frames stay inside a task, only paths and small results travel.

    Args:
        address: of a running cluster, `HOST:PORT` or `auto`; None: start Ray on this machine.
        workers: clips processed at a time in the whole cluster; None: as many as its cores allow.
        device: "cpu", "cuda" or "auto": on GPUs each clip reserves `GPU_SHARE` of one.

    Raises:
        InputError: no cluster answers at the address.
    """

    name = "ray"

    def __init__(self, address: str | None = None, workers: int | None = None, device: str = "auto") -> None:
        self._ray: Any = importlib.import_module("ray")  # an optional package
        ray = self._ray
        self._owned = not ray.is_initialized()
        # Ray's own count of CPUs is wrong in many containers, so it is told.
        options: dict[str, Any] = {"address": address} if address else {"num_cpus": available_processors()}
        if self._owned:
            if address and ":" in address:
                _check_reachable(address)
            try:
                ray.init(
                    **options,
                    include_dashboard=None if address else False,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    runtime_env={"env_vars": {"PYTHONPATH": _import_path()}},
                )
            except Exception as error:  # Ray raises a bare one where a node takes too long to start
                where = f"no cluster at {address}" if address else "Ray does not start on this machine"
                reason = (str(error).splitlines() or [type(error).__name__])[0]
                raise InputError(f"--executor ray: {where}: {reason}") from error
        resources = ray.cluster_resources()
        self._cpus = max(1, int(resources.get("CPU", 1)))
        self._node_cpus = max([1, *(int(n["Resources"].get("CPU", 0)) for n in ray.nodes() if n["Alive"])])
        self._workers = workers or self._cpus
        on_gpu = resources.get("GPU", 0) > 0 and (device == "auto" or choose_device(device) != "cpu")
        self._gpus = GPU_SHARE if on_gpu else 0.0

    def cores(self, jobs: int) -> int:
        """The cores of the cluster shared by the clips that run at a time, at most those of one node."""
        return max(1, min(self._node_cpus, self._cpus // max(1, min(self._workers, jobs))))

    def map(
        self,
        function: Callable[[Job], Result],
        jobs: Mapping[str, Job],
        *,
        expected: tuple[type[Exception], ...] = (),
    ) -> Iterator[tuple[str, Result | ClipFailure]]:
        """See `Executor.map`. A task whose node dies is repeated on another."""
        ray, cores = self._ray, self.cores(len(jobs))
        task = ray.remote(_run).options(num_cpus=cores, num_gpus=self._gpus, max_retries=RETRIES)
        limit = min(self._workers, _PENDING_PER_CORE * self._cpus)
        waiting = list(jobs.items())[::-1]
        running: dict[Any, str] = {}
        try:
            while waiting or running:
                while waiting and len(running) < limit:
                    name, job = waiting.pop()
                    running[task.remote(function, job, cores, expected)] = name
                done, _ = ray.wait(list(running), num_returns=1)
                name = running.pop(done[0])
                try:
                    failure, result = ray.get(done[0])
                    yield name, result if failure is None else ClipFailure(failure)
                except ray.exceptions.OutOfMemoryError:
                    yield name, ClipFailure(f"{name}: out of memory")
                except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError):
                    yield name, ClipFailure(f"{name}: its worker process died")
                except ray.exceptions.RayTaskError as error:
                    cause = error.cause
                    if isinstance(cause, MemoryError):
                        yield name, ClipFailure(f"{name}: out of memory")
                    else:
                        raise
        finally:
            for reference in running:
                ray.cancel(reference, force=True)

    def close(self) -> None:
        """Leave the cluster; stop it if it was started here."""
        if self._owned:
            self._ray.shutdown()


def _run(
    function: Callable[[Job], Result], job: Job, cores: int, expected: tuple[type[Exception], ...]
) -> tuple[str | None, Result | None]:
    """Run the function in a task: (None, result), or (reason, None) where the clip cannot be used."""
    os.environ["OMP_NUM_THREADS"] = str(cores)
    try:
        return None, function(job)
    except expected as error:
        return str(error), None


def _check_reachable(address: str) -> None:
    """Ray itself tries for minutes before it gives up."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
    except (OSError, ValueError) as error:
        raise InputError(
            f"--address {address}: no Ray cluster answers there ({error}); start one with ray start"
        ) from error


def _import_path() -> str:
    """Where workers find this project, also if it is not installed."""
    own = str(Path(__file__).parents[2])
    return os.pathsep.join(dict.fromkeys([own, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]))
