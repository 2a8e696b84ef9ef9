"""What can be seen of a site before it is watched: every stream is opened, every network loaded."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

from common.errors import InputError
from mtmc.online.frames import LiveFrame
from mtmc.online.redaction import redact
from mtmc.online.streams import FrameSource, StreamError
from mtmc.online.worker import CameraJob, open_source
from mtmc.scenarios.roi import read_roi

LOOK_SECONDS = 3.0
"""Seconds for which a stream is looked at. Raising it measures the frame rate better."""
PATIENCE = 30.0
"""Seconds after which a stream that has not even failed is given up. Raising it waits for slower cameras."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen of a camera.

    Attributes:
        camera: its name.
        text: in a line.
        fine: whether it can be watched.
    """

    camera: str
    text: str
    fine: bool


def check_cameras(jobs: Mapping[str, CameraJob]) -> Iterator[Sight]:
    """Open every camera, all at once, and say what is seen, in their order."""
    stop = threading.Event()
    pool = ThreadPoolExecutor(max(len(jobs), 1), thread_name_prefix="check")
    try:
        found = {name: pool.submit(look, job, stop) for name, job in jobs.items()}
        wait(found.values(), timeout=PATIENCE)
        for name, future in found.items():
            yield future.result() if future.done() else Sight(name, f"no answer within {PATIENCE:g} s", False)
    finally:
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)


def look(job: CameraJob, stop: threading.Event, now: float | None = None) -> Sight:
    """Look at one camera for `LOOK_SECONDS`."""
    source = open_source(job, stop, time.time() if now is None else now)
    frames: list[LiveFrame] = []
    opened = time.monotonic()
    try:
        first = opened
        for frame in source.frames(1, 1):
            first = first if frames else time.monotonic()
            frames = [*frames[:1], frame]
            if time.monotonic() - first >= LOOK_SECONDS or stop.is_set():
                break
    except (StreamError, InputError) as error:
        return Sight(job.camera, redact(error), False)
    if not frames:
        return Sight(job.camera, "holds no frame", False)
    if job.roi is not None:
        height, width = read_roi(job.roi).shape
        if (width, height) != (frames[-1].width, frames[-1].height):
            size = f"{width} x {height}, the camera's picture {frames[-1].width} x {frames[-1].height}"
            return Sight(job.camera, f"the region of interest {job.roi} is {size}; draw it on such a picture", False)
    return Sight(job.camera, _describe(source, frames[0], frames[-1], first - opened), True)


def _describe(source: FrameSource, first: LiveFrame, last: LiveFrame, waited: float) -> str:
    passed = last.seconds - first.seconds
    rate = f"{(last.number - first.number) / passed:.1f} frames a second" if passed > 0 else "one frame"
    times = {"stream": "times of its own clock", "arrival": "times of arrival", "file": "times of the file"}
    clock = times.get(source.clock, source.clock)
    if source.clock == "arrival" and source.lag is not None:
        off = f"{abs(source.lag):.1f} s {'behind' if source.lag > 0 else 'ahead of'} this machine's"
        clock += f" (its own clock is {off}, the delay of its network included)"
    return f"{last.width} x {last.height}, {rate}, {clock}, opened in {waited:.1f} s"
