"""CityFlowV2-ReID: Track 2 of the AI City Challenge 2021 (Z. Tang et al., CVPR 2019)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from common.errors import InputError
from reid.datasets.dataset import Dataset
from reid.datasets.files import as_number, check_images, count_notes, list_images, read_label_xml, require
from reid.datasets.holdout import hold_out
from reid.datasets.table import ImageTable

PUBLISHED_TRAIN: dict[str, tuple[int, int | None]] = {"train": (52_717, 440)}
_SYNTHETIC = re.compile(r"^(\d{5})..(\d{3})")


def load_cityflow(root: Path, *, holdout: float = 0.25, seed: int = 0, synthetic: bool = False) -> Dataset:
    """Read CityFlowV2-ReID in its distributed layout: `image_train/` with `train_label.xml` (gb2312).

    The challenge does not publish the identities of `image_query` and `image_test`, so the test set consists of
    held-out training identities; its metrics are not comparable with the leader board.

    Args:
        root: the folder that holds `image_train` and `train_label.xml` (`AIC21_Track2_ReID`).
        holdout: fraction of the training identities used as test set; 0 trains on all of them.
        seed: seed of that choice.
        synthetic: add the rendered vehicles of `sys_image_train/` (in `root`, or next to it in
            `AIC21_Track2_ReID_Simulation`) to the training images, with separate identities and cameras.
    """
    labels = require(root, "train_label.xml", "CityFlowV2-ReID")
    folder = require(root, "image_train", "CityFlowV2-ReID")
    items = read_label_xml(labels)
    for number, item in enumerate(items, start=1):
        absent = {"imageName", "vehicleID", "cameraID"} - item.keys()
        if absent:
            raise InputError(f"{labels}: item {number} lacks {', '.join(sorted(absent))}")
    paths = [str(folder / item["imageName"]) for item in items]
    check_images(paths, labels, "CityFlowV2-ReID")
    table = ImageTable.of(
        paths,
        [as_number(item["vehicleID"], labels, "vehicleID") for item in items],
        [as_number(item["cameraID"], labels, "cameraID") for item in items],
    )
    notes = count_notes(PUBLISHED_TRAIN, {"train": table}, "CityFlowV2-ReID")
    train, split = hold_out(table, holdout, seed)
    if synthetic:
        train = ImageTable.concatenate([train, _read_synthetic(root, table)])
    return Dataset("cityflow", train, (split,) if holdout else (), tuple(notes))


def _read_synthetic(root: Path, real: ImageTable) -> ImageTable:
    beside = f"../{root.resolve().name}_Simulation/sys_image_train"
    folder = require(root, "sys_image_train", "CityFlowV2-ReID synthetic", [beside])
    names = list_images(folder)
    matches = [_SYNTHETIC.match(name) for name in names]
    for name, match in zip(names, matches, strict=True):
        if match is None:
            raise InputError(f"{folder / name}: characters 1-5 must be the identity and 8-10 the camera")
    identity = np.array([int(m.group(1)) for m in matches if m], np.int64)
    camera = np.array([int(m.group(2)) for m in matches if m], np.int64)
    # Identities and cameras of the rendered vehicles start from 1, too: offset them past the real ones.
    return ImageTable.of(
        [str(folder / name) for name in names],
        identity + int(real.identity.max(initial=0)) + 1,
        camera + int(real.camera.max(initial=0)) + 1,
    )
