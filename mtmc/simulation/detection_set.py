"""A detection data set of simulated frames in YOLO's layout, to train a detector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.errors import InputError
from mtmc.simulation.assembly import Body, assemble
from mtmc.simulation.condition_names import Condition
from mtmc.simulation.conditions import Conditions, Mix, allot
from mtmc.simulation.files import new_folder, parallel_map, write_jpeg, write_text
from mtmc.simulation.renderer import CameraRenderer
from mtmc.simulation.scenario import Plan, plan_scenario
from mtmc.simulation.sensor import Exposure, Sensor
from mtmc.simulation.settings import SimulationSettings
from mtmc.simulation.vehicles import check_share

MIN_VISIBLE = 0.25
MIN_INSIDE = 0.12
MIN_SIDE = 9
"""Minimum side of a labelled box in pixels."""
_CAMERAS_PER_CITY = 3
"""Cameras that share roads, vehicles and light."""
_FIRST_SEED = 5_000_000
"""Seeds of detection cities start here, beyond those of any scenario that a user would request."""


@dataclass(frozen=True, slots=True)
class _CityTask:
    folder: Path
    seed: int
    city: int
    width: int
    height: int
    frames: int
    subset: str
    conditions: tuple[tuple[Condition, ...], ...]
    two_wheelers: float


def simulate_detection(
    output: Path,
    seed: int,
    frames: int,
    workers: int,
    progress: Callable[[int, int], None] | None = None,
    *,
    width: int = 960,
    height: int = 540,
    frames_per_camera: int = 12,
    mix: Mix | None = None,
    two_wheelers: float = 0.0,
) -> None:
    """Write `images/{train,val}`, `labels/{train,val}` and `data.yaml`, one class "car" for all vehicles, and a
    second one "motorcycle" if there are two-wheelers.

    Each camera contributes `frames_per_camera` frames. Every three cameras belong to a new city with different
    vehicles, light and roads, none of which occur in any scenario. The last tenth of the cities is the validation set.

    Args:
        output: folder to create.
        seed: seed of all random choices.
        frames: total number of images, rounded up to whole cities; at least two cities.
        workers: number of processes.
        progress: called with the number of finished cities and of all cities.
        width, height: image size in pixels.
        frames_per_camera: images per camera.
        mix: shares of conditions among the cameras (see `parse_mix`); None: all days are clear. Boxes and vehicles are
            the same. The conditions of each image are listed in `conditions.txt`.
        two_wheelers: share of motorcycles and scooters in the traffic.

    Raises:
        InputError: `output` is not empty, or `frames` is too small.
    """
    check_share(two_wheelers)
    frames_per_city = _CAMERAS_PER_CITY * frames_per_camera
    if frames < 2 * frames_per_city:
        raise InputError(f"--frames: must be at least {2 * frames_per_city}, not {frames}")
    cities = -(-frames // frames_per_city)
    held_out = max(1, cities // 10)
    with new_folder(output) as folder:
        for subset in ("train", "val"):
            (folder / "images" / subset).mkdir(parents=True)
            (folder / "labels" / subset).mkdir(parents=True)
        cameras = cities * _CAMERAS_PER_CITY
        climate = allot(mix, cameras, np.random.default_rng([seed, 31])) if mix else [()] * cameras
        tasks = [
            _CityTask(
                folder,
                seed,
                city,
                width,
                height,
                frames_per_camera,
                "val" if city >= cities - held_out else "train",
                tuple(climate[city * _CAMERAS_PER_CITY : (city + 1) * _CAMERAS_PER_CITY]),
                two_wheelers,
            )
            for city in range(cities)
        ]
        for done, _ in enumerate(parallel_map(_film, tasks, workers), start=1):
            if progress:
                progress(done, cities)
        second = ["  1: motorcycle"] if two_wheelers else []
        write_text(
            folder / "data.yaml",
            ["# simulated", "train: images/train", "val: images/val", "names:", "  0: car", *second],
        )
        if mix:
            lines = [
                " ".join((_name(task.city, camera, frame), *names))
                for task in tasks
                for camera, names in enumerate(task.conditions)
                for frame in range(frames_per_camera)
            ]
            write_text(folder / "conditions.txt", lines)


def _name(city: int, camera: int, frame: int) -> str:
    return f"{city:03d}_{camera}_{frame:02d}"


def _film(task: _CityTask) -> int:
    """Write the frames of one city; returns their number."""
    random = np.random.default_rng([task.seed, 30, task.city])
    settings = SimulationSettings(
        layout=("corridor", "crossing", "network")[task.city % 3],
        seed=_FIRST_SEED + task.seed * 10_000 + task.city,
        seconds=40.0,
        cameras=_CAMERAS_PER_CITY,
        width=task.width,
        height=task.height,
        two_wheelers=task.two_wheelers,
    )
    plan = plan_scenario(settings)
    bodies: dict[int, Body] = {}
    for camera in range(_CAMERAS_PER_CITY):
        names = task.conditions[camera]
        own = np.random.default_rng([task.seed, 32, task.city, camera])
        conditions = Conditions.draw(names, own) if names else None
        renderer = CameraRenderer(plan.lenses[camera], plan.network, plan.light, plan.city, conditions=conditions)
        for frame in range(task.frames):
            name = _name(task.city, camera, frame)
            _write_frame(task, plan, renderer, bodies, frame * 40.0 / task.frames, name, random, conditions)
    return _CAMERAS_PER_CITY * task.frames


def _write_frame(
    task: _CityTask,
    plan: Plan,
    renderer: CameraRenderer,
    bodies: dict[int, Body],
    seconds: float,
    name: str,
    random: np.random.Generator,
    conditions: Conditions | None,
) -> None:
    numbers, poses = plan.traffic.at(seconds)
    moving = len(plan.vehicles) - len(plan.parked)
    seen = [*numbers.tolist(), *range(moving, len(plan.vehicles))]
    placed = np.concatenate([poses, plan.parked])
    close = [i for i in range(len(seen)) if renderer.within(placed[i])]
    for i in close:
        if seen[i] not in bodies:
            bodies[seen[i]] = assemble(plan.vehicles[seen[i]])
    standing = np.zeros((len(plan.parked), 2))
    velocity = np.concatenate([plan.traffic.velocity(seconds, numbers, poses), standing])[close] if conditions else None
    rendered = renderer.render(
        [bodies[seen[i]] for i in close], placed[close], velocity=velocity, frame=round(seconds * 10)
    )
    sensor = Sensor.draw(random)
    if conditions:
        sensor = conditions.sensor(sensor)
    height, width = rendered.image.shape[:2]
    image = Exposure(sensor, height, width, int(random.integers(1 << 30))).apply(rendered.image, 0)
    picture = task.folder / "images" / task.subset / f"{name}.jpg"
    write_jpeg(picture, image[..., ::-1], 110 - 2 * sensor.quality)
    keep = (
        (rendered.visible >= MIN_VISIBLE) & (rendered.inside >= MIN_INSIDE) & (rendered.box[:, 2:] >= MIN_SIDE).all(1)
    )
    left, top, wide, high = (rendered.box[keep] / np.array([width, height, width, height])).T
    rows = np.column_stack([left + wide / 2, top + high / 2, wide, high])
    kind = [int(plan.vehicles[seen[close[i]]].rider is not None) for i in np.flatnonzero(keep)]
    lines = [f"{k} " + " ".join(f"{value:.6f}" for value in row) for k, row in zip(kind, rows, strict=True)]
    write_text(task.folder / "labels" / task.subset / f"{name}.txt", lines)
