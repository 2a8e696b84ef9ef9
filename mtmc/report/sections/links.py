"""Cameras and links: the map, and the travel times of the busiest links."""

from __future__ import annotations

from collections.abc import Mapping

from mtmc.report.link_map import draw_histogram, draw_map
from mtmc.report.sections.section import Page, Section

MAX_HISTOGRAMS = 60
"""Histograms shown, those of the busiest links. Raising it lengthens the page of a large network."""


def _values(page: Page) -> Mapping[str, object] | None:
    data = page.data
    if not data.links and not data.overlapping_views:
        return None
    place = {camera.name: i for i, camera in enumerate(data.cameras)}
    busiest = sorted(data.links, key=lambda link: -link.count)[:MAX_HISTOGRAMS]
    shown = sorted(busiest, key=lambda link: (place.get(link.source, -1), place.get(link.target, -1)))
    return {
        "link_map": draw_map([c for c in data.cameras if not c.missing], data.links) if data.links else None,
        "histograms": [draw_histogram(link) for link in shown],
    }


SECTION = Section("links", "Links", _values)
