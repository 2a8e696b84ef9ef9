"""Reads RoundaboutHD (arXiv 2507.08729) as it is distributed: four cameras round one roundabout."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from common.cache import Cache, key_of
from common.code_version import code_version
from common.errors import InputError
from common.zip_archives import read_members
from detection.mot_text import MotTable, write_mot
from evaluation.boxes import LARGEST
from mtmc.scenarios.camera_names import camera_number
from mtmc.scenarios.cityflow import with_ground
from mtmc.scenarios.facts import ScenarioFacts
from mtmc.scenarios.footage import is_video, read_footage
from mtmc.scenarios.ground_map import METRES_PER_DEGREE, Calibration, lands_on_earth
from mtmc.scenarios.scenario import Camera, Scenario

NAME = "RoundaboutHD"
DETECTIONS, TRACKS = "GT", "SCT_GT"
"""Names of the data set's own boxes and single-camera tracks: `--detections GT`, `--tracks SCT_GT`."""
_CAMERA = re.compile(r"imagesc\d+")
_LABELS = re.compile(r"img(\d+)\.txt")
_RECTILINEAR, _NO_DISTORTION, _BROWN = 0, 0, 2
"""Numbers of projections and lenses in the files of the cameratransform package."""
_INTRINSICS = (
    "focallength_x_px",
    "focallength_y_px",
    "center_x_px",
    "center_y_px",
    "image_width_px",
    "image_height_px",
)
_POSE = ("gps_lat", "gps_lon", "pos_x_m", "pos_y_m", "elevation_m", "tilt_deg", "roll_deg", "heading_deg")


def roundabout_folders(folder: Path) -> list[Path]:
    """The camera folders of a data set in this layout: `imagesc001/` and so on; empty for any other folder."""
    return [path for path in sorted(folder.iterdir()) if _CAMERA.fullmatch(path.name) and path.is_dir()]


def read_roundabouthd(folder: Path, facts: ScenarioFacts, cache: Cache) -> Scenario:
    """Read the data set. A camera that cannot be read is listed in `missing`; the others are kept.

    Boxes and tracks are rewritten into `cache` as MOTChallenge text in CityFlow's layout, frames counted from 1:
    `det/det_GT.txt` of labels_GT.zip, `mtsc/mtsc_SCT_GT.txt` of the single-camera tracks and `gt/gt.txt` of the
    camera's part of the ground truth of all cameras. Nothing is written into `folder`.

    Args:
        folder: holds `imagesc001/` and so on, and `Multi_CAM_Ground_Truth.txt`.
        facts: of its YAML file; `ScenarioFacts(name=...)` if there is none.
        cache: where the rewritten files are kept.

    Raises:
        InputError: no camera can be used, or a file of boxes is malformed.
    """
    found = {path.name: path for path in roundabout_folders(folder)}
    missing = {name: f"{folder / name}: no such camera folder" for name in facts.cameras if name not in found}
    cameras: list[Camera] = []
    calibrations: list[Calibration | None] = []
    notes: list[str] = []
    for name, directory in found.items():
        try:
            footage = read_footage(_video_of(directory), facts.facts_of(name), fps=facts.fps, start=0.0)
        except InputError as error:
            missing[name] = str(error)
            continue
        size = (footage.width, footage.height)
        calibration, why = _calibration_of(directory, size) if facts.facts_of(name).calibrated else (None, "")
        notes += [f"{name}: {note}" for note in (footage.note, why) if note]
        calibrations.append(calibration)
        number = camera_number(name) or len(cameras) + 1
        cameras.append(Camera(name, number, footage.fps, *size, footage.frames, footage.clock, directory, footage.path))
    if not cameras:
        raise InputError(f"{folder}: no camera can be used: {'; '.join(missing.values())}")
    rewritten = _rewrite(folder, cameras, cache)
    placed = with_ground([rewritten.place(camera) for camera in cameras], calibrations)
    return Scenario(
        facts.name,
        facts.split,
        placed,
        missing,
        notes=(*notes, *rewritten.notes),
        rule="roundabouthd",
        first_frame=rewritten.first_frame,
    )


@dataclass(frozen=True, slots=True)
class _Rewritten:
    """The data set's boxes in CityFlow's layout.

    Attributes:
        folder: holds `<camera>/det/`, `<camera>/mtsc/` and `<camera>/gt/`.
        first_frame: the number of a camera's first frame in the ground truth of all cameras.
        notes: what the user should know of the files.
    """

    folder: Path
    first_frame: int
    notes: tuple[str, ...]

    def place(self, camera: Camera) -> Camera:
        """The camera with its rewritten files."""
        directory = self.folder / camera.name
        truth = directory / "gt" / "gt.txt"
        return replace(camera, directory=directory, ground_truth=truth if truth.is_file() else None)


