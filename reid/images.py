"""Reading one picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from common.errors import InputError

Picture = npt.NDArray[np.uint8]


class UnreadableImage(InputError):
    """A file that is no whole picture; the text names it."""


def read_image(path: str | Path) -> Picture:
    """A picture as RGB.

    Grey, palette, transparent and 16-bit pictures become RGB; a picture of one pixel is a picture.

    Returns:
        (h, w, 3) uint8, h and w at least 1.

    Raises:
        UnreadableImage: missing, truncated, or of no known format.
    """
    try:
        with Image.open(path) as picture:
            if picture.mode.startswith("I"):
                levels = np.asarray(picture, np.int64)
                deep = levels.max(initial=0) > 255
                grey = (levels // 257 if deep else levels).clip(0, 255).astype(np.uint8)
                return np.ascontiguousarray(np.repeat(grey[:, :, None], 3, axis=2))
            return np.array(picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise UnreadableImage(f"{path}: unreadable image ({error})") from error
