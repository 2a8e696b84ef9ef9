"""Simulated scenarios in CityFlow's layout: videos, ground truth, regions of interest, calibrations, clocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from mtmc.simulation.assembly import Body, assemble
from mtmc.simulation.bodies import COCO_LABEL
from mtmc.simulation.conditions import Conditions
from mtmc.simulation.files import new_folder, parallel_map, write_jpeg, write_text
from mtmc.simulation.lens import Lens
from mtmc.simulation.light import Light
from mtmc.simulation.network import Network, corridor, crossing, grid
from mtmc.simulation.places import parking, viewpoint
from mtmc.simulation.renderer import MAX_DISTANCE, CameraRenderer
from mtmc.simulation.sensor import Exposure, Sensor
from mtmc.simulation.settings import SimulationSettings
from mtmc.simulation.traffic import Traffic, simulate
from mtmc.simulation.truth import Rows, annotated, region_of_interest
from mtmc.simulation.vehicles import Vehicle, population, vehicle_list

MAX_START_OFFSET = 6.0
"""Maximum start delay of a clip relative to the first one in seconds."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A complete scenario except for its rendered images.

    Attributes:
        network: road network; city: seed of the scenery; light: sun and sky.
        lenses, sensors, starts: one per camera; starts in seconds.
        vehicles: all vehicles; the last k of them are parked.
        parked: (k, 4) poses of the parked vehicles.
        traffic: trajectories of the moving vehicles.
        conditions: one per camera; None is a clear day.
    """

    network: Network
    city: int
    light: Light
    lenses: tuple[Lens, ...]
    sensors: tuple[Sensor, ...]
    starts: tuple[float, ...]
    vehicles: tuple[Vehicle, ...]
    parked: npt.NDArray[np.float64]
    traffic: Traffic
    conditions: tuple[Conditions | None, ...]


@dataclass(frozen=True, slots=True)
class _CameraTask:
    settings: SimulationSettings
    number: int
    lens: Lens
    sensor: Sensor
    conditions: Conditions | None
    start: float
    network: Network
    city: int
    light: Light
    vehicles: dict[int, Vehicle]
    parked: dict[int, npt.NDArray[np.float64]]
    traffic: Traffic
    folder: Path


def plan_scenario(settings: SimulationSettings) -> Plan:
    """Draw roads, cameras, vehicles and traffic."""
    seed = settings.seed
    network = _network(settings)
    lenses, places = [], np.random.default_rng([seed, 21])
    for camera in range(settings.cameras):
        lenses.append(_lens(settings, network, camera, places))
    looks = np.random.default_rng([seed, 22])
    sensors = tuple(Sensor.draw(looks) for _ in range(settings.cameras))
    conditions = tuple(_conditions(settings, camera) for camera in range(settings.cameras))
    starts = (0.0, *(round(float(s), 1) for s in looks.uniform(0, MAX_START_OFFSET, settings.cameras - 1)))
    span = settings.seconds + MAX_START_OFFSET
    metres = sum(float(np.linalg.norm(np.subtract(*network.nodes[[r.start, r.end]]))) * r.lanes for r in network.roads)
    warm_up = 60.0 + min(240.0, metres / 12.0)
    count = settings.vehicles
    if count is None:
        count = round(
            len(network.entries) ** 0.7 * (warm_up + span) * (0.18 if settings.layout == "corridor" else 0.10)
        )
    standing = parking(network, lenses, np.random.default_rng([seed, 23]))
    vehicles = population(count + len(standing), np.random.default_rng([seed, 24]), two_wheelers=settings.two_wheelers)
    traffic = simulate(
        network, [v.model.length for v in vehicles[:count]], span, warm_up, np.random.default_rng([seed, 25])
    )
    return Plan(
        network=network,
        city=int(np.random.default_rng([seed, 26]).integers(1 << 30)),
        light=Light.draw(np.random.default_rng([seed, 27])),
        lenses=tuple(lenses),
        sensors=tuple(c.sensor(s) if c else s for c, s in zip(conditions, sensors, strict=True)),
        starts=starts,
        vehicles=tuple(vehicles),
        parked=standing,
        traffic=traffic,
        conditions=conditions,
    )


def simulate_scenario(
    settings: SimulationSettings,
    output: Path,
    workers: int,
    progress: Callable[[int, int], None] | None = None,
    name: str = "sim",
    split: str = "validation",
) -> None:
    """Write `<output>/<split>/<name>/c0nn/...`, `<output>/cam_timestamp/<name>.txt` and
    `<output>/cam_framenum/<name>.txt`.

    As in CityFlow, `gt/gt.txt` contains the vehicles seen by at least two cameras, with boxes as annotators draw them.
    `gt/visible.txt` contains every vehicle in every frame, `frame,id,left,top,width,height,visible,inside,label`, with
    the unoccluded fraction of its silhouette, the fraction of its extent inside the image, and its COCO class. The
    output appears only when it is complete.

    Args:
        output: folder to create; must be empty if it exists.
        workers: number of processes; each renders whole cameras.
        progress: called with the number of finished cameras and of all cameras.

    Raises:
        InputError: `output` is not empty.
    """
    plan = plan_scenario(settings)
    frames = max(1, round(settings.seconds * settings.fps))
    with new_folder(output) as folder:
        scenario = folder / split / name
        names = settings.camera_names
        tasks = [_task(settings, plan, i, scenario / camera) for i, camera in enumerate(names)]
        found: list[Rows] = []
        for done, rows in enumerate(parallel_map(_film, tasks, workers), start=1):
            found.append(rows)
            if progress:
                progress(done, len(tasks))
        truths = annotated(found, [task.folder / "roi.jpg" for task in tasks])
        for task, rows, truth in zip(tasks, found, truths, strict=True):
            (task.folder / "gt").mkdir()
            write_text(task.folder / "gt" / "visible.txt", rows.lines())
            write_text(task.folder / "gt" / "gt.txt", truth)
        for kind, values in (
            ("cam_timestamp", [f"{s:.3f}" for s in plan.starts]),
            ("cam_framenum", [str(frames)] * settings.cameras),
        ):
            (folder / kind).mkdir()
            write_text(folder / kind / f"{name}.txt", [f"{c} {v}" for c, v in zip(names, values, strict=True)])
        (folder / "simulated_vehicles").mkdir()
        write_text(folder / "simulated_vehicles" / f"{name}.txt", vehicle_list(plan.vehicles))
        if any(plan.conditions):
            (folder / "simulated_conditions").mkdir()
            lines = [" ".join((camera, *settings.conditions_of(camera))) for camera in names]
            write_text(folder / "simulated_conditions" / f"{name}.txt", lines)


def _network(settings: SimulationSettings) -> Network:
    random = np.random.default_rng([settings.seed, 20])
    if settings.layout == "corridor":
        return corridor(settings.cameras, random)
    if settings.layout == "crossing":
        return crossing(random)
    return grid(settings.cameras, random)


def _conditions(settings: SimulationSettings, camera: int) -> Conditions | None:
    names = settings.conditions_of(settings.camera_names[camera])
    return Conditions.draw(names, np.random.default_rng([settings.seed, 28, camera])) if names else None


def _lens(settings: SimulationSettings, network: Network, camera: int, random: np.random.Generator) -> Lens:
    node = network.junctions[camera % len(network.junctions)]
    roads = network.roads_at[node]
    if settings.layout == "corridor":
        roads = tuple(r for r in roads if r in network.main)
    road = roads[camera % len(roads)] if settings.layout == "crossing" else roads[int(random.integers(len(roads)))]
    near = settings.layout == "crossing" or bool(random.random() < 0.5)
    return viewpoint(network, node, road, random, settings.width, settings.height, near)


def _task(settings: SimulationSettings, plan: Plan, camera: int, folder: Path) -> _CameraTask:
    lens = plan.lenses[camera]
    traffic = plan.traffic.near(lens.centre[:2], MAX_DISTANCE)
    moving = len(plan.vehicles) - len(plan.parked)
    close = np.flatnonzero(np.linalg.norm(plan.parked[:, :2] - lens.centre[:2], axis=1) < MAX_DISTANCE) + moving
    numbers = [*np.unique(traffic.vehicle).tolist(), *close.tolist()]
    return _CameraTask(
        settings=settings,
        number=camera,
        lens=lens,
        sensor=plan.sensors[camera],
        conditions=plan.conditions[camera],
        start=plan.starts[camera],
        network=plan.network,
        city=plan.city,
        light=plan.light,
        vehicles={n: plan.vehicles[n] for n in numbers},
        parked={n: plan.parked[n - moving] for n in close.tolist()},
        traffic=traffic,
        folder=folder,
    )


def _film(task: _CameraTask) -> Rows:
    """Write video, region of interest and calibration of one camera; returns every vehicle in every frame."""
    settings, lens = task.settings, task.lens
    task.folder.mkdir(parents=True)
    renderer = CameraRenderer(
        lens, task.network, task.light, task.city, image=settings.video, conditions=task.conditions
    )
    exposure = Exposure(task.sensor, lens.height, lens.width, settings.seed * 1000 + task.number)
    bodies: dict[int, Body] = {}
    rows = Rows.collector()
    writer = _Video(task.folder / "vdo.avi", settings, task.sensor.quality) if settings.video else None
    for frame in range(max(1, round(settings.seconds * settings.fps))):
        seconds = task.start + frame / settings.fps
        numbers, poses = task.traffic.at(seconds)
        seen = [*numbers.tolist(), *task.parked]
        placed = np.concatenate([poses, *(p[None] for p in task.parked.values())])
        for n in seen:
            if n not in bodies:
                bodies[n] = assemble(task.vehicles[n])
        velocity = None
        if task.conditions:
            standing = np.zeros((len(task.parked), 2))
            velocity = np.concatenate([task.traffic.velocity(seconds, numbers, poses), standing])
        rendered = renderer.render([bodies[n] for n in seen], placed, velocity=velocity, frame=frame)
        labels = [COCO_LABEL[task.vehicles[n].model.kind] for n in seen]
        rows.add(frame + 1, np.array(seen, np.int64) + 1, rendered, np.array(labels, np.int64))
        if writer:
            writer.add(exposure.apply(rendered.image, frame))
    if writer:
        writer.close()
    write_jpeg(task.folder / "roi.jpg", region_of_interest(lens, task.network), 95)
    write_text(task.folder / "calibration.txt", _calibration(lens))
    return rows.finish()


class _Video:
    """Writes H.264 in an AVI file, with one thread for reproducibility."""

    def __init__(self, path: Path, settings: SimulationSettings, quality: int) -> None:
        self._container = av.open(str(path), "w")
        self._stream = self._container.add_stream("libx264", rate=round(settings.fps))
        self._stream.width, self._stream.height, self._stream.pix_fmt = settings.width, settings.height, "yuv420p"
        self._stream.thread_count = 1
        self._stream.options = {"crf": str(quality), "preset": "veryfast", "bf": "0", "g": "50"}

    def add(self, image: npt.NDArray[np.uint8]) -> None:
        for packet in self._stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
            self._container.mux(packet)

    def close(self) -> None:
        for packet in self._stream.encode():
            self._container.mux(packet)
        self._container.close()


def _calibration(lens: Lens) -> list[str]:
    def text(matrix: npt.NDArray[np.float64]) -> str:
        return ";".join(" ".join(f"{value:.17g}" for value in row) for row in matrix)

    return [
        f"Homography matrix: {text(lens.homography())}",
        f"Intrinsic parameter matrix: {text(lens.intrinsics)}",
        f"Distortion coefficients: {lens.k1:.9g} {lens.k2:.9g} 0 0",
        "Reprojection error: 0",
    ]
