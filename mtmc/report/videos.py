"""The annotated videos of a run: one per camera, and all cameras side by side."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console

from detection.video import open_video
from mtmc.observation.progress import CameraProgress
from mtmc.pipeline import Outcome, RunResult
from mtmc.report.annotate import annotate_video
from mtmc.report.mosaic import MosaicCamera, write_mosaic
from mtmc.report.run_folder import folder_of
from mtmc.tracking.tracks import Tracks


def write_videos(result: RunResult, folder: Path, *, videos: bool, mosaic: bool, console: Console) -> None:
    """Write `videos/<camera>.mp4` and `mosaic.mp4` for every extractor, in its folder.

    Args:
        result: the run.
        folder: its folder.
        videos: write one video per camera.
        mosaic: write the video of all cameras.
        console: where progress is shown.
    """
    filmed = [(i, o.camera) for i, o in enumerate(result.observations) if o.camera.video is not None]
    for outcome in result.outcomes:
        target = folder_of(result, outcome, folder)
        if videos:
            totals = {camera.name: camera.frame_count for _, camera in filmed}
            with CameraProgress(totals, title="annotate", console=console) as progress:
                for index, camera in filmed:
                    annotate_video(
                        open_video(str(camera.video), image_fps=camera.fps),
                        with_identities(result, outcome, index),
                        target / "videos" / f"{camera.name}.mp4",
                        name=camera.name,
                        clock=camera.clock,
                        advance=partial(progress.advance, camera.name),
                    )
        if mosaic and filmed:
            cells = [
                MosaicCamera(
                    camera.name,
                    open_video(str(camera.video), image_fps=camera.fps),
                    camera.clock,
                    with_identities(result, outcome, index),
                    camera.frame_count,
                )
                for index, camera in filmed
            ]
            with CameraProgress({"mosaic": 0}, console=console) as progress:
                write_mosaic(cells, target / "mosaic.mp4", advance=partial(progress.advance, "mosaic"))


def with_identities(result: RunResult, outcome: Outcome, index: int) -> Tracks:
    """The boxes of a camera with the vehicles' identities as track numbers, -1 where a track has none."""
    tracks = result.observations[index].tracks
    identity = outcome.identities.of_tracks(index, tracks)
    return Tracks(np.asarray(identity, np.int32), tracks.frame, tracks.box, tracks.score, tracks.label)
