"""A training run of a few pixels, for the tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from common.settings import validate
from reid.datasets import ImageTable
from reid.settings import TrainSettings
from reid.training.trainer import Trainer

CPU = torch.device("cpu")


def _write_images(folder: Path, identities: int = 6, images: int = 4, side: int = 20) -> ImageTable:
    """Images of noise over a pattern that is the identity's own."""
    folder.mkdir(parents=True, exist_ok=True)
    paths, labels, cameras = [], [], []
    for identity in range(identities):
        coarse = np.random.default_rng(identity).integers(0, 256, (3, 3, 3), np.uint8)
        pattern = np.asarray(Image.fromarray(coarse).resize((side, side)), np.float64)
        for image in range(images):
            noise = np.random.default_rng([identity, image]).normal(0, 25, pattern.shape)
            path = folder / f"{identity}_{image}.png"
            Image.fromarray(np.clip(pattern + noise, 0, 255).astype(np.uint8)).save(path)
            paths.append(str(path))
            labels.append(identity)
            cameras.append(image % 2)
    return ImageTable.of(paths, labels, cameras)


def _tiny_settings(ssbver: bool = True, **changes: dict[str, Any]) -> TrainSettings:
    """A few hundred thousand multiplications a step."""
    content: dict[str, dict[str, Any]] = {
        "model": {"backbone": "resnet18_ibn_quarter", "image_size": [32, 32]},
        "data": {"workers": 0},
        "sampler": {"identities": 4, "images": 2},
        "views": {"local": 2, "local_size": [16, 16], "pad": 2},
        "loss": {"self_supervision": 0.01 if ssbver else 0.0},
        "ssl": {"hidden": [32, 16], "outputs": 24, "batch_norm": True},
        "optimiser": {"warmup_epochs": 0},
        "run": {
            "epochs": 2,
            "steps_per_epoch": 4,
            "precision": "float32",
            "tensorboard": False,
            "log_every": 1,
            "save_every": 100,
        },
    }
    for part, values in changes.items():
        content[part] = {**content.get(part, {}), **values}
    return validate(TrainSettings, {"pretrained": "none", **content}, "test")


def _make_trainer(table: ImageTable, settings: TrainSettings) -> Trainer:
    """A trainer on the CPU, one thread."""
    torch.set_num_threads(1)
    return Trainer(settings, table, CPU)


@pytest.fixture
def write_images() -> Callable[..., ImageTable]:
    """`write_images(folder, identities=6, images=4, side=20)`."""
    return _write_images


@pytest.fixture
def tiny_settings() -> Callable[..., TrainSettings]:
    """`tiny_settings(ssbver=True, run={...}, ...)`."""
    return _tiny_settings


@pytest.fixture
def make_trainer() -> Callable[..., Trainer]:
    """`make_trainer(table, settings)`."""
    return _make_trainer
