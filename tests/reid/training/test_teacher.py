import copy

import torch
from torch import nn

from reid.training.teacher import MovingAverage, make_teacher


def _network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def test_follows_the_closed_form_of_the_average() -> None:
    momentum, steps = 0.9, 7
    student = _network()
    teacher = make_teacher(student)
    average = MovingAverage(student, teacher, momentum)
    start = {k: v.clone() for k, v in student.state_dict().items()}
    history = []
    for _ in range(steps):
        for value in student.state_dict().values():
            value.copy_(torch.randn_like(value) if value.is_floating_point() else value + 1)
        history.append(copy.deepcopy(student.state_dict()))
        average.update()
    for name, value in teacher.state_dict().items():
        if value.is_floating_point():
            weights = [(1 - momentum) * momentum ** (steps - 1 - i) for i in range(steps)]
            expected = momentum**steps * start[name] + sum(w * h[name] for w, h in zip(weights, history, strict=True))
            torch.testing.assert_close(value, expected)
        else:
            assert torch.equal(value, history[-1][name])


def test_teacher_takes_no_gradient_and_runs_in_train_mode() -> None:
    teacher = make_teacher(_network())
    assert teacher.training
    assert not any(p.requires_grad for p in teacher.parameters())


def test_student_stays_untouched_and_separate() -> None:
    student = _network()
    before = copy.deepcopy(student.state_dict())
    teacher = make_teacher(student)
    with torch.no_grad():
        teacher[0].weight.add_(1)
    MovingAverage(student, teacher, 0.5).update()
    for name, value in student.state_dict().items():
        assert torch.equal(value, before[name])
    torch.testing.assert_close(teacher[0].weight, student[0].weight + 0.5)
