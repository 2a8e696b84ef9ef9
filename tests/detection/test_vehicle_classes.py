"""Class names to COCO labels."""

from __future__ import annotations

import pytest

from common.errors import InputError
from detection.vehicle_classes import VEHICLES, coco_label, coco_labels


def test_names_decide_not_numbers() -> None:
    labels = coco_labels({0: "Truck", 1: "car", 3: "BUS ", 2: "tree"}, 4, VEHICLES, "w.onnx")
    assert labels.tolist() == [7, 2, -1, 5]


def test_only_wanted_vehicles() -> None:
    assert coco_labels({0: "car", 1: "bus"}, 2, (5,), "w.onnx").tolist() == [-1, 5]


def test_eighty_nameless_classes_are_cocos() -> None:
    labels = coco_labels({}, 80, VEHICLES, "w.onnx")
    assert {number: int(label) for number, label in enumerate(labels) if label >= 0} == {2: 2, 3: 3, 5: 5, 7: 7}


@pytest.mark.parametrize(
    ("names", "count", "fault"), [({}, 3, "does not name its 3 classes"), ({0: "cat", 1: "dog"}, 2, "cat, dog")]
)
def test_networks_without_vehicles_are_refused(names: dict[int, str], count: int, fault: str) -> None:
    with pytest.raises(InputError, match=rf"w\.onnx: .*{fault}"):
        coco_labels(names, count, VEHICLES, "w.onnx")


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Cars", 2), ("TRUCK", 7), ("Trucks", 7), ("buses", 5), ("Lorries", 7), ("large-vehicle", 7),
        ("Motor_Vehicle", 2), ("pickup truck", 2), ("SUVs", 2), ("person", -1), ("bus stop", -1), ("", -1), ("s", -1),
    ],
)  # fmt: skip
def test_capitals_and_plurals_are_plain(name: str, label: int) -> None:
    assert coco_label(name) == label


def test_the_user_says_which_classes_are_vehicles() -> None:
    names = {0: "object", 1: "Car", 2: "train"}
    assert coco_labels(names, 3, VEHICLES, "w.onnx", {"Object": "Trucks"}).tolist() == [7, 2, -1]
    assert coco_labels(names, 3, VEHICLES, "w.onnx", {2: "bus", "car": None}).tolist() == [-1, -1, 5]
    assert coco_labels(names, 3, VEHICLES, "w.onnx", "all").tolist() == [2, 2, 2]
    assert coco_labels({}, None, VEHICLES, "w.onnx", {4: "car"}).tolist() == [-1, -1, -1, -1, 2]
    assert coco_labels({}, 2, VEHICLES, "w.onnx", "all").tolist() == [2, 2]


@pytest.mark.parametrize(
    ("classes", "fault"),
    [
        ({"objet": "car"}, r"no class objet; did you mean object\?; it has object"),
        ({3: "car"}, "no class 3"),
        ({"object": "boat"}, "object: boat is not a vehicle"),
        ({"object": None}, r"none of its classes is a wanted vehicle \(it has object"),
    ],
)
def test_a_wrong_choice_of_classes(classes: dict[str | int, str | None], fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        coco_labels({0: "object"}, 1, VEHICLES, "w.onnx", classes)
