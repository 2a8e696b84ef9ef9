"""The report as one HTML file that needs nothing else: no network, no files beside it, no script for reading."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup

from common.files import atomic
from mtmc.report.data import ReportData
from mtmc.report.panel import make_panel
from mtmc.report.pictures import PictureLimits, make_pictures
from mtmc.report.scores import score_rows, tiles
from mtmc.report.sections import ABOVE, BELOW, PER_EXTRACTOR
from mtmc.report.sections.section import Page, Section
from mtmc.report.view import ViewLimits, clock_text, wanted_pictures


def write_report(
    path: Path,
    data: ReportData,
    *,
    view_limits: ViewLimits | None = None,
    picture_limits: PictureLimits | None = None,
    more: Sequence[Section] = (),
) -> None:
    """Write the report to `path`; it appears whole or not at all.

    Args:
        path: the HTML file; its folder is made where it is missing.
        data: all that the page shows.
        view_limits: how many rows of each list; the defaults if None.
        picture_limits: how many pictures and how large; the defaults if None.
        more: sections of your own, below all others.
    """
    text = render_report(data, view_limits=view_limits, picture_limits=picture_limits, more=more)
    with atomic(path) as aside:
        aside.write_text(text, encoding="utf-8")


def render_report(
    data: ReportData,
    *,
    view_limits: ViewLimits | None = None,
    picture_limits: PictureLimits | None = None,
    more: Sequence[Section] = (),
) -> str:
    """The text of the report; see `write_report`."""
    folder = Path(__file__).parent / "page"
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    panels = [make_panel(data, i, view_limits or ViewLimits()) for i in range(len(data.extractors))]
    pictures = make_pictures(data.crops, wanted_pictures(panels), picture_limits)
    page = Page(data, panels, pictures, score_rows(data, panels))
    known = {
        "data": data,
        "panels": panels,
        "pictures": pictures,
        "score_rows": page.score_rows,
        "clock_text": clock_text,
    }
    sections = (*ABOVE, *PER_EXTRACTOR, *BELOW, *more)
    values = {section.name: section.values(page) for section in sections}

    def rendered(sections: Sequence[Section], **for_template: object) -> list[Markup]:
        """The texts of the sections that have something to show."""
        shown = [(section, values[section.name]) for section in sections]
        return [
            Markup(_template(environment, section).render({**known, **found, **for_template}))
            for section, found in shown
            if found is not None
        ]

    script = (folder / "report.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return environment.get_template("report.html.jinja").render(
        known,
        style=Markup((folder / "report.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
        tiles=tiles(data, page.score_rows),
        navigation=[
            {"anchor": f"{section.name}{0 if section in PER_EXTRACTOR else ''}", "title": section.title}
            for section in sections
            if values[section.name] is not None
        ],
        above=rendered(ABOVE),
        per_extractor=[rendered(PER_EXTRACTOR, panel=panel, n=n) for n, panel in enumerate(panels)],
        below=rendered((*BELOW, *more)),
    )


def _template(environment: jinja2.Environment, section: Section) -> jinja2.Template:
    if section.template:
        return environment.from_string(section.template)
    return environment.get_template(f"{section.name}.html.jinja")
