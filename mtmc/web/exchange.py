"""Corrected identities for other programs, and back: MOTChallenge text, CVAT 1.1 XML, and constraints.

CVAT knows no identity across tasks, so each camera is a file (a task) and the identity is the text attribute `id` of
its tracks. Files that come back are compared with the present identities; what differs becomes answers.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import numpy as np
import numpy.typing as npt

from common.boxes import iou
from common.errors import InputError
from common.nearest import nearest
from common.zip_archives import read_members
from detection.mot_text import MotTable, read_mot, write_mot
from detection.vehicle_classes import class_names
from mtmc.association.constraints_file import read_constraints, write_constraints
from mtmc.report.crop_files import crop_file_name
from mtmc.tracking.tracks import Tracks
from mtmc.web.passages import Passages
from mtmc.web.resolve import constraints_of
from mtmc.web.session import Session
from reid.adaptation.pairs import COLUMNS

MAX_UPLOAD = 200_000_000
"""Bytes of an upload, and ten times as many unpacked. Safety bound on memory."""
OVERLAP = 0.5
"""IoU from which a box that comes back is the box of a passage, as in the scoring. Raising it finds fewer."""
MIN_SHARE = 0.5
"""Share of a passage's boxes that must come back under one identity for it to count. Raising it finds fewer."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """An answer that a file implies; see `mtmc.web.correction_log.Entry`."""

    kind: str
    first: tuple[str, ...]
    second: tuple[str, ...] = ()


def export_mot(session: Session) -> bytes:
    """A ZIP of `<camera>.txt`, MOTChallenge rows with the identity as the id; boxes without identity are left out."""
    files = {}
    with TemporaryDirectory() as folder:
        for index, camera in enumerate(session.cameras):
            tracks = session.run.observations[index].tracks
            identity = session.identities().of_tracks(index, tracks)
            kept = identity >= 0
            path = Path(folder) / "boxes.txt"
            write_mot(path, MotTable.of(tracks.frame[kept], identity[kept], tracks.box[kept], tracks.score[kept]))
            files[f"{camera}.txt"] = path.read_bytes()
    return _zipped(files)


def export_cvat(session: Session) -> bytes:
    """A ZIP of `<camera>.xml`, CVAT 1.1 video annotations: a track for each passage with its identity as `id`."""
    files = {
        f"{camera}.xml": "".join(_cvat_lines(session, index)).encode() for index, camera in enumerate(session.cameras)
    }
    return _zipped(files)


def export_constraints(session: Session) -> str:
    """The standing answers as the file that `mtmc.run --constraints` reads."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "constraints.yaml"
        write_constraints(path, constraints_of(session.log.standing()))
        return path.read_text(encoding="utf-8")


def export_pairs(session: Session) -> str:
    """The standing answers as pairs of tracks, for `python -m reid.adapt --pairs`; see `reid.adaptation.pairs.COLUMNS`.

    Tracks that are one vehicle are listed one after the other, of different ones every pair. A track is named by the
    file name that its best crop has with `mtmc.run --crops`; tracks without crops, and what is no vehicle, are left
    out.
    """
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for entry in session.log.standing():
        first, second = ([key for key in side if _crop_name(session, key)] for side in (entry.first, entry.second))
        if entry.kind == "same":
            pairs = list(pairwise(dict.fromkeys([*first, *second])))
        elif entry.kind == "different":
            pairs = [(a, b) for a in first for b in second]
        else:
            continue
        for a, b in pairs:
            names = (_crop_name(session, a), _crop_name(session, b))
            rows.writerow([*names, entry.kind, a, b, entry.author, entry.time])
    return text.getvalue()


def _crop_name(session: Session, key: str) -> str:
    row = session.row_of.get(key)
    frames = session.crops.frames(row) if row is not None else []
    if row is None or not frames:
        return ""
    p = session.passages
    return crop_file_name(session.cameras[p.camera[row]], int(p.track[row]), frames[0])


def read_back(session: Session, name: str, content: bytes) -> list[Proposal]:
    """What a corrected file says that differs from the present identities.

    Args:
        session: the run.
        name: the file's name: a ZIP of `<camera>.txt` or `<camera>.xml`, one such file, or constraints as `.yaml`.
        content: the file.

    Raises:
        InputError: it is none of these, or is about another run.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in (".yaml", ".yml", ".json", ".jsonl"):
        return _of_constraints(session, content, suffix)
    files = _unzipped(content) if suffix == ".zip" else {PurePosixPath(name).name: content}
    corrected = np.full(len(session.passages), -2, np.int64)  # -2: the file says nothing about its camera
    numbers: dict[str, int] = {}
    for file, text in sorted(files.items()):
        camera = PurePosixPath(file).stem
        if camera not in session.cameras:
            raise InputError(f"{file}: this run has no camera {camera}{nearest(camera, session.cameras)}")
        frame, label, box = _boxes_of(file, text, numbers)
        index = session.cameras.index(camera)
        rows = np.flatnonzero(session.passages.camera == index)
        tracks = session.resolver.tracks[index]
        corrected[rows] = _matched(session.passages.part[rows], tracks, frame, label, box)
    return proposals(session.passages, session.keys, session.snapshot.index.identity, corrected)


