"""The panel of one extractor: its rows and cards in order, cut to a readable length, errors first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtmc.report.colours import css_colours
from mtmc.report.data import ExtractorResult, ReportData
from mtmc.report.errors import Change, Errors, compare, find_errors
from mtmc.report.view import (
    ErrorCard,
    IdentityRow,
    Lane,
    Panel,
    Piece,
    Stop,
    TimelineBar,
    ViewLimits,
    clock_text,
)


def make_panel(data: ReportData, index: int, limits: ViewLimits) -> Panel:
    """What the page shows of one extractor."""
    return _PanelMaker(data, index, limits).panel()


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """An identity: its tracks, its vehicles (the one that it stands for first), and other tracks of that vehicle."""

    number: int
    rows: npt.NDArray[np.int64]
    vehicles: tuple[int, ...]
    merged: bool
    elsewhere: npt.NDArray[np.int64]
    wrong_boxes: int


class _PanelMaker:
    """Builds the panel of one extractor; holds what all of its parts read."""

    def __init__(self, data: ReportData, index: int, limits: ViewLimits) -> None:
        self._data = data
        self._limits = limits
        self._index = index
        self._result: ExtractorResult = data.extractors[index]
        self._names = [camera.name for camera in data.cameras]
        self._errors: Errors = find_errors(self._result.identity, data.tracks.truth, data.tracks.boxes)
        self._kinds = self._bar_kinds()
        self._colours = css_colours(self._result.identity)

    def panel(self) -> Panel:
        identity = self._result.identity
        numbers, of_number = np.unique(identity[identity >= 0], return_inverse=True)
        pairs = np.unique(np.stack([of_number, self._data.tracks.camera[identity >= 0]], axis=1), axis=0)
        cameras_each = np.bincount(pairs[:, 0], minlength=len(numbers))
        rows, rows_left_out = self._identity_rows(numbers)
        limit = self._limits.errors
        differences = self._differences()
        return Panel(
            index=self._index,
            name=self._result.name,
            identities=len(numbers),
            across=int((cameras_each >= 2).sum()),
            loose=int((identity < 0).sum()),
            merges=tuple(self._merge_cards()[:limit]),
            merges_left_out=max(0, len(self._errors.merges) - limit),
            splits=tuple(self._split_cards()[:limit]),
            splits_left_out=max(0, len(self._errors.splits) - limit),
            fixed=tuple(differences[Change.FIXED][:limit]),
            fixed_left_out=max(0, len(differences[Change.FIXED]) - limit),
            broken=tuple(differences[Change.BROKEN][:limit]),
            broken_left_out=max(0, len(differences[Change.BROKEN]) - limit),
            rows=rows,
            rows_left_out=rows_left_out,
        )

    def _bar_kinds(self) -> list[str]:
        """`right`, `wrong` (another vehicle's), `stranger` (of no known vehicle), `plain` (no ground truth) by row."""
        if not self._data.has_truth:
            return ["plain"] * len(self._data.tracks)
        kinds = np.where(self._data.tracks.truth >= 0, "right", "stranger").astype(object)
        for merge in self._errors.merges:
            for vehicle, rows in zip(merge.vehicles[1:], merge.rows[1:], strict=True):
                if vehicle >= 0:
                    kinds[rows] = "wrong"
        return [str(kind) for kind in kinds]

    def _piece(self, row: int) -> Piece:
        tracks = self._data.tracks
        camera, track = int(tracks.camera[row]), int(tracks.track[row])
        return Piece(
            row=row,
            key=(camera, track),
            camera=self._names[camera],
            track=track,
            when=f"{clock_text(tracks.start[row])}–{clock_text(tracks.end[row])}",
            frames=f"{tracks.first_frame[row]}–{tracks.last_frame[row]}",
            identity=int(self._result.identity[row]),
            colour=self._colours[row],
            vehicle=int(tracks.truth[row]),
            kind=self._kinds[row],
        )

    def _pieces(self, rows: npt.NDArray[np.integer]) -> tuple[Piece, ...]:
        ordered = rows[np.lexsort((self._data.tracks.camera[rows], self._data.tracks.start[rows]))]
        return tuple(self._piece(int(row)) for row in ordered)

    def _lane(self, label: str, identity: int, rows: npt.NDArray[np.integer], others: bool = False) -> Lane:
        boxes = int(self._data.tracks.boxes[rows].sum())
        longest = rows[np.argsort(-self._data.tracks.boxes[rows], kind="stable")[: self._limits.pieces]]
        left_out = len(rows) - len(longest)
        return Lane(label, identity, css_colours([identity])[0], boxes, self._pieces(longest), left_out, others)

    def _card(self, title: str, identity: int, vehicle: int, wrong_boxes: int, lanes: Sequence[Lane]) -> ErrorCard:
        limit = self._limits.lanes
        return ErrorCard(title, identity, vehicle, wrong_boxes, tuple(lanes[:limit]), max(0, len(lanes) - limit))

    def _merge_cards(self) -> list[ErrorCard]:
        cards = []
        for merge in self._errors.merges[: self._limits.errors]:
            lanes = [
                self._lane(
                    f"vehicle {vehicle}" if vehicle >= 0 else "not in the ground truth", merge.identity, rows, i > 0
                )
                for i, (vehicle, rows) in enumerate(zip(merge.vehicles, merge.rows, strict=True))
            ]
            title = f"Identity {merge.identity}"
            cards.append(self._card(title, merge.identity, merge.vehicles[0], merge.wrong_boxes, lanes))
        return cards

    def _split_cards(self) -> list[ErrorCard]:
        cards = []
        for split in self._errors.splits[: self._limits.errors]:
            lanes = [
                self._lane(f"identity {identity}" if identity >= 0 else "no identity", identity, rows)
                for identity, rows in zip(split.identities, split.rows, strict=True)
            ]
            title = f"Vehicle {split.vehicle}"
            cards.append(self._card(title, split.identities[0], split.vehicle, split.wrong_boxes, lanes))
        return cards

    def _differences(self) -> dict[Change, list[ErrorCard]]:
        """Vehicles that are wrong with the first extractor and right with this one, and vice versa."""
        cards: dict[Change, list[ErrorCard]] = {Change.FIXED: [], Change.BROKEN: []}
        if self._index == 0 or not self._data.has_truth:
            return cards
        tracks, first = self._data.tracks, self._data.extractors[0]
        for difference in compare(first.identity, self._result.identity, tracks.truth):
            rows = np.flatnonzero(tracks.truth == difference.vehicle)
            # Show the extractor that is wrong: its identities, one lane each.
            wrong = first.identity if difference.change is Change.FIXED else self._result.identity
            lanes = []
            for identity in dict.fromkeys(wrong[rows].tolist()):
                label = f"identity {identity}" if identity >= 0 else "no identity"
                lanes.append(self._lane(label, identity, rows[wrong[rows] == identity]))
                others = np.flatnonzero((wrong == identity) & (tracks.truth != difference.vehicle))
                if identity >= 0 and len(others):
                    lanes.append(self._lane(f"others in identity {identity}", identity, others, True))
            title, boxes = f"Vehicle {difference.vehicle}", int(tracks.boxes[rows].sum())
            cards[difference.change].append(
                self._card(title, int(self._result.identity[rows[0]]), difference.vehicle, boxes, lanes)
            )
        for change in cards:
            cards[change].sort(key=lambda card: (-card.wrong_boxes, card.vehicle))
        return cards

    def _identity_rows(self, numbers: npt.NDArray[np.int32]) -> tuple[tuple[IdentityRow, ...], int]:
        identity, truth = self._result.identity, self._data.tracks.truth
        order = np.argsort(identity, kind="stable")
        members = np.split(order, np.searchsorted(identity[order], numbers))[1:]
        merged = {merge.identity: merge for merge in self._errors.merges}
        split = {error.vehicle: np.concatenate(error.rows) for error in self._errors.splits}
        groups = []
        for number, rows in zip(numbers.tolist(), members, strict=True):
            merge = merged.get(number)
            vehicles = merge.vehicles if merge else tuple(np.unique(truth[rows][truth[rows] >= 0]).tolist())
            # Only the vehicle that the identity stands for is looked up elsewhere: the others are wrong here.
            elsewhere = np.setdiff1d(split[vehicles[0]], rows) if vehicles and vehicles[0] in split else rows[:0]
            wrong_boxes = (merge.wrong_boxes if merge else 0) + int(self._data.tracks.boxes[elsewhere].sum())
            groups.append(_Group(number, rows, vehicles, merge is not None, elsewhere, wrong_boxes))

        def rank(group: _Group) -> tuple[int, int, int]:
            cameras = len(np.unique(self._data.tracks.camera[group.rows]))
            return (-group.wrong_boxes, -cameras, -int(self._data.tracks.boxes[group.rows].sum()))

        shown = [self._identity_row(group) for group in sorted(groups, key=rank)[: self._limits.identities]]
        shown.sort(key=lambda row: (row.start, row.identity))
        return tuple(shown), len(numbers) - len(shown)

    def _identity_row(self, group: _Group) -> IdentityRow:
        tracks, rows, vehicles = self._data.tracks, group.rows, group.vehicles
        badges = (["merge"] if group.merged else []) + (["split"] if len(group.elsewhere) else [])
        if not badges and self._data.has_truth:
            badges = ["right"] if vehicles else ["stranger"]
        cells: list[list[TimelineBar]] = [[] for _ in self._names]
        for row in rows.tolist():
            cells[int(tracks.camera[row])].append(self._bar(row, self._kinds[row]))
        for row in group.elsewhere.tolist():
            cells[int(tracks.camera[row])].append(self._bar(row, "ghost"))
        stops = self._stops(rows)
        start, end = float(tracks.start[rows].min()), float(tracks.end[rows].max())
        cameras = sorted(set(tracks.camera[rows].tolist()))
        words = [
            f"#{group.number}",
            *(f"v{v}" for v in vehicles if v >= 0),
            *(self._names[c] for c in cameras),
            *badges,
        ]
        return IdentityRow(
            identity=group.number,
            colour=self._colours[int(rows[0])],
            vehicles=vehicles,
            badges=tuple(badges),
            cells=tuple(tuple(cell) for cell in cells),
            stops=stops[: self._limits.stops],
            stops_left_out=max(0, len(stops) - self._limits.stops),
            start=start,
            when=f"{clock_text(start)}–{clock_text(end)}",
            cameras=len(cameras),
            boxes=int(tracks.boxes[rows].sum()),
            wrong_boxes=group.wrong_boxes,
            search=" ".join(words).lower(),
        )

    def _bar(self, row: int, kind: str) -> TimelineBar:
        piece = self._piece(row)
        camera = self._data.cameras[piece.key[0]]
        extent = max(camera.end - camera.start, 1e-9)
        left = float(np.clip((self._data.tracks.start[row] - camera.start) / extent, 0.0, 1.0))
        right = float(np.clip((self._data.tracks.end[row] - camera.start) / extent, left, 1.0))
        title = f"{piece.camera}, track {piece.track}: {piece.when}, frames {piece.frames}"
        if self._data.has_truth:
            title += f", vehicle {piece.vehicle}" if piece.vehicle >= 0 else ", not in the ground truth"
        if kind == "ghost":
            held = f"identity {piece.identity}" if piece.identity >= 0 else "no identity"
            title += f"; the same vehicle under {held}"
        return TimelineBar(100 * left, 100 * (right - left), kind, title, piece.key)

    def _stops(self, rows: npt.NDArray[np.int64]) -> tuple[Stop, ...]:
        """The route of an identity: consecutive tracks in one camera are one stop."""
        stops: list[tuple[str, float, list[Piece]]] = []
        tracks = self._data.tracks
        end = 0.0
        for piece in self._pieces(rows):
            start = float(tracks.start[piece.row])
            if stops and stops[-1][0] == piece.camera:
                stops[-1][2].append(piece)
            else:
                stops.append((piece.camera, start - end, [piece]))
            end = float(tracks.end[piece.row])
        return tuple(
            Stop(camera, _gap_text(gap) if i else "", tuple(pieces)) for i, (camera, gap, pieces) in enumerate(stops)
        )


def _gap_text(seconds: float) -> str:
    """A travel time; negative for overlapping fields of view."""
    text = f"{seconds:.1f}" if abs(seconds) < 9.95 else f"{seconds:.0f}"
    return f"{text} s".replace("-", "−")
