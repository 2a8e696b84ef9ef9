"""What the templates show of one extractor: rows, bars and cards, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ViewLimits:
    """How many rows of each list the page shows; it always says how many it leaves out.

    Attributes:
        identities: rows of the timeline, and cards, of one extractor. Those with errors and in many cameras come first.
        errors: merges, splits and differences of one extractor, each.
        lanes: vehicles of one merge, identities of one split.
        pieces: tracks of one lane.
        stops: stops at cameras on the card of one identity.
    """

    identities: int = 300
    errors: int = 40
    lanes: int = 8
    pieces: int = 8
    stops: int = 24


@dataclass(frozen=True, slots=True)
class Piece:
    """One track as a thumbnail with its facts."""

    row: int
    key: tuple[int, int]
    camera: str
    track: int
    when: str
    frames: str
    identity: int
    colour: str
    vehicle: int
    kind: str


@dataclass(frozen=True, slots=True)
class Lane:
    """Tracks that belong together within an error: one vehicle of a merge, one identity of a split.

    `others`: other vehicles in the same identity.
    """

    label: str
    identity: int
    colour: str
    boxes: int
    pieces: tuple[Piece, ...]
    pieces_left_out: int
    others: bool


@dataclass(frozen=True, slots=True)
class ErrorCard:
    """One merge, split or difference."""

    title: str
    identity: int
    vehicle: int
    wrong_boxes: int
    lanes: tuple[Lane, ...]
    lanes_left_out: int


@dataclass(frozen=True, slots=True)
class TimelineBar:
    """A track in its camera's column; left and width in percent of the camera's clip."""

    left: float
    width: float
    kind: str
    title: str
    key: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop of an identity at one camera; `gap` is the time since the previous stop, "" for the first."""

    camera: str
    gap: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class IdentityRow:
    """One identity: its row in the timeline and its card."""

    identity: int
    colour: str
    vehicles: tuple[int, ...]
    badges: tuple[str, ...]
    cells: tuple[tuple[TimelineBar, ...], ...]
    stops: tuple[Stop, ...]
    stops_left_out: int
    start: float
    when: str
    cameras: int
    boxes: int
    wrong_boxes: int
    search: str


@dataclass(frozen=True, slots=True)
class Panel:
    """What the page shows of one extractor."""

    index: int
    name: str
    identities: int
    across: int
    loose: int
    merges: tuple[ErrorCard, ...]
    merges_left_out: int
    splits: tuple[ErrorCard, ...]
    splits_left_out: int
    fixed: tuple[ErrorCard, ...]
    fixed_left_out: int
    broken: tuple[ErrorCard, ...]
    broken_left_out: int
    rows: tuple[IdentityRow, ...]
    rows_left_out: int


def wanted_pictures(panels: Sequence[Panel]) -> list[tuple[int, int]]:
    """Tracks that are shown anywhere on the page, those in errors first."""
    keys = [
        piece.key
        for panel in panels
        for card in (*panel.merges, *panel.splits, *panel.fixed, *panel.broken)
        for lane in card.lanes
        for piece in lane.pieces
    ]
    keys += [piece.key for p in panels for row in p.rows for stop in row.stops for piece in stop.pieces]
    return list(dict.fromkeys(keys))


def clock_text(seconds: float) -> str:
    """A time on the scenario's axis: `1:23.4`, with a sign before zero."""
    tenths = round(abs(float(seconds)) * 10)
    sign = "−" if seconds < 0 and tenths else ""
    return f"{sign}{tenths // 600}:{tenths % 600 // 10:02d}.{tenths % 10}"