def _rewrite(folder: Path, cameras: Sequence[Camera], cache: Cache) -> _Rewritten:
    """Rewrite all boxes once; a later run finds them in the cache."""
    truth = next(iter(sorted(folder.glob("Multi_CAM_Ground_T*.txt"))), None)
    sources = [(camera, *_sources_of(camera)) for camera in cameras]
    files = [path for _, labels, tracks in sources for path in (labels, tracks)]
    key = key_of(
        {
            "code": code_version("mtmc.scenarios.roundabouthd"),
            "cameras": [[camera.name, camera.number, camera.frame_count] for camera in cameras],
            "files": [None if path is None else cache.file_digest(path) for path in (truth, *files)],
            "folder": str(folder.resolve()),  # named in the notes
        }
    )
    if cache.find(NAME.lower(), key) is None:
        with cache.write(NAME.lower(), key) as target:
            first, notes = _write_boxes(target, truth, sources)
            (target / "facts.json").write_text(json.dumps({"first_frame": first, "notes": notes}), encoding="utf-8")
    found = cache.folder(NAME.lower(), key)
    facts = json.loads((found / "facts.json").read_text(encoding="utf-8"))
    return _Rewritten(found, facts["first_frame"], tuple(facts["notes"]))


def _write_boxes(
    target: Path, truth: Path | None, sources: Sequence[tuple[Camera, Path | None, Path | None]]
) -> tuple[int, list[str]]:
    notes: list[str] = []
    for camera, labels, tracks in sources:
        if labels is not None:
            rows = _Rows.of_labels(labels)
            _write(target / camera.name / "det" / f"det_{DETECTIONS}.txt", rows, 0, labels, notes)
        if tracks is not None:
            rows = _Rows.read(tracks, ("frame", "id", "xmin", "ymin", "xmax", "ymax"), corners=True)
            first = _first_frame(tracks, rows.frame, camera.frame_count, notes)
            _write(target / camera.name / "mtsc" / f"mtsc_{TRACKS}.txt", rows, first, tracks, notes)
    if truth is None:
        return 0, notes
    everything = _Rows.read(truth, ("camera", "id", "frame", "xmin", "ymin", "width", "height"), corners=False)
    used = np.isin(everything.camera, [camera.number for camera, _, _ in sources])
    first = _first_frame(truth, everything.frame[used], max(c.frame_count for c, _, _ in sources), notes)
    for camera, _, _ in sources:
        mine = everything.select(everything.camera == camera.number)
        if len(mine.frame):
            _write(target / camera.name / "gt" / "gt.txt", mine, first, truth, notes)
    return first, notes


def _sources_of(camera: Camera) -> tuple[Path | None, Path | None]:
    """The detection labels (an archive, or the folder unpacked from it) and the single-camera tracks of a camera."""
    directory = camera.directory or Path()
    labels = (directory / "detection" / "labels_GT.zip", directory / "detection" / "labels_GT")
    tracks = directory / "SCT" / f"{camera.name}_SCT_GT.txt"
    return next((path for path in labels if path.exists()), None), tracks if tracks.is_file() else None


def _video_of(directory: Path) -> Path:
    video = next(
        (path for path in sorted(directory.iterdir()) if is_video(path) and path.stem.lower() == "video"), None
    )
    if video is None:
        raise InputError(f"{directory / 'video.mp4'}: no such video; it is part of the data set's download")
    return video


def _first_frame(path: Path, frame: npt.NDArray[np.int64], frames: int, notes: list[str]) -> int:
    """Whether frames count from 0, as the data set says, or from 1, as its makers' own scripts assume.

    A frame 0 proves the one, a frame as large as the number of frames the other.
    """
    if not len(frame) or frame.min() == 0:
        return 0
    if frames and frame.max() == frames:
        return 1
    notes.append(f"{path}: neither frame 0 nor frame {frames} occurs, so frames are taken to count from 0")
    return 0


def _write(path: Path, rows: _Rows, first_frame: int, source: Path, notes: list[str]) -> None:
    """Write MOTChallenge text with frames from 1, without the boxes that have no area."""
    solid: npt.NDArray[np.bool_] = np.asarray((rows.box[:, 2:] > 0).all(axis=1))
    if not solid.all():
        notes.append(f"{source}: boxes without area, left out of {path.name}: {int((~solid).sum())}")
    kept = rows.select(solid)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mot(path, MotTable.of(kept.frame + (1 - first_frame), kept.id, kept.box))


