"""What the report shows, as plain values and arrays: filled by `collect`, read by the sections of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from common.table import Table
from mtmc.stage_log import StageInfo


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """One camera of the scenario, and how much of it could be used.

    Attributes:
        name: the camera's name, `c041`.
        width, height: size of a frame in pixels; 0 where unknown (no video).
        fps: nominal frames per second.
        start, end: seconds of the first and the last frame on the scenario's common time axis.
        frames: frames that were read.
        broken: frames that are missing or could not be read.
        missing: why the camera was left out of the run; "" if it took part.
        position: (x, y) metres east and north of the scenario's origin; None if unknown.
    """

    name: str
    width: int
    height: int
    fps: float
    start: float
    end: float
    frames: int
    broken: int = 0
    missing: str = ""
    position: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class TrackTable(Table):
    """One row per track, over all cameras. Every extractor assigns identities to the same rows.

    Attributes:
        camera: (n,) int32, index into `ReportData.cameras`.
        track: (n,) int32, the track's number in its camera.
        start, end: (n,) float64, seconds of its first and last box on the common time axis.
        first_frame, last_frame: (n,) int32, frame numbers of its first and last box, counted from 1.
        boxes: (n,) int32, its number of boxes.
        truth: (n,) int32, the ground-truth vehicle that it follows, -1 for none or without ground truth.
    """

    camera: npt.NDArray[np.int32]
    track: npt.NDArray[np.int32]
    start: npt.NDArray[np.float64]
    end: npt.NDArray[np.float64]
    first_frame: npt.NDArray[np.int32]
    last_frame: npt.NDArray[np.int32]
    boxes: npt.NDArray[np.int32]
    truth: npt.NDArray[np.int32]

    @classmethod
    def of(
        cls,
        camera: npt.ArrayLike,
        track: npt.ArrayLike,
        start: npt.ArrayLike,
        end: npt.ArrayLike,
        first_frame: npt.ArrayLike,
        last_frame: npt.ArrayLike,
        boxes: npt.ArrayLike,
        truth: npt.ArrayLike | None = None,
    ) -> TrackTable:
        """Make a table from anything array-like; truth defaults to -1."""
        return cls._of(camera, track, start, end, first_frame, last_frame, boxes, -1 if truth is None else truth)


@dataclass(frozen=True, slots=True)
class JoinInfo:
    """Two tracks that were joined.

    Attributes:
        identity: of both.
        probability: that they are one vehicle.
        first, second: camera name and track number of each.
        right: whether both follow the same ground-truth vehicle; None where either follows none, or without ground
            truth.
    """

    identity: int
    probability: float
    first: tuple[str, int]
    second: tuple[str, int]
    right: bool | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ExtractorResult:
    """The result of one extractor.

    Attributes:
        name: the extractor's name, `baseline`, or `none`.
        identity: (n,) int32, the identity of each row of `ReportData.tracks`; -1 for none.
        scores: fractions by name: `idf1`, `idp`, `idr`, `hota`, `mota`; a missing key or None is shown as a dash.
            None: there is no ground truth.
        camera_idf1: IDF1 of each camera alone, by camera name; empty without ground truth.
        joins: of the identities, the least sure ones first; empty where the method of association does not tell.
        interval: 95 % limits of the difference of its IDF1 to the first extractor's, fractions; None: not known.
    """

    name: str
    identity: npt.NDArray[np.int32]
    scores: Mapping[str, float | None] | None = None
    camera_idf1: Mapping[str, float | None] = field(default_factory=dict)
    joins: Sequence[JoinInfo] = ()
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class CropImage:
    """One crop of a track.

    Attributes:
        image: the encoded image (JPEG, PNG, WebP).
        quality: in [0, 1]; the best crops are shown.
        frame: number of its frame.
    """

    image: bytes
    quality: float
    frame: int


@dataclass(frozen=True, slots=True, eq=False)
class LinkInfo:
    """One link: vehicles that leave camera `source` and enter camera `target`, and their travel times.

    Attributes:
        source, target: camera names.
        source_zone, target_zone: names of the exit and the entry zone, "" for none.
        count: vehicles that took the link in this run or, for a given link, in the run that it was learned from.
        edges: (k + 1,) float64, edges of the histogram's bins in seconds; negative for overlapping fields of view.
        counts: (k,) float64, vehicles (or weight) in each bin.
    """

    source: str
    target: str
    count: float
    edges: npt.NDArray[np.float64]
    counts: npt.NDArray[np.float64]
    source_zone: str = ""
    target_zone: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class ReportData:
    """Everything that the page shows.

    Attributes:
        scenario: its name.
        simulated: whether its videos are rendered, not filmed; the page says so beside every figure.
        created: when the run ended, ISO 8601 with UTC offset.
        cameras: all cameras of the scenario, including those left out.
        tracks: one row per track.
        extractors: one entry per extractor, at least one; differences are relative to the first.
        crops: crops of each track, by (camera index, track number); tracks may be missing.
        links: links given or learned, possibly none.
        links_origin: "given" or "learned"; "" without links.
        overlapping_views: pairs of names of uncalibrated cameras whose fields of view overlap.
        truth_lengths: boxes of each ground-truth vehicle in each camera, {(vehicle, camera index): boxes}, to show
            vehicles that no track follows. Empty without ground truth.
        stages: in the order in which they ran.
        summary: the few facts to be shown at the top, by label.
        configuration: the whole configuration, nested mappings of plain values.
        versions: versions and checksums by name.
        command: the command line of the run, "" for none.
    """

    scenario: str
    simulated: bool
    created: str
    cameras: Sequence[CameraInfo]
    tracks: TrackTable
    extractors: Sequence[ExtractorResult]
    crops: Mapping[tuple[int, int], Sequence[CropImage]] = field(default_factory=dict)
    links: Sequence[LinkInfo] = ()
    links_origin: str = ""
    overlapping_views: Sequence[tuple[str, str]] = ()
    truth_lengths: Mapping[tuple[int, int], int] = field(default_factory=dict)
    stages: Sequence[StageInfo] = ()
    summary: Mapping[str, str] = field(default_factory=dict)
    configuration: Mapping[str, object] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    command: str = ""

    def __post_init__(self) -> None:
        if not self.extractors:
            raise ValueError("a report needs at least one extractor")
        for extractor in self.extractors:
            if extractor.identity.shape != (len(self.tracks),):
                raise ValueError(
                    f"{extractor.name}: {extractor.identity.shape} identities for {len(self.tracks)} tracks"
                )
        if len(self.tracks) and not 0 <= self.tracks.camera.min() <= self.tracks.camera.max() < len(self.cameras):
            raise ValueError(f"a track's camera index lies outside the {len(self.cameras)} cameras")

    @property
    def has_truth(self) -> bool:
        """Whether any extractor was scored or any track follows a ground-truth vehicle."""
        return any(e.scores is not None for e in self.extractors) or bool((self.tracks.truth >= 0).any())
