"""The ways of working on clips, by name."""

from __future__ import annotations

from importlib.util import find_spec

from common.errors import InputError
from common.nearest import nearest
from mtmc.execution.in_turn import InTurn
from mtmc.execution.interface import Executor
from mtmc.execution.processes import Processes

DEFAULT_EXECUTOR = "processes"
EXECUTORS = ("in-turn", "processes", "ray")


def make_executor(
    name: str = DEFAULT_EXECUTOR, *, workers: int | None = None, address: str | None = None, device: str = "auto"
) -> Executor:
    """The executor of this name.

    Args:
        name: one of `EXECUTORS`.
        workers: clips processed at a time; None: as many as there are cores.
        address: of a Ray cluster; None: Ray is started on this machine.
        device: where detector and extractors run.

    Raises:
        InputError: the name is unknown, or the executor cannot start.

    >>> make_executor("in-turn").name
    'in-turn'
    """
    check_executor(name, address)
    if name == "in-turn":
        return InTurn()
    if name == "processes":
        return Processes(workers)
    from mtmc.execution.ray_tasks import RayTasks  # an optional package

    return RayTasks(address, workers, device)


def check_executor(name: str, address: str | None = None) -> None:
    """Check the name without starting anything.

    Raises:
        InputError: the name is unknown, or the executor has no address.
    """
    if name not in EXECUTORS:
        raise InputError(f"--executor {name}: unknown{nearest(name, EXECUTORS)}")
    if address is not None and name != "ray":
        raise InputError(f"--address {address}: only --executor ray has an address")
    if name == "ray" and find_spec("ray") is None:
        raise InputError("--executor ray needs the package ray: pip install 'mtmc[ray]'")
