"""The whole way on simulated vehicles: render a small set, train SSBVER, rank vehicles that were not trained on."""

import math
from collections.abc import Callable
from pathlib import Path

import torch

from mtmc.simulation.reid_set import simulate_reid
from reid.datasets import load_dataset
from reid.training.validation import Validation

STEPS = 150
STATED_MAP = 0.5


def test_some_hundred_steps_rank_unseen_vehicles_and_do_not_collapse(
    tmp_path: Path, tiny_settings: Callable[..., object], make_trainer: Callable[..., object]
) -> None:
    simulate_reid(tmp_path / "veri", seed=5, identities=16, workers=2)
    vehicles = load_dataset("veri", tmp_path / "veri")
    settings = tiny_settings(
        model={"backbone": "resnet18_ibn_quarter", "image_size": [48, 48], "pooling": "gem"},
        data={"workers": 0, "cache_gigabytes": 1.0},
        sampler={"identities": 6, "images": 4},
        views={"local": 2, "local_size": [24, 24], "pad": 2},
        loss={"self_supervision": 0.002},
        ssl={"hidden": [64, 32], "outputs": 128, "batch_norm": True, "teacher_temperature": [0.01, 0.01]},
        teacher={"momentum": 0.9},
        optimiser={"learning_rate": 2e-3, "warmup_epochs": 1, "every": "step", "schedule": "cosine"},
        run={"epochs": 5, "steps_per_epoch": STEPS // 5, "tensorboard": False, "precision": "float32"},
    )
    trainer = make_trainer(vehicles.train, settings)
    check = Validation(vehicles.splits[0], gigabytes=1.0)
    cpu = torch.device("cpu")
    before = check(trainer.teacher.model, cpu)
    history = [trainer.train_step(trainer.maker[step])[0] for step in range(STEPS)]
    after = check(trainer.teacher.model, cpu)
    assert after["mAP"] > max(STATED_MAP, before["mAP"] + 0.05), (before, after)
    diversity = torch.stack([losses.teacher_diversity for losses in history[-20:]]).mean()
    entropy = torch.stack([losses.teacher_entropy for losses in history[-20:]]).mean()
    # Collapsed, the batch's six vehicles get one answer (0) or no answer (log E).
    assert 0.2 * math.log(settings.sampler.identities) < diversity < 0.9 * math.log(settings.ssl.outputs)
    assert entropy < 0.5 * math.log(settings.ssl.outputs)
