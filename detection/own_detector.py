"""The user's own detector, by `package.module:Class`: made, and what it returns checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from common.errors import InputError
from common.plugins import make, source_key
from detection.detections import Detections


class OwnDetector:
    """A prepared detector of the user's class, whose only duty is `detect`; `key` and `prepare` are optional.

    Args:
        reference: `package.module:Class` or `path/to/file.py:Class`.
        options: keyword arguments of the class.
        score: boxes of at most this confidence are left out.

    Raises:
        InputError: there is no such class, it does not take these options, or has no method `detect`.
    """

    def __init__(self, reference: str, options: Mapping[str, Any], score: float) -> None:
        self._reference, self._score = reference, score
        self._detector = make(reference, {}, "--detector", options)
        if not callable(getattr(self._detector, "detect", None)):
            raise InputError(f"--detector {reference}: has no method detect(frames)")
        own = getattr(self._detector, "key", "")
        self._key = f"{source_key(reference, {}, '--detector')} {dict(options)} {score} {own}"

    @property
    def key(self) -> str:
        """The source, the options, and the class's own `key` where it has one (a digest of its weights, say)."""
        return self._key

    def prepare(self, height: int, width: int) -> None:
        """Call the class's `prepare`, where it has one."""
        prepare = getattr(self._detector, "prepare", None)
        if prepare is not None:
            prepare(height, width)

    def detect(self, frames: Sequence[npt.NDArray[np.uint8]]) -> list[Detections]:
        """See `detection.detector.Detector`.

        Raises:
            InputError: the class did not return one table per frame.
        """
        found = list(self._detector.detect(frames))
        if len(found) != len(frames) or not all(isinstance(table, Detections) for table in found):
            raise InputError(
                f"--detector {self._reference}: detect returned {len(found)} results for {len(frames)} frames; "
                "it must return one detection.detections.Detections per frame"
            )
        kept = [table[table.score > self._score] for table in found]
        return [replace(t, frame=np.full(len(t), i, np.int32)) for i, t in enumerate(kept, start=1)]
