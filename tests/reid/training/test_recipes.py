"""Schedule, optimiser and augmentations of the two recipes: the paper's and that of the authors' script."""

from pathlib import Path

import numpy as np
import pytest
import torch

from reid import views
from reid.settings import TrainSettings
from reid.train import read_settings
from reid.training.objective import build_student
from reid.training.schedules import learning_rate
from reid.training.trainer import make_optimiser


@pytest.fixture(params=["paper", "script"])
def recipe(request: pytest.FixtureRequest, repository: Path) -> tuple[str, TrainSettings]:
    configs = repository / "configs" / "reid"
    files = [configs / "paper.yaml", *([configs / "with_script.yaml"] if request.param == "script" else [])]
    return request.param, read_settings(files)


def test_warm_up_by_epoch_then_the_milestones(recipe: tuple[str, TrainSettings]) -> None:
    name, settings = recipe
    optimiser = settings.optimiser
    assert (optimiser.name, optimiser.weight_decay, optimiser.every) == ("adam", 1e-3, "epoch")
    peak = {"paper": 5e-4, "script": 1e-3}[name]
    # The paper: 0.099 of the rate an epoch from 1 %, so that epoch 10 is the first with all of it.
    # The script: the ten values of linspace(0.01, 1, 10) in epochs 0 to 9.
    warm_up = {"paper": 0.01 + 0.099 * np.arange(10), "script": np.linspace(0.01, 1, 10)}[name]
    expected = np.concatenate([warm_up, np.ones(30), np.full(30, 0.1), np.full(30, 0.01), np.full(20, 0.001)])
    for epoch, factor in enumerate(expected):
        for part in (0.0, 0.5, 0.999):
            assert learning_rate(optimiser, epoch + part, 120) == pytest.approx(peak * factor, rel=1e-9), epoch


def test_one_group_holds_everything_that_is_trained(recipe: tuple[str, TrainSettings]) -> None:
    name, settings = recipe
    model = settings.model.model_copy(update={"backbone": "resnet18_ibn_quarter", "image_size": (32, 32)})
    ssl = settings.ssl.model_copy(update={"hidden": (16, 8), "outputs": 8})
    student = build_student(settings.model_copy(update={"model": model, "ssl": ssl, "pretrained": "none"}), 5)
    trained = {key: value for key, value in student.named_parameters() if value.requires_grad}
    frozen = {key for key, value in student.named_parameters() if not value.requires_grad}
    assert frozen == ({"encoder.model.bottleneck.bias"} if name == "script" else set())
    assert ("classifier.bias" in trained) == (name == "paper")
    assert {key.split(".")[0] for key in trained} == {"encoder", "classifier"}
    assert any(key.startswith("encoder.projection.") for key in trained)
    optimiser = make_optimiser(settings.optimiser, list(trained.values()))
    (group,) = optimiser.param_groups
    assert {id(p) for p in group["params"]} == {id(p) for p in trained.values()}
    assert type(optimiser) is torch.optim.Adam  # weight decay as an L2 penalty in the gradient
    assert (group["weight_decay"], tuple(group["betas"]), group["eps"]) == (1e-3, (0.9, 0.999), 1e-8)


def test_order_of_the_augmentations(recipe: tuple[str, TrainSettings], monkeypatch: pytest.MonkeyPatch) -> None:
    name, settings = recipe
    done: list[str] = []
    for step in ("_resized_crop", "_flip", "_pad_and_crop", "_jitter", "_erase"):

        def record(image: np.ndarray, *arguments: object, _step: str = step, **more: object) -> np.ndarray:
            area = arguments[0] if _step == "_resized_crop" else None
            done.append("resize" if area == (1.0, 1.0) else _step.strip("_"))
            size = arguments[2] if _step == "_resized_crop" else image.shape[:2]
            return np.zeros((*size, 3), np.uint8)

        monkeypatch.setattr(views, step, record)
    chosen = settings.views.model_copy(update={"local": 1})
    views.make_views(np.zeros((20, 30, 3), np.uint8), chosen, (16, 16), np.random.default_rng(0))
    paper = ["resized_crop", "flip", "pad_and_crop", "jitter", "erase"]
    expected = {
        "paper": [*paper, *paper, "resized_crop", "flip", "jitter"],
        # View 1: resize, flip, pad, crop, erase. View 2: resized crop, flip, jitter.
        "script": ["resize", "flip", "pad_and_crop", "erase", *["resized_crop", "flip", "jitter"] * 2],
    }[name]
    assert done == expected
