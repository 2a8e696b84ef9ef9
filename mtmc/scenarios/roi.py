"""The region of interest of a camera: the part of its picture that counts."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from common.errors import InputError


def read_roi(path: Path) -> npt.NDArray[np.uint8]:
    """The region of interest as (height, width) uint8 grey values.

    Raises:
        InputError: the file is not a picture.
    """
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise InputError(f"{path}: cannot be read as a picture; replace it, or remove it to use the whole frame")
    return np.asarray(picture, np.uint8)
