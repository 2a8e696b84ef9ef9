"""How the streams of a running site are doing, for the page: written by the parent beside the newest pictures."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common.files import write_text
from mtmc.online.messages import CameraReport
from mtmc.online.redaction import redact
from mtmc.online.supervisor import Died

HEALTH = "health.json"
"""The file's name, in the folder of the pictures."""
HEALTH_SECONDS = 1.0
"""Seconds between two writings, and over which frames a second are counted. Raising it says later what has changed."""


class HealthWriter:
    """Writes how every stream is doing, in the parent's process.

    Args:
        path: the file.
        wall: seconds of a clock that runs.
    """

    def __init__(self, path: Path, wall: Callable[[], float] = time.monotonic) -> None:
        self._path, self._wall = path, wall
        self._cameras: dict[str, dict[str, Any]] = {}
        self._counted: dict[str, tuple[float, int]] = {}
        self._written = float("-inf")

    def hear(self, message: CameraReport | Died) -> None:
        """Take news of a camera; written at most once a second."""
        now = self._wall()
        known = self._cameras.setdefault(message.camera, {"rate": None, "restarts": 0, "seen": 0, "dropped": 0})
        if isinstance(message, Died):
            known["restarts"] += int(message.again)
            state = "restarting" if message.again else "left out"
            known |= {"state": state, "detail": redact(message.text), "rate": 0.0}
            self._counted.pop(message.camera, None)
        else:
            before = self._counted.get(message.camera)
            if before is not None and now - before[0] >= HEALTH_SECONDS:
                known["rate"] = round(max(message.seen - before[1], 0) / (now - before[0]), 2)
            if before is None or now - before[0] >= HEALTH_SECONDS:
                self._counted[message.camera] = (now, message.seen)
            known |= {"state": message.state, "detail": redact(message.detail), "clock": message.clock}
            known |= {"seen": message.seen, "dropped": message.dropped}
            if message.width:
                known |= {"width": message.width, "height": message.height, "seconds": message.seconds}
        if now - self._written >= HEALTH_SECONDS or known["state"] not in ("running", "ready"):
            self._written = now
            with contextlib.suppress(OSError):  # a full disk ends the program where results are written, not here
                write_text(self._path, json.dumps({"time": time.time(), "cameras": self._cameras}))


def read_health(path: Path) -> dict[str, Any]:
    """What a `HealthWriter` wrote: `time` (seconds since 1970) and `cameras`; empty if there is nothing."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
