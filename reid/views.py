"""Augmented views of an image: two global ones for student and teacher, small local ones for the student only."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from reid.images import RgbImage
from reid.settings import GLOBAL_VIEWS, IMAGENET_MEAN, IMAGENET_STD, ViewSettings

__all__ = ["GLOBAL_VIEWS", "Views", "draw_box", "make_views", "resize"]

Triple = tuple[float, float, float]

_LUMA = np.array([0.299, 0.587, 0.114])
_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])
_FROM_YIQ = np.linalg.inv(_TO_YIQ)
# Fill colour of erased rectangles: normalisation maps it to about zero.
_ERASED = np.round(255 * np.array(IMAGENET_MEAN)).astype(np.uint8)


class Views(NamedTuple):
    """The views of one image: `global_views` (2 or 1, h, w, 3) and `local_views` (L, h', w', 3), uint8 RGB."""

    global_views: RgbImage
    local_views: RgbImage


def make_views(
    image: RgbImage,
    settings: ViewSettings,
    size: tuple[int, int],
    random: np.random.Generator,
    *,
    mean: Triple = IMAGENET_MEAN,
    std: Triple = IMAGENET_STD,
) -> Views:
    """Generate random views of one image.

    Args:
        image: (h, w, 3) uint8 RGB of any size.
        settings: number of local views and strength of each augmentation.
        size: height and width of the global views.
        random: source of randomness; the same generator state gives the same views.
        mean: RGB mean in [0, 1] that the network subtracts; used by the erasing noise.
        std: RGB standard deviation in [0, 1] that it divides by; used by the erasing noise.
    """
    global_views = np.empty((settings.global_views, *size, 3), np.uint8)
    interpolation = None if settings.interpolation == "auto" else settings.interpolation
    for view in range(settings.global_views):
        paper = settings.recipe == "paper"
        crops = paper or view == 1  # the script does not crop its first view ...
        pads = paper or view == 0  # ... and neither pads nor erases its second
        area = settings.global_area if crops else (1.0, 1.0)
        result = _resized_crop(image, area, settings.aspect if crops else (1.0, 1.0), size, random, interpolation)
        result = _flip(result, settings.flip, random)
        if pads:
            result = _pad_and_crop(result, settings.pad, random)
        if crops:
            result = _degrade(_tint(_jitter(result, settings.jitter, random), settings.tint, random), settings, random)
        if pads:
            result = _erase(result, settings, random, mean, std)
        global_views[view] = result
    local_views = np.empty((settings.local, *settings.local_size, 3), np.uint8)
    for view in range(settings.local):
        result = _resized_crop(image, settings.local_area, settings.aspect, settings.local_size, random, interpolation)
        result = _jitter(_flip(result, settings.flip, random), settings.jitter, random)
        local_views[view] = _degrade(_tint(result, settings.tint, random), settings, random)
    return Views(global_views, local_views)


_INTERPOLATIONS = {
    "nearest": cv2.INTER_NEAREST,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
}


def resize(image: RgbImage, size: tuple[int, int], interpolation: str | None = None) -> RgbImage:
    """Resize (h, w, 3) to `size` (height, width).

    Args:
        image: uint8.
        size: height and width in pixels.
        interpolation: `nearest`, `bilinear`, `bicubic` or `area`; None is bilinear, or area when shrinking by more than
            half.
    """
    height, width = size
    if interpolation is None:
        interpolation = "area" if image.shape[0] > 2 * height or image.shape[1] > 2 * width else "bilinear"
    return cv2.resize(image, (width, height), interpolation=_INTERPOLATIONS[interpolation])  # type: ignore[return-value]


def draw_box(
    height: int, width: int, area: tuple[float, float], aspect: tuple[float, float], random: np.random.Generator
) -> tuple[float, float, float, float]:
    """Draw a random box that covers a given fraction of an image.

    Args:
        height: height of the image.
        width: width of the image.
        area: minimum and maximum fraction of the image area.
        aspect: minimum and maximum aspect ratio (width to height) relative to the image's; log-uniform, and narrowed
            where such a box would not fit, so that the area is always met.
        random: source of randomness.

    Returns:
        Top, left, height and width in pixels (not rounded); the box lies inside the image.
    """
    share = random.uniform(*area)
    low, high = (float(np.clip(a, share, 1.0 / share)) for a in aspect)
    ratio = float(np.exp(random.uniform(np.log(low), np.log(high))))
    box_height, box_width = height * min(1.0, (share / ratio) ** 0.5), width * min(1.0, (share * ratio) ** 0.5)
    return random.uniform(0, height - box_height), random.uniform(0, width - box_width), box_height, box_width


def _resized_crop(
    image: RgbImage,
    area: tuple[float, float],
    aspect: tuple[float, float],
    size: tuple[int, int],
    random: np.random.Generator,
    interpolation: str | None,
) -> RgbImage:
    top, left, height, width = draw_box(image.shape[0], image.shape[1], area, aspect, random)
    first_row, first_column = round(top), round(left)
    last_row = max(first_row + 1, min(image.shape[0], round(top + height)))
    last_column = max(first_column + 1, min(image.shape[1], round(left + width)))
    # A box that rounds to zero size still takes one pixel.
    crop = image[min(first_row, image.shape[0] - 1) : last_row, min(first_column, image.shape[1] - 1) : last_column]
    return resize(crop, size, interpolation)


def _flip(image: RgbImage, probability: float, random: np.random.Generator) -> RgbImage:
    return image[:, ::-1] if random.random() < probability else image


def _pad_and_crop(image: RgbImage, pad: int, random: np.random.Generator) -> RgbImage:
    """Pad with `pad` black pixels on each side, then crop randomly to the original size."""
    if pad == 0:
        return image
    height, width = image.shape[:2]
    down, right = random.integers(-pad, pad + 1, 2)
    down, right = int(np.clip(down, -height, height)), int(np.clip(right, -width, width))
    result = np.zeros_like(image)
    result[max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)] = image[
        max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)
    ]
    return result


def _jitter(image: RgbImage, amounts: tuple[float, float, float, float], random: np.random.Generator) -> RgbImage:
    """Jitter brightness, contrast, saturation and hue in random order.

    Each is an affine map of RGB (hue is a rotation in YIQ), so all four combine into one 3 x 4 matrix and one pass over
    the pixels; values are clipped once, at the end.
    """
    if not any(amounts):
        return np.ascontiguousarray(image)
    brightness, contrast, saturation = (random.uniform(max(0.0, 1.0 - a), 1.0 + a) for a in amounts[:3])
    angle = 2 * np.pi * random.uniform(-amounts[3], amounts[3])
    matrix, offset = np.eye(3), np.zeros(3)
    mean = np.array(cv2.mean(np.ascontiguousarray(image))[:3])
    for change in random.permutation(4):
        if change == 0:
            matrix, offset = brightness * matrix, brightness * offset
        elif change == 1:
            grey = _LUMA @ (matrix @ mean + offset)
            matrix, offset = contrast * matrix, contrast * offset + (1.0 - contrast) * grey
        else:
            step = _saturation(saturation) if change == 2 else _hue(angle)
            matrix, offset = step @ matrix, step @ offset
    affine = np.concatenate((matrix, offset[:, None]), axis=1)
    return cv2.transform(np.ascontiguousarray(image), affine)  # type: ignore[return-value]


def _saturation(factor: float) -> npt.NDArray[np.float64]:
    result: npt.NDArray[np.float64] = factor * np.eye(3) + (1.0 - factor) * _LUMA[None, :]
    return result


def _hue(angle: float) -> npt.NDArray[np.float64]:
    turn = np.array(
        [[1.0, 0.0, 0.0], [0.0, np.cos(angle), -np.sin(angle)], [0.0, np.sin(angle), np.cos(angle)]], np.float64
    )
    result: npt.NDArray[np.float64] = _FROM_YIQ @ turn @ _TO_YIQ
    return result


def _tint(image: RgbImage, amount: float, random: np.random.Generator) -> RgbImage:
    """Multiply each colour channel by its own random gain."""
    if not amount:
        return image
    gains = random.uniform(1.0 - amount, 1.0 + amount, 3)
    return np.clip(image * gains.astype(np.float32), 0, 255).astype(np.uint8)


# What cameras do to small pictures. The smallest share of a side that remains, JPEG qualities, and strengths of
# sharpening (an unsharp mask); ranges that cover the crops of real traffic cameras.
_SMALLEST_SHARE = 0.33
_QUALITIES = (25, 90)
_SHARPENING = (0.5, 2.0)


def _degrade(image: RgbImage, settings: ViewSettings, random: np.random.Generator) -> RgbImage:
    """Reduce the resolution and compress, or sharpen, each half of the time."""
    if not settings.degrade or random.random() >= settings.degrade:
        return image
    image = np.ascontiguousarray(image)
    if random.random() < 0.5:
        strength = random.uniform(*_SHARPENING)
        blurred = cv2.GaussianBlur(image, (0, 0), random.uniform(0.8, 1.6))
        return cv2.addWeighted(image, 1.0 + strength, blurred, -strength, 0.0)  # type: ignore[return-value]
    share = random.uniform(_SMALLEST_SHARE, 1.0)
    height, width = image.shape[:2]
    small = cv2.resize(
        image, (max(8, round(share * width)), max(8, round(share * height))), interpolation=cv2.INTER_AREA
    )
    data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(*_QUALITIES))])[1]
    decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return cv2.resize(decoded, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def _erase(image: RgbImage, settings: ViewSettings, random: np.random.Generator, mean: Triple, std: Triple) -> RgbImage:
    if random.random() >= settings.erase:
        return image
    height, width = image.shape[:2]
    # `draw_box` takes width to height relative to the image's, the setting is height to width.
    relative = height / width
    low, high = settings.erase_aspect
    aspect = (relative / high, relative / low)
    top, left, box_height, box_width = draw_box(height, width, settings.erase_area, aspect, random)
    result = image.copy()
    erased = result[round(top) : round(top + box_height), round(left) : round(left + box_width)]
    if settings.erase_fill == "noise":
        noise = np.asarray(mean) + np.asarray(std) * random.standard_normal(erased.shape)
        erased[:] = np.clip(np.round(255 * noise), 0, 255).astype(np.uint8)
    else:
        erased[:] = _ERASED
    return result
