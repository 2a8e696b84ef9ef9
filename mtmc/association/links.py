"""Zones and links of a scenario as a person reads, edits and gives them back: YAML."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Links:
    """placeholder"""


def learned_links(summaries, entries, exits, table, learned) -> Links:
    return Links()
