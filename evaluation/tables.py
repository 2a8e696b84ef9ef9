"""Tables of results, for the terminal, for documents and for programs."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table

from evaluation.difference import idf1_difference_interval
from evaluation.identity import IdentityScore, VehicleCounts
from evaluation.scoring import Score

NO_GROUND_TRUTH = "no ground truth"
_FIGURES = ("idf1", "idp", "idr")
_HEADS = ("IDF1", "IDP", "IDR", "difference", "95 % interval")


@dataclass(frozen=True, slots=True)
class Result:
    """One row: an extractor and the score of a run with it.

    Attributes:
        name: the extractor.
        identity: its identity figures; None without ground truth.
        vehicles: the share of each vehicle in them; None: not known, then a difference has no interval.
    """

    name: str
    identity: IdentityScore | None
    vehicles: VehicleCounts | None = None

    @classmethod
    def of(cls, name: str, score: Score | None) -> Result:
        """The row of a score; without ground truth there is none."""
        return cls(name, None) if score is None else cls(name, score.identity, score.vehicles)


@dataclass(frozen=True, slots=True)
class ResultTable:
    """One row per extractor: IDF1, IDP, IDR, the difference of IDF1 to the first row, and its interval.

    The interval tells what the difference may be by chance: see `evaluation.difference`.

    Attributes:
        title: what was scored; says "simulated" where the data is.
        rows: the results.
    """

    title: str
    rows: Sequence[Result]

    def difference(self, row: int) -> float | None:
        """IDF1 of a row minus that of the first, a fraction; None for the first row and without ground truth."""
        first, this = self.rows[0].identity, self.rows[row].identity
        return None if row == 0 or first is None or this is None else this.idf1 - first.idf1

    def interval(self, row: int) -> tuple[float, float] | None:
        """The 95 % interval of the difference, fractions; None where there is no difference, or it is not known."""
        first, this = self.rows[0].vehicles, self.rows[row].vehicles
        return None if row == 0 or first is None or this is None else idf1_difference_interval(first, this)

    def to_rich(self) -> Table:
        """For a terminal, in per cent."""
        table = Table(title=self.title, title_justify="left")
        table.add_column("extractor")
        for head in _HEADS:
            table.add_column(head, justify="right")
        for cells in self._cells():
            table.add_row(*cells)
        return table

    def __str__(self) -> str:
        """The same as plain text, with ruled lines where standard output can show them."""
        table = self.to_rich()
        try:
            str(table.box).encode(sys.stdout.encoding or "utf-8")
        except UnicodeEncodeError:
            table.box = box.ASCII2
        return _plain(table)

    def _repr_markdown_(self) -> str:
        """What a notebook shows."""
        return self.to_markdown()

    def to_text(self) -> str:
        """The same as plain text."""
        return _plain(self.to_rich())

    def to_markdown(self) -> str:
        """For a document, in per cent."""
        lines = [f"**{self.title}**", "", f"| extractor | {' | '.join(_HEADS)} |", "| --- |" + " ---: |" * len(_HEADS)]
        lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |" for cells in self._cells()]
        return "\n".join(lines) + "\n"

    def to_csv(self) -> str:
        """For a spreadsheet: fractions, empty without ground truth."""
        text = io.StringIO()
        writer = csv.DictWriter(
            text, ["extractor", *_FIGURES, "difference", "difference_low", "difference_high"], lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(self.to_json())
        return text.getvalue()

    def to_json(self) -> list[dict[str, str | float | None]]:
        """For a program: one mapping per row, fractions, None without ground truth."""
        rows: list[dict[str, str | float | None]] = []
        for i, row in enumerate(self.rows):
            low, high = self.interval(i) or (None, None)
            figures = {name: None if row.identity is None else getattr(row.identity, name) for name in _FIGURES}
            difference = {"difference": self.difference(i), "difference_low": low, "difference_high": high}
            rows.append({"extractor": row.name, **figures, **difference})
        return rows

    def _cells(self) -> list[list[str]]:
        cells = []
        for i, row in enumerate(self.rows):
            if row.identity is None:
                cells.append([row.name, NO_GROUND_TRUTH, "", "", "", ""])
                continue
            difference = self.difference(i)
            figures = [f"{100 * getattr(row.identity, name):.2f}" for name in _FIGURES]
            limits = self.interval(i)
            shown = "" if limits is None else f"{100 * limits[0]:+.2f} to {100 * limits[1]:+.2f}"
            cells.append([row.name, *figures, "" if difference is None else f"{100 * difference:+.2f}", shown])
        return cells


def score_table(score: Score, title: str) -> str:
    """All figures of one score as plain text: over all cameras, for each camera, and the boxes that were left out."""
    figures = Table(title=title, title_justify="left", show_header=False)
    figures.add_column()
    figures.add_column(justify="right")
    for name, value in score.figures().items():
        shown = "-" if value is None else f"{value}" if isinstance(value, int) else f"{100 * value:.2f} %"
        figures.add_row(name, shown)
    cameras = Table(title="each camera on its own", title_justify="left")
    cameras.add_column("camera")
    for head in _HEADS[:3]:
        cameras.add_column(head, justify="right")
    for camera, identity in score.cameras.items():
        cameras.add_row(f"c{camera:03d}", *(f"{100 * getattr(identity, name):.2f}" for name in _FIGURES))
    lines = [f"{count} predicted boxes left out: {reason}\n" for reason, count in score.dropped.items() if count]
    return _plain(figures) + _plain(cameras) + "".join(lines)


def _plain(table: Table) -> str:
    text = io.StringIO()
    Console(file=text, width=120, color_system=None).print(table)
    return text.getvalue()
