"""Forward passes of student and teacher, and the losses of one training step."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import nn

from reid.models import ReidModel, build_model, normalise
from reid.settings import TrainSettings
from reid.training.batches import Batch
from reid.training.distributed import gather, gather_with_gradient, is_distributed
from reid.training.heads import IdentityClassifier, SelfDistillationHead
from reid.training.losses import SelfDistillation, batch_hard_triplet, smoothed_cross_entropy
from reid.views import GLOBAL_VIEWS


class Encoder(nn.Module):
    """The part shared by student and teacher: the network and, for SSBVER, the projection head g."""

    def __init__(self, model: ReidModel, projection: SelfDistillationHead | None) -> None:
        super().__init__()
        self.model = model
        self.projection = projection

    def project(self, features: torch.Tensor) -> torch.Tensor:
        """Apply g: features (n, dims) to logits (n, E)."""
        if self.projection is None:
            raise ValueError("this encoder has no projection head for self-distillation")
        result: torch.Tensor = self.projection(features)
        return result


class StudentOutput(NamedTuple):
    """Output of the student for one batch.

    Attributes:
        features: (2 n p, dims) float32, x of the global views of all p processes.
        classes: (2 n, k) float32, z of this process's global views.
        logits: (2 + L, n, E) float32, outputs of g for this process's views; None without self-supervision.
    """

    features: torch.Tensor
    classes: torch.Tensor
    logits: torch.Tensor | None


class Student(nn.Module):
    """The trained network with its heads. One forward pass for all global views, one for all local views.

    The batch-norm neck and the triplet loss see the global views of all processes, so that the result does not depend
    on the number of processes.
    """

    def __init__(self, encoder: Encoder, classifier: IdentityClassifier) -> None:
        super().__init__()
        self.encoder = encoder
        self.classifier = classifier

    def forward(self, global_views: torch.Tensor, local_views: torch.Tensor | None) -> StudentOutput:
        """Run on normalised views stacked view by view: (2 n, 3, h, w) and (L n, 3, h', w') or None."""
        model = self.encoder.model
        own: torch.Tensor = model(global_views)
        with torch.autocast(own.device.type, enabled=False):
            features = gather_with_gradient(own)
            bottleneck = model.bottleneck(features)
            first = dist.get_rank() * len(own) if is_distributed() else 0
            classes = self.classifier(bottleneck[first : first + len(own)])
        logits = None
        if self.encoder.projection is not None:
            features_of_all_views = own if local_views is None else torch.cat((own, model(local_views)))
            flat = self.encoder.project(features_of_all_views)
            logits = flat.view(-1, len(own) // GLOBAL_VIEWS, flat.shape[1])
        return StudentOutput(features, classes, logits)


class Losses(NamedTuple):
    """Loss terms of one step, float32 scalars; the self-supervised terms are 0 for the baseline."""

    total: torch.Tensor
    classification: torch.Tensor
    triplet: torch.Tensor
    self_supervision: torch.Tensor
    teacher_entropy: torch.Tensor
    teacher_diversity: torch.Tensor


class Objective(nn.Module):
    """Equation 5 of the paper for one batch.

    The centre of the teacher's outputs is a buffer of this module.

    Args:
        settings: loss weights, temperatures and precision.
    """

    def __init__(self, settings: TrainSettings) -> None:
        super().__init__()
        self.settings = settings
        ssl = settings.ssl
        self.distillation = (
            SelfDistillation(ssl.outputs, ssl.student_temperature, ssl.center_momentum, ssl.objective, ssl.pairs)
            if settings.self_supervised
            else None
        )

    def forward(self, student: nn.Module, teacher: Encoder, batch: Batch, teacher_temperature: float) -> Losses:
        """Run student and teacher on a batch and compute the losses.

        Args:
            student: a `Student`, possibly wrapped in `DistributedDataParallel`.
            teacher: the averaged encoder; sees the global views only, without gradient; not run for the baseline.
            batch: uint8 images on the device.
            teacher_temperature: tau_t of this step.
        """
        settings = self.settings
        device = batch.global_views.device
        global_views = normalise(batch.global_views, settings.model)
        local_views = None
        if self.distillation is not None and len(batch.local_views):
            local_views = normalise(batch.local_views, settings.model)
        with torch.autocast(device.type, torch.bfloat16, enabled=settings.run.precision == "bfloat16"):
            output: StudentOutput = student(global_views, local_views)
            target = self._teacher_logits(teacher, global_views) if self.distillation is not None else None
        labels = batch.labels.repeat(GLOBAL_VIEWS)
        weights = settings.loss
        classification = smoothed_cross_entropy(output.classes, labels, weights.label_smoothing)
        triplet = batch_hard_triplet(output.features, gather(labels))
        total = weights.classification * classification + weights.triplet * triplet
        zero = torch.zeros((), device=device)
        supervision = entropy = diversity = zero
        if self.distillation is not None and output.logits is not None and target is not None:
            supervision, entropy, diversity = self.distillation(output.logits, target, teacher_temperature)
            total = total + weights.self_supervision * supervision
        parts = (classification, triplet, supervision, entropy, diversity)
        return Losses(total, *(part.detach() for part in parts))

    @torch.no_grad()
    def _teacher_logits(self, teacher: Encoder, global_views: torch.Tensor) -> torch.Tensor:
        logits = teacher.project(teacher.model(global_views))
        return logits.view(GLOBAL_VIEWS, -1, logits.shape[1])


def build_student(settings: TrainSettings, identities: int) -> Student:
    """Build the network and its heads, initialised from `settings.pretrained`."""
    model = build_model(settings.model, settings.pretrained)
    ssl = settings.ssl
    projection = (
        SelfDistillationHead(model.dims, ssl.hidden, ssl.outputs, ssl.batch_norm) if settings.self_supervised else None
    )
    classifier = IdentityClassifier(model.dims, identities, settings.loss.classifier_bias)
    return Student(Encoder(model, projection), classifier)
