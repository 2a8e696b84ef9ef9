"""What the pages can show: a finished run, or a moment of a live site, behind one interface."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mtmc.report.data import CameraInfo
from mtmc.web.identity_index import IdentityIndex
from mtmc.web.passages import Passages


class CropSource(Protocol):
    """The crops of passages, the best first."""

    def count(self, row: int) -> int:
        """How many crops a passage has."""

    def image(self, row: int, rank: int = 0) -> bytes | None:
        """The JPEG of the passage's crop of this rank; None if it has fewer."""


class Shown(Protocol):
    """Passages with identities, and everything that is shown of them.

    Attributes:
        name: of the scenario or site.
        simulated: whether its videos are.
        live: whether its cameras are running.
        extractor: name of the extractor, "none" without appearance.
        cameras: their names.
        passages: (n,) the passages.
        keys: (n,) the name of each.
        colour: (n,) int8 index in `mtmc.web.colours.COLOURS`, -1 where unknown (yet).
        tag: changes when rows of passages mean other passages.
        wall_clock: whether times count from a midnight, so that they are times of the day.
    """

    @property
    def name(self) -> str: ...
    @property
    def simulated(self) -> bool: ...
    @property
    def live(self) -> bool: ...
    @property
    def extractor(self) -> str: ...
    @property
    def cameras(self) -> tuple[str, ...]: ...
    @property
    def passages(self) -> Passages: ...
    @property
    def keys(self) -> list[str]: ...
    @property
    def colour(self) -> npt.NDArray[np.int8]: ...
    @property
    def tag(self) -> str: ...
    @property
    def wall_clock(self) -> bool: ...

    @property
    def index(self) -> IdentityIndex:
        """The present identities."""

    def partners(self, number: int) -> dict[int, float]:
        """Identities that the association considered for one, with the probability that both are one vehicle."""

    @property
    def crops(self) -> CropSource:
        """The crops of the passages."""

    @property
    def vectors(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """The feature of each passage (n, d), and which passages have one (n,)."""

    def rows(self, keys: Iterable[str]) -> list[int]:
        """The rows of passages by their keys.

        Raises:
            InputError: there is no such passage.
        """

    def row(self, key: str) -> int | None:
        """The row of a passage; None if there is none."""

    def camera_infos(self) -> list[CameraInfo]:
        """The cameras as the map places them."""

    def has_video(self, camera: int) -> bool:
        """Whether clips of a camera can be cut."""

    def clock(self, seconds: float) -> str:
        """A time of the passages' axis in words."""

    def seconds(self, text: str) -> float | None:
        """The time that a user means; None if it cannot be read."""

    def status(self) -> dict[str, Any]:
        """Where it stands, as plain values: `version` rises whenever something changed."""


Source = Callable[[], Shown]
"""Returns what is to be shown now; asked once for each request."""


def span_text(shown: Shown, start: float, end: float) -> str:
    """A span of time in words."""
    return f"{shown.clock(start)} to {shown.clock(end)}"


def seconds_of(text: str) -> float | None:
    """Seconds, or minutes:seconds, or hours:minutes:seconds; None if it cannot be read.

    >>> seconds_of("1:30.5"), seconds_of("soon")
    (90.5, None)
    """
    total = 0.0
    for part in text.strip().split(":"):
        try:
            value = float(part)
        except ValueError:
            return None
        total = 60.0 * total + value
    return total if np.isfinite(total) else None
