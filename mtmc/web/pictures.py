"""Pictures that users give: read up to a limit, decoded by three decoders only, and turned into a vector."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image

from common.errors import InputError
from mtmc.appearance.embedding import CropExtractor
from mtmc.appearance.own_extractor import OwnExtractor
from mtmc.report.stored_run import StoredRun

MAX_BYTES = 12_000_000
"""Size of an upload in bytes. Raising it admits larger photographs and costs memory. Safety bound."""
MAX_PIXELS = 40_000_000
"""Pixels of an upload, which a small file can claim to have many of. Safety bound on memory."""
MIN_SIDE = 8
"""Pixels below which a side shows no vehicle."""
LARGEST = 1024
"""Pixels of the longer side that is kept: extractors see less. Raising it costs time."""
FORMATS = ("JPEG", "PNG", "WEBP")


def read_picture(content: bytes) -> npt.NDArray[np.uint8]:
    """Decode an upload to a BGR picture (h, w, 3).

    Raises:
        InputError: it is too large, damaged, or no JPEG, PNG or WebP.
    """
    if len(content) > MAX_BYTES:
        raise InputError(f"picture: larger than {MAX_BYTES // 1_000_000} MB; give a smaller one")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise InputError(f"picture: has {image.width} x {image.height} pixels; give a smaller one")
                if min(image.size) < MIN_SIDE:
                    raise InputError(f"picture: is only {image.width} x {image.height} pixels large")
                image.draft("RGB", (LARGEST, LARGEST))
                image.thumbnail((LARGEST, LARGEST))
                colours = np.asarray(image.convert("RGB"), np.uint8)
    except InputError:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError("picture: no JPEG, PNG or WebP that can be read") from error
    return np.ascontiguousarray(colours[:, :, ::-1])


class PictureExtractor:
    """The extractor for pictures, loaded when the first one is given."""

    def __init__(self, load: Callable[[], CropExtractor]) -> None:
        self._load = load
        self._extractor: CropExtractor | None = None
        self._lock = threading.Lock()

    def embed(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """The vector (d,) of a BGR picture.

        Raises:
            InputError: the run had no extractor, or its network is gone.
        """
        with self._lock:
            if self._extractor is None:
                self._extractor = self._load()
            vector: npt.NDArray[np.float32] = self._extractor.embed([picture])[0]
        if not np.isfinite(vector).all():
            raise InputError("picture: the extractor finds nothing in it")
        return vector


def extractor_of(run: StoredRun) -> CropExtractor:
    """The extractor of a run.

    Raises:
        InputError: it had none, or its network is gone.
    """
    extraction = run.extraction
    if extraction.own is not None:
        return OwnExtractor(extraction.own, run.settings.options.extractor)
    if extraction.weights is None:
        raise InputError("this run has no appearance (--reid none), so pictures cannot be compared")
    if not extraction.weights.exists():
        raise InputError(f"{extraction.weights}: is gone, so pictures cannot be compared; click a crop instead")
    from reid.extractor import Extractor  # imports torch, which the other pages do not need

    weights = f"{extraction.weights}:{extraction.options}" if extraction.options else extraction.weights
    return Extractor.load(weights, "auto")
