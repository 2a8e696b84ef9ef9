"""Reading image files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from common.errors import InputError

RgbImage = npt.NDArray[np.uint8]


class UnreadableImage(InputError):
    """An image file that is missing, truncated or in an unknown format; the message names it."""


def read_image(path: str | Path) -> RgbImage:
    """Read an image file as RGB.

    Greyscale, palette, transparent and 16-bit images are converted to 8-bit RGB.

    Returns:
        (h, w, 3) uint8, h and w at least 1.

    Raises:
        UnreadableImage: missing, truncated, or of no known format.
    """
    try:
        with Image.open(path) as opened:
            if opened.mode.startswith("I"):
                levels = np.asarray(opened, np.int64)
                deep = levels.max(initial=0) > 255
                grey = (levels // 257 if deep else levels).clip(0, 255).astype(np.uint8)
                return np.ascontiguousarray(np.repeat(grey[:, :, None], 3, axis=2))
            return np.array(opened.convert("RGB"))
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise UnreadableImage(f"{path}: unreadable image ({error})") from error
