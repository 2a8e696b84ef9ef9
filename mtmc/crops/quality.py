"""How well a box shows its vehicle: size, occlusion, truncation, score; and, with its pixels, sharpness."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from evaluation.overlap import overlaps
from mtmc.crops.settings import CropSettings
from mtmc.tracking.tracks import Tracks

# Pixels. Sharpness is measured on crops resized to one size, so that it does not depend on the distance.
_SHARPNESS_SIDE = 64
# Pixels: a box that is closer to the image border counts as truncated.
_BORDER = 2.0


def occlusion(tracks: Tracks) -> npt.NDArray[np.float32]:
    """The share of each box that is covered by boxes in front of it: those in the same frame that reach further down.

    Args:
        tracks: n rows, in any order.

    Returns:
        (n,) float32 in [0, 1]; an upper bound where several boxes in front overlap each other.
    """
    order = np.argsort(tracks.frame, kind="stable")
    frame, box = tracks.frame[order].astype(np.int64), tracks.box[order].astype(np.float64)
    pairs = overlaps(frame, box, frame, box)
    behind, front = pairs.truth, pairs.predicted
    bottom, area = box[:, 1] + box[:, 3], box[:, 2] * box[:, 3]
    hides = bottom[front] > bottom[behind]
    behind, front, iou = behind[hides], front[hides], pairs.iou[hides]
    shared = iou * (area[behind] + area[front]) / (1.0 + iou)
    covered = np.bincount(behind, shared / np.maximum(area[behind], 1e-9), minlength=len(box))
    result = np.empty(len(box), np.float32)
    result[order] = np.minimum(covered, 1.0)
    return result


def geometric_quality(
    tracks: Tracks, hidden: npt.NDArray[np.float32], picture: tuple[int, int], settings: CropSettings
) -> npt.NDArray[np.float32]:
    """(n,) float32 in [0, 1], the quality of each row's crop as far as it is known without its pixels; 0: no crop.

    Args:
        tracks: n rows.
        hidden: (n,) their `occlusion`.
        picture: width and height of the frame in pixels.
        settings: what counts as good.
    """
    left, top, width, height = tracks.box.T
    right, bottom = left + width, top + height
    seen_width = np.minimum(right, picture[0]) - np.maximum(left, 0)
    seen_height = np.minimum(bottom, picture[1]) - np.maximum(top, 0)
    usable = np.minimum(seen_width, seen_height) >= settings.min_side
    seen = np.maximum(seen_width, 0) * np.maximum(seen_height, 0)
    touches = (left < _BORDER) | (top < _BORDER) | (right > picture[0] - _BORDER) | (bottom > picture[1] - _BORDER)
    quality = np.minimum(np.sqrt(seen) / settings.good_size, 1.0)
    quality *= np.where(touches, 1.0 - settings.truncation, 1.0) * seen / np.maximum(width * height, 1e-6)
    # A score of 0 marks an interpolated box: no detector saw it, likely because the vehicle was occluded.
    quality *= np.where(tracks.score > 0, 0.5 + 0.5 * tracks.score, 0.2)
    quality *= 1.0 - hidden
    result: npt.NDArray[np.float32] = np.where(usable, np.clip(quality, 0, 1), 0).astype(np.float32)
    return result


def sharpness(crop: npt.NDArray[np.uint8], settings: CropSettings) -> float:
    """Sharpness in [0, 1): 0 without any detail, 0.5 at `good_sharpness`.

    Args:
        crop: (h, w, 3) uint8.
        settings: what counts as good.
    """
    small = cv2.resize(crop, (_SHARPNESS_SIDE, _SHARPNESS_SIDE), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    _, deviation = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_32F))
    variance = float(deviation[0, 0]) ** 2
    return variance / (variance + settings.good_sharpness)
