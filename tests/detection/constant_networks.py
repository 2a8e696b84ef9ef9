"""ONNX detectors that give the same answer whatever they see, in the layouts of other projects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 160
CAR = (80.0, 80.0, 50.0, 30.0)
"""Centre x, centre y, width, height of the one car in an input of SIDE x SIDE."""
CAR_BOX = [55.0, 65.0, 50.0, 30.0]
"""The same as left, top, width, height."""
ANCHORS = 525
"""Cells of the grids of strides 8, 16 and 32 at that size."""
COCO = {0: "person", 1: "bicycle", 2: "car", 3: "motorcycle", 4: "airplane", 5: "bus", 6: "train", 7: "truck"} | {
    number: f"thing{number}" for number in range(8, 80)
}
ULTRALYTICS: dict[str, Any] = {"task": "detect", "names": COCO, "stride": 32, "imgsz": [SIDE, SIDE], "batch": 1}
Array = npt.NDArray[np.float64]


def per_class(classes: int = 80, extra: Sequence[float] = (), car: int = 2) -> Array:
    """YOLOv8's layout, (1, 4 + classes + extra, ANCHORS)."""
    table = np.zeros((1, 4 + classes + len(extra), ANCHORS))
    table[0, :4] = np.array([5, 5, 2, 2])[:, None]
    table[0, :4, 0], table[0, 4 + car, 0], table[0, 4 + classes :, 0] = CAR, 0.9, extra
    return table


def with_objectness(classes: int = 80, extra: Sequence[float] = (), car: int = 2) -> Array:
    """YOLOv5's layout, (1, 3 ANCHORS, 5 + classes + extra); another box has a better class score and no object."""
    table = np.zeros((1, 3 * ANCHORS, 5 + classes + len(extra)))
    table[0, :, :4], table[0, :, 4], table[0, :, 5 : 5 + classes] = (5, 5, 2, 2), 0.001, 0.99
    table[0, 100, 5 : 5 + classes] = 0.01
    table[0, 100, :4], table[0, 100, 4], table[0, 100, 5 + car] = CAR, 0.95, 0.95
    return table


def selected(extra: Sequence[float] = (), box: Sequence[float] = (55, 65, 105, 95), car: int = 2) -> Array:
    """The layout of networks that select their boxes, (1, 300, 6 + extra)."""
    table = np.zeros((1, 300, 6 + len(extra)))
    table[0, 0] = (*box, 0.9, car, *extra)
    return table


def write_network(
    path: Path,
    outputs: Mapping[str, npt.NDArray[Any]],
    metadata: Mapping[str, object] | None = None,
    *,
    shape: Sequence[int | str] = (1, 3, SIDE, SIDE),
    input_type: int = TensorProto.FLOAT,
    output_type: int = TensorProto.FLOAT,
    output_shapes: Mapping[str, Sequence[int | str]] | None = None,
) -> Path:
    """Write such a network.

    Args:
        path: the `.onnx`.
        outputs: the answers by name.
        metadata: as ultralytics writes it.
        shape: of the input; text stands for any length.
        input_type, output_type: of ONNX.
        output_shapes: of outputs that do not announce their true shapes.
    """
    announced = output_shapes or {}
    nodes = [
        helper.make_node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
    ]
    constants = [numpy_helper.from_array(np.array(0, np.float32), "zero")]
    for name, value in outputs.items():
        constants.append(numpy_helper.from_array(value.astype(np.float32), f"{name}_answer"))
        nodes.append(helper.make_node("Add", [f"{name}_answer", "nothing"], [f"{name}_float"]))
        nodes.append(helper.make_node("Cast", [f"{name}_float"], [name], to=output_type))
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("images", input_type, list(shape))],
        [
            helper.make_tensor_value_info(name, output_type, list(announced.get(name, value.shape)))
            for name, value in outputs.items()
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    for key, value in (metadata or {}).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, str(value)
    onnx.save(model, str(path))
    return path
