"""The identities of one extractor: their best crops, camera after camera."""

from __future__ import annotations

from mtmc.report.sections.section import Section

SECTION = Section("identities", "Identities")
