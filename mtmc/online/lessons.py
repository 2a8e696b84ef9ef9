"""What the association learned while it ran, as text in the store: links, and from how many tracks."""

from __future__ import annotations

import json

from mtmc.association.links_file import Links


def lesson_of(links: Links, tracks: int) -> str:
    """Links and the number of tracks that they were learned from, as text."""
    return json.dumps({"tracks": tracks, "links": links.model_dump(mode="json")})


def links_of(lesson: str) -> Links:
    """The links in what `lesson_of` returned."""
    return Links.model_validate(json.loads(lesson)["links"])


def tracks_of(lesson: str) -> int:
    """The number of tracks in what `lesson_of` returned.

    >>> tracks_of(lesson_of(Links(), 30))
    30
    """
    return int(json.loads(lesson)["tracks"])
