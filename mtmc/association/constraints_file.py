"""Constraints as a file that people write: YAML, or JSON with one constraint a line.

    - must-link: [{camera: c041, track: 12}, {camera: c042, track: 7}]
    - cannot-link: [{camera: c041, track: 3}, {camera: c043, frame: 250, point: [640, 380]}]
    - not-a-vehicle: {camera: c045, track: 9}

A track is named by camera and track, or by camera, frame and a point in pixels that its box in this frame holds. With
camera, track and frame, it is the part of the track with this frame, if the track was split at an identity switch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from common.errors import InputError, path_not_found
from common.files import write_text
from common.nearest import nearest
from mtmc.association.constraints import ConstraintKind, Constraints, TrackName

_KINDS = {kind.text: kind for kind in ConstraintKind}
_KEYS = ("camera", "track", "frame", "point")


def read_constraints(path: Path) -> Constraints:
    """Read a file of constraints; an empty one holds none.

    Raises:
        InputError: the file is missing, or malformed; the message names the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise path_not_found(path, "file of constraints") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    lines = _json_lines(path, text) if text.lstrip().startswith("{") else _yaml_items(path, text)
    return Constraints.concatenate([_constraint(item, line, f"{path}:{line}") for line, item in lines])


def write_constraints(path: Path, constraints: Constraints) -> None:
    """Write constraints as YAML, one a line; `read_constraints` reads them back."""
    lines = []
    for row in range(len(constraints)):
        kind = ConstraintKind(int(constraints.kind[row]))
        names = [_plain(name) for name in constraints.names(row)]
        value = names[0] if kind == ConstraintKind.NOT_A_VEHICLE else names
        flow = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True)
        lines.append(f"- {kind.text}: {flow}")
    write_text(path, "".join(lines))


def _plain(name: TrackName) -> dict[str, Any]:
    values = {"camera": name.camera, "track": name.track or None, "frame": name.frame or None}
    point = None if name.point is None else [float(f"{x:.7g}") for x in name.point]
    return {key: value for key, value in {**values, "point": point}.items() if value is not None}


def _json_lines(path: Path, text: str) -> Iterator[tuple[int, Any]]:
    for line, content in enumerate(text.splitlines(), 1):
        if content.strip():
            try:
                yield line, json.loads(content)
            except ValueError as error:
                raise InputError(f"{path}:{line}: must be one JSON object ({error})") from error


def _yaml_items(path: Path, text: str) -> Iterator[tuple[int, Any]]:
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return
        if not isinstance(root, yaml.SequenceNode):
            raise InputError(f"{path}:{root.start_mark.line + 1}: must be a list: '- must-link: [...]'")
        items = [(node.start_mark.line + 1, loader.construct_object(node, deep=True)) for node in root.value]
    except yaml.YAMLError as error:
        raise InputError(f"{path}: cannot be read as YAML ({' '.join(str(error).split())})") from error
    finally:
        loader.dispose()
    yield from items


def _constraint(item: Any, line: int, where: str) -> Constraints:
    if not isinstance(item, dict) or len(item) != 1:
        raise InputError(f"{where}: must be one of {', '.join(_KINDS)}, a colon and the tracks")
    (key, value), *_ = item.items()
    if key not in _KINDS:
        raise InputError(f"{where}: unknown constraint '{key}'{nearest(str(key), _KINDS)}")
    values = value if isinstance(value, list) else [value]
    names = [_track(each, f"{where}: {key}") for each in values]
    kind = _KINDS[key]
    if kind == ConstraintKind.NOT_A_VEHICLE:
        if not names:
            raise InputError(f"{where}: {key}: names no track")
        return Constraints.not_a_vehicle(*names, line=line)
    if len(names) < 2:
        raise InputError(f"{where}: {key}: must be a list of at least two tracks")
    make = Constraints.must_link if kind == ConstraintKind.MUST_LINK else Constraints.cannot_link
    return make(*names, line=line)


def _track(value: Any, where: str) -> TrackName:
    if not isinstance(value, dict):
        raise InputError(f"{where}: a track must be {{camera: NAME, track: NUMBER}}, not {value!r:.60}")
    for key in value:
        if key not in _KEYS:
            raise InputError(f"{where}: unknown key '{key}'{nearest(str(key), _KEYS)}")
    camera = value.get("camera")
    if not isinstance(camera, str | int) or isinstance(camera, bool) or camera == "":
        raise InputError(f"{where}: 'camera' must be a camera's name, not {camera!r}")
    for key in ("track", "frame"):
        number = value.get(key)
        if number is not None and (not isinstance(number, int) or isinstance(number, bool) or not 0 < number < 2**31):
            raise InputError(f"{where}: '{key}' must be a number from 1, not {number!r}")
    track, frame, point = value.get("track"), value.get("frame"), value.get("point")
    if (track is None) == (point is None):
        raise InputError(f"{where}: a track is named by camera and track, or by camera, frame and point")
    if track is not None:
        return TrackName(str(camera), int(track), int(frame or 0))
    if frame is None:
        raise InputError(f"{where}: 'frame' is missing beside 'point'")
    return TrackName(str(camera), 0, int(frame), _point(point, where))


def _point(value: Any, where: str) -> tuple[float, float]:
    numbers: list[Any] = value if isinstance(value, list) and len(value) == 2 else [None]
    if not all(isinstance(x, int | float) and not isinstance(x, bool) and np.isfinite(x) for x in numbers):
        raise InputError(f"{where}: 'point' must be [x, y] in pixels, not {value!r:.60}")
    x, y = (float(number) for number in numbers)
    return x, y
