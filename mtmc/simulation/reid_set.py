"""A re-identification data set of simulated vehicles in VeRi-776's layout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from common.errors import InputError
from mtmc.simulation.assembly import assemble
from mtmc.simulation.condition_names import Condition
from mtmc.simulation.conditions import Conditions, Mix, allot
from mtmc.simulation.files import new_folder, parallel_map, write_text
from mtmc.simulation.lens import Lens
from mtmc.simulation.light import Light
from mtmc.simulation.network import corridor, grid
from mtmc.simulation.parts import PARTS, split_parts
from mtmc.simulation.places import passages, viewpoint
from mtmc.simulation.renderer import CameraRenderer
from mtmc.simulation.sensor import Exposure, Sensor
from mtmc.simulation.vehicles import Vehicle, check_share, population, vehicle_list

_WIDTH, _HEIGHT = 960, 540
_SNAPSHOTS = 7
_GROUP_SIZE = 5
"""Vehicles that pass a camera at the same time and may occlude each other."""
_SPEEDS = (2.0, 15.0)
"""Range of the vehicles' speeds in metres per second, for motion blur."""
_TIMES = 2
"""Times at which each camera films; conditions are drawn for each."""
_COLOURS = {
    "yellow": 1,
    "green": 3,
    "grey": 4,
    "silver": 4,
    "red": 5,
    "blue": 6,
    "white": 7,
    "beige": 8,
    "brown": 9,
    "black": 10,
}
_TYPES = {
    "sedan": 1, "suv": 2, "van": 3, "hatchback": 4, "pickup": 6, "bus": 7, "truck": 8, "motorcycle": 10, "scooter": 11
}  # fmt: skip
"""VeRi-776's colour and type numbers; VeRi-776 has no two-wheelers, which follow its last type."""
_NARROW = 0.5
"""Fraction of the minimum side that suffices for a two-wheeler, which is half as wide as a car."""


@dataclass(frozen=True, slots=True)
class _ImageFile:
    name: str
    identity: int
    camera: int
    time: int
    jpeg: bytes
    parts: bytes = b""
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class _CameraTask:
    camera: int
    cameras: int
    seed: int
    identities: tuple[int, ...]
    vehicles: tuple[Vehicle, ...]
    min_side: int
    min_visible: float
    min_inside: float
    parts: bool
    conditions: tuple[tuple[Condition, ...], ...]


@dataclass(frozen=True, slots=True)
class _Time:
    """A camera at a time of one weather."""

    renderer: CameraRenderer
    exposure: Exposure
    sensor: Sensor


