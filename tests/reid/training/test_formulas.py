"""Every formula of the paper against its plain definition, written with loops and without the library's shortcuts."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from reid.settings import OptimiserSettings
from reid.training.heads import IdentityClassifier, SelfDistillationHead
from reid.training.losses import SelfDistillation, batch_hard_triplet, smoothed_cross_entropy
from reid.training.schedules import learning_rate, teacher_temperature
from reid.training.teacher import MovingAverage

OUTPUTS = [4, 32, 1024]
"""E: a factor of its root in a loss would show between them."""


@pytest.fixture(autouse=True)
def fixed_seed() -> None:
    torch.manual_seed(0)


def softmax(values: list[float]) -> list[float]:
    top = max(values)
    exponentials = [math.exp(value - top) for value in values]
    return [e / sum(exponentials) for e in exponentials]


def test_equation_1_batch_hard_triplet() -> None:
    features, labels = torch.randn(9, 5), torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 2])
    total = 0.0
    for a in range(9):
        distances = [math.dist(features[a].tolist(), features[b].tolist()) for b in range(9)]
        positive = max(d for b, d in enumerate(distances) if b != a and labels[b] == labels[a])
        negative = min(d for b, d in enumerate(distances) if labels[b] != labels[a])
        total += math.log(1 + math.exp(positive - negative))
    assert batch_hard_triplet(features, labels).item() == pytest.approx(total / 9, rel=1e-6)


@pytest.mark.parametrize("classes", [3, 40])
def test_equation_2_smoothed_cross_entropy(classes: int) -> None:
    logits, labels, smoothing = torch.randn(6, classes), torch.randint(classes, (6,)), 0.2
    total = 0.0
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        for index, probability in enumerate(softmax(row)):
            true = 1 - (classes - 1) / classes * smoothing
            total -= (true if index == label else smoothing / classes) * math.log(probability)
    assert smoothed_cross_entropy(logits, labels, smoothing).item() == pytest.approx(total / 6, rel=1e-6)


def test_classifier_is_affine() -> None:
    classifier, features = IdentityClassifier(4, 3), torch.randn(2, 4)
    expected = np.asarray(features) @ classifier.weight.detach().numpy().T + classifier.bias.detach().numpy()
    np.testing.assert_allclose(classifier(features).detach().numpy(), expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("outputs", OUTPUTS)
def test_equation_3_outputs_of_the_head_are_cosines(outputs: int) -> None:
    head = SelfDistillationHead(6, (8, 5), outputs)
    first, second = (layer for layer in head.mlp if isinstance(layer, nn.Linear))
    features = torch.randn(3, 6)
    hidden = features.double() @ first.weight.double().T + first.bias.double()
    hidden = hidden * 0.5 * (1 + torch.erf(hidden / math.sqrt(2)))  # GELU
    hidden = hidden @ second.weight.double().T + second.bias.double()
    for row, logits in zip(hidden, head(features), strict=True):
        for prototype, logit in zip(head.prototypes.double(), logits, strict=True):
            cosine = (row @ prototype) / (row.norm() * prototype.norm())
            assert logit.item() == pytest.approx(cosine.item(), abs=1e-5)


@pytest.mark.parametrize("outputs", OUTPUTS)
@pytest.mark.parametrize("local", [0, 2])
@pytest.mark.parametrize("pairs", ["sum", "mean"])
def test_equation_4_self_distillation(outputs: int, local: int, pairs: str) -> None:
    loss = SelfDistillation(outputs, student_temperature=0.1, pairs=pairs)
    loss.center.copy_(0.1 * torch.randn(outputs))
    center = loss.center.tolist()
    student, teacher = torch.randn(2 + local, 3, outputs), torch.randn(2, 3, outputs)
    total = 0.0
    for image in range(3):
        for g in range(2):
            target = softmax([(t - c) / 0.4 for t, c in zip(teacher[g, image].tolist(), center, strict=True)])
            for v in range(2 + local):
                if v != g:
                    prediction = softmax([s / 0.1 for s in student[v, image].tolist()])
                    total -= sum(p * math.log(max(q, 1e-300)) for p, q in zip(target, prediction, strict=True))
    expected = total / 3 / (2 * (1 + local) if pairs == "mean" else 1)
    assert loss(student, teacher, 0.4).loss.item() == pytest.approx(expected, rel=1e-5)
    moved = 0.9 * np.array(center) + 0.1 * teacher.numpy().mean(axis=(0, 1))
    np.testing.assert_allclose(loss.center.numpy(), moved, atol=1e-6)


@pytest.mark.parametrize("outputs", OUTPUTS)
def test_equation_7_l2_distance_of_the_outputs(outputs: int) -> None:
    loss = SelfDistillation(outputs, objective="rmse")
    student, teacher = torch.randn(4, 3, outputs), torch.randn(2, 3, outputs)
    total = 0.0
    for image in range(3):
        for g in range(2):
            for v in range(4):
                if v != g:
                    total += math.dist(student[v, image].tolist(), teacher[g, image].tolist())
    assert loss(student, teacher, 0.4).loss.item() == pytest.approx(total / 3, rel=1e-5)


def test_teacher_is_the_moving_average_of_the_student() -> None:
    student, teacher = nn.Linear(2, 2), nn.Linear(2, 2)
    expected = 0.9995 * teacher.weight.detach().numpy() + 0.0005 * student.weight.detach().numpy()
    MovingAverage(student, teacher, 0.9995).update()
    np.testing.assert_allclose(teacher.weight.detach().numpy(), expected, rtol=1e-6)


def test_schedules() -> None:
    settings = OptimiserSettings()
    for epoch in range(120):
        warm_up = min(1.0, 0.01 + 0.099 * epoch)
        steps = 0.1 ** sum(epoch >= milestone for milestone in (40, 70, 100))
        assert learning_rate(settings, epoch, 120) == pytest.approx(5e-4 * warm_up * steps, rel=1e-9)
        temperature = 0.0005 + 0.0005 * min(epoch, 10) / 10
        assert teacher_temperature((0.0005, 0.001), 10, epoch) == pytest.approx(temperature, rel=1e-9)
