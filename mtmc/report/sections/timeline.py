"""The timeline of one extractor: one row per identity, one column per camera."""

from __future__ import annotations

from mtmc.report.sections.section import Section

SECTION = Section("timeline", "Timeline")
