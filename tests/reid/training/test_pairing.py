"""The variants of the pairing against their plain definitions."""

import math

import pytest
import torch

from common.errors import InputError
from reid.branches import ImageLabels
from reid.settings import SelfSupervisionSettings
from reid.training.batches import Batch
from reid.training.losses import SelfDistillation
from reid.training.objective import pair_outputs

OUTPUTS = [4, 32, 512]


def softmax(values: torch.Tensor) -> list[float]:
    exponentials = [math.exp(value - float(values.max())) for value in values.tolist()]
    return [e / sum(exponentials) for e in exponentials]


def cross_entropy(teacher: torch.Tensor, student: torch.Tensor) -> float:
    predicted = softmax(student / 0.1)
    return -sum(p * math.log(max(q, 1e-300)) for p, q in zip(softmax(teacher / 0.4), predicted, strict=True))


def batch_of(labels: list[int], cameras: list[int] | None) -> Batch:
    empty = torch.zeros(0, dtype=torch.uint8)
    camera = torch.tensor(cameras or [-1] * len(labels))
    return Batch(empty, empty, torch.tensor(labels), (), ImageLabels(camera, torch.full_like(camera, -1)))


@pytest.mark.parametrize("outputs", OUTPUTS)
def test_devices_pairs_what_gathering_and_cutting_pairs(outputs: int) -> None:
    torch.manual_seed(0)
    views, images, devices = 4, 8, 4
    student, teacher = torch.randn(views, images, outputs), torch.randn(2, images, outputs)
    share = images // devices
    gathered_student = [student[v, d * share + i] for d in range(devices) for v in range(views) for i in range(share)]
    gathered_teacher = [teacher[v, d * share + i] for d in range(devices) for v in range(2) for i in range(share)]
    total = 0.0
    for part in range(2):
        for view in range(views):
            if view != part:
                for place in range(images):
                    answer, question = gathered_teacher[part * images + place], gathered_student[view * images + place]
                    total += cross_entropy(answer, question) / images
    settings = SelfSupervisionSettings(pairing="devices", devices=devices)
    paired = pair_outputs(student, teacher, batch_of([0] * images, None), settings)
    loss = SelfDistillation(outputs)
    assert loss(*paired, 0.4).loss.item() == pytest.approx(total, rel=1e-5)
    with pytest.raises(InputError, match=r"ssl\.devices: 8 images"):
        settings = settings.model_copy(update={"devices": 3})
        pair_outputs(student, teacher, batch_of([0] * images, None), settings)


@pytest.mark.parametrize("outputs", OUTPUTS)
def test_vehicle_lets_the_teacher_see_another_cameras_picture(outputs: int) -> None:
    torch.manual_seed(0)
    labels, cameras = [3, 3, 3, 7, 7, 9], [1, 1, 2, 4, 4, 1]
    partner = [2, 2, 0, 4, 3, 5]  # another camera's, else another picture, else itself
    student, teacher = torch.randn(3, 6, outputs), torch.randn(2, 6, outputs)
    total = sum(
        cross_entropy(teacher[g, partner[image]], student[v, image]) / 6
        for image in range(6)
        for g in range(2)
        for v in range(3)
        if v != g
    )
    settings = SelfSupervisionSettings(pairing="vehicle")
    paired = pair_outputs(student, teacher, batch_of(labels, cameras), settings)
    assert SelfDistillation(outputs)(*paired, 0.4).loss.item() == pytest.approx(total, rel=1e-5)


def test_every_picture_is_a_teachers_where_all_cameras_differ() -> None:
    settings = SelfSupervisionSettings(pairing="vehicle")
    teacher = torch.arange(8.0).view(1, 8, 1).repeat(2, 1, 1)
    for cameras in ([1, 2, 3, 4, 1, 2, 3, 4], None):
        _, seen = pair_outputs(teacher, teacher, batch_of([0, 0, 0, 0, 1, 1, 1, 1], cameras), settings)
        assert sorted(seen[0, :, 0].tolist()) == list(range(8))
        assert seen[0, :, 0].tolist() != list(range(8))


def test_image_pairs_as_the_paper_does() -> None:
    student, teacher = torch.randn(3, 4, 5), torch.randn(2, 4, 5)
    same = pair_outputs(student, teacher, batch_of([0, 0, 1, 1], None), SelfSupervisionSettings())
    assert same[0] is student and same[1] is teacher
