"""SITE.yaml: the cameras of a place that are running, and how they are watched."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import Field, PositiveInt, field_validator, model_validator

from common.errors import InputError, path_not_found
from common.settings import Settings, validate
from mtmc.online.networks import NO_APPEARANCE
from mtmc.online.redaction import redact_address
from mtmc.online.window_settings import WindowSettings

SCHEMES = ("rtsp", "rtsps", "http", "https")
"""Addresses that are read as streams; everything else is a file."""
_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*")
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class CameraEntry(Settings):
    """One camera of SITE.yaml."""

    source: str = Field(min_length=1, description="An address (rtsp, rtsps, http, https), or a file.")
    frame_rate: Positive | None = Field(
        None, description="Frames a second that are looked at; default: the site's. Raising it costs computing time."
    )
    detector: str | None = Field(None, description="A name or file, as `mtmc.run --detector`; default: the site's.")
    extractor: str | None = Field(
        None,
        description="The site's extractor, or none for a camera whose pictures do not show what a vehicle looks like.",
    )
    roi: Path | None = Field(None, description="A picture of the region of interest, white is inside.")
    calibration: Path | None = Field(None, description="calibration.txt, in CityFlow's form; needs size.")
    size: tuple[PositiveInt, PositiveInt] | None = Field(
        None, description="Width and height of the picture, for the calibration."
    )
    clock_offset: float = Field(
        0.0,
        allow_inf_nan=False,
        description="Seconds to add to the camera's time, where it is known to be off. Differences of more than a few "
        "seconds are found by themselves.",
    )

    @model_validator(mode="after")
    def _sized(self) -> Self:
        if self.calibration is not None and self.size is None:
            raise ValueError("a calibration needs `size: [width, height]` of the picture")
        return self


class Retention(Settings):
    """How long results are kept; the oldest go first."""

    days: Positive = Field(30.0, description="Days after which tracks, features, events and crops are deleted.")
    gigabytes: Positive = Field(50.0, description="Space for tracks and features.")
    crop_gigabytes: Positive = Field(5.0, description="Space for crops, a ring: the oldest make room for the newest.")


class Site(Settings):
    """The content of SITE.yaml. Addresses are stored without their credentials; see `SiteFile`."""

    name: str = Field(description="Name of the place; letters, digits, '_', '-' and '.'.")
    cameras: dict[str, CameraEntry] = Field(min_length=1, description="Cameras by name.")
    detector: str = Field("yolo11n.pt", description="A name or file, as `mtmc.run --detector`.")
    extractor: str = Field("baseline", description="A name or file, as `mtmc.run --reid`; none: without appearance.")
    frame_rate: Positive = Field(10.0, description="Frames a second that are looked at, of every camera.")
    links: Path | None = Field(None, description="Zones and links; default: learned while it runs, and kept.")
    constraints: Path | None = Field(
        None, description="What is known about tracks, as `mtmc.run --constraints`; read at each start."
    )
    store: Path = Field(Path("live"), description="The folder for results.")
    window: WindowSettings = WindowSettings()
    retention: Retention = Retention()
    redis: str | None = Field(None, description="A Redis server for the events: redis://user:password@host:port/0.")
    silent_seconds: Positive = Field(
        5.0,
        description="Seconds without a frame after which a camera is silent and the others no longer wait for it. "
        "Raising it waits longer for a slow camera, and answers later when one fails.",
    )

    @field_validator("name")
    @classmethod
    def _plain(cls, name: str) -> str:
        return _plain_name(name)

    @field_validator("cameras")
    @classmethod
    def _plain_cameras(cls, cameras: dict[str, CameraEntry]) -> dict[str, CameraEntry]:
        for name in cameras:
            _plain_name(name)
        return cameras


def _plain_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"the name {name!r} must consist of letters, digits, '_', '-' and '.'; change it")
    return name


@dataclass(frozen=True, slots=True, repr=False)
class SiteFile:
    """A site, and the addresses of its cameras with their credentials, which `site` does not hold.

    Attributes:
        site: the settings; safe to print.
        folder: of SITE.yaml, to which its paths are relative.
    """

    site: Site
    folder: Path
    _addresses: Mapping[str, str]
    _redis: str | None = None

    def __repr__(self) -> str:
        return f"<SiteFile {self.site.name}: {len(self.site.cameras)} cameras>"

    def address(self, camera: str) -> str:
        """Where the camera's stream is opened, with its credentials; not for printing."""
        address = self._addresses[camera]
        return address if is_stream(address) else str(self.path(Path(address)))

    @property
    def redis(self) -> str | None:
        """The address of a Redis server, with its credentials; not for printing."""
        return self._redis

    def path(self, path: Path) -> Path:
        """A path of SITE.yaml, relative to its folder."""
        return self.folder / path.expanduser()

    def extractor(self, camera: str) -> str:
        """The extractor of a camera."""
        return self.site.cameras[camera].extractor or self.site.extractor

    @property
    def store(self) -> Path:
        """The folder for results."""
        return self.path(self.site.store)