def proposals(
    passages: Passages, keys: Sequence[str], present: npt.NDArray[np.int32], corrected: npt.NDArray[np.int64]
) -> list[Proposal]:
    """The answers that lead from present to corrected identities.

    Args:
        passages: the passages.
        keys: the key of each.
        present: (n,) identities, -1 for none.
        corrected: (n,) identities, -1 for none, -2 where nothing is said.
    """
    found: list[Proposal] = []
    gone = np.flatnonzero((corrected == -1) & (present >= 0))
    found += [Proposal("not-a-vehicle", (keys[row],)) for row in gone.tolist()]
    said = corrected >= 0
    for number in np.unique(corrected[said]).tolist():
        rows = np.flatnonzero(corrected == number)
        rows = rows[np.argsort(passages.start[rows], kind="stable")]
        if len(np.unique(present[rows])) > 1 or (len(rows) > 1 and (present[rows] < 0).any()):
            found.append(Proposal("same", tuple(keys[row] for row in rows.tolist())))
    for number in np.unique(present[said & (present >= 0)]).tolist():
        rows = np.flatnonzero((present == number) & said)
        parts = [rows[corrected[rows] == other] for other in np.unique(corrected[rows]).tolist()]
        for i, first in enumerate(parts):
            for second in parts[i + 1 :]:
                found.append(
                    Proposal(
                        "different",
                        tuple(keys[row] for row in first.tolist()),
                        tuple(keys[row] for row in second.tolist()),
                    )
                )
    return found


def _cvat_lines(session: Session, index: int) -> Iterator[str]:
    camera = session.run.scenario.cameras[index]
    tracks = session.resolver.tracks[index]
    rows = np.flatnonzero(session.passages.camera == index)
    identity = dict(
        zip(session.passages.part[rows].tolist(), session.snapshot.index.identity[rows].tolist(), strict=True)
    )
    names = [name or "vehicle" for name in class_names(session.passages.label[rows])]
    label = dict(zip(session.passages.part[rows].tolist(), names, strict=True))
    attribute = (
        "<attribute><name>id</name><mutable>False</mutable><input_type>text</input_type>"
        "<default_value></default_value><values></values></attribute>"
    )
    labels = "".join(
        f"<label><name>{name}</name><attributes>{attribute}</attributes></label>" for name in sorted(set(names))
    )
    yield '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
    yield (
        f"  <meta><task><name>{camera.name}</name><size>{camera.frame_count}</size><mode>interpolation</mode>"
        f"<start_frame>0</start_frame><stop_frame>{max(camera.frame_count - 1, 0)}</stop_frame>"
        f"<labels>{labels}</labels><original_size><width>{camera.width}</width><height>{camera.height}</height>"
        "</original_size></task></meta>\n"
    )
    parts, begin = np.unique(tracks.track, return_index=True)
    bounds = np.append(begin, len(tracks))
    for number, part in enumerate(parts.tolist()):
        if identity.get(part, -1) < 0:
            continue
        yield f'  <track id="{number}" label={quoteattr(label[part])} source="semi-auto">\n'
        mine = tracks[bounds[number] : bounds[number + 1]]
        for k in range(len(mine)):
            yield _cvat_box(mine, k, int(mine.frame[k]) - 1, identity[part], outside=0)
            following = int(mine.frame[k + 1]) if k + 1 < len(mine) else None
            if following is None or following > mine.frame[k] + 1:
                yield _cvat_box(mine, k, int(mine.frame[k]), identity[part], outside=1)
        yield "  </track>\n"
    yield "</annotations>\n"


def _cvat_box(tracks: Tracks, row: int, frame: int, identity: int, *, outside: int) -> str:
    left, top, width, height = tracks.box[row].tolist()
    return (
        f'    <box frame="{frame}" outside="{outside}" occluded="0" keyframe="1" xtl="{left:.2f}" ytl="{top:.2f}" '
        f'xbr="{left + width:.2f}" ybr="{top + height:.2f}" z_order="0"><attribute name="id">{identity}</attribute>'
        "</box>\n"
    )


