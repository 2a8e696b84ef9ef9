"""Zones and links of a scenario as a YAML file that users read, edit and give back."""

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

MAX_CONDITION = 1e14
"""Condition number beyond which a homography in pixels cannot be inverted and is refused. Raising it accepts degenerate
ones. Theory: pixels make it large; sound homographies between large pictures reach 1e10."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Safe and ten times as fast where PyYAML was built with libyaml, as its wheels are."""

_RENAMED = {"least": "min", "most": "max", "common_views": "overlapping_views"}
"""Former keys of this file, and their present names."""


class Zone(Settings):
    """A region of a camera's picture where tracks start or end."""

    name: str = Field(min_length=1, description="unique name, to which links refer")
    camera: str = Field(min_length=1, description="the camera's name")
    kind: Kind = Field(description="entry: tracks start here; exit: tracks end here")
    polygon: tuple[tuple[float, float], ...] = Field(
        min_length=3, description="corners in pixels; a track's place is the middle of the lower edge of its box"
    )
    direction: tuple[float, float] | None = Field(
        None, description="direction of motion, right and down; distinguishes zones that cover the same region"
    )


class TravelTime(Settings):
    """How long vehicles take: weights of evenly spaced bins, or just the shortest and the longest time."""

    first: float | None = Field(None, description="left edge of the first bin in seconds; negative for overlaps")
    step: float | None = Field(None, gt=0, description="width of a bin in seconds")
    weights: tuple[float, ...] | None = Field(None, description="weight of each bin, at least 0, in any unit")
    min: float | None = Field(None, description="shortest time in seconds, instead of weights")
    max: float | None = Field(None, description="longest time in seconds, instead of weights")

    @model_validator(mode="after")
    def _one_form(self) -> TravelTime:
        bins = (self.first, self.step, self.weights)
        if self.min is not None and self.max is not None and bins == (None, None, None):
            if self.min >= self.max:
                raise ValueError("`min` must be below `max`")
        elif None in bins or (self.min, self.max) != (None, None):
            raise ValueError("give either `min` and `max`, or `first`, `step` and `weights`")
        elif not self.weights or not all(0 <= w < np.inf for w in self.weights) or sum(self.weights) <= 0:
            raise ValueError("`weights` must be finite and not negative, and at least one must be above 0")
        return self

    @property
    def edges(self) -> npt.NDArray[np.float64]:
        """(k + 1,) bounds of the bins in seconds; `min` and `max` are those of a single bin."""
        if self.weights is None or self.first is None or self.step is None:
            return np.array([self.min, self.max], np.float64)
        return np.asarray(self.first + self.step * np.arange(len(self.weights) + 1), np.float64)

    @property
    def mass(self) -> npt.NDArray[np.float64]:
        """(k,) probability of each bin."""
        weights = np.asarray(self.weights if self.weights is not None else [1.0], np.float64)
        result: npt.NDArray[np.float64] = weights / weights.sum()
        return result


class Link(Settings):
    """A way from one camera to another, or back into the same camera."""

    source: str = Field(description="name of an exit zone; for an overlap, of an entry zone")
    target: str = Field(description="name of an entry zone")
    overlap: bool = Field(
        False, description="whether both cameras see the vehicle at once; travel time is then from entry to entry"
    )
    share: float = Field(0.5, gt=0.0, le=1.0, description="share of the source zone's vehicles that take the link")
    vehicles: float = Field(
        0.0, ge=0.0, description="number of vehicles from which it was learned; 0 if written by hand"
    )
    travel_time: TravelTime = Field(description="seconds from leaving the source to entering the target")


Row = tuple[float, float, float]


class OverlappingView(Settings):
    """Two cameras whose fields of view overlap."""

    cameras: tuple[str, str] = Field(description="the cameras' names")
    mapping: tuple[Row, Row, Row] = Field(
        description="homography of points on the ground, from pixels of the first camera to pixels of the second"
    )

    @model_validator(mode="after")
    def _sound(self) -> OverlappingView:
        if self.cameras[0] == self.cameras[1]:
            raise ValueError("`cameras` must name two different cameras")
        if not np.isfinite(self.mapping).all() or not np.linalg.cond(self.mapping) < MAX_CONDITION:
            raise ValueError("`mapping` must be a homography that can be inverted")
        return self


class Links(Settings):
    """All zones and links of a scenario. Tracks that start or end outside all zones are not linked there."""

    zones: tuple[Zone, ...] = Field((), description="entry and exit zones of all cameras")
    links: tuple[Link, ...] = Field((), description="links between them")
    unlisted: bool = Field(
        False,
        description="whether vehicles may also go where no link leads, if their tracks resemble each other: true for "
        "links that were learned; false: these links are the only ones",
    )
    overlapping_views: tuple[OverlappingView, ...] | None = Field(
        None,
        description="overlapping fields of view of uncalibrated cameras; if left out, they are found from the tracks",
    )

    @model_validator(mode="after")
    def _names(self) -> Links:
        zones = {zone.name: zone for zone in self.zones}
        if len(zones) < len(self.zones):
            names = [zone.name for zone in self.zones]
            raise ValueError(f"zone name {next(n for n in names if names.count(n) > 1)!r} is used more than once")
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
        path: a YAML file as written by `write_links`.
        cameras: names of the cameras; a zone or a field of view of another camera is an error. None skips this check.

    Raises:
        InputError: the file is missing or not YAML, or a field is unknown, missing or wrong.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _LOADER)
    except OSError as error:
        raise InputError(f"{path}: cannot read the links: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not YAML: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a mapping with the keys `zones` and `links`")
    try:
        links = Links.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: {_first_error(error)}") from error
    for place, zone in enumerate(links.zones):
        if cameras is not None and zone.camera not in cameras:
            raise InputError(
                f"{path}: zones.{place}.camera: no camera is called {zone.camera!r}{nearest(zone.camera, cameras)}"
            )
    for place, view in enumerate(links.overlapping_views or ()):
        for name in view.cameras:
            if cameras is not None and name not in cameras:
                raise InputError(
                    f"{path}: overlapping_views.{place}.cameras: no camera is called {name!r}{nearest(name, cameras)}"
                )
    return links


def write_links(path: Path, links: Links) -> None:
    """Write zones and links as YAML for `read_links`, complete or not at all; empty fields are left out."""
    content = links.model_dump(mode="json", exclude_none=True)
    text = yaml.dump(content, sort_keys=False, default_flow_style=None, width=120)
    header = "# Zones (pixels) and links (seconds) between cameras. Edit this file and pass it with --links.\n"
    write_text(path, header + text)


def _first_error(error: ValidationError) -> str:
    """One line on the first error: where, and what to do."""
    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    if first["type"] == "extra_forbidden":
        parts: dict[str, type[Settings]] = {"zones": Zone, "links": Link, "overlapping_views": OverlappingView}
        model = parts.get(place[0], Links) if len(place) > 1 else Links
        if "travel_time" in place:
            model = TravelTime
        if _RENAMED.get(place[-1]) in model.model_fields:
            return f"{'.'.join(place)}: this key is now called `{_RENAMED[place[-1]]}`"
        return f"{'.'.join(place)}: unknown key; allowed: {', '.join(model.model_fields)}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{'.'.join(place)}: {message}" if place else message
