"""What happens at a live site now: events, newest pictures, health; read once for everybody who watches."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from common.errors import InputError
from mtmc.online.store import Record, Store
from mtmc.online.stream_health import HEALTH, read_health
from mtmc.online.tiles import TILES, Tile, read_tile
from mtmc.report.colours import css_colours
from mtmc.report.view import clock_text
from mtmc.web.live.view import WALL_CLOCK

POLL_SECONDS = 0.5
"""Seconds between two looks at the store, however many watch. Raising it saves work and shows everything later."""
KEPT_EVENTS = 400
"""Events that somebody who begins to watch is shown."""
KEPT_PICTURES = 4
"""Pictures of a camera that can still be fetched: the newest one may change between its boxes and its picture."""
STALE_SECONDS = 10.0
"""Seconds without news after which the site counts as not running. Raising it says so later."""


@dataclass(frozen=True, slots=True)
class ShownTile:
    """A picture, and its boxes with their identities as plain values."""

    tile: Tile
    content: dict[str, Any]


class LiveFeed:
    """Looks at the store of a live site from a thread of its own; opens it for moments, to read only.

    Args:
        folder: of the store.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._closed = threading.Event()
        self._events: deque[dict[str, Any]] = deque(maxlen=KEPT_EVENTS)
        self._seq = -1
        self._heard: Mapping[str, Any] = {}
        self._moved = 0.0
        self._written: dict[str, int] = {}
        self._tiles: dict[str, deque[ShownTile]] = {}
        self._problem = ""
        self._watcher = threading.Thread(target=self._watch, name="feed", daemon=True)
        self._watcher.start()

    def close(self) -> None:
        """Stop looking."""
        self._closed.set()
        self._watcher.join(timeout=20)

    def events(self, after: int = 0) -> list[dict[str, Any]]:
        """The latest events with a number above `after`, in their order."""
        return [event for event in list(self._events) if event["seq"] > after]

    def tiles(self) -> dict[str, dict[str, Any]]:
        """The newest picture of each camera: where it is fetched, and its boxes."""
        return {camera: shown[-1].content for camera, shown in list(self._tiles.items()) if shown}

    def picture(self, camera: str, frame: int) -> bytes | None:
        """The picture of a frame as JPEG; None if it is no longer the newest."""
        shown = self._tiles.get(camera, ())
        return next((each.tile.picture for each in list(shown) if each.tile.frame == frame), None)

    def health(self) -> dict[str, Any]:
        """How the site and its cameras are doing."""
        found = read_health(self._folder / TILES / HEALTH)
        now = time.time()
        known = found.get("cameras", {})
        age = now - float(found["time"]) if "time" in found else now - self._moved if self._moved else None
        cameras = []
        for name in dict.fromkeys([*self._heard, *known]):
            state = dict(known.get(name, {}))
            heard = float(state.get("seconds", self._heard.get(name, float("-inf"))))
            state["heard"] = _time_of(heard) if heard > -1e17 else None
            state["age"] = round(max(now - heard, 0.0), 1) if heard > WALL_CLOCK else None
            cameras.append({"camera": name, **state})
        return {
            "running": age is not None and age < STALE_SECONDS,
            "age": None if age is None else round(age, 1),
            "pictures": bool(self._tiles),
            "problem": self._problem,
            "cameras": cameras,
        }

    def _watch(self) -> None:
        while not self._closed.is_set():
            try:
                self._look()
                self._problem = ""
            except (InputError, OSError) as error:
                self._problem = " ".join(str(error).split())
            self._closed.wait(POLL_SECONDS)

    def _look(self) -> None:
        with closing(Store(self._folder, read_only=True)) as store:
            last = store.last_event()
            if self._seq < 0:
                self._seq = max(last - KEPT_EVENTS, 0)
                self._heard = _heard_until(store)
            elif (heard := _heard_until(store)) != self._heard:
                self._heard, self._moved = heard, time.time()
            new = store.events(self._seq, KEPT_EVENTS) if last > self._seq else []
            for event in new:
                self._events.append(_said(event))
                self._seq = event.seq
            for path in sorted((self._folder / TILES).glob("*.json")):
                if path.name != HEALTH:
                    self._take(path, store)

    def _take(self, path: Path, store: Store) -> None:
        changed = path.stat().st_mtime_ns
        if self._written.get(path.stem) == changed:
            return
        tile = read_tile(path)
        if tile is None:
            return
        self._written[path.stem] = changed
        boxes = []
        for track, left, top, width, height in tile.boxes:
            identity = store.identity_of(tile.camera, track)
            if identity is not None and identity < 0:  # a user says that it is no vehicle
                identity = None
            box = {"track": track, "box": [left, top, width, height], "identity": identity}
            boxes.append({**box, "css": css_colours([identity])[0] if identity is not None else None})
        content = {
            "camera": tile.camera,
            "frame": tile.frame,
            "when": _time_of(tile.seconds),
            "width": tile.width,
            "height": tile.height,
            "boxes": boxes,
            "picture": f"/api/live/tiles/{quote(tile.camera, safe='')}/{tile.frame}.jpg",
        }
        self._tiles.setdefault(tile.camera, deque(maxlen=KEPT_PICTURES)).append(ShownTile(tile, content))


def _heard_until(store: Store) -> dict[str, float]:
    """Up to which second each camera was heard, as the store says."""
    cameras = json.loads(store.meta("progress") or "{}").get("cameras", {})
    return {name: float(row.get("written", float("-inf"))) for name, row in cameras.items()}


def _said(event: Record) -> dict[str, Any]:
    css = css_colours([event.identity])[0] if event.identity is not None else None
    return {**event.as_dict(), "when": _time_of(event.seconds), "css": css}


def _time_of(seconds: float) -> str:
    """The time of the day, or of a replay."""
    return datetime.fromtimestamp(seconds).strftime("%H:%M:%S") if seconds > WALL_CLOCK else clock_text(seconds)
