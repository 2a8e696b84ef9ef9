"""Training of the auto-encoder: it learns to draw vehicles from few numbers, without any label."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from common.errors import InputError
from reid.auto_encoder.network import FORMAT, AutoEncoder, generation_loss
from reid.images import RgbImage, UnreadableImage, read_image
from reid.pretraining.loop import Tensors
from reid.pretraining.settings import AutoEncoderSettings
from reid.tensor_files import write_tensors
from reid.views import resize


class VehicleImages(Dataset[Tensors]):
    """Batches of whole images by number: (n, 3, h, w) uint8 RGB."""

    def __init__(self, paths: list[str], settings: AutoEncoderSettings) -> None:
        self.paths, self.settings = paths, settings

    def __getitem__(self, number: int) -> Tensors:
        settings = self.settings
        random = np.random.default_rng([settings.seed, 20, number])
        images = [self._read(random) for _ in range(settings.batch)]
        flipped = [i[:, ::-1] if random.random() < settings.flip else i for i in images]
        return (torch.from_numpy(np.stack(flipped).transpose(0, 3, 1, 2).copy()),)

    def _read(self, random: np.random.Generator) -> RgbImage:
        for _ in range(20):
            try:
                return resize(read_image(self.paths[int(random.integers(len(self.paths)))]), self.settings.image_size)
            except UnreadableImage:
                continue
        raise InputError("data.root: 20 images in a row cannot be read")


class AutoEncoderSubject:
    """The auto-encoder and its loss; see `reid.pretraining.loop.Subject`.

    Args:
        settings: of the run.
        paths: image files.

    Raises:
        InputError: there are no images.
    """

    def __init__(self, settings: AutoEncoderSettings, paths: list[str]) -> None:
        if not paths:
            raise InputError(f"data.root: {settings.data.root} has no training images")
        self.settings, self.images = settings, len(paths)
        self.network = AutoEncoder(settings.auto_encoder)
        self.data = VehicleImages(paths, settings)

    def groups(self) -> list[dict[str, Any]]:
        return [{"params": list(self.network.parameters()), "scale": 1.0}]

    def losses(self, batch: Tensors) -> dict[str, torch.Tensor]:
        images = to_network(batch[0], self.settings.mean, self.settings.std)
        found = self.network(images)
        total = generation_loss(found, images, self.settings.divergence)
        error = (found.images - images).detach().square().mean()
        return {"total": total, "reconstruction": error}

    def validate(self, device: torch.device) -> dict[str, float]:
        return {}

    def save(self, path: Path, description: Mapping[str, Any]) -> None:
        content = {"format": FORMAT, "auto_encoder": self.network.config.model_dump(mode="json"), **description}
        write_tensors(path, self.network.state_dict(), content)


def to_network(images: torch.Tensor, mean: tuple[float, float, float], std: tuple[float, float, float]) -> torch.Tensor:
    """Normalise (n, 3, h, w) uint8 images: `(images / 255 - mean) / std` per channel."""
    shape = (1, 3, 1, 1)
    centre, scale = (torch.tensor(v, device=images.device).view(shape) for v in (mean, std))
    return (images.float() / 255 - centre) / scale
