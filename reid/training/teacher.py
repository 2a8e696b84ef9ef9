"""The teacher: the student's moving average."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn

AnyModule = TypeVar("AnyModule", bound=nn.Module)


def make_teacher(student: AnyModule) -> AnyModule:
    """A copy of the student that no gradient reaches, in train mode (see `MovingAverage`)."""
    teacher = copy.deepcopy(student)
    teacher.requires_grad_(False)
    return teacher.train()


class MovingAverage:
    """`teacher <- momentum * teacher + (1 - momentum) * student`, parameters and buffers, in one fused operation.

    Where the teacher runs (SSBVER) it runs in train mode: its batch norms then also take in the statistics of its own
    batches, which hold global views only, while the student's mix in the local ones.

    Args:
        student: module whose parameters change.
        teacher: module of the same tensors, changed in place by `update`.
        momentum: lambda; constant.
    """

    def __init__(self, student: nn.Module, teacher: nn.Module, momentum: float) -> None:
        source, target = _tensors(student), _tensors(teacher)
        if source.keys() != target.keys():
            raise ValueError(f"teacher and student differ in {sorted(source.keys() ^ target.keys())[:3]}")
        averaged = [name for name, value in source.items() if value.is_floating_point()]
        counted = [name for name, value in source.items() if not value.is_floating_point()]
        self._source = [source[name] for name in averaged]
        self._target = [target[name] for name in averaged]
        self._counted = [(target[name], source[name]) for name in counted]
        self.momentum = momentum

    @torch.no_grad()
    def update(self) -> None:
        """One step of the average. Integer buffers (counters) are copied."""
        torch._foreach_lerp_(self._target, self._source, 1.0 - self.momentum)
        if self._counted:
            torch._foreach_copy_([t for t, _ in self._counted], [s for _, s in self._counted])


def _tensors(module: nn.Module) -> dict[str, torch.Tensor]:
    return {
        **{name: value.detach() for name, value in module.named_parameters()},
        **dict(module.named_buffers()),
    }
