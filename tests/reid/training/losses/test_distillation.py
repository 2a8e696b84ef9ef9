import math

import pytest
import torch
from lightly.loss import DINOLoss

from reid.training.losses import SelfDistillation


@pytest.mark.parametrize("local", [0, 1, 4])
def test_agrees_with_lightly_over_several_steps(local: int) -> None:
    theirs = DINOLoss(output_dim=32, student_temp=0.1, teacher_temp=0.04, center_momentum=0.9)
    ours = SelfDistillation(32, student_temperature=0.1, center_momentum=0.9)
    pairs = 2 * (2 + local) - 2
    for _ in range(3):
        student, teacher = torch.randn(2 + local, 5, 32), torch.randn(2, 5, 32)
        expected = theirs(list(teacher), list(student), teacher_temp=0.04)
        found = ours(student, teacher, 0.04).loss
        # The paper sums over pairs of views, lightly takes their mean.
        torch.testing.assert_close(found / pairs, expected)
        torch.testing.assert_close(ours.center, theirs.center.flatten())


def test_sum_over_other_views_only() -> None:
    student, teacher = torch.randn(3, 2, 6), torch.randn(2, 2, 6)
    loss = SelfDistillation(6)
    expected = torch.zeros(2)
    for g in range(2):
        for v in range(3):
            if v != g:
                p = (teacher[g] / 0.5).softmax(dim=1)
                expected -= (p * (student[v] / 0.1).log_softmax(dim=1)).sum(dim=1)
    torch.testing.assert_close(loss(student, teacher, 0.5).loss, expected.mean())


def test_mean_of_the_pairs_is_their_sum_over_their_number() -> None:
    student, teacher = torch.randn(2 + 3, 4, 6), torch.randn(2, 4, 6)
    added, averaged = (
        SelfDistillation(6)(student, teacher, 0.1),
        SelfDistillation(6, pairs="mean")(student, teacher, 0.1),
    )
    torch.testing.assert_close(averaged.loss, added.loss / (2 * (1 + 3)))


def test_pairs_views_of_the_same_image() -> None:
    """An image's loss does not change when another image of the batch does."""
    student, teacher = torch.randn(3, 2, 6, requires_grad=True), torch.randn(2, 2, 6)
    SelfDistillation(6)(student, teacher, 0.1).loss.backward()
    before = student.grad[:, 0].clone()
    student.grad = None
    changed = teacher.clone()
    changed[:, 1] = torch.randn(2, 6)
    SelfDistillation(6)(student, changed, 0.1).loss.backward()
    torch.testing.assert_close(student.grad[:, 0], before)


def test_rmse_is_zero_for_equal_outputs_and_counts_cross_view_pairs() -> None:
    same = torch.randn(1, 4, 8).expand(3, 4, 8)
    loss = SelfDistillation(8, objective="rmse")
    assert loss(same, same[:2], 0.1).loss < 1e-4
    student = torch.zeros(3, 4, 8)
    torch.testing.assert_close(loss(student, torch.ones(2, 4, 8), 0.1).loss, torch.tensor(4.0 * 8**0.5))


def test_entropies_tell_collapse() -> None:
    one = torch.zeros(2, 16, 8)
    one[..., 3] = 1
    collapsed = SelfDistillation(8)(one, one, 0.001)
    assert collapsed.diversity < 1e-6
    uniform = SelfDistillation(8)(torch.zeros(2, 16, 8), torch.zeros(2, 16, 8), 0.001)
    assert uniform.entropy == pytest.approx(math.log(8), rel=1e-5)
    apart = torch.eye(8).repeat(1, 2, 1)
    healthy = SelfDistillation(8)(apart.repeat(2, 1, 1), apart.repeat(2, 1, 1), 0.001)
    assert healthy.entropy < 1e-3
    assert healthy.diversity == pytest.approx(math.log(8), rel=1e-5)


def test_no_gradient_reaches_the_teacher_and_numbers_stay_float32() -> None:
    student, teacher = torch.randn(2, 3, 8, requires_grad=True), torch.randn(2, 3, 8, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        loss = SelfDistillation(8)(student, teacher, 0.001).loss
    loss.backward()
    assert loss.dtype == torch.float32
    assert teacher.grad is None
    assert student.grad is not None
