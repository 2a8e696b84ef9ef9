"""CPU time of decoding a video to BGR frames: this project's reader, plain PyAV and OpenCV.

    python benchmarks/decoding.py --video VIDEO [--rounds 5]

Rounds are interleaved; median and minimum over the rounds without the first. All use one decoding thread, and all hold
a frame until the next one is decoded, as real callers do: memory that cannot be reused at once costs about a
millisecond per frame.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import cv2

from common.command_line import run_command
from detection.video import open_video


def main(argv: Sequence[str] | None) -> int:
    """Measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--video", required=True, type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(argv)
    video = open_video(options.video, threads=1)
    runs: dict[str, Callable[[], int]] = {
        "decode only (PyAV)": lambda: by_pyav(options.video, convert=False),
        "ours": lambda: sum(1 for _ in video.frames()),
        "ours, every third": lambda: sum(3 for _ in video.frames(step=3)),
        "PyAV to_ndarray": lambda: by_pyav(options.video, convert=True),
        "OpenCV VideoCapture": lambda: by_opencv(options.video),
    }
    used: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(options.rounds + 1):
        for name, run in runs.items():
            started = time.process_time()
            frames = run()
            if turn:
                used[name].append((time.process_time() - started) / frames * 1000)
    print(f"{options.video.name}, {video.info.width}x{video.info.height}, CPU ms per frame of the video")
    print(f"{'':22}{'median':>8}{'min':>8}")
    for name, times in used.items():
        print(f"{name:22}{statistics.median(times):8.2f}{min(times):8.2f}")
    return 0


def by_pyav(path: Path, convert: bool) -> int:
    """Number of frames decoded by PyAV as its manual shows."""
    count = 0
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for frame in container.decode(video=0):
            latest = frame.to_ndarray(format="bgr24") if convert else frame
            count += latest is not None
    return count


def by_opencv(path: Path) -> int:
    """Number of frames decoded by OpenCV with one thread."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    count = 0
    found, latest = capture.read()
    while found:
        count += latest is not None
        found, latest = capture.read()
    return count


if __name__ == "__main__":
    sys.exit(run_command(main))