@dataclass(frozen=True, slots=True)
class _Rows:
    """Boxes as the data set writes them: camera, id and frame (n,) int64, box (n, 4) left, top, width, height."""

    camera: npt.NDArray[np.int64]
    id: npt.NDArray[np.int64]
    frame: npt.NDArray[np.int64]
    box: npt.NDArray[np.float64]

    @classmethod
    def read(cls, path: Path, columns: Sequence[str], *, corners: bool) -> _Rows:
        """Read a text file of these columns, more are ignored; `corners`: the box is given by two corners.

        Raises:
            InputError: the file is not text, or a row is malformed; names FILE:LINE.
        """
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: not a text file of rows '{' '.join(columns)}'") from error
        values, lines = _numbers(path, text, columns)
        by_name = {name: values[:, i] for i, name in enumerate(columns)}
        whole = np.column_stack([by_name.get(name, np.zeros(len(values))) for name in ("camera", "id", "frame")])
        wrong = (whole != np.floor(whole)) | (whole < 0) | (whole >= 2**31)
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            name = ("camera", "id", "frame")[column]
            raise InputError(f"{path}:{lines[row]}: {name} is {whole[row, column]:g}, not a whole number from 0 on")
        box = values[:, [columns.index("xmin") + i for i in range(4)]]
        if corners:
            box[:, 2:] -= box[:, :2]
        camera, identity, frame = whole.astype(np.int64).T
        return cls(camera, identity, frame, box)

    @classmethod
    def of_labels(cls, path: Path) -> _Rows:
        """The boxes of `img000000.txt` and so on, one file a frame, of an archive or a folder.

        Rows are `class xmin ymin xmax ymax`, perhaps with a score; every class is kept, as in the data set's scoring.

        Raises:
            InputError: the archive is damaged, holds no such file, or a row is malformed.
        """
        frames: list[npt.NDArray[np.int64]] = []
        boxes: list[npt.NDArray[np.float64]] = []
        for name, number, text in _label_files(path):
            values, _ = _numbers(Path(f"{path}/{name}"), text, ("class", "xmin", "ymin", "xmax", "ymax"))
            frames.append(np.full(len(values), number, np.int64))
            boxes.append(values[:, 1:5])
        if not frames:
            raise InputError(f"{path}: holds no img000000.txt; it must hold one text file a frame, or be absent")
        frame, box = np.concatenate(frames), np.concatenate(boxes)
        box[:, 2:] -= box[:, :2]
        order = np.argsort(frame, kind="stable")
        return cls(np.zeros_like(frame), np.full_like(frame, -1), frame[order], box[order])

    def select(self, rows: npt.NDArray[np.bool_]) -> _Rows:
        """Some of the rows."""
        return _Rows(self.camera[rows], self.id[rows], self.frame[rows], self.box[rows])


