"""Forward passes of student and teacher, and the losses of one training step."""

from __future__ import annotations

from contextlib import nullcontext
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import nn

from reid.architectures import Body
from reid.auto_encoder.network import load_auto_encoder
from reid.branches import Branch, ImageLabels, split_features, with_weights
from reid.models import ReidModel, build_model, normalise
from reid.parts.distance import local_distances
from reid.settings import SelfSupervisionSettings, TrainSettings
from reid.training.batches import Batch
from reid.training.distributed import gather, gather_with_gradient, is_distributed
from reid.training.excitation import ResidualExcitation
from reid.training.heads import BranchClassifiers, IdentityClassifier, SelfDistillationHead
from reid.training.losses import (
    CenterLoss,
    SelfDistillation,
    batch_hard_triplet,
    batch_hard_triplet_of,
    smoothed_cross_entropy,
)
from reid.training.pairing import gathered_by_device, other_images
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
        features: (g n p, dims) float32, x of the g global views of all p processes.
        classes: (g n, k) float32 for each branch with a classifier, z of this process's global views.
        logits: (g + L, n, E) float32, outputs of g for this process's views; None without self-supervision.
        auxiliary: float32 scalar, the architecture's auxiliary loss; None if it has none.
    """

    features: torch.Tensor
    classes: dict[str, torch.Tensor]
    logits: torch.Tensor | None
    auxiliary: torch.Tensor | None = None


class Student(nn.Module):
    """The trained network with its heads. One forward pass for all global views, one for all local views.

    The batch-norm neck and the triplet loss see the global views of all processes, so that the result does not depend
    on the number of processes.

    Args:
        encoder: the network and, for SSBVER, its projection head.
        classifier: of the only branch, or `BranchClassifiers`.
        branches: parts of the feature vector, with the weights of their losses.
        auxiliary: the architecture's auxiliary loss (`Body.make_auxiliary`); None if it has none.
        excitation: strengthens feature maps of the global views in training; None: plain training.
    """

    def __init__(
        self,
        encoder: Encoder,
        classifier: IdentityClassifier | BranchClassifiers,
        branches: tuple[Branch, ...],
        auxiliary: nn.Module | None = None,
        excitation: ResidualExcitation | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.classifier = classifier
        self.branches = branches
        self.auxiliary = auxiliary
        self.excitation = excitation

    def forward(
        self,
        global_views: torch.Tensor,
        local_views: torch.Tensor | None,
        labels: ImageLabels | None = None,
        progress: float = 0.0,
    ) -> StudentOutput:
        """Run on normalised views stacked view by view.

        Args:
            global_views: (g n, 3, h, w).
            local_views: (L n, 3, h', w'), or None.
            labels: cameras and viewpoints of the n images.
            progress: fraction of the epochs that are done, for what has a schedule.
        """
        model = self.encoder.model
        excited = (
            nullcontext() if self.excitation is None else self.excitation.applied(model.trunk, global_views, progress)
        )
        with excited:
            own: torch.Tensor = model(global_views, _repeated(labels, global_views))
        with torch.autocast(own.device.type, enabled=False):
            features = gather_with_gradient(own)
            bottleneck = model.bottleneck(features)
            first = dist.get_rank() * len(own) if is_distributed() else 0
            classes = self.classifier(bottleneck[first : first + len(own)])
            if isinstance(classes, torch.Tensor):
                classes = {self.branches[0].name: classes}
        logits = None
        if self.encoder.projection is not None:
            features_of_all_views = own
            if local_views is not None:
                features_of_all_views = torch.cat((own, model(local_views, _repeated(labels, local_views))))
            flat = self.encoder.project(features_of_all_views)
            logits = flat.view(-1, len(own) // GLOBAL_VIEWS, flat.shape[1])
        auxiliary = None if self.auxiliary is None else self.auxiliary(model, global_views, progress).float()
        return StudentOutput(features, classes, logits, auxiliary)


def _repeated(labels: ImageLabels | None, views: torch.Tensor) -> ImageLabels | None:
    """The labels of all views of each image."""
    return None if labels is None else labels.repeat(len(views) // len(labels.camera))


class Losses(NamedTuple):
    """Loss terms of one step, float32 scalars; terms that are not part of the training are 0.

    `classification`, `triplet` and `center` are weighted sums over the branches.
    """

    total: torch.Tensor
    classification: torch.Tensor
    triplet: torch.Tensor
    self_supervision: torch.Tensor
    teacher_entropy: torch.Tensor
    teacher_diversity: torch.Tensor
    center: torch.Tensor
    auxiliary: torch.Tensor


class Objective(nn.Module):
    """Equation 5 of the paper for one batch.

    The centre of the teacher's outputs and the centres of the centre loss are buffers of this module.

    Args:
        settings: loss weights, temperatures and precision.
        branches: parts of the feature vector, with the weights of their losses; None: a single one.
        identities: k, needed for the centre loss.
    """

    def __init__(
        self, settings: TrainSettings, branches: tuple[Branch, ...] | None = None, identities: int = 0
    ) -> None:
        super().__init__()
        self.settings = settings
        self.branches = branches
        self.centers = nn.ModuleDict()
        if settings.loss.center:
            rate = settings.loss.center_learning_rate
            self.centers.update({b.name: CenterLoss(identities, b.dims, rate) for b in branches or () if b.center})
        ssl = settings.ssl
        self.distillation = (
            SelfDistillation(ssl.outputs, ssl.student_temperature, ssl.center_momentum, ssl.objective, ssl.pairs)
            if settings.self_supervised
            else None
        )

    def forward(
        self, student: nn.Module, teacher: Encoder, batch: Batch, teacher_temperature: float, progress: float = 0.0
    ) -> Losses:
        """Run student and teacher on a batch and compute the losses.

        Args:
            student: a `Student`, possibly wrapped in `DistributedDataParallel`.
            teacher: the averaged encoder; sees the global views only, without gradient; not run for the baseline.
            batch: uint8 images on the device.
            teacher_temperature: tau_t of this step.
            progress: fraction of the epochs that are done.
        """
        settings = self.settings
        device = batch.global_views.device
        global_views = normalise(batch.global_views, settings.model)
        local_views = None
        if self.distillation is not None and len(batch.local_views):
            local_views = normalise(batch.local_views, settings.model)
        with torch.autocast(device.type, torch.bfloat16, enabled=settings.run.precision == "bfloat16"):
            output: StudentOutput = student(global_views, local_views, batch.image_labels, progress)
            target = None
            if self.distillation is not None:
                target = self._teacher_logits(teacher, global_views, batch.image_labels)
        weights = settings.loss
        zero = torch.zeros((), device=device)
        classification, triplet, center = self._supervised(output, batch.labels.repeat(settings.views.global_views))
        total = weights.classification * classification + weights.triplet * triplet
        if self.centers:
            total = total + weights.center * center
        auxiliary = zero
        if output.auxiliary is not None:
            auxiliary = output.auxiliary
            total = total + weights.auxiliary * auxiliary
        supervision = entropy = diversity = zero
        if self.distillation is not None and output.logits is not None and target is not None:
            logits, target = pair_outputs(output.logits, target, batch, settings.ssl)
            supervision, entropy, diversity = self.distillation(logits, target, teacher_temperature)
            total = total + weights.self_supervision * supervision
        parts = (classification, triplet, supervision, entropy, diversity, center, auxiliary)
        return Losses(total, *(part.detach() for part in parts))

    def _supervised(
        self, output: StudentOutput, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Cross entropy, triplet loss and centre loss, each the weighted sum over the branches."""
        weights = self.settings.loss
        branches = self.branches or (Branch("global", output.features.shape[1]),)
        gathered = gather(labels)
        zero = torch.zeros((), device=labels.device)
        classification, triplet, center = zero, zero, zero
        for branch, features in zip(branches, split_features(output.features, branches), strict=True):
            if branch.name in output.classes:
                loss = smoothed_cross_entropy(
                    output.classes[branch.name], labels, weights.label_smoothing, weights.smoothing_over
                )
                classification = classification + branch.classification * loss
            if branch.triplet:
                if branch.distance == "euclidean":
                    loss = batch_hard_triplet(features, gathered, weights.triplet_margin)
                else:
                    distances = local_distances(features, features)
                    loss = batch_hard_triplet_of(distances, gathered, weights.triplet_margin)
                triplet = triplet + branch.triplet * loss
            if branch.name in self.centers:
                center = center + branch.center * self.centers[branch.name](features, gathered)
        return classification, triplet, center

    @torch.no_grad()
    def _teacher_logits(self, teacher: Encoder, global_views: torch.Tensor, labels: ImageLabels | None) -> torch.Tensor:
        logits = teacher.project(teacher.model(global_views, _repeated(labels, global_views)))
        return logits.view(GLOBAL_VIEWS, -1, logits.shape[1])


