"""Detections from other libraries, and to a data frame."""

from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from common.errors import InputError
from detection.detections import Detections
from detection.ultralytics_package import ultralytics_module


def result_of(boxes: list[list[float]], classes: list[int], names: dict[int, str]) -> SimpleNamespace:
    """What ultralytics returns for a frame, as far as it is read."""
    table = torch.tensor(boxes).reshape(-1, 4)
    found = SimpleNamespace(xyxy=table, conf=torch.full((len(boxes),), 0.5), cls=torch.tensor(classes).float())
    return SimpleNamespace(boxes=found, names=names)


def test_ultralytics_results_are_numbered_and_only_vehicles_stay() -> None:
    names = {0: "person", 1: "truck"}
    results = [result_of([[1, 2, 11, 22], [0, 0, 5, 5]], [1, 0], names), result_of([], [], names)]
    found = Detections.from_ultralytics([*results, results[0]], first_frame=7)
    assert found.frame.tolist() == [7, 9]
    assert found.box.tolist() == [[1, 2, 10, 20]] * 2
    assert found.label.tolist() == [7, 7]
    assert len(Detections.from_ultralytics(results[0])) == 1
    with pytest.raises(InputError, match="none of its classes is a wanted vehicle"):
        Detections.from_ultralytics(result_of([], [], {0: "person"}))


def test_the_real_results_of_ultralytics_are_read() -> None:
    if find_spec("ultralytics") is None:  # not `importorskip`: an unguarded import changes the process
        pytest.skip("the extra yolo is not installed")
    engine = ultralytics_module("ultralytics.engine.results")
    boxes = torch.tensor([[10.0, 20, 30, 50, 0.9, 2]])
    real = engine.Results(np.zeros((60, 80, 3), np.uint8), "frame.jpg", {0: "person", 2: "car"}, boxes=boxes)
    found = Detections.from_ultralytics([real])
    assert found.box.tolist() == [[10, 20, 20, 30]]
    assert found.label.tolist() == [2]


@pytest.mark.parametrize(
    ("more", "labels"),
    [
        ({"class_id": np.array([2, 0])}, [2]),
        ({"class_id": np.array([0, 1]), "data": {"class_name": np.array(["Van", "tree"])}}, [2]),
        ({}, [-1, -1]),
    ],
)
def test_detections_of_supervision_keep_their_classes(more: dict[str, object], labels: list[int]) -> None:
    given = {"xyxy": np.array([[1, 2, 11, 22], [0, 0, 5, 5]]), "confidence": None, "class_id": None, "data": {}}
    found = Detections.from_supervision(SimpleNamespace(**given | more), frame=3)
    assert found.label.tolist() == labels
    assert found.box[0].tolist() == [1, 2, 10, 20]
    assert set(found.frame.tolist()) == {3}


def test_a_data_frame_has_a_row_for_each_box() -> None:
    table = Detections.of([1, 2], [[0, 1, 2, 3]] * 2, [0.5, 0.25], [2, -1]).to_polars()
    assert table.columns == ["frame", "left", "top", "width", "height", "score", "class"]
    assert table["class"].to_list() == ["car", None]
    assert len(Detections.empty().to_polars()) == 0
