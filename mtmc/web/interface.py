"""The requests of the programming interface, checked: bodies of POST requests and the filters of a search."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from common.errors import InputError
from common.nearest import nearest
from detection.vehicle_classes import VEHICLES, class_names
from mtmc.web.colours import COLOURS
from mtmc.web.correction_log import MAX_AUTHOR, MAX_NOTE
from mtmc.web.identity_index import Filters
from mtmc.web.shown import seconds_of

_LABELS = dict(zip([str(n) for n in class_names(np.array(VEHICLES, np.int16))], VEHICLES, strict=True))
CLASSES = tuple(_LABELS)


class Body(BaseModel):
    """Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class AnswerBody(Body):
    """An answer about passages, named by their keys (`c041/12`)."""

    kind: Literal["same", "different", "not-a-vehicle", "unsure"] = Field(
        description="same: all passages of first and second are one vehicle; different: no passage of first is the "
        "vehicle of any passage of second; not-a-vehicle: the passages of first; unsure: do not ask again"
    )
    first: list[str] = Field(min_length=1, max_length=2000, description="keys of passages")
    second: list[str] = Field([], max_length=2000, description="keys of passages")
    author: str = Field("", max_length=MAX_AUTHOR, description="who answers")
    note: str = Field("", max_length=MAX_NOTE, description="free text")
    after: int | None = Field(
        None, ge=0, description="the last entry of the log that you have seen; 409 if others answered since"
    )


class UndoBody(Body):
    """Who takes an answer back."""

    author: str = Field("", max_length=MAX_AUTHOR)


class FilterQuery(BaseModel):
    """The filters of a search, as they stand in an address; an empty one asks nothing."""

    since: str = Field("", description="some passage is later than this: seconds, or minutes:seconds")
    until: str = Field("", description="some passage is earlier than this")
    camera: str = Field("", description="it passes this camera")
    vehicle: str = Field("", description="its class: " + ", ".join(CLASSES))
    colour: str = Field("", description="its colour: " + ", ".join(COLOURS))
    min_height: str = Field("", description="pixels that some box of it is high")
    link: str = Field("", description="it goes from one camera straight to another: c041>c042")
    min_cameras: str = Field("", description="cameras that it passes")

    def filters(self, cameras: tuple[str, ...], seconds: Callable[[str], float | None] = seconds_of) -> Filters:
        """The filters with indices for names.

        Args:
            cameras: names of the cameras.
            seconds: reads a time.

        Raises:
            InputError: a value is wrong; the message names it.
        """
        return Filters(
            since=_seconds("since", self.since, seconds),
            until=_seconds("until", self.until, seconds),
            camera=_index("camera", self.camera, cameras),
            label=_LABELS[_one_of("vehicle", self.vehicle, CLASSES)] if self.vehicle else None,
            colour=COLOURS.index(_one_of("colour", self.colour, COLOURS)) if self.colour else None,
            min_height=_number("min_height", self.min_height),
            link=_link(self.link, cameras),
            min_cameras=None if (n := _number("min_cameras", self.min_cameras)) is None else int(n),
        )


FilterParameters = Annotated[FilterQuery, Query()]


def _seconds(name: str, text: str, read: Callable[[str], float | None]) -> float | None:
    if not text.strip():
        return None
    found = read(text.strip())
    if found is None:
        raise InputError(f"{name}: must be a time such as 1:30, not {text[:40]}")
    return found


def _number(name: str, text: str) -> float | None:
    if not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise InputError(f"{name}: must be a number, not {text[:40]}")
    return value


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise InputError(f"{name}: there is no {value[:40]}{nearest(value[:40], allowed)}")
    return value


def _index(name: str, value: str, cameras: tuple[str, ...]) -> int | None:
    return cameras.index(_one_of(name, value, cameras)) if value else None


def _link(text: str, cameras: tuple[str, ...]) -> tuple[int, int] | None:
    if not text.strip():
        return None
    source, arrow, target = text.partition(">")
    if not arrow:
        raise InputError(f"link: must be CAMERA>CAMERA, not {text[:60]}")
    both = [cameras.index(_one_of("link", each.strip(), cameras)) for each in (source, target)]
    return both[0], both[1]
