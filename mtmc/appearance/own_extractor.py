"""The user's own extractor, by `package.module:Class`: made, and what it returns checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from common.errors import InputError
from common.plugins import make, source_key
from mtmc.appearance.embedding import CropExtractor


class OwnExtractor:
    """A `CropExtractor` of the user's class.

    Args:
        reference: `package.module:Class` or `path/to/file.py:Class`.
        options: keyword arguments of the class.

    Raises:
        InputError: there is no such class, it does not take these options, or has no method `embed`.
    """

    def __init__(self, reference: str, options: Mapping[str, Any]) -> None:
        self._reference = reference
        self._extractor: CropExtractor = make(reference, {}, "--reid", options)
        if not callable(getattr(self._extractor, "embed", None)):
            raise InputError(f"--reid {reference}: has no method embed(crops)")

    def embed(self, crops: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        """(n, d) float32 rows of length 1, whatever length the class gives them; zeros stay zeros.

        Raises:
            InputError: the class did not return one row per crop.
        """
        vectors = np.asarray(self._extractor.embed(crops), np.float32)
        if vectors.ndim != 2 or len(vectors) != len(crops):
            raise InputError(
                f"--reid {self._reference}: embed returned an array of shape {vectors.shape} for {len(crops)} crops; "
                "it must return one row per crop"
            )
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        result: npt.NDArray[np.float32] = vectors / np.maximum(length, np.finfo(np.float32).tiny)
        return result


def own_extractor_key(reference: str, options: Mapping[str, Any]) -> str:
    """What decides the vectors, as part of a cache key: the class's source and the options, not what it reads."""
    return f"{source_key(reference, {}, '--reid')} {dict(options)}"
