"""Frames of simulated cameras with boxes, in YOLO's layout, to train a detector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from common.errors import InputError
from mtmc.simulation.assembly import Body, assemble
from mtmc.simulation.files import new_folder, parallel_map, write_text
from mtmc.simulation.renderer import CameraRenderer
from mtmc.simulation.scenario import Plan, plan_scenario
from mtmc.simulation.sensor import Exposure, Sensor
from mtmc.simulation.settings import SimulationSettings

MIN_VISIBLE = 0.25
MIN_INSIDE = 0.12
MIN_SIDE = 9
"""Pixels: smaller boxes are not labelled."""
_CITY = 3
"""Cameras that share roads, vehicles and sun."""
_SEEDS = 5_000_000
"""Seeds of detection cities start here: no scenario that a person asks for is among them."""


@dataclass(frozen=True, slots=True)
class _CityTask:
    folder: Path
    seed: int
    city: int
    width: int
    height: int
    frames: int
    subset: str


def simulate_detection(
    output: Path,
    seed: int,
    frames: int,
    workers: int,
    progress: Callable[[int, int], None] | None = None,
    *,
    width: int = 960,
    height: int = 540,
    frames_of_camera: int = 12,
) -> None:
    """Write `images/{train,val}`, `labels/{train,val}` and `data.yaml`, one class "car" for all vehicles.

    Every `frames_of_camera` frames come from another camera, every three cameras from another city with other
    vehicles, light and roads, none of which any scenario has. The last tenth of the cities is for validation.

    Args:
        output: folder to make.
        seed: decides everything.
        frames: images in all, rounded up to whole cities; at least two cities.
        workers: processes.
        progress: called with cities done and cities in all.
        width, height: of the images, in pixels.
        frames_of_camera: images of each camera.

    Raises:
        InputError: `output` is not empty, or too few frames.
    """
    of_city = _CITY * frames_of_camera
    if frames < 2 * of_city:
        raise InputError(f"--frames: must be at least {2 * of_city}, not {frames}")
    cities = -(-frames // of_city)
    held_out = max(1, cities // 10)
    with new_folder(output) as folder:
        for subset in ("train", "val"):
            (folder / "images" / subset).mkdir(parents=True)
            (folder / "labels" / subset).mkdir(parents=True)
        tasks = [
            _CityTask(
                folder, seed, city, width, height, frames_of_camera, "val" if city >= cities - held_out else "train"
            )
            for city in range(cities)
        ]
        for done, _ in enumerate(parallel_map(_film, tasks, workers), start=1):
            if progress:
                progress(done, cities)
        write_text(
            folder / "data.yaml",
            ["# simulated", "train: images/train", "val: images/val", "names:", "  0: car"],
        )


def _film(task: _CityTask) -> int:
    """Write one city's frames; returns their number."""
    random = np.random.default_rng([task.seed, 30, task.city])
    settings = SimulationSettings(
        layout=("corridor", "crossing", "network")[task.city % 3],
        seed=_SEEDS + task.seed * 10_000 + task.city,
        seconds=40.0,
        cameras=_CITY,
        width=task.width,
        height=task.height,
    )
    plan = plan_scenario(settings)
    bodies: dict[int, Body] = {}
    for camera in range(_CITY):
        renderer = CameraRenderer(plan.lenses[camera], plan.network, plan.light, plan.city)
        for frame in range(task.frames):
            name = f"{task.city:03d}_{camera}_{frame:02d}"
            _write_frame(task, plan, renderer, bodies, frame * 40.0 / task.frames, name, random)
    return _CITY * task.frames


def _write_frame(
    task: _CityTask,
    plan: Plan,
    renderer: CameraRenderer,
    bodies: dict[int, Body],
    seconds: float,
    name: str,
    random: np.random.Generator,
) -> None:
    numbers, poses = plan.traffic.at(seconds)
    moving = len(plan.vehicles) - len(plan.parked)
    seen = [*numbers.tolist(), *range(moving, len(plan.vehicles))]
    placed = np.concatenate([poses, plan.parked])
    close = [i for i in range(len(seen)) if renderer.within(placed[i])]
    for i in close:
        if seen[i] not in bodies:
            bodies[seen[i]] = assemble(plan.vehicles[seen[i]])
    rendered = renderer.render([bodies[seen[i]] for i in close], placed[close])
    sensor = Sensor.draw(random)
    height, width = rendered.image.shape[:2]
    image = Exposure(sensor, height, width, int(random.integers(1 << 30))).apply(rendered.image, 0)
    quality = [cv2.IMWRITE_JPEG_QUALITY, 110 - 2 * sensor.quality]
    cv2.imwrite(str(task.folder / "images" / task.subset / f"{name}.jpg"), image[..., ::-1], quality)
    keep = (
        (rendered.visible >= MIN_VISIBLE) & (rendered.inside >= MIN_INSIDE) & (rendered.box[:, 2:] >= MIN_SIDE).all(1)
    )
    left, top, wide, high = (rendered.box[keep] / np.array([width, height, width, height])).T
    rows = np.column_stack([left + wide / 2, top + high / 2, wide, high])
    lines = ["0 " + " ".join(f"{value:.6f}" for value in row) for row in rows]
    write_text(task.folder / "labels" / task.subset / f"{name}.txt", lines)
