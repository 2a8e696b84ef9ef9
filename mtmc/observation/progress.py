"""Progress of cameras that are processed in other processes."""

from __future__ import annotations

import mmap
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

_SLOT = np.dtype(np.int64)


@dataclass(slots=True)
class Advance:
    """Counts a camera's frames from any process: `advance("c041", 8)`. It can be pickled and sent to a worker.

    One process at a time may count a camera; any number of processes may count different cameras.
    """

    path: Path
    names: tuple[str, ...]
    _counts: npt.NDArray[np.int64] | None = field(default=None, repr=False, compare=False)

    def __call__(self, camera: str, frames: int = 1) -> None:
        """Count `frames` more of `camera`; an unknown camera is a KeyError."""
        if camera not in self.names:
            raise KeyError(camera)
        if self._counts is None:
            self._counts = _map_counts(self.path, len(self.names))
        self._counts[self.names.index(camera)] += frames

    def __getstate__(self) -> tuple[Path, tuple[str, ...]]:
        return self.path, self.names

    def __setstate__(self, state: tuple[Path, tuple[str, ...]]) -> None:
        self.path, self.names = state
        self._counts = None


class CameraProgress:
    """A context manager that shows a progress bar per camera while workers count frames through `advance`.

    On a terminal: bars with frames, frames per second and time left. Elsewhere: one line when a camera is done, and one
    for all cameras every `seconds_between_lines`, so that a log stays readable.

    The counts are in a small memory-mapped file: workers need neither a queue nor a manager process, and the count of a
    worker that dies is kept.

    Args:
        totals: number of frames by camera name; 0 where it is unknown.
        title: prefix of every line, such as "observe".
        console: where to write; None: standard error.
        seconds_between_lines: interval between lines without a terminal.
    """

    def __init__(
        self,
        totals: dict[str, int],
        *,
        title: str = "",
        console: Console | None = None,
        seconds_between_lines: float = 10.0,
    ) -> None:
        self._totals = dict(totals)
        self._title = title
        self._console = console or Console(stderr=True)
        self._pause = seconds_between_lines
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="progress", daemon=True)

    def __enter__(self) -> CameraProgress:
        with tempfile.NamedTemporaryFile(prefix="progress-", delete=False) as file:
            file.write(bytes(_SLOT.itemsize * max(1, len(self._totals))))
        self._path = Path(file.name)
        self._counts = _map_counts(self._path, len(self._totals))
        self.advance = Advance(self._path, tuple(self._totals))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._path.unlink(missing_ok=True)

    def finish(self, camera: str) -> None:
        """Count all frames of a camera: its worker may be on another machine, and count nothing here."""
        if self._totals.get(camera, 0):
            row = tuple(self._totals).index(camera)
            self._counts[row] = max(self._counts[row], self._totals[camera])

    @property
    def done(self) -> dict[str, int]:
        """Frames counted so far, by camera."""
        return dict(zip(self._totals, self._counts.tolist(), strict=True))

    def _watch(self) -> None:
        if self._console.is_terminal:
            self._show_bars()
        else:
            self._write_lines()

    def _show_bars(self) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            _FramesPerSecond(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._console, transient=False) as progress:
            tasks = [
                progress.add_task(f"{self._title} {name}".strip(), total=total or None)
                for name, total in self._totals.items()
            ]
            finished = False
            while not finished:
                finished = self._stop.wait(0.1)
                for task, count in zip(tasks, self._counts.tolist(), strict=True):
                    progress.update(task, completed=count)

    def _write_lines(self) -> None:
        open_cameras = set(self._totals)
        finished, waited = False, 0.0
        while not finished:
            finished = self._stop.wait(0.2)
            waited += 0.2
            for name, count in self.done.items():
                if name in open_cameras and (0 < self._totals[name] <= count or (finished and count)):
                    open_cameras.discard(name)
                    self._line(f"{name}: {count} frames")
            if waited >= self._pause and open_cameras and not finished:
                waited = 0.0
                total = sum(self._totals.values())
                of = f" of {total}" if all(self._totals.values()) else ""
                self._line(f"{int(self._counts.sum())}{of} frames, {len(open_cameras)} cameras to go")

    def _line(self, text: str) -> None:
        self._console.print(f"{self._title}: {text}" if self._title else text, highlight=False, markup=False)


class _FramesPerSecond(ProgressColumn):
    """Frames per second of a bar."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f} fps", style="progress.data.speed")


def _map_counts(path: Path, cameras: int) -> npt.NDArray[np.int64]:
    """The counts in the file at `path`, shared by all processes that map it."""
    try:
        with path.open("r+b") as file:
            return np.frombuffer(mmap.mmap(file.fileno(), 0), _SLOT)[:cameras]
    except FileNotFoundError:
        # The display is closed already: a late worker counts privately instead of failing.
        return np.zeros(cameras, _SLOT)