def simulate_reid(
    output: Path,
    seed: int,
    identities: int,
    workers: int,
    progress: Callable[[int, int], None] | None = None,
    cameras: int = 20,
    min_side: int = 36,
    min_visible: float = 0.5,
    min_inside: float = 0.8,
    parts: bool = False,
    mix: Mix | None = None,
    two_wheelers: float = 0.0,
) -> None:
    """Write a re-id data set with three quarters of the identities for training and one quarter for testing.

    Every identity is seen by four to six cameras, in about five images each. At least half of the identities have a
    look-alike of the same model and paint in the same split. Layout, names and lists are those of VeRi-776 (Liu et al.
    2016); queries are part of image_test, and gallery images with the query's identity and camera are junk.

    Args:
        output: folder to create; must be empty if it exists.
        seed: seed of all random choices.
        identities: at least 8.
        workers: number of processes.
        progress: called with the number of finished cameras and of all cameras.
        cameras: at least 2.
        min_side: minimum shorter side of a vehicle's box in pixels.
        min_visible: minimum fraction of a vehicle's silhouette that is not occluded.
        min_inside: minimum fraction of a vehicle inside the camera image.
        parts: also write `parts_{train,test,query}/<image>.png`: masks of the vehicle's front (1), back (2), roof (3)
            and side (4); everything else, other vehicles included, is 0. The images are the same with and without.
        mix: shares of conditions (see `parse_mix`); None: all days are clear. Each camera films at up to two times of
            different conditions, and each vehicle passes it at one of them. Vehicles, poses and names are the same. The
            conditions of each image are listed in `conditions.txt`.
        two_wheelers: share of motorcycles and scooters among the identities, for which half of `min_side` suffices.

    Raises:
        InputError: `output` is not empty, there are too few identities, or a minimum is out of range.
    """
    if identities < 8:
        raise InputError(f"--identities: must be at least 8, not {identities}")
    if min_side < 1:
        raise InputError(f"--min-side: must be at least 1 pixel, not {min_side}")
    check_share(two_wheelers)
    for name, share in (("visible", min_visible), ("inside", min_inside)):
        if not 0 < share <= 1:
            raise InputError(f"--min-{name}: must be above 0 and at most 1, not {share:g}")
    random = np.random.default_rng([seed, 10])
    test_identities = max(2, identities // 4)
    vehicles = [
        vehicle
        for count in (identities - test_identities, test_identities)
        for vehicle in population(count, random, two_wheelers=two_wheelers)
    ]
    seen_by: list[list[int]] = [[] for _ in range(cameras)]
    for number in range(identities):
        for camera in random.choice(cameras, min(cameras, int(random.integers(4, 7))), replace=False):
            seen_by[int(camera)].append(number)
    times = cameras * _TIMES
    climate = allot(mix, times, np.random.default_rng([seed, 15])) if mix else [()] * times
    tasks = [
        _CameraTask(
            camera,
            cameras,
            seed,
            tuple(n + 1 for n in numbers),
            tuple(vehicles[n] for n in numbers),
            min_side,
            min_visible,
            min_inside,
            parts,
            tuple(climate[camera * _TIMES : (camera + 1) * _TIMES]),
        )
        for camera, numbers in enumerate(seen_by)
    ]
    with new_folder(output) as folder:
        images: list[_ImageFile] = []
        for done, found in enumerate(parallel_map(_film, tasks, workers), start=1):
            images += found
            if progress:
                progress(done, len(tasks))
        images.sort(key=lambda p: p.name)
        _write(folder, images, vehicles, identities - test_identities, np.random.default_rng([seed, 11]))
        if mix:
            write_text(folder / "conditions.txt", [" ".join((p.name, *p.conditions)) for p in images])


def _write(
    folder: Path,
    images: Sequence[_ImageFile],
    vehicles: Sequence[Vehicle],
    train_identities: int,
    random: np.random.Generator,
) -> None:
    train = [p for p in images if p.identity <= train_identities]
    test = [p for p in images if p.identity > train_identities]
    by_track: dict[tuple[int, int], list[_ImageFile]] = {}
    for image in test:
        by_track.setdefault((image.identity, image.camera), []).append(image)
    cameras_of: dict[int, int] = {}
    for number, _ in by_track:
        cameras_of[number] = cameras_of.get(number, 0) + 1
    query = [t[int(random.integers(len(t)))] for (number, _), t in by_track.items() if cameras_of[number] > 1]
    for name, subset in (("train", train), ("test", test), ("query", query)):
        (folder / f"image_{name}").mkdir()
        for image in subset:
            (folder / f"image_{name}" / image.name).write_bytes(image.jpeg)
        write_text(folder / f"name_{name}.txt", [p.name for p in subset])
        if any(image.parts for image in subset):
            (folder / f"parts_{name}").mkdir()
            for image in subset:
                (folder / f"parts_{name}" / image.name).with_suffix(".png").write_bytes(image.parts)
    identity, camera = np.array([p.identity for p in test]), np.array([p.camera for p in test])
    good, junk = [], []
    for image in query:
        same = identity == image.identity
        here = camera == image.camera
        good.append(" ".join(map(str, np.flatnonzero(same & ~here) + 1)))
        junk.append(" ".join(map(str, np.flatnonzero(same & here) + 1)))
    write_text(folder / "gt_index.txt", good)
    write_text(folder / "jk_index.txt", junk)
    write_text(folder / "test_track.txt", [" ".join(p.name for p in track) for track in by_track.values()])
    for name, title, subset in (("train", "TrainingImages", train), ("test", "TestImages", test)):
        items = [
            f'    <Item imageName="{p.name}" vehicleID="{p.identity:04d}" cameraID="c{p.camera:03d}" '
            + _colour_and_type(vehicles[p.identity - 1])
            for p in subset
        ]
        lines = [
            '<?xml version="1.0" encoding="gb2312"?>',
            f'<{title} Version="1.0">',
            f'  <Items number="{len(subset)}">',
        ]
        write_text(folder / f"{name}_label.xml", [*lines, *items, "  </Items>", f"</{title}>"])
    write_text(folder / "simulated_vehicles.txt", vehicle_list(vehicles))


def _colour_and_type(vehicle: Vehicle) -> str:
    return f'colorID="{_COLOURS[vehicle.paint]}" typeID="{_TYPES[vehicle.model.kind]}"/>'


def _film(task: _CameraTask) -> list[_ImageFile]:
    """Render all images of one camera."""
    random = np.random.default_rng([task.seed, 12, task.camera])
    city = int(np.random.default_rng([task.seed, 13]).integers(1 << 30))
    layout = np.random.default_rng([task.seed, 14])
    network = corridor(task.cameras, layout) if task.camera % 2 else grid(task.cameras, layout)
    node = network.junctions[task.camera % len(network.junctions)]
    road = network.roads_at[node][int(random.integers(len(network.roads_at[node])))]
    lens = viewpoint(network, node, road, random, _WIDTH, _HEIGHT, near=bool(random.random() < 0.5))
    light = Light.draw(random)
    sensor = Sensor.draw(random)
    climate = np.random.default_rng([task.seed, 16, task.camera])
    times: dict[tuple[Condition, ...], _Time] = {}
    for names in sorted(set(task.conditions)):
        conditions = Conditions.draw(names, climate) if names else None
        seen = conditions.sensor(sensor) if conditions else sensor
        times[names] = _Time(
            CameraRenderer(lens, network, light, city, conditions=conditions),
            Exposure(seen, _HEIGHT, _WIDTH, task.camera),
            seen,
        )
    paths = _visible_paths(lens, passages(network, node), task.min_side, task.min_inside)
    min_sides = {
        n: task.min_side * (_NARROW if v.rider else 1) for n, v in zip(task.identities, task.vehicles, strict=True)
    }
    bodies = {n: assemble(v) for n, v in zip(task.identities, task.vehicles, strict=True)}
    divided = (
        {n: split_parts(bodies[n], v.model) for n, v in zip(task.identities, task.vehicles, strict=True)}
        if task.parts
        else {}
    )
    taken: dict[int, list[_ImageFile]] = {n: [] for n in task.identities}
    frame = 0
    for _ in range(12):
        missing = [n for n in task.identities if len(taken[n]) < 3]
        if not missing:
            break
        order = [missing[i] for i in random.permutation(len(missing))]
        for first in range(0, len(order), _GROUP_SIZE):
            group = order[first : first + _GROUP_SIZE]
            ways = [paths[int(random.integers(len(paths)))] for _ in group]
            phase = random.uniform(-0.08, 0.08, len(group))
            names = task.conditions[int(climate.integers(_TIMES))]
            time_of_day, speed = times[names], climate.uniform(*_SPEEDS, len(group))
            frame += 200
            for snapshot in range(_SNAPSHOTS):
                poses = _poses(ways, (snapshot + 0.5) / _SNAPSHOTS + phase)
                apart = _apart(poses, np.array([bodies[n].length for n in group]))
                present = [n for n, keep in zip(group, apart, strict=True) if keep]
                heading = poses[apart, 3]
                velocity = np.column_stack([np.cos(heading), np.sin(heading)]) * speed[apart, None]
                rendered = time_of_day.renderer.render(
                    [bodies[n] for n in present], poses[apart], velocity=velocity, frame=frame + snapshot
                )
                captured = time_of_day.exposure.apply(rendered.image, frame + snapshot)
                image = _compress(captured, time_of_day.sensor.quality)
                labels = None
                if task.parts:
                    pieces = [piece for n in present for piece in divided[n]]
                    labels = time_of_day.renderer.label_image(pieces, np.repeat(poses[apart], len(PARTS), axis=0))
                for place, (n, box, visible, inside) in enumerate(
                    zip(present, rendered.box, rendered.visible, rendered.inside, strict=True)
                ):
                    small = min(box[2], box[3]) < min_sides[n]
                    if visible < task.min_visible or inside < task.min_inside or small or len(taken[n]) >= 6:
                        continue
                    time = frame + snapshot * 9
                    name = f"{n:04d}_c{task.camera + 1:03d}_{time:08d}_{len(taken[n])}.jpg"
                    window = _window(image.shape, box, random)
                    mask = b"" if labels is None else _mask(labels[window], place)
                    taken[n].append(_ImageFile(name, n, task.camera + 1, time, _jpeg(image[window]), mask, names))
    return [p for images in taken.values() for p in images]


def _visible_paths(
    lens: Lens, paths: Sequence[npt.NDArray[np.float64]], min_side: int, min_inside: float
) -> list[npt.NDArray[np.float64]]:
    """The longest part of each path where a car is inside the image and large enough, with a margin of eight pixels."""
    edge = 0.46 + max(0.0, 0.8 - min_inside) / 4
    result = []
    for path in paths:
        pixels, depth = lens.project(np.column_stack([path, np.full(len(path), 0.8)]))
        near = (depth > 4) & (lens.focal * 1.5 / np.maximum(depth, 0.1) > min_side + 8)
        with np.errstate(invalid="ignore"):
            within = (np.abs(pixels / [lens.width, lens.height] - 0.5) < edge).all(1)
        inside = np.flatnonzero(near & within)
        if len(inside) > 16:
            runs = np.split(inside, np.flatnonzero(np.diff(inside) > 1) + 1)
            longest = max(runs, key=len)
            if len(longest) > 16:
                result.append(path[longest])
    return result


def _poses(ways: Sequence[npt.NDArray[np.float64]], progress: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    rows = []
    for way, share in zip(ways, progress, strict=True):
        at = int(np.clip(share * (len(way) - 3), 1, len(way) - 3))
        step = way[at + 1] - way[at - 1]
        rows.append([*way[at], 0.0, float(np.arctan2(step[1], step[0]))])
    return np.array(rows)


def _apart(poses: npt.NDArray[np.float64], lengths: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Mask of vehicles to keep so that none overlap; earlier ones take precedence."""
    keep = np.ones(len(poses), np.bool_)
    for i in range(len(poses)):
        offset = poses[:i, :2] - poses[i, :2]
        c, s = np.cos(poses[i, 3]), np.sin(poses[i, 3])
        along, across = np.abs(offset @ [c, s]), np.abs(offset @ [-s, c])
        turned = np.abs(np.sin(poses[:i, 3] - poses[i, 3])) > 0.3
        clear = (across > np.where(turned, 6.0, 2.6)) | (along > (lengths[:i] + lengths[i]) / 2 + 0.8)
        keep[i] = bool((clear | ~keep[:i]).all())
    return keep


def _compress(image: npt.NDArray[np.uint8], quality: int) -> npt.NDArray[np.uint8]:
    """Apply compression artefacts to a frame; returns BGR. JPEG stands in for H.264: it looks similar at these sizes
    and needs no stream."""
    bgr = np.ascontiguousarray(image[..., ::-1])
    data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 110 - 2 * quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))


def _window(shape: tuple[int, ...], box: npt.NDArray[np.float32], random: np.random.Generator) -> tuple[slice, slice]:
    """A box with a random offset, like that of a detector, as rows and columns of an image."""
    left, top, width, height = (float(v) for v in box)
    low, high = random.normal(0.01, 0.035, (2, 2))
    x0, y0 = max(0, round(left - low[0] * width)), max(0, round(top - low[1] * height))
    x1 = min(shape[1], round(left + width * (1 + high[0])))
    y1 = min(shape[0], round(top + height * (1 + high[1])))
    return slice(y0, y1), slice(x0, x1)


def _jpeg(image: npt.NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes())


def _mask(labels: npt.NDArray[np.int16], place: int) -> bytes:
    """PNG of the parts of one vehicle: labels of the pieces of vehicle `place` to 1..4, all others to 0."""
    part = labels.astype(np.int64) - len(PARTS) * place
    own = np.where((part > 0) & (part <= len(PARTS)), part, 0).astype(np.uint8)
    return bytes(cv2.imencode(".png", own)[1].tobytes())
