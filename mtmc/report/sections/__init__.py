"""The sections of the report, in the order of the page. A new one is a file here, a template, and a line below."""

from __future__ import annotations

from mtmc.report.sections import cameras, confidence, configuration, errors, identities, links, scores, speed, timeline

ABOVE = (scores.SECTION,)
"""About all extractors, at the top."""
PER_EXTRACTOR = (errors.SECTION, timeline.SECTION, identities.SECTION, confidence.SECTION)
"""Repeated for each extractor, behind its tab."""
BELOW = (links.SECTION, cameras.SECTION, speed.SECTION, configuration.SECTION)
"""About the run as a whole."""
