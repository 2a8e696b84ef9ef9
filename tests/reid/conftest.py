"""Tiny data sets in the published layouts: random images of a few pixels, each identity of its own colour."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from .scenes import make_scenario

IDENTITIES = 8  # in the training part; half as many in each test part
CAMERAS = 3
IMAGES = 2  # of each identity in each camera


def write_image(path: Path, identity: int, random: np.random.Generator, height: int = 24, width: int = 28) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = np.random.default_rng(identity).integers(0, 256, 3)
    pixels = np.clip(colour + random.normal(0, 12, (height, width, 3)), 0, 255).astype(np.uint8)
    assert cv2.imwrite(str(path), pixels)


def write_lines(path: Path, lines: list[str], encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(("\n".join(lines) + "\n").encode(encoding))


def label_xml(items: list[str]) -> list[str]:
    return [
        '<?xml version="1.0" encoding="gb2312"?>',
        '<TrainingImages Version="1.0"><!-- 车辆 -->',
        f'<Items number="{len(items)}">',
        *items,
        "</Items>",
        "</TrainingImages>",
    ]


def make_veri(root: Path) -> None:
    random = np.random.default_rng(0)
    names: dict[str, list[str]] = {"train": [], "query": [], "test": []}
    for identity in range(1, IDENTITIES + IDENTITIES // 2 + 1):
        part = "train" if identity <= IDENTITIES else "test"
        for camera in range(1, CAMERAS + 1):
            for image in range(IMAGES):
                name = f"{identity:04d}_c{camera:03d}_{image:08d}_0.jpg"
                write_image(root / f"image_{part}" / name, identity, random)
                names[part].append(name)
                if part == "test" and image == 0:
                    write_image(root / "image_query" / name, identity, random)
                    names["query"].append(name)
    for part, listed in names.items():
        write_lines(root / f"name_{part}.txt", listed)
    for part in ("train", "test"):
        # Key points are left out; the last column is the viewpoint.
        views = [f"/somewhere/image_{part}/{name} 1 2 {row % 8}" for row, name in enumerate(names[part])]
        write_lines(root / f"keypoint_{part}.txt", views[1:])
        items = [
            f'<Item imageName="{n}" vehicleID="{n[:4]}" cameraID="{n[5:9]}" colorID="1" typeID="4"/>'
            for n in names[part]
        ]
        write_lines(root / f"{part}_label.xml", label_xml(items), "gb2312")
    gallery = names["test"]
    for listing, same_camera in (("gt_index.txt", False), ("jk_index.txt", True)):
        lines = []
        for query in names["query"]:
            rows = [
                str(row)
                for row, name in enumerate(gallery, start=1)
                if name[:4] == query[:4] and (name[5:9] == query[5:9]) == same_camera
            ]
            lines.append(" ".join(rows))
        write_lines(root / listing, lines)


def make_vehicleid(root: Path) -> None:
    random = np.random.default_rng(1)
    lists: dict[str, list[str]] = {"train_list": [], **{f"test_list_{n}": [] for n in (800, 1600, 2400)}}
    number = 0
    for identity in range(IDENTITIES + IDENTITIES // 2):
        for _ in range(CAMERAS * IMAGES):
            number += 1
            write_image(root / "image" / f"{number:07d}.jpg", identity, random)
            for listing in ["train_list"] if identity < IDENTITIES else [k for k in lists if k != "train_list"]:
                lists[listing].append(f"{number:07d} {identity}")
    for listing, lines in lists.items():
        write_lines(root / "train_test_split" / f"{listing}.txt", lines)


def make_veriwild(root: Path) -> None:
    random = np.random.default_rng(2)
    info = ["id/image;Camera ID;Time;Model;Type;Color"]
    train, query, test = [], [], []
    for identity in range(1, IDENTITIES + IDENTITIES // 2 + 1):
        for number in range(CAMERAS * IMAGES):
            name = f"{identity:05d}/{identity * 100 + number:06d}"
            write_image(root / "images" / f"{name}.jpg", identity, random)
            info.append(f"{name};{number % CAMERAS + 1};2018-03-11 08:00:00;Audi;SUV;white")
            if identity <= IDENTITIES:
                train.append(name)
            else:
                test.append(name)
                if number == 0:
                    query.append(name)
    write_lines(root / "train_test_split" / "vehicle_info.txt", info)
    write_lines(root / "train_test_split" / "train_list.txt", train)
    for size in (3000, 5000, 10000):
        write_lines(root / "train_test_split" / f"test_{size}.txt", test)
        write_lines(root / "train_test_split" / f"test_{size}_query.txt", query)


def make_cityflow(root: Path) -> None:
    random = np.random.default_rng(3)
    items = []
    for number in range(IDENTITIES * CAMERAS * IMAGES):
        identity, camera = number // (CAMERAS * IMAGES) + 1, number % CAMERAS + 1
        write_image(root / "image_train" / f"{number:06d}.jpg", identity, random)
        items.append(f'<Item imageName="{number:06d}.jpg" vehicleID="{identity:04d}" cameraID="c{camera:03d}" />')
    write_lines(root / "train_label.xml", label_xml(items), "gb2312")
    for identity in (1, 2, 3):
        for camera in (1, 2):
            write_image(root / "sys_image_train" / f"{identity:05d}_c{camera:03d}_1.jpg", 100 + identity, random)


def make_vric(root: Path) -> None:
    random = np.random.default_rng(4)
    lists: dict[str, list[str]] = {"train": [], "probe": [], "gallery": []}
    for identity in range(1, IDENTITIES + IDENTITIES // 2 + 1):
        for camera in range(1, CAMERAS + 1):
            for image in range(IMAGES):
                name = f"{identity:04d}_{camera}_{image}.jpg"
                part = "train" if identity <= IDENTITIES else {(1, 0): "probe", (2, 0): "gallery"}.get((camera, image))
                if part:
                    write_image(root / f"{part}_images" / name, identity, random)
                    lists[part].append(f"{name} {identity} {camera}")
    for part, lines in lists.items():
        write_lines(root / f"vric_{part}.txt", lines)


def make_roundabouthd(root: Path) -> None:
    random = np.random.default_rng(6)
    for identity in range(1, IDENTITIES + IDENTITIES // 2 + 1):
        for camera in range(1, CAMERAS + 1):
            for image in range(IMAGES):
                part = "train" if identity <= IDENTITIES else ("query", "test")[image]
                name = f"{identity:04d}_cam{camera:02d}_{image:06d}.jpg"
                write_image(root / "ReID_subset" / f"{part}_images" / name, identity, random)


def make_folder(root: Path) -> None:
    random = np.random.default_rng(5)
    for identity in range(IDENTITIES):
        for camera in range(1, CAMERAS + 1):
            for image in range(IMAGES):
                write_image(root / f"{identity:03d}" / f"c{camera}_{image}.jpg", identity, random)


MAKERS: dict[str, Callable[[Path], None]] = {
    "veri": make_veri,
    "vehicleid": make_vehicleid,
    "veriwild": make_veriwild,
    "cityflow": make_cityflow,
    "vric": make_vric,
    "roundabouthd": make_roundabouthd,
    "folder": make_folder,
}


@pytest.fixture
def make_dataset(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a fresh tiny data set by name and returns its folder; the test may damage it."""

    def make(name: str) -> Path:
        MAKERS[name](tmp_path / name)
        return tmp_path / name

    return make


@pytest.fixture(scope="session")
def tiny_datasets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds every tiny data set under its name. Read only."""
    root = tmp_path_factory.mktemp("datasets")
    for name, maker in MAKERS.items():
        maker(root / name)
    return root


@pytest.fixture(scope="session")
def tiny_scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data root with scenario S01: two cameras in CityFlow's layout, and one box that drives from one to the other."""
    root = tmp_path_factory.mktemp("cityflow")
    make_scenario(root, "S01", ["c001", "c002"], truth=False)
    return root
