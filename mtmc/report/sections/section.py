"""A section of the report: its place in the navigation, its template, and what it shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mtmc.report.data import ReportData
from mtmc.report.pictures import PictureBook
from mtmc.report.scores import ScoreRow
from mtmc.report.view import Panel


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """What every section may show, in its function and in its template.

    Attributes:
        data: the run.
        panels: one per extractor: identities, bars and error cards, cut to a readable length.
        pictures: the crops on the page, by (camera index, track).
        score_rows: one per extractor.
    """

    data: ReportData
    panels: Sequence[Panel]
    pictures: PictureBook
    score_rows: Sequence[ScoreRow]


def _nothing_more(page: Page) -> Mapping[str, object]:
    """For a section whose template needs nothing but the page."""
    return {}


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the page.

    Attributes:
        name: of its template, `page/<name>.html.jinja`, which gets the attributes of `Page`, `clock_text`, and what
            `values` returns; in a section per extractor also `panel` and `n`, the extractor's index. The template
            holds one `<section id="<name>">`, with `n` appended to the id in a section per extractor.
        title: in the navigation.
        values: what the template needs beside the page, by name; None leaves the section out.
        template: its text, instead of the file.
    """

    name: str
    title: str
    values: Callable[[Page], Mapping[str, object] | None] = _nothing_more
    template: str = ""
