from itertools import pairwise

import pytest

from reid.settings import OptimiserSettings
from reid.training.schedules import learning_rate, teacher_temperature

RESNET = OptimiserSettings()
TRANSFORMER = OptimiserSettings(name="adamw", learning_rate=1e-4, schedule="cosine")


def test_warm_up_gains_0_099_of_the_rate_an_epoch_from_1_percent() -> None:
    rates = [learning_rate(RESNET, epoch, 120) for epoch in range(11)]
    assert rates[0] == pytest.approx(0.01 * 5e-4)
    assert rates[10] == pytest.approx(5e-4)
    steps = {round((b - a) / 5e-4, 6) for a, b in pairwise(rates)}
    assert steps == {0.099}


@pytest.mark.parametrize(("epoch", "factor"), [(39.9, 1), (40, 0.1), (70, 0.01), (100, 0.001), (119.9, 0.001)])
def test_steps_of_the_resnet_recipe(epoch: float, factor: float) -> None:
    assert learning_rate(RESNET, epoch, 120) == pytest.approx(5e-4 * factor)


def test_cosine_of_the_transformer_recipe() -> None:
    assert learning_rate(TRANSFORMER, 120, 120) == pytest.approx(1.6e-5)
    assert learning_rate(TRANSFORMER, 60, 120) == pytest.approx((1e-4 + 1.6e-5) / 2)
    rates = [learning_rate(TRANSFORMER, epoch, 120) for epoch in range(10, 121)]
    assert rates == sorted(rates, reverse=True)


def test_rate_changes_within_an_epoch_only_where_asked() -> None:
    assert learning_rate(RESNET, 3.7, 120) == learning_rate(RESNET, 3, 120)
    smooth = RESNET.model_copy(update={"every": "step"})
    assert learning_rate(smooth, 3.7, 120) > learning_rate(smooth, 3, 120)


def test_teacher_temperature_rises_over_ten_epochs() -> None:
    values = [teacher_temperature((0.0005, 0.001), 10, epoch) for epoch in (0, 5, 10, 100)]
    assert values == pytest.approx([0.0005, 0.00075, 0.001, 0.001])
    assert teacher_temperature((0.0005, 0.001), 0, 0) == 0.001


def test_plateau_before_the_cosine() -> None:
    """HRCN's schedule: warm-up to 20, constant to 40, then from 0.9 of the rate down to 80."""
    settings = OptimiserSettings(
        learning_rate=0.01, schedule="cosine", warmup_epochs=20, plateau_epochs=40, plateau_drop=0.9,
        final_learning_rate=7.7e-5,
    )  # fmt: skip
    rates = [learning_rate(settings, epoch, 80) for epoch in (0, 10, 20, 39.9, 40, 60, 80)]
    half = 7.7e-5 + (0.009 - 7.7e-5) / 2
    assert rates == pytest.approx([1e-4, 0.01 * 0.505, 0.01, 0.01, 0.009, half, 7.7e-5])


def test_warm_up_from_another_rate() -> None:
    settings = OptimiserSettings(learning_rate=0.1, warmup_epochs=10, warmup_start=0.0)
    assert [learning_rate(settings, epoch, 80) for epoch in (0, 5, 10)] == pytest.approx([0.0, 0.05, 0.1])
