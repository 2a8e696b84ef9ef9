"""Boxes, numbers and trails of identities drawn on a frame."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mtmc.report.colours import identity_colours
from mtmc.tracking.tracks import Tracks

Picture = npt.NDArray[np.uint8]

_FONT = cv2.FONT_HERSHEY_SIMPLEX


class IdentityOverlay:
    """Draws the identities of one camera, frame by frame.

    Args:
        tracks: the camera's boxes; `track` holds the identity, negative for none. Interpolated boxes (score 0) get a
            thin line.
        trail: number of earlier frames that the line behind a vehicle's foot point covers; 0 draws none.
    """

    def __init__(self, tracks: Tracks, trail: int = 15) -> None:
        rows = tracks[np.lexsort((tracks.track, tracks.frame))]
        self._rows = rows
        self._feet = np.stack([rows.box[:, 0] + rows.box[:, 2] / 2, rows.box[:, 1] + rows.box[:, 3]], axis=1)
        self._colours = identity_colours(rows.track)[:, ::-1]
        self._trail = trail

    def draw(self, picture: Picture, frame: int, scale: tuple[float, float] = (1.0, 1.0)) -> None:
        """Draw the boxes of `frame` into `picture` (h, w, 3) BGR, whose size is the video's times `scale` (x, y)."""
        first, last = np.searchsorted(self._rows.frame, [frame, frame + 1])
        if first == last:
            return
        factor = np.array([*scale, *scale])
        thickness = max(1, round(picture.shape[0] / 360))
        if self._trail:
            self._draw_trails(picture, frame, first, last, factor[:2], thickness)
        for row in range(first, last):
            left, top, width, height = (self._rows.box[row] * factor).round().astype(int).tolist()
            colour = tuple(self._colours[row].tolist())
            line = 1 if self._rows.score[row] == 0 else thickness + 1
            cv2.rectangle(picture, (left, top), (left + width, top + height), colour, line, cv2.LINE_AA)
            if self._rows.track[row] >= 0:
                draw_label(picture, f"#{self._rows.track[row]}", (left, top), colour)

    def _draw_trails(
        self, picture: Picture, frame: int, first: int, last: int, factor: npt.NDArray[np.float64], thickness: int
    ) -> None:
        start = np.searchsorted(self._rows.frame, frame - self._trail)
        numbers = self._rows.track[start:last]
        for row in range(first, last):
            if self._rows.track[row] < 0:
                continue
            mine = start + np.flatnonzero(numbers == self._rows.track[row])
            points = (self._feet[mine] * factor).round().astype(np.int32)
            cv2.polylines(picture, [points], False, tuple(self._colours[row].tolist()), thickness, cv2.LINE_AA)


def resized(picture: Picture, width: int, height: int) -> Picture:
    """The picture at another size, area-averaged so that details do not flicker; unchanged if the size is right."""
    if picture.shape[:2] == (height, width):
        return picture
    return np.ascontiguousarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def draw_label(picture: Picture, text: str, corner: tuple[int, int], colour: tuple[int, ...]) -> None:
    """Write `text` on a patch of `colour` (BGR) with its lower left at `corner` (x, y), moved inside the picture."""
    size = max(0.4, picture.shape[0] / 1100)
    (width, height), below = cv2.getTextSize(text, _FONT, size, 1)
    x = int(np.clip(corner[0], 0, max(0, picture.shape[1] - width - 4)))
    y = int(np.clip(corner[1], height + below + 2, picture.shape[0]))
    cv2.rectangle(picture, (x, y - height - below - 2), (x + width + 4, y), colour, -1)
    # Black on light patches, white on dark ones: luma of blue, green, red.
    light = 0.114 * colour[0] + 0.587 * colour[1] + 0.299 * colour[2] > 140
    ink = (0, 0, 0) if light else (255, 255, 255)
    cv2.putText(picture, text, (x + 2, y - below), _FONT, size, ink, 1, cv2.LINE_AA)
