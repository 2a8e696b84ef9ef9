"""Videos as numbered BGR frames: files through PyAV, and folders of images.

OpenCV's `VideoCapture` is not used: it ends the whole process on some small raw-video files.
"""

from __future__ import annotations

from pathlib import Path

from common.errors import InputError, path_not_found
from detection.frames import Frame, Video, VideoInfo, VideoStats
from detection.image_sequence import ImageSequence
from detection.video_file import VideoFile

__all__ = ["Frame", "Video", "VideoInfo", "VideoStats", "open_video"]


def open_video(path: str | Path, *, threads: int = 0, image_fps: float = 10.0) -> Video:
    """Open a video file or a folder of images.

    Args:
        path: a file that FFmpeg can read, or a folder whose images, in natural order (2 before 10), are the frames.
        threads: decoding threads; 0 leaves the number to FFmpeg. Use 1 where cameras run in parallel processes.
        image_fps: frames per second of a folder of images, which does not say so itself.

    Raises:
        InputError: the path does not exist, it cannot be opened, or it holds no readable frame.
    """
    path = Path(path)
    if path.is_dir():
        return ImageSequence(path, image_fps)
    if path.is_symlink() and not path.exists():
        raise InputError(f"{path}: is a link to {path.readlink()}, which does not exist")
    if not path.is_file():
        raise path_not_found(path, "video")
    return VideoFile(path, threads)
