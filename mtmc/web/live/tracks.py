"""The closed tracks of a live site in memory, with room for those that come: what the pages look things up in."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from mtmc.crops.table import Crops, read_crops
from mtmc.online.archive import crop_file, hour_of, table_file
from mtmc.online.store import Store
from mtmc.web.colours import colour_of
from mtmc.web.passages import Passages

KEPT = 6
"""Crops of a track that are shown, the best ones."""
FILES = 1000
"""Files of crops kept in memory, about 30 kB each. Raising it costs memory and saves reading files."""
FRAMES = 10.0
"""Frames a second by which times are counted where a moment is an integer: cameras differ. Raising it tells closer
moments apart."""


@dataclass(frozen=True, slots=True)
class Track:
    """A closed track: index of its camera, its number, seconds of its first and last box, boxes and COCO class."""

    camera: int
    number: int
    first: float
    last: float
    boxes: int
    label: int


class LiveTracks:
    """Grows at its end only, so a row means one track as long as this object lives.

    Args:
        folder: of the store.
        origin: seconds of the site's time axis that are zero here: close by, single precision is exact enough.
    """

    def __init__(self, folder: Path, origin: float) -> None:
        self.origin = origin
        self.cameras: list[str] = []
        self.keys: list[str] = []
        self.row_of: dict[str, int] = {}
        self.tracks: list[Track] = []
        self._folder = folder
        self._lock = threading.Lock()
        self._table = Passages.empty()
        self._colour = np.zeros(0, np.int8)
        self._height = np.zeros(0, np.float32)
        self._vector = np.zeros((0, 0), np.float32)
        self._known = np.zeros(0, np.bool_)
        self._embedded = 0
        self._looked = 0
        self._images: OrderedDict[int, tuple[bytes, ...]] = OrderedDict()

    def __len__(self) -> int:
        return len(self.tracks)

    def add(self, tracks: Sequence[Track]) -> None:
        """Append tracks that are not there yet."""
        new = [t for t in tracks if self._key(t) not in self.row_of]
        if not new:
            return
        # `look` runs in another thread and goes by `tracks`: what it writes to has to be there first.
        with self._lock:
            self._height = np.append(self._height, np.zeros(len(new), np.float32))
            self._colour = np.append(self._colour, np.full(len(new), -1, np.int8))
        for track in new:
            self.row_of[self._key(track)] = len(self.keys)
            self.keys.append(self._key(track))
            self.tracks.append(track)
        number = np.array([t.number for t in new], np.int32)
        start, end = (np.array([getattr(t, name) for t in new]) - self.origin for name in ("first", "last"))
        table = Passages._of(
            [t.camera for t in new],
            number,
            0,
            number,
            np.floor(start * FRAMES),
            np.ceil(end * FRAMES),
            start,
            end,
            [t.boxes for t in new],
            [t.label for t in new],
            0,
        )
        self._table = Passages.concatenate([self._table, table])

    def passages(self) -> Passages:
        """The table of all tracks, (n,)."""
        t = self._table
        return Passages(
            t.camera, t.track, t.since, t.part, t.first_frame, t.last_frame, t.start, t.end, t.boxes, t.label,
            self._height,
        )  # fmt: skip

    @property
    def colour(self) -> npt.NDArray[np.int8]:
        """(n,) index of a colour, -1 where unknown yet."""
        return self._colour

    def vectors(self, count: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """The features of the first `count` tracks (count, d), and which have one (count,); read as they are asked."""
        with self._lock:
            if self._embedded < count:
                self._embed(count)
            return self._vector[:count], self._known[:count]

    def images(self, row: int) -> tuple[bytes, ...]:
        """The best crops of a track as JPEG; none where the ring of crops has overwritten them."""
        with self._lock:
            if row in self._images:
                self._images.move_to_end(row)
                return self._images[row]
        found = tuple(self._crops(row).image.tolist())
        with self._lock:
            self._images[row] = found
            while len(self._images) > FILES:
                self._images.popitem(last=False)
        return found

    def look(self, limit: int = 200) -> bool:
        """Find the colour and the height of the next tracks from their crops; whether any were left to look at."""
        rows = range(self._looked, min(self._looked + limit, len(self.tracks)))
        for row in rows:
            crops = self._crops(row)
            if len(crops):
                colour = colour_of(crops.image[0])
                with self._lock:
                    self._colour[row], self._height[row] = colour, crops.box[:, 3].max()
            self._looked = row + 1
        return len(rows) > 0

    def _key(self, track: Track) -> str:
        return f"{self.cameras[track.camera]}/{track.number}"

    def _crops(self, row: int) -> Crops:
        track = self.tracks[row]
        path = crop_file(self._folder, hour_of(track.last), self.cameras[track.camera], track.number)
        try:
            crops = read_crops(path)
        except (OSError, pl.exceptions.PolarsError):  # deleted meanwhile
            return Crops.empty()
        return crops[np.lexsort((crops.frame, -crops.quality))[:KEPT]]

    def _embed(self, count: int) -> None:
        missing = range(self._embedded, count)
        found = dict(self._stored_vectors(missing))
        width = next((len(v) for v in found.values()), self._vector.shape[1])
        if count > len(self._vector) or width != self._vector.shape[1]:
            # Room for as many again, so that growing costs little on average.
            room = np.zeros((max(2 * count, 256), width), np.float32)
            known = np.zeros(len(room), np.bool_)
            if width == self._vector.shape[1]:
                room[: self._embedded], known[: self._embedded] = (
                    self._vector[: self._embedded],
                    self._known[: self._embedded],
                )
            self._vector, self._known = room, known
        for row, vector in found.items():
            if len(vector) == width and np.isfinite(vector).all():
                self._vector[row], self._known[row] = vector, True
        self._embedded = count

    def _stored_vectors(self, rows: range) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
        """From the files of hours that are over, and from the database for the others."""
        by_hour: dict[int, list[int]] = {}
        for row in rows:
            by_hour.setdefault(hour_of(self.tracks[row].last), []).append(row)
        with closing(Store(self._folder, read_only=True)) as store:
            waiting = set(store.pending_hours())
            for hour, those in by_hour.items():
                left = set(those)
                # The database first: a track leaves it only when it is in the file.
                for row in those if hour in waiting else ():
                    track = self.tracks[row]
                    content = store.vector_of(self.cameras[track.camera], track.number)
                    if content is not None:
                        left.discard(row)
                        yield row, np.frombuffer(content, np.float16).astype(np.float32)
                file = table_file(self._folder, "features", hour)
                if left and file.is_file():
                    table = pl.read_parquet(file, columns=["camera", "track", "vector"])
                    for camera, number, vector in table.iter_rows():
                        row = self.row_of.get(f"{camera}/{number}", -1)
                        if row in left:
                            yield row, np.asarray(vector, np.float32)