def _numbers(path: Path, text: str, columns: Sequence[str]) -> tuple[npt.NDArray[np.float64], list[int]]:
    """The first columns of every row (n, columns) float64, and the rows' line numbers."""
    lines = [(i, line.replace(",", " ").split()) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
    rows = []
    for number, cells in lines:
        try:
            row = [float(cell) for cell in cells[: len(columns)]]
        except ValueError:
            row = []
        if len(row) < len(columns) or not all(abs(value) < 2**31 for value in row):  # also where NaN
            raise InputError(f"{path}:{number}: '{' '.join(cells)[:60]}' must be numbers '{' '.join(columns)}'")
        rows.append(row)
    return np.array(rows, np.float64).reshape(-1, len(columns)), [number for number, _ in lines]


def _label_files(path: Path) -> Iterator[tuple[str, int, str]]:
    """Name, frame and text of every label file of an archive or a folder."""
    if path.is_dir():
        for file in sorted(path.rglob("img*.txt")):
            if (frame := _frame_of(file.name)) is not None:
                yield file.name, frame, file.read_text(encoding="utf-8-sig", errors="replace")
        return
    for name, content in read_members(path, lambda name: _frame_of(name) is not None, source=str(path)):
        yield name, _frame_of(name) or 0, content.decode("utf-8-sig", errors="replace")


def _frame_of(name: str) -> int | None:
    """The frame of a label file in an archive; None for other files."""
    match = _LABELS.fullmatch(name.rsplit("/", 1)[-1])
    return int(match[1]) if match and "__MACOSX" not in name else None


def _calibration_of(directory: Path, size: tuple[int, int]) -> tuple[Calibration | None, str]:
    """The fitted camera of a folder, or None and why it has none."""
    files = sorted((directory / "geo-mapping").glob("*_fitted_cam.json"))
    if not files:
        return None, "no geo-mapping/*_fitted_cam.json, so it is not calibrated"
    try:
        return read_fitted_camera(files[0], size), ""
    except InputError as error:
        return None, f"{error}; it is used without calibration"


def read_fitted_camera(path: Path, size: tuple[int, int]) -> Calibration:
    """Read a rectilinear camera that the cameratransform package has saved.

    Its space has x to the east, y to the north and z up, in metres about (`gps_lat`, `gps_lon`); the camera looks
    along its -z axis, turned by roll, tilt (90 degrees looks at the horizon) and heading (clockwise from north).
    Its lens is Brown's with the radial terms k1, k2, k3, as in OpenCV.

    Args:
        path: the JSON file.
        size: width and height of the video; the file may be of the same picture in another resolution.

    Raises:
        InputError: the file is not JSON, lacks a number, or is of another kind of camera.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise InputError(f"{path}: cannot be read as JSON ({str(error)[:60]})") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: must hold the parameters of one camera by name")
    if content.get("projection", _RECTILINEAR) != _RECTILINEAR:
        raise InputError(f"{path}: projection {content['projection']!r} is not rectilinear (0), the only kind known")
    lens = content.get("lens", _BROWN if "k1" in content else _NO_DISTORTION)
    if lens not in (_NO_DISTORTION, _BROWN):
        raise InputError(f"{path}: lens {lens!r} is neither without distortion (0) nor Brown's (2)")
    number = _number_reader(path, content)
    fx, fy, cx, cy, width, height = map(number, _INTRINSICS)
    latitude, longitude, east, north, up, *angles = map(number, _POSE)
    distortion = np.array([number("k1"), number("k2"), 0.0, 0.0, number("k3")]) if lens == _BROWN else None
    if min(fx, fy, width, height, up) <= 0:
        raise InputError(f"{path}: focal lengths, picture size and elevation_m must be above 0")
    if abs(width / height - size[0] / size[1]) > 0.01:
        raise InputError(f"{path}: is of a picture of {width:g} x {height:g}, the video has {size[0]} x {size[1]}")
    scale = size[0] / width
    intrinsic = np.array([[fx * scale, 0.0, cx * scale], [0.0, fy * scale, cy * scale], [0.0, 0.0, 1.0]])
    rotation = _rotation(*np.radians(angles))
    # Columns for x, y and 1 of a point on the ground; the camera's y points up and z backwards, a picture's do not.
    metres_to_pixel = intrinsic @ (
        np.diag([1.0, -1.0, -1.0]) @ np.column_stack([rotation[:, :2], -rotation @ [east, north, up]])
    )
    east_per_degree = METRES_PER_DEGREE * np.cos(np.radians(latitude))
    gps_to_metres = np.array(
        [
            [0.0, east_per_degree, -east_per_degree * longitude],
            [METRES_PER_DEGREE, 0.0, -METRES_PER_DEGREE * latitude],
            [0.0, 0.0, 1.0],
        ]
    )
    calibration = Calibration(metres_to_pixel @ gps_to_metres, intrinsic, distortion)
    foot = calibration.gps_of([[size[0] / 2, size[1] * 0.9]])[0]
    in_front = calibration.gps_to_pixel[2] @ [*foot, 1.0] > 0  # of the camera, not behind it above the horizon
    if not in_front or not lands_on_earth(calibration, size):
        raise InputError(f"{path}: does not map the lower part of the picture to a place on the ground nearby")
    return calibration


def _rotation(tilt: float, roll: float, heading: float) -> npt.NDArray[np.float64]:
    """Space to camera coordinates: Euler angles about z, x, z."""

    def about_z(angle: float) -> npt.NDArray[np.float64]:
        return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])

    about_x = np.array([[1, 0, 0], [0, np.cos(tilt), np.sin(tilt)], [0, -np.sin(tilt), np.cos(tilt)]])
    return np.asarray(about_z(-roll) @ about_x @ about_z(heading), np.float64)


def _number_reader(path: Path, content: dict[str, object]) -> Callable[[str], float]:
    def number(name: str) -> float:
        value = content.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < LARGEST:
            raise InputError(f"{path}: field '{name}' must be a number, not {value!r:.40}")
        return float(value)

    return number
