"""Training of the parser on images with masks: binary cross entropy and Dice loss, the best IoU is kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F
from torch.utils.data import Dataset

from common.errors import InputError
from reid.images import RgbImage
from reid.parts.parser import CLASSES, FORMAT, PARTS, PartParser, load_imagenet_encoder
from reid.pretraining.auto_encoder import to_network
from reid.pretraining.loop import Tensors
from reid.pretraining.masks import Mask, PartImage, find_masks, read_polygons
from reid.pretraining.settings import ParserSettings
from reid.settings import IMAGENET_MEAN, IMAGENET_STD
from reid.tensor_files import write_tensors
from reid.views import resize

_VALIDATION_BATCH = 16


class MaskedImages(Dataset[Tensors]):
    """Batches by number: (n, 3, h, w) uint8 RGB and (n, h, w) uint8 numbers of `CLASSES`."""

    def __init__(self, images: list[PartImage], settings: ParserSettings) -> None:
        self.images, self.settings = images, settings

    def __getitem__(self, number: int) -> Tensors:
        random = np.random.default_rng([self.settings.seed, 21, number])
        rows = random.integers(len(self.images), size=self.settings.batch)
        pairs = [_augmented(self.images[row].read(), self.settings, random) for row in rows]
        return _stacked(pairs)


def _stacked(pairs: list[tuple[RgbImage, Mask]]) -> Tensors:
    images = np.stack([image for image, _ in pairs]).transpose(0, 3, 1, 2)
    return torch.from_numpy(images.copy()), torch.from_numpy(np.stack([mask for _, mask in pairs]))


def _augmented(
    pair: tuple[RgbImage, Mask], settings: ParserSettings, random: np.random.Generator
) -> tuple[RgbImage, Mask]:
    """A random crop, flip and change of colours of an image with its mask, at the network's size."""
    image, mask = pair
    height, width = (max(1, round(side * settings.crop)) for side in mask.shape)
    top, left = (int(random.integers(a - b + 1)) for a, b in zip(mask.shape, (height, width), strict=True))
    window = slice(top, top + height), slice(left, left + width)
    image, mask = _resized(image[window], mask[window], settings.image_size)
    if random.random() < settings.flip:
        image, mask = image[:, ::-1], np.ascontiguousarray(mask[:, ::-1])
    return _recoloured(image, settings.jitter, random), mask


def _resized(image: RgbImage, mask: Mask, size: tuple[int, int]) -> tuple[RgbImage, Mask]:
    small = cv2.resize(mask, (size[1], size[0]), interpolation=cv2.INTER_NEAREST)
    return resize(np.ascontiguousarray(image), size), np.asarray(small, np.uint8)


def _recoloured(image: RgbImage, strength: float, random: np.random.Generator) -> RgbImage:
    """Change contrast, brightness, the balance of the channels and the gamma, and add noise."""
    pixels = image.astype(np.float32) / 255
    pixels = np.power(pixels, np.exp(random.uniform(-strength, strength)))
    gain = np.exp(random.uniform(-strength, strength)) * np.exp(random.uniform(-strength / 4, strength / 4, 3))
    pixels = (pixels - 0.5) * gain + 0.5 + random.uniform(-strength / 2, strength / 2)
    pixels += random.normal(0, 0.1 * strength * random.random(), pixels.shape)
    result: RgbImage = np.clip(255 * pixels, 0, 255).astype(np.uint8)
    return result


