"""Self-distillation: the student predicts the teacher's output for another view of the same image."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from reid.training.distributed import mean_over_processes


class Distilled(NamedTuple):
    """Result of one self-distillation step; float32 scalars.

    Attributes:
        loss: L_s.
        entropy: mean entropy of the teacher's distributions in nats; near log E they are uninformative.
        diversity: entropy of their mean over the batch in nats; near 0 all images get the same output (collapse).
    """

    loss: torch.Tensor
    entropy: torch.Tensor
    diversity: torch.Tensor


class SelfDistillation(nn.Module):
    """Equation 4 (`cross_entropy`) or the variant of Table 6 (`rmse`), with the teacher's centre.

    `L_s = sum over teacher's views g, student's views v != g of H(p_t(g), p_s(v))`, averaged over images;
    M. Caron et al., DINO, ICCV 2021. `rmse` replaces H by the L2 norm of the difference of the raw outputs (equation 7;
    the paper calls it RMSE, but neither it nor the authors' script divides by the root of E).

    Args:
        outputs: E, the length of the heads' outputs.
        student_temperature: tau_s.
        center_momentum: of the moving average of the teacher's outputs, 0.9 in the paper.
        objective: which of the two.
        pairs: `sum` over the pairs of views, as in the paper's equation, or their `mean`, as in the authors' script.

    The buffer `center` (E,) float32 is part of a training state.
    """

    center: torch.Tensor

    def __init__(
        self,
        outputs: int,
        student_temperature: float = 0.1,
        center_momentum: float = 0.9,
        objective: Literal["cross_entropy", "rmse"] = "cross_entropy",
        pairs: Literal["sum", "mean"] = "sum",
    ) -> None:
        super().__init__()
        self.student_temperature = student_temperature
        self.center_momentum = center_momentum
        self.objective = objective
        self.pairs = pairs
        self.register_buffer("center", torch.zeros(outputs))

    def forward(self, student: torch.Tensor, teacher: torch.Tensor, teacher_temperature: float) -> Distilled:
        """Compute the loss, then update the centre with this batch (over all processes).

        Args:
            student: (views, n, E) logits; the first `len(teacher)` views are the teacher's, in the same order.
            teacher: (global views, n, E) logits; detached.
            teacher_temperature: tau_t of this step.

        Returns:
            The loss and the two entropies that reveal a collapse.
        """
        with torch.autocast(student.device.type, enabled=False):
            student, teacher = student.float(), teacher.detach().float()
            target = F.softmax((teacher - self.center) / teacher_temperature, dim=-1)
            entropy = _entropy(target).mean()
            diversity = _entropy(target.mean(dim=(0, 1)))
            loss = self._rmse(student, teacher) if self.objective == "rmse" else self._cross_entropy(student, target)
            if self.pairs == "mean":
                loss = loss / (len(teacher) * (len(student) - 1))
            self._move_center(teacher)
        return Distilled(loss, entropy, diversity)

    def _cross_entropy(self, student: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        views = len(target)
        logits = student / self.student_temperature
        # H(p, q) = logsumexp(q) - p . q, so the sum over all pairs of views is one product of sums, from which the
        # pairs of a view with itself are subtracted: no (views x views) loop, no log-softmax of every view in memory.
        normaliser = torch.logsumexp(logits, dim=-1)
        pairs = views * normaliser.sum(dim=0) - (target.sum(dim=0) * logits.sum(dim=0)).sum(dim=-1)
        own = (normaliser[:views] - (target * logits[:views]).sum(dim=-1)).sum(dim=0)
        return (pairs - own).mean()

    @staticmethod
    def _rmse(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        difference = (student[None] - teacher[:, None]).square().sum(dim=-1)  # (global, views, n)
        distance = difference.clamp(min=1e-12).sqrt()
        others = torch.ones(len(teacher), len(student), device=student.device).fill_diagonal_(0.0)
        return (distance * others[:, :, None]).sum(dim=(0, 1)).mean()

    @torch.no_grad()
    def _move_center(self, teacher: torch.Tensor) -> None:
        batch = mean_over_processes(teacher.mean(dim=(0, 1)))
        self.center.lerp_(batch, 1.0 - self.center_momentum)


def _entropy(distribution: torch.Tensor) -> torch.Tensor:
    """Entropy in nats over the last dimension."""
    return -(distribution * distribution.clamp(min=1e-30).log()).sum(dim=-1)
