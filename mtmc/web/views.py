"""What the pages and the interface say about passages, identities and doubts, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from detection.vehicle_classes import class_names
from mtmc.report.colours import css_colours
from mtmc.web.colours import COLOURS
from mtmc.web.correction_log import Entry
from mtmc.web.doubts import Doubt
from mtmc.web.search import Hit, rank
from mtmc.web.session import Session
from mtmc.web.shown import Shown, span_text
from mtmc.web.traffic import link_curve

STRIP = 6
"""Crops of one passage that are shown side by side."""
CANDIDATES = 8
"""Identities that are proposed as the same vehicle. Raising it shows less and less likely ones."""


def passage(session: Shown, row: int) -> dict[str, Any]:
    """A passage."""
    p = session.passages
    identity = int(session.index.identity[row])
    camera = int(p.camera[row])
    colour = int(session.colour[row])
    return {
        "row": int(row),
        "key": session.keys[row],
        "camera": session.cameras[camera],
        "track": int(p.track[row]),
        "identity": identity if identity >= 0 else None,
        "start": round(float(p.start[row]), 3),
        "end": round(float(p.end[row]), 3),
        "when": span_text(session, float(p.start[row]), float(p.end[row])),
        "first_frame": int(p.first_frame[row]),
        "last_frame": int(p.last_frame[row]),
        "boxes": int(p.boxes[row]),
        "class": class_names(p.label[[row]])[0],
        "colour": COLOURS[colour] if colour >= 0 else None,
        "height": round(float(p.height[row]), 1),
        "crops": [
            f"/api/passages/{row}/crops/{k}.jpg?v={session.tag}" for k in range(min(session.crops.count(row), STRIP))
        ],
        "clip": f"/api/passages/{row}/clip.mp4" if session.has_video(camera) else None,
    }


def identity(session: Shown, number: int) -> dict[str, Any] | None:
    """An identity with its passages by time; None if there is none of this number."""
    rows = session.index.rows_of(number)
    if not len(rows):
        return None
    p = session.passages
    passages = [passage(session, row) for row in rows.tolist()]
    for before, after, a, b in zip(passages, passages[1:], rows[:-1].tolist(), rows[1:].tolist(), strict=False):
        after["gap"] = round(float(p.start[b] - p.end[a]), 2)
        after["from"] = before["camera"]
    classes = [each["class"] for each in passages if each["class"]]
    colours = [each["colour"] for each in passages if each["colour"]]
    return {
        "identity": number,
        "css": css_colours([number])[0],
        "passages": passages,
        "path": list(dict.fromkeys(each["camera"] for each in passages)),
        "start": passages[0]["start"],
        "when": span_text(session, float(p.start[rows].min()), float(p.end[rows].max())),
        "class": max(set(classes), key=classes.count) if classes else None,
        "colour": max(sorted(set(colours)), key=colours.count) if colours else None,
        "boxes": int(p.boxes[rows].sum()),
    }


def hit(session: Shown, found: Hit) -> dict[str, Any]:
    """An identity that a search found, with the passage that stands for it."""
    rows = session.index.rows_of(found.number)
    p = session.passages
    cameras = [session.cameras[c] for c in p.camera[rows].tolist()]
    return {
        "identity": found.number,
        "css": css_colours([found.number])[0],
        "likeness": None if found.likeness is None else round(found.likeness, 4),
        "best": passage(session, found.row),
        "path": [c for k, c in enumerate(cameras) if k == 0 or c != cameras[k - 1]],
        "passages": len(rows),
        "when": span_text(session, float(p.start[rows].min()), float(p.end[rows].max())),
    }


def candidates(session: Shown, number: int) -> list[dict[str, Any]]:
    """Identities that may be the same vehicle: by the probability of a join, then by likeness.

    Those that some camera sees at the same time as this one are left out.
    """
    index, p = session.index, session.passages
    rows = index.rows_of(number)
    if not len(rows):
        return []
    found = session.partners(number)
    vector, known = session.vectors
    alike: dict[int, float] = {}
    if vector.shape[1] and known[rows].any():
        query = vector[rows[known[rows]]].mean(axis=0)
        query = (query / max(float(np.linalg.norm(query)), 1e-9)).astype(np.float32)
        everybody = np.ones(len(index), np.bool_)
        hits, _ = rank(index, everybody, query=query, vector=vector, known=known, limit=6 * CANDIDATES)
        alike = {h.number: h.likeness or 0.0 for h in hits if h.number != number}
    order = sorted({*found, *alike}, key=lambda n: (-round(found.get(n, 0.0), 3), -alike.get(n, -1.0)))
    result = []
    for other in order:
        if _together(session, rows.tolist(), index.rows_of(other).tolist()):
            continue
        others = index.rows_of(other)
        best = int(others[np.argmax(p.boxes[others])])
        shown = hit(session, Hit(other, best, alike.get(other)))
        result.append({**shown, "probability": round(found.get(other, 0.0), 4)})
        if len(result) == CANDIDATES:
            break
    return result


def doubt(session: Session, found: Doubt) -> dict[str, Any]:
    """A question: both passages, and their travel time against what the association expects."""
    p = session.passages
    first, second = passage(session, found.source), passage(session, found.target)
    edges, weights = link_curve(session.run.links, first["camera"], second["camera"])
    vector, known = session.vectors
    both = vector.shape[1] and known[found.source] and known[found.target]
    return {
        "first": first,
        "second": second,
        "probability": round(found.probability, 4),
        "joined": found.joined,
        "expected": round(found.expected, 2),
        "travel": round(float(p.start[found.target] - p.end[found.source]), 2),
        "likeness": round(float(vector[found.source] @ vector[found.target]), 4) if both else None,
        "curve": {"edges": [round(e, 3) for e in edges.tolist()], "weights": [round(w, 4) for w in weights.tolist()]},
    }


def history(shown: Shown, entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """The entries of the log, the latest first, with the identities that their passages have now."""
    undone = {entry.undoes for entry in entries}

    def sides(keys: Sequence[str]) -> list[dict[str, Any]]:
        rows = [shown.row(key) for key in keys]
        return [
            {"key": key, "row": row, "identity": int(shown.index.identity[row]) if row is not None else None}
            for key, row in zip(keys, rows, strict=True)
        ]

    return [
        {
            **found.to_json(),
            "first": sides(found.first),
            "second": sides(found.second),
            "undone": found.seq in undone,
            "said": _said(found),
        }
        for found in reversed(entries)
    ]


def _said(found: Entry) -> str:
    """An answer in words."""
    count = len(found.first) + len(found.second)
    if found.kind == "undo":
        return f"took answer {found.undoes} back"
    return {
        "same": f"{count} tracks are one vehicle",
        "different": f"{count} tracks are different vehicles" if count > 2 else "two different vehicles",
        "not-a-vehicle": "not a vehicle" if count == 1 else f"{count} tracks are not vehicles",
        "unsure": "unsure",
    }[found.kind]


def _together(session: Shown, mine: Sequence[int], others: Sequence[int]) -> bool:
    """Whether one camera sees passages of both for longer than tracks overlap by mistake: a quarter of the shorter."""
    p = session.passages
    for a in mine:
        for b in others:
            if p.camera[a] != p.camera[b]:
                continue
            shared = min(p.last_frame[a], p.last_frame[b]) - max(p.first_frame[a], p.first_frame[b]) + 1
            shorter = min(p.last_frame[a] - p.first_frame[a], p.last_frame[b] - p.first_frame[b]) + 1
            if shared > 0.25 * shorter:
                return True
    return False
