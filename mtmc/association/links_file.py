"""Zones and links of a scenario as a person reads, edits and gives them back: YAML."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import yaml
from pydantic import Field, ValidationError, model_validator

from common.errors import InputError
from common.files import write_text
from common.nearest import nearest
from common.settings import Settings

Kind = Literal["entry", "exit"]


class Zone(Settings):
    """A region of a camera's picture where tracks start or end."""

    name: str = Field(min_length=1, description="unique in the file; links name it")
    camera: str = Field(min_length=1, description="the camera's name")
    kind: Kind = Field(description="entry: tracks start here; exit: tracks end here")
    polygon: tuple[tuple[float, float], ...] = Field(
        min_length=3, description="corners in pixels; a track's end is the middle of its box's lower edge"
    )
    direction: tuple[float, float] | None = Field(
        None, description="motion there, right and down; tells apart zones that lie on top of each other"
    )


class TravelTime(Settings):
    """How long vehicles take: weights of even bins, or just the least and the most seconds."""

    first: float | None = Field(None, description="seconds at the left edge of the first bin; negative for overlaps")
    step: float | None = Field(None, gt=0, description="width of a bin in seconds")
    weights: tuple[float, ...] | None = Field(None, description="weight of each bin, at least 0, in any unit")
    least: float | None = Field(None, description="shortest time in seconds, instead of weights")
    most: float | None = Field(None, description="longest time in seconds, instead of weights")

    @model_validator(mode="after")
    def _one_form(self) -> TravelTime:
        bins = (self.first, self.step, self.weights)
        window = (self.least, self.most)
        if None not in window and bins == (None, None, None):
            if self.least >= self.most:  # type: ignore[operator]
                raise ValueError("`least` must be below `most`")
        elif None in bins or window != (None, None):
            raise ValueError("give either `least` and `most`, or `first`, `step` and `weights`")
        elif not self.weights or min(self.weights) < 0 or sum(self.weights) <= 0:
            raise ValueError("`weights` must not be negative, and one must be above 0")
        return self

    @property
    def edges(self) -> npt.NDArray[np.float64]:
        """(k + 1,) bounds of the bins in seconds; a window is a single bin."""
        if self.weights is None or self.first is None or self.step is None:
            return np.array([self.least, self.most], np.float64)
        return np.asarray(self.first + self.step * np.arange(len(self.weights) + 1), np.float64)

    @property
    def mass(self) -> npt.NDArray[np.float64]:
        """(k,) probability of each bin."""
        weights = np.asarray(self.weights if self.weights is not None else [1.0], np.float64)
        result: npt.NDArray[np.float64] = weights / weights.sum()
        return result


class Link(Settings):
    """A way from one camera to another, or back into the same one."""

    source: str = Field(description="name of an exit zone; for an overlap, of an entry zone")
    target: str = Field(description="name of an entry zone")
    overlap: bool = Field(
        False, description="both cameras see the vehicle at once; the time counts from entry to entry, not from exit"
    )
    share: float = Field(0.5, gt=0.0, le=1.0, description="share of the source zone's vehicles that take the link")
    vehicles: float = Field(0.0, ge=0.0, description="vehicles it was learned from; 0 where a person wrote it")
    travel_time: TravelTime = Field(description="seconds from leaving the source to entering the target")


Row = tuple[float, float, float]


class CommonView(Settings):
    """Two cameras that see the same ground."""

    cameras: tuple[str, str] = Field(description="the cameras' names")
    mapping: tuple[Row, Row, Row] = Field(
        description="homography from pixels of the first camera to pixels of the second, of points on the ground"
    )

    @model_validator(mode="after")
    def _sound(self) -> CommonView:
        if self.cameras[0] == self.cameras[1]:
            raise ValueError("`cameras` must be two different ones")
        # Pixels make it large: sound ones between big pictures reach 1e10.
        if not np.isfinite(self.mapping).all() or not np.linalg.cond(self.mapping) < 1e14:
            raise ValueError("`mapping` must be a homography that can be inverted")
        return self


class Links(Settings):
    """All zones and links of a scenario. Ends of tracks outside all zones are linked to nothing."""

    zones: tuple[Zone, ...] = Field((), description="entry and exit zones of all cameras")
    links: tuple[Link, ...] = Field((), description="ways between them")
    common_views: tuple[CommonView, ...] | None = Field(
        None, description="cameras without calibration whose views overlap; left out: found from the tracks"
    )

    @model_validator(mode="after")
    def _names(self) -> Links:
        zones = {zone.name: zone for zone in self.zones}
        if len(zones) < len(self.zones):
            names = [zone.name for zone in self.zones]
            raise ValueError(f"zone name {next(n for n in names if names.count(n) > 1)!r} is used twice")
        for place, link in enumerate(self.links):
            for end, name, kind in (
                ("source", link.source, "entry" if link.overlap else "exit"),
                ("target", link.target, "entry"),
            ):
                if name not in zones:
                    raise ValueError(f"links.{place}.{end}: no zone is called {name!r}{nearest(name, list(zones))}")
                if zones[name].kind != kind:
                    raise ValueError(f"links.{place}.{end}: {name!r} must be of kind {kind}")
        return self


def read_links(path: Path, cameras: Sequence[str] | None = None) -> Links:
    """Read zones and links.

    Args:
        path: a YAML file as `write_links` makes it.
        cameras: names that exist; a zone of another camera is an error. None: not checked.

    Raises:
        InputError: the file is missing or not YAML, or a field is unknown, missing or wrong.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot read the links: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not YAML: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected the keys `zones` and `links`")
    try:
        links = Links.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: {_first_error(error)}") from error
    for place, zone in enumerate(links.zones):
        if cameras is not None and zone.camera not in cameras:
            raise InputError(
                f"{path}: zones.{place}.camera: no camera is called {zone.camera!r}{nearest(zone.camera, cameras)}"
            )
    for place, view in enumerate(links.common_views or ()):
        for name in view.cameras:
            if cameras is not None and name not in cameras:
                raise InputError(
                    f"{path}: common_views.{place}.cameras: no camera is called {name!r}{nearest(name, cameras)}"
                )
    return links


def write_links(path: Path, links: Links) -> None:
    """Write zones and links so that `read_links` gives them back; empty fields are left out."""
    content = links.model_dump(mode="json", exclude_none=True)
    text = yaml.dump(content, sort_keys=False, default_flow_style=None, width=120)
    header = "# Zones (pixels) and links (seconds) between cameras: edit, then give back with --links.\n"
    write_text(path, header + text)


def _first_error(error: ValidationError) -> str:
    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    if first["type"] == "extra_forbidden":
        parts: dict[str, type[Settings]] = {"zones": Zone, "links": Link, "common_views": CommonView}
        model = parts.get(place[0], Links) if len(place) > 1 else Links
        if "travel_time" in place:
            model = TravelTime
        return f"{'.'.join(place)}: unknown key; allowed: {', '.join(model.model_fields)}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{'.'.join(place)}: {message}" if place else message
