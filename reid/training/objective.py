"""One step's forward passes and losses: student, teacher, and what each of them is asked to do."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import nn

from reid.models import ReidModel, build_model, normalise
from reid.settings import TrainSettings
from reid.training.batches import Batch
from reid.training.distributed import gather, gather_with_gradient, together
from reid.training.heads import IdentityClassifier, SelfDistillationHead
from reid.training.losses import SelfDistillation, batch_hard_triplet, smoothed_cross_entropy
from reid.views import GLOBAL_VIEWS


class Encoder(nn.Module):
    """What student and teacher have in common: the network and, for SSBVER, the head g."""

    def __init__(self, model: ReidModel, projection: SelfDistillationHead | None) -> None:
        super().__init__()
        self.model = model
        self.projection = projection

    def project(self, features: torch.Tensor) -> torch.Tensor:
        """g of features: (n, dims) to (n, E)."""
        if self.projection is None:
            raise ValueError("an encoder without a projection head makes no logits for self-distillation")
        result: torch.Tensor = self.projection(features)
        return result


class StudentOutput(NamedTuple):
    """What the student says of a batch.

    Attributes:
        features: (2 n p, dims) float32 x of the global views of all p processes.
        classes: (2 n, k) float32 z of this process's global views.
        logits: (2 + L, n, E) float32 of this process's views; None without self-supervision.
    """

    features: torch.Tensor
    classes: torch.Tensor
    logits: torch.Tensor | None


class Student(nn.Module):
    """The trained network with its heads. One forward for all global views, one for all local ones.

    The bottleneck norm and the triplets see the global views of all processes, so that several processes compute what
    one would.
    """

    def __init__(self, encoder: Encoder, classifier: IdentityClassifier) -> None:
        super().__init__()
        self.encoder = encoder
        self.classifier = classifier

    def forward(self, global_views: torch.Tensor, local_views: torch.Tensor | None) -> StudentOutput:
        """Views as network input, ordered view by view: (2 n, 3, h, w) and (L n, 3, h', w') or None."""
        model = self.encoder.model
        own: torch.Tensor = model(global_views)
        with torch.autocast(own.device.type, enabled=False):
            features = gather_with_gradient(own)
            bottleneck = model.bottleneck(features)
            first = dist.get_rank() * len(own) if together() else 0
            classes = self.classifier(bottleneck[first : first + len(own)])
        logits = None
        if self.encoder.projection is not None:
            everything = own if local_views is None else torch.cat((own, model(local_views)))
            flat = self.encoder.project(everything)
            logits = flat.view(-1, len(own) // GLOBAL_VIEWS, flat.shape[1])
        return StudentOutput(features, classes, logits)


class Losses(NamedTuple):
    """One step's terms, scalars float32; the terms of self-supervision are 0 for the baseline."""

    total: torch.Tensor
    classification: torch.Tensor
    triplet: torch.Tensor
    self_supervision: torch.Tensor
    teacher_entropy: torch.Tensor
    teacher_diversity: torch.Tensor


class Objective(nn.Module):
    """Equation 5 for one batch.

    Args:
        settings: loss weights, temperatures, precision.

    The teacher's centre is a buffer of this module.
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
        """Forward passes and losses of a batch.

        Args:
            student: a `Student`, or one wrapped for several processes.
            teacher: its average, run on the global views only, without gradient; not run for the baseline.
            batch: on the device; bytes.
            teacher_temperature: tau_t of this step.
        """
        settings = self.settings
        device = batch.global_views.device
        whole = normalise(batch.global_views, settings.model)
        part = None
        if self.distillation is not None and len(batch.local_views):
            part = normalise(batch.local_views, settings.model)
        with torch.autocast(device.type, torch.bfloat16, enabled=settings.run.precision == "bfloat16"):
            said: StudentOutput = student(whole, part)
            target = self._teach(teacher, whole) if self.distillation is not None else None
        labels = batch.labels.repeat(GLOBAL_VIEWS)
        weights = settings.loss
        classification = smoothed_cross_entropy(said.classes, labels, weights.label_smoothing)
        triplet = batch_hard_triplet(said.features, gather(labels))
        total = weights.classification * classification + weights.triplet * triplet
        nothing = torch.zeros((), device=device)
        supervision = entropy = diversity = nothing
        if self.distillation is not None and said.logits is not None and target is not None:
            supervision, entropy, diversity = self.distillation(said.logits, target, teacher_temperature)
            total = total + weights.self_supervision * supervision
        parts = (classification, triplet, supervision, entropy, diversity)
        return Losses(total, *(part.detach() for part in parts))

    @torch.no_grad()
    def _teach(self, teacher: Encoder, whole: torch.Tensor) -> torch.Tensor:
        logits = teacher.project(teacher.model(whole))
        return logits.view(GLOBAL_VIEWS, -1, logits.shape[1])


def build_student(settings: TrainSettings, identities: int) -> Student:
    """The network and its heads as the settings describe them, started from `settings.pretrained`."""
    model = build_model(settings.model, settings.pretrained)
    ssl = settings.ssl
    projection = (
        SelfDistillationHead(model.dims, ssl.hidden, ssl.outputs, ssl.batch_norm) if settings.self_supervised else None
    )
    classifier = IdentityClassifier(model.dims, identities, settings.loss.classifier_bias)
    return Student(Encoder(model, projection), classifier)
