"""Class names to COCO labels."""

from __future__ import annotations

import pytest

from common.errors import InputError
from detection.vehicle_classes import VEHICLES, coco_labels


def test_names_decide_not_numbers() -> None:
    labels = coco_labels({0: "Truck", 1: "car", 3: "BUS ", 2: "tree"}, 4, VEHICLES, "w.onnx")
    assert labels.tolist() == [7, 2, -1, 5]


def test_only_wanted_vehicles() -> None:
    assert coco_labels({0: "car", 1: "bus"}, 2, (5,), "w.onnx").tolist() == [-1, 5]


def test_eighty_nameless_classes_are_cocos() -> None:
    labels = coco_labels({}, 80, VEHICLES, "w.onnx")
    assert {number: int(label) for number, label in enumerate(labels) if label >= 0} == {2: 2, 3: 3, 5: 5, 7: 7}


@pytest.mark.parametrize(("names", "count", "fault"), [({}, 3, "names none"), ({0: "cat", 1: "dog"}, 2, "cat, dog")])
def test_networks_without_vehicles_are_refused(names: dict[int, str], count: int, fault: str) -> None:
    with pytest.raises(InputError, match=rf"w\.onnx: .*{fault}"):
        coco_labels(names, count, VEHICLES, "w.onnx")
