"""Communication between training processes. With a single process every function is a no-op."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from common.errors import InputError

# The other processes wait while process 0 validates, which can exceed torch's default of ten minutes.
_TIMEOUT = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Processes:
    """Position of this process in the process group.

    Attributes:
        rank: 0 .. size-1; rank 0 writes files.
        local_rank: rank of this process on its machine, which selects the GPU.
        size: number of processes.
    """

    rank: int = 0
    local_rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes logs and checkpoints."""
        return self.rank == 0


def join_processes(environment: dict[str, str] | None = None) -> Processes:
    """Join the process group described by `torchrun`'s environment variables; without them, run alone.

    Uses NCCL if there are GPUs, gloo otherwise. Called once, by the command line.
    """
    variables = dict(os.environ) if environment is None else environment
    if "RANK" not in variables:
        return Processes()
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    rank, size = int(variables["RANK"]), int(variables["WORLD_SIZE"])
    dist.init_process_group(backend, rank=rank, world_size=size, timeout=_TIMEOUT)
    return Processes(rank, int(variables.get("LOCAL_RANK", rank)), size)


def leave_processes() -> None:
    """Leave the process group if one was joined."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def is_distributed() -> bool:
    """Whether several processes train together."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def mean_over_processes(value: torch.Tensor) -> torch.Tensor:
    """Average `value`, of the same shape in all processes, over the processes. No gradient."""
    if not is_distributed():
        return value
    result = value.detach().clone()
    dist.all_reduce(result)
    return result / dist.get_world_size()


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, local: torch.Tensor) -> torch.Tensor:
        parts = [torch.empty_like(local) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, local.contiguous())
        ctx.rows = len(local)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        # Every process computes its own loss over the gathered rows; the gradients of our rows add up.
        gradient = gradients[0].contiguous().clone()
        dist.all_reduce(gradient)
        first = dist.get_rank() * ctx.rows
        return gradient[first : first + ctx.rows]


def gather_with_gradient(local: torch.Tensor) -> torch.Tensor:
    """Gather the rows of all processes in rank order, (size * n, ...), with gradients to the originating process."""
    if not is_distributed():
        return local
    result: torch.Tensor = _Gather.apply(local)
    return result


def gather(local: torch.Tensor) -> torch.Tensor:
    """Gather the rows of all processes in rank order, without gradient."""
    if not is_distributed():
        return local
    parts = [torch.empty_like(local) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, local.contiguous())
    return torch.cat(parts)


def union_over_processes(names: set[str]) -> set[str]:
    """Union of the sets of all processes."""
    if not is_distributed():
        return names
    parts: list[set[str]] = [set() for _ in range(dist.get_world_size())]
    dist.all_gather_object(parts, names)
    return set().union(*parts)


def require_same_data(fingerprint: bytes, what: str, device: torch.device) -> None:
    """Check that all processes train on the same data.

    Args:
        fingerprint: at least 8 bytes that identify the data or the settings.
        what: setting to name in the error, e.g. `data.root`.
        device: device used for communication.

    Raises:
        InputError: raised in every process if the fingerprints differ; the message names the differing ranks.
    """
    if not is_distributed():
        return
    own = torch.tensor([int.from_bytes(fingerprint[:8], "big", signed=True)], device=device)
    others = gather(own).tolist()
    different = [rank for rank, value in enumerate(others) if value != others[0]]
    if different:
        ranks = ", ".join(map(str, different))
        raise InputError(
            f"{what}: processes {ranks} read different data than process 0; every machine needs the same copy"
        )
