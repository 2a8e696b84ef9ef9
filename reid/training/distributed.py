"""What several training processes do together. With one process every function is the identity."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from common.errors import InputError

# The others wait while process 0 validates: a large test set takes longer than torch's ten minutes.
_PATIENCE = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Processes:
    """Which of how many processes this is.

    Attributes:
        rank: 0 .. size-1; 0 writes files.
        local_rank: the number of this process on its machine, which chooses the GPU.
        size: how many there are.
    """

    rank: int = 0
    local_rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes logs and checkpoints."""
        return self.rank == 0


def join_processes(environment: dict[str, str] | None = None) -> Processes:
    """Join the group that `torchrun` describes in the environment; alone without it.

    NCCL where there are GPUs, gloo otherwise. Called once, by the command line.
    """
    variables = dict(os.environ) if environment is None else environment
    if "RANK" not in variables:
        return Processes()
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    rank, size = int(variables["RANK"]), int(variables["WORLD_SIZE"])
    dist.init_process_group(backend, rank=rank, world_size=size, timeout=_PATIENCE)
    return Processes(rank, int(variables.get("LOCAL_RANK", rank)), size)


def leave_processes() -> None:
    """Leave the group, if one was joined."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def together() -> bool:
    """Whether there is more than one process."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def mean_over_processes(value: torch.Tensor) -> torch.Tensor:
    """The mean of `value` over all processes (each must hold the same shape). No gradient."""
    if not together():
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
        # Every process has a loss of its own over the gathered rows; what they say of our rows adds up.
        gradient = gradients[0].contiguous().clone()
        dist.all_reduce(gradient)
        first = dist.get_rank() * ctx.rows
        return gradient[first : first + ctx.rows]


def gather_with_gradient(local: torch.Tensor) -> torch.Tensor:
    """The rows of all processes, in rank order, (size * n, ...); gradients flow back to where the rows came from."""
    if not together():
        return local
    result: torch.Tensor = _Gather.apply(local)
    return result


def gather(local: torch.Tensor) -> torch.Tensor:
    """The rows of all processes, in rank order, without gradient."""
    if not together():
        return local
    parts = [torch.empty_like(local) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, local.contiguous())
    return torch.cat(parts)


def union_over_processes(names: set[str]) -> set[str]:
    """What any process holds, in all of them."""
    if not together():
        return names
    parts: list[set[str]] = [set() for _ in range(dist.get_world_size())]
    dist.all_gather_object(parts, names)
    return set().union(*parts)


def require_same_data(fingerprint: bytes, what: str, device: torch.device) -> None:
    """Refuse to train where processes would train on different things.

    Args:
        fingerprint: 8 bytes that stand for the data or the settings.
        what: named in the error, e.g. `data.root`.
        device: where the group communicates.

    Raises:
        InputError: in every process, when not all fingerprints are equal; the line names the processes that differ.
    """
    if not together():
        return
    own = torch.tensor([int.from_bytes(fingerprint[:8], "big", signed=True)], device=device)
    others = gather(own).tolist()
    different = [rank for rank, value in enumerate(others) if value != others[0]]
    if different:
        ranks = ", ".join(map(str, different))
        raise InputError(f"{what}: processes {ranks} read other data than process 0; give every machine the same copy")