class ParserSubject:
    """The parser, its data and its loss; see `reid.pretraining.loop.Subject`.

    Raises:
        InputError: there are no images with masks, or ImageNet weights cannot be had.
    """

    def __init__(self, settings: ParserSettings) -> None:
        self.settings = settings
        train, self.held_out = part_images(settings)
        self.images = len(train)
        self.network = PartParser(settings.parser)
        if settings.pretrained == "imagenet":
            load_imagenet_encoder(self.network)
        elif settings.pretrained != "none":
            raise InputError(f"pretrained: {settings.pretrained!r}: a parser starts from imagenet or none")
        self.data = MaskedImages(train, settings)

    def groups(self) -> list[dict[str, Any]]:
        encoder = list(self.network.encoder.parameters())
        inside = {id(p) for p in encoder}
        rest = [p for p in self.network.parameters() if id(p) not in inside]
        return [
            {"params": rest, "scale": 1.0},
            {"params": encoder, "scale": self.settings.encoder_factor},
        ]

    def losses(self, batch: Tensors) -> dict[str, torch.Tensor]:
        logits = self.network(to_network(batch[0], IMAGENET_MEAN, IMAGENET_STD))
        entropy, dice = part_losses(logits, batch[1].long())
        return {"total": entropy + dice, "cross_entropy": entropy, "dice": dice}

    @torch.no_grad()
    def validate(self, device: torch.device) -> dict[str, float]:
        """`iou`, the mean over the four parts, and that of each part, on the images that were held out."""
        self.network.eval()
        both, either = np.zeros(len(PARTS)), np.zeros(len(PARTS))
        for first in range(0, len(self.held_out), _VALIDATION_BATCH):
            pairs = []
            for held_out in self.held_out[first : first + _VALIDATION_BATCH]:
                image, mask = held_out.read()
                pairs.append(_resized(image, mask, self.settings.image_size))
            images, masks = _stacked(pairs)
            size = self.settings.image_size
            normalised = to_network(images.to(device), IMAGENET_MEAN, IMAGENET_STD)
            found = self.network.masks(normalised, size).cpu().numpy() > 0
            true = masks.numpy()[:, None] == np.arange(1, len(CLASSES))[None, :, None, None]
            both += (found & true).sum(axis=(0, 2, 3))
            either += (found | true).sum(axis=(0, 2, 3))
        iou: npt.NDArray[np.float64] = both / np.maximum(either, 1)
        return {"iou": float(iou.mean()), **dict(zip(PARTS, iou.tolist(), strict=True))}

    def save(self, path: Path, description: Mapping[str, Any]) -> None:
        content = {"format": FORMAT, "parser": self.network.config.model_dump(mode="json"), **description}
        write_tensors(path, self.network.state_dict(), content)


def part_losses(logits: torch.Tensor, classes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Binary cross entropy, and Dice loss averaged over the classes.

    Args:
        logits: (n, 5, h, w).
        classes: (n, h, w) int64 numbers of `CLASSES`.
    """
    target = F.one_hot(classes, len(CLASSES)).permute(0, 3, 1, 2).float()
    entropy = F.binary_cross_entropy_with_logits(logits.float(), target)
    found = logits.float().sigmoid()
    shared = (found * target).sum(dim=(0, 2, 3))
    total = found.sum(dim=(0, 2, 3)) + target.sum(dim=(0, 2, 3))
    dice = 1.0 - (2.0 * shared + 1.0) / (total + 1.0)
    return entropy, dice.mean()


def part_images(settings: ParserSettings) -> tuple[list[PartImage], list[PartImage]]:
    """The images to train on, and those held out.

    Raises:
        InputError: there are none.
    """
    data = settings.data
    root = Path(data.root).expanduser()
    if data.polygons:
        train, held_out = read_polygons(Path(data.polygons).expanduser(), root), []
    else:
        train, held_out = find_masks(root, "train"), find_masks(root, "test")
    if not held_out and len(train) > 1:
        order = np.random.default_rng([settings.seed, 22]).permutation(len(train))
        count = max(1, round(data.validation * len(train)))
        held_out, train = [train[i] for i in order[:count]], [train[i] for i in sorted(order[count:])]
    if not train:
        raise InputError(
            f"data.root: {root} has no image_train/ with masks in parts_train/; python -m mtmc.simulate --reid --parts "
            "writes them, or give data.polygons"
        )
    chosen = np.linspace(0, len(held_out) - 1, min(len(held_out), data.validation_images)).astype(int)
    return train, [held_out[i] for i in np.unique(chosen)]