def _boxes_of(
    file: str, content: bytes, numbers: dict[str, int]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Frames from 1 (m,), identities (m,) and boxes (m, 4) of one file; `numbers` collects identities that are text."""
    if file.lower().endswith(".txt"):
        with TemporaryDirectory() as folder:
            path = Path(folder) / PurePosixPath(file).name
            path.write_bytes(content)
            try:
                table = read_mot(path)
            except InputError as error:
                raise InputError(str(error).replace(f"{folder}/", "")) from error
        kept = table.id >= 0
        return table.frame[kept].astype(np.int64), table.id[kept].astype(np.int64), table.box[kept].astype(np.float64)
    if not file.lower().endswith(".xml"):
        raise InputError(f"{file}: must be MOTChallenge text (.txt), CVAT 1.1 (.xml), constraints (.yaml) or a .zip")
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise InputError(f"{file}: CVAT writes no document type; export it again")
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise InputError(f"{file}: no XML ({error})") from error
    if root.tag != "annotations":
        raise InputError(f"{file}: no CVAT annotations; export as 'CVAT for video 1.1'")
    frame, identity, box = [], [], []
    for track in root.iter("track"):
        for element in track.iter("box"):
            if element.get("outside") == "1":
                continue
            names = [a.text or "" for a in element.iter("attribute") if a.get("name") == "id"]
            if not names or not names[0].strip():
                raise InputError(f"{file}: track {track.get('id')}: has no attribute 'id', the identity")
            text = names[0].strip()
            try:
                low_x, low_y, high_x, high_y = (float(element.attrib[k]) for k in ("xtl", "ytl", "xbr", "ybr"))
                frame.append(int(element.attrib["frame"]) + 1)
            except (KeyError, ValueError) as error:
                raise InputError(f"{file}: track {track.get('id')}: a box without frame or corners") from error
            # Words are as good as numbers; they get numbers that no identity has.
            identity.append(
                int(text) if text.isdecimal() and len(text) < 10 else numbers.setdefault(text, 10**10 + len(numbers))
            )
            box.append((low_x, low_y, high_x - low_x, high_y - low_y))
    return (
        np.array(frame, np.int64),
        np.array(identity, np.int64),
        np.array(box, np.float64).reshape(-1, 4),
    )


def _matched(
    part: npt.NDArray[np.int32],
    tracks: Tracks,
    frame: npt.NDArray[np.int64],
    label: npt.NDArray[np.int64],
    box: npt.NDArray[np.float64],
) -> npt.NDArray[np.int64]:
    """(k,) the identity that most boxes of each part have in the file; -1 if too few came back."""
    order = np.argsort(frame, kind="stable")
    low = np.searchsorted(frame[order], tracks.frame, "left")
    size = np.searchsorted(frame[order], tracks.frame, "right") - low
    left = np.repeat(np.arange(len(tracks)), size)
    right = order[np.repeat(low - np.concatenate([[0], np.cumsum(size)[:-1]]), size) + np.arange(len(left))]
    overlap = iou(tracks.box[left].astype(np.float64), box[right]) if len(left) else np.zeros(0)
    # Of several boxes in a frame, the one that overlaps most.
    good = np.flatnonzero(overlap >= OVERLAP)
    good = good[np.lexsort((-overlap[good], left[good]))]
    good = good[np.diff(left[good], prepend=-1) > 0]
    place = np.searchsorted(part, tracks.track[left[good]])
    result = np.full(len(part), -1, np.int64)
    pairs, count = np.unique(np.stack([place, label[right[good]]], 1), axis=0, return_counts=True)
    total = np.bincount(np.searchsorted(part, tracks.track), minlength=len(part))
    for row in np.lexsort((-pairs[:, 1], count)).tolist():
        owner, number = pairs[row].tolist()
        if count[row] >= MIN_SHARE * total[owner]:
            result[owner] = number
    return result


def _of_constraints(session: Session, content: bytes, suffix: str) -> list[Proposal]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"constraints{suffix}"
        path.write_bytes(content)
        try:
            table = read_constraints(path)
        except InputError as error:
            raise InputError(str(error).replace(f"{folder}/", "")) from error
    known = set(session.said_by(constraints_of(session.log.standing())))
    return [Proposal(*each) for each in session.said_by(table) if each not in known]


def _zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _unzipped(content: bytes) -> dict[str, bytes]:
    """The text and XML files of an archive by name; nothing is written to disk."""
    members = read_members(
        io.BytesIO(content),
        lambda name: name.lower().endswith((".txt", ".xml")),
        source="the archive",
        most_bytes=2 * MAX_UPLOAD,
    )
    files = {PurePosixPath(name).name: text for name, text in members}
    if not files:
        raise InputError("the archive holds no .txt or .xml file")
    return files