def pair_outputs(
    student: torch.Tensor, teacher: torch.Tensor, batch: Batch, settings: SelfSupervisionSettings
) -> tuple[torch.Tensor, torch.Tensor]:
    """Order the outputs so that those at the same place of two views are the ones that `settings.pairing` compares.

    Args:
        student: (2 + L, n, E) logits.
        teacher: (2, n, E) logits.
        batch: its labels, and its cameras for `vehicle`.
        settings: the pairing.
    """
    known = batch.image_labels
    if settings.pairing == "vehicle":
        return student, teacher[:, other_images(batch.labels, known.camera if known is not None else None)]
    if settings.pairing == "devices":
        return gathered_by_device(student, settings.devices), gathered_by_device(teacher, settings.devices)
    return student, teacher


def build_student(settings: TrainSettings, identities: int) -> Student:
    """Build the network and its heads, initialised from `settings.pretrained`."""
    model = build_model(settings.model, settings.pretrained, neck=settings.pretrained_neck)
    ssl = settings.ssl
    projection = (
        SelfDistillationHead(model.dims, ssl.hidden, ssl.outputs, ssl.batch_norm) if settings.self_supervised else None
    )
    branches = with_weights(model.branches, settings.loss.branches)
    bias = settings.loss.classifier_bias
    classifier = (
        IdentityClassifier(model.dims, identities, bias)
        if len(branches) == 1
        else BranchClassifiers(branches, identities, bias)
    )
    auxiliary = excitation = None
    part = settings.pretrained_part
    if settings.excitation:
        excitation = ResidualExcitation(load_auto_encoder(part))
        excitation.require_stages(model.trunk)
    elif isinstance(model.backbone, Body):
        if part != "none":
            model.backbone.load_part(part)
        model.backbone.require_parts()
        auxiliary = model.backbone.make_auxiliary()
    return Student(Encoder(model, projection), classifier, branches, auxiliary, excitation)
