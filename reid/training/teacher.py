"""The teacher: an exponential moving average of the student."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import TypeVar

import torch
from torch import nn

AnyModule = TypeVar("AnyModule", bound=nn.Module)


def make_teacher(student: AnyModule) -> AnyModule:
    """Copy the student without gradients, in train mode (see `MovingAverage`)."""
    teacher = copy.deepcopy(student)
    teacher.requires_grad_(False)
    return teacher.train()


class MovingAverage:
    """`teacher <- momentum * teacher + (1 - momentum) * student`, for parameters and buffers, fused.

    Args:
        student: module being trained.
        teacher: module with the same tensors, updated in place by `update`.
        momentum: lambda, constant.
        observers: parts of the teacher that run in train mode and therefore track their own batch-norm statistics.
            Those statistics are not averaged: the teacher of SSBVER sees global views only, while the student's
            statistics also cover local views, which averaging would mix in (the more, the lower the momentum).
    """

    def __init__(
        self, student: nn.Module, teacher: nn.Module, momentum: float, observers: Iterable[nn.Module] = ()
    ) -> None:
        source, target = _tensors(student), _tensors(teacher)
        if source.keys() != target.keys():
            raise ValueError(f"teacher and student differ in {sorted(source.keys() ^ target.keys())[:3]}")
        own = {id(buffer) for module in observers for buffer in _running_statistics(module)}
        source = {name: value for name, value in source.items() if id(target[name]) not in own}
        averaged = [name for name, value in source.items() if value.is_floating_point()]
        counted = [name for name, value in source.items() if not value.is_floating_point()]
        self._source = [source[name] for name in averaged]
        self._target = [target[name] for name in averaged]
        self._counted = [(target[name], source[name]) for name in counted]
        self.momentum = momentum

    @torch.no_grad()
    def update(self) -> None:
        """Update the average. Integer buffers (counters) are copied."""
        torch._foreach_lerp_(self._target, self._source, 1.0 - self.momentum)
        if self._counted:
            torch._foreach_copy_([t for t, _ in self._counted], [s for _, s in self._counted])


def _running_statistics(module: nn.Module) -> Iterator[torch.Tensor]:
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            yield from part.buffers(recurse=False)


def _tensors(module: nn.Module) -> dict[str, torch.Tensor]:
    return {
        **{name: value.detach() for name, value in module.named_parameters()},
        **dict(module.named_buffers()),
    }
