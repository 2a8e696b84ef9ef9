"""What a camera filmed, as it lies on disk: a video file or a sequence of images; its size, length and clock."""

from __future__ import annotations

import configparser
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from common.errors import InputError
from detection.image_sequence import images_in
from detection.video import open_video
from mtmc.scenarios.clock import Clock
from mtmc.scenarios.facts import CameraFacts

_ENDINGS = """264 265 3g2 3gp asf avi dav divx dv f4v flv h264 h265 hevc ivf m1v m2p m2t m2ts m2v m4v mjpeg mjpg mkv mov
mp4 mpe mpeg mpg mpv mts mxf nut ogm ogv ps qt rm rmvb ts vob webm wmv y4m"""
VIDEO_SUFFIXES = frozenset(f".{ending}" for ending in _ENDINGS.split())
"""Endings, in lower case, of the files that are taken for videos: what FFmpeg reads and cameras or converters write."""
DEFAULT_FPS = 10.0
"""Frames per second where nothing tells: CityFlow's rate."""
UNIFORM_SECONDS = 0.002
"""Seconds by which a file's frame times may differ from those of a constant rate and still be taken for it: containers
round to milliseconds. Raising it hides short stalls."""


@dataclass(frozen=True, slots=True)
class Footage:
    """A camera's clip.

    Attributes:
        path: the video file, or the folder of images.
        width, height: pixels.
        fps: frames per second, the average where the rate varies.
        frames: number of frames.
        clock: frames to seconds on the scenario's axis.
        note: what the user should know of the clock, "" where nothing is out of the ordinary.
    """

    path: Path
    width: int
    height: int
    fps: float
    frames: int
    clock: Clock
    note: str


def is_video(path: Path) -> bool:
    """Whether a path looks like a video: by its ending; hidden files, such as macOS's `._c1.mp4`, are none."""
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".") and not path.is_dir()


def footage_in(directory: Path) -> Path | None:
    """What the camera of a folder filmed, None where there is nothing.

    In this order: `vdo.*` (CityFlow), the images of `img1/` or of the folder that seqinfo.ini names (MOTChallenge), the
    only video of the folder, the images of the folder itself.
    """
    videos = sorted(path for path in directory.iterdir() if is_video(path))
    named = [path for path in videos if path.stem.lower() == "vdo"]
    if named:
        return named[0]
    images = directory / _sequence_facts(directory).get("imdir", "img1")
    if images.is_dir() and images_in(images):
        return images
    if len(videos) == 1:
        return videos[0]
    pictures = [path for path in images_in(directory) if path.stem.lower() != "roi"]
    return directory if len(pictures) > 1 and not videos else None


def ignored_in(folder: Path, used: Collection[Path], limit: int = 6) -> list[str]:
    """A sentence that names what lies in a scenario's folder and is not used; hidden files are not worth one."""
    left = sorted(path.name for path in folder.iterdir() if path not in used and not path.name.startswith("."))
    more = f" and {len(left) - limit} more" if len(left) > limit else ""
    return [f"ignored in {folder}: {', '.join(left[:limit])}{more}"] if left else []


def read_footage(path: Path, facts: CameraFacts, *, fps: float | None, start: float) -> Footage:
    """Open a camera's video or images and find out its clock.

    Given rates come first: of the camera's facts, then `fps`. Else the times of a video's frames are those of its
    container, which may vary or have gaps; a sequence of images has the rate of its seqinfo.ini.

    Args:
        path: a video file or a folder of images.
        facts: what the scenario's YAML file says of the camera.
        fps: frames per second of all cameras, None where the scenario does not say.
        start: seconds of frame 1 where the facts do not say.

    Raises:
        InputError: it cannot be opened, or holds no frame.
    """
    given = facts.fps or fps
    if path.is_dir():
        declared = _frame_rate(path if (path / "seqinfo.ini").is_file() else path.parent)
        rate = given or declared or DEFAULT_FPS
        info = open_video(path, image_fps=rate).info
        guessed = given is None and declared is None and facts.clock is None
        note = f"frame rate unknown, {rate:g} frames per second assumed; set fps in the YAML file" if guessed else ""
        return Footage(path, info.width, info.height, rate, info.frames, facts.make_clock(rate, start), note)
    video = open_video(path)
    info = video.info
    if given is not None or facts.clock is not None:
        rate = given or info.fps
        frames = info.frames or len(video.times())
        return Footage(path, info.width, info.height, rate, frames, facts.make_clock(rate, start), "")
    times = video.times()
    uniform = len(times) < 2 or np.abs(times - np.arange(len(times)) / info.fps).max() <= UNIFORM_SECONDS
    if uniform or times[-1] <= 0:
        note = "" if info.timed else f"no time stamps, {info.fps:g} frames per second assumed; set fps in the YAML file"
        clock = facts.make_clock(info.fps, start)
        return Footage(path, info.width, info.height, info.fps, len(times), clock, note)
    clock = Clock.of_times(times, start if facts.start is None else facts.start, facts.clock_scale, UNIFORM_SECONDS)
    rate = (len(times) - 1) / float(times[-1])
    return Footage(path, info.width, info.height, rate, len(times), clock, _variation(times))


def _variation(times: npt.NDArray[np.float64]) -> str:
    """What varies in the times of a file's frames; "" where they keep one rate, only another than it declares."""
    steps = np.diff(times)
    usual, longest = float(np.median(steps)), float(steps.max())
    if longest - float(steps.min()) <= 2 * UNIFORM_SECONDS:
        return ""
    at = int(np.argmax(steps)) + 1
    return (
        f"frame rate varies (usually {1 / max(usual, 1e-6):.4g} per second, {longest:.3g} s after frame {at}); "
        "the file's own times are used"
    )


def _sequence_facts(directory: Path) -> dict[str, str]:
    """The keys of a MOTChallenge seqinfo.ini, in lower case; empty where there is none.

    Raises:
        InputError: the file is malformed.
    """
    path = directory / "seqinfo.ini"
    if not path.is_file():
        return {}
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8-sig"))
        return dict(parser["Sequence"])
    except (configparser.Error, UnicodeDecodeError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: needs a section [Sequence] of key=value lines ({reason:.80})") from error


def _frame_rate(directory: Path) -> float | None:
    text = _sequence_facts(directory).get("framerate")
    if text is None:
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < float("inf"):
        raise InputError(f"{directory / 'seqinfo.ini'}: key 'frameRate': must be a number above 0, not {text:.40}")
    return rate
