"""Detect and track the vehicles of one video, frame by frame.

    python examples/track_one_camera.py VIDEO [DETECTOR]

DETECTOR is a name or a file for `detection.loading.load_detector` (default: yolo11n.pt). For boxes of another detector,
see `mtmc.Detections.from_ultralytics` and `mtmc.Detections.from_supervision`.
"""

import sys
from pathlib import Path

from detection.loading import load_detector
from detection.video import open_video
from mtmc import Detections, Tracker, Tracks

video = open_video(sys.argv[1])
detector = load_detector(sys.argv[2] if len(sys.argv) > 2 else "yolo11n.pt", score=0.1, cache_dir=Path("cache"))
tracker = Tracker()

times = video.times()
rows = []
for number, picture in video.frames():
    (found,) = detector.detect([picture])
    detections = Detections.of([number] * len(found), found.box, found.score, found.label)
    rows.append(tracker.update(detections, seconds=float(times[number - 1])))

tracks = Tracks.concatenate(rows).sorted()
for number in sorted(set(tracks.track.tolist())):
    frames = tracks.frame[tracks.track == number]
    print(f"track {number}: frames {frames[0]} to {frames[-1]}, {len(frames)} boxes")