def is_stream(source: str) -> bool:
    """Whether a source is the address of a stream rather than a file.

    >>> is_stream("rtsp://10.0.0.5/1"), is_stream("gate.mp4")
    (True, False)
    """
    found = _ADDRESS.match(source)
    return found is not None and found["scheme"].lower() in SCHEMES


def read_site(path: Path) -> SiteFile:
    """Read and check SITE.yaml; nothing is opened but the file itself.

    Raises:
        InputError: the file is missing or not YAML, a key or value is wrong, or a file that it names is not there. The
            message holds no credentials.
    """
    content = _read(path)
    if isinstance(content.get("cameras"), dict):
        # A camera may be given by its address alone.
        cameras = {str(n): {"source": c} if isinstance(c, str) else c for n, c in content["cameras"].items()}
        content = {**content, "cameras": cameras}
    # Checked without credentials: the messages of the check quote what they refuse.
    site = validate(Site, _redacted(content), str(path))
    addresses = {name: str(content["cameras"][name]["source"]) for name in site.cameras}
    file = SiteFile(site, path.parent, addresses, content.get("redis"))
    _check_files(path, file)
    _check_extractors(path, file)
    return file


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise path_not_found(path, "site file")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        # Not the error's own text, which quotes the line.
        line = f":{error.problem_mark.line + 1}" if error.problem_mark is not None else ""
        raise InputError(f"{path}{line}: is not YAML ({error.problem}); correct that line") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise InputError(f"{path}: cannot be read as YAML ({reason})") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: must hold 'key: value' lines, at least name and cameras")
    return content


def _redacted(value: Any) -> Any:
    if isinstance(value, dict):
        return {redact_address(key) if isinstance(key, str) else key: _redacted(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_redacted(each) for each in value]
    return redact_address(value) if isinstance(value, str) else value


def _check_files(path: Path, file: SiteFile) -> None:
    # Imported here: most sites have no region of interest, and OpenCV takes long to load.
    from mtmc.scenarios.roi import read_roi

    site = file.site
    for name, camera in site.cameras.items():
        source = file.address(name)
        scheme = _ADDRESS.match(source)
        if scheme is not None and re.search(r"\s", source):
            raise InputError(f"{path}: key 'cameras.{name}.source': holds a space; write it as %20")
        if not is_stream(source):
            if _ADDRESS.match(camera.source) is not None:
                raise InputError(
                    f"{path}: key 'cameras.{name}.source': {camera.source} must start with {', '.join(SCHEMES)}, "
                    "or be a file"
                )
            if not Path(source).is_file():
                raise InputError(f"{path}: key 'cameras.{name}.source': {path_not_found(Path(source), 'video')}")
        for key in ("roi", "calibration"):
            given: Path | None = getattr(camera, key)
            if given is not None and not file.path(given).is_file():
                raise InputError(f"{path}: key 'cameras.{name}.{key}': {path_not_found(file.path(given), 'file')}")
        if camera.roi is not None:
            read_roi(file.path(camera.roi))
    for key in ("links", "constraints"):
        given = getattr(site, key)
        if given is not None and not file.path(given).is_file():
            raise InputError(f"{path}: key '{key}': {path_not_found(file.path(given), 'file')}")


def _check_extractors(path: Path, file: SiteFile) -> None:
    """All cameras have one extractor, or none: the features of two cannot be compared."""
    chosen: str | None = None
    for name in file.site.cameras:
        own = file.extractor(name)
        if own == NO_APPEARANCE:
            continue
        if chosen is not None and own != chosen:
            raise InputError(
                f"{path}: key 'cameras.{name}.extractor': features of {own} cannot be compared with those of {chosen}, "
                f"so no vehicle could be recognised between their cameras; use one of them for all, or {NO_APPEARANCE}"
            )
        chosen = own
