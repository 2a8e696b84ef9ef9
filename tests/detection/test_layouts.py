"""Shapes and metadata to layouts; `test_foreign_networks` has whole networks."""

from __future__ import annotations

import pytest

from common.errors import InputError
from detection.layouts import LAYOUTS, Metadata, OutputShape, read_layout

NAMES = {number: f"thing{number}" for number in range(80)}
ONE = {0: "car"}
TWO = {0: "car", 1: "truck"}


def read(*shapes: tuple[int | None, ...], layout: str | None = None, size: int = 640, **metadata: object) -> str:
    outputs = tuple(OutputShape(f"o{number}", shape) for number, shape in enumerate(shapes))
    found = read_layout(
        outputs, Metadata(**metadata), source="x.onnx", input_size=(size, size), layout=layout  # type: ignore[arg-type]
    )  # fmt: skip
    return found.name


@pytest.mark.parametrize(
    ("shapes", "metadata", "name"),
    [
        ([(1, 84, 8400)], {"names": NAMES}, "yolov8"),
        ([(1, 84, None)], {"names": NAMES}, "yolov8"),
        ([(1, 5, 8400)], {"names": ONE}, "yolov8"),
        ([(1, 5, 8400)], {}, "yolov8"),
        ([(1, 116, 8400), (1, 32, 160, 160)], {"names": NAMES}, "yolov8"),
        ([(1, 56, 8400)], {"names": ONE, "task": "pose"}, "yolov8"),
        ([(1, 20, 8400)], {"names": dict.fromkeys(range(15), "x"), "task": "obb"}, "yolov8"),
        ([(1, 8400, 84)], {"names": NAMES}, "yolov8-rows"),
        ([(1, 25200, 85)], {"names": NAMES}, "yolov5"),
        ([(1, 25200, 85)], {}, "yolov5"),
        ([(1, 25200, 6)], {"names": ONE}, "yolov5"),
        ([(1, 25200, 7)], {"names": TWO}, "yolov5"),
        ([(1, 8400, 85)], {"names": NAMES}, "yolov5"),
        ([(1, 25200, 117), (1, 32, 160, 160)], {"names": NAMES}, "yolov5"),
        ([(1, 300, 6)], {"names": NAMES}, "end-to-end"),
        ([(1, 300, 6)], {"names": ONE}, "end-to-end"),
        ([(1, 300, 6)], {"names": TWO}, "end-to-end"),
        ([(1, 3000, 6)], {"names": NAMES, "selects": True}, "end-to-end"),
        ([(1, 3000, 6)], {"names": NAMES}, "end-to-end"),
        ([(1, 50, 85)], {"names": NAMES}, "yolov5"),
        ([(1, None, 6)], {"names": NAMES, "selects": True}, "end-to-end"),
        ([(1, 300, 7)], {"names": NAMES, "task": "obb"}, "end-to-end"),
        ([(1, 300, 7)], {"names": TWO, "task": "obb"}, "end-to-end"),
        ([(1, 300, 38), (1, 32, 160, 160)], {"names": NAMES}, "end-to-end"),
        ([(1, 300, 38)], {"names": TWO, "task": "segment"}, "end-to-end"),
        ([(1, 300, 57)], {"names": ONE, "task": "pose", "keypoints": 51}, "end-to-end"),
        ([(1, 300, 6)], {"names": NAMES, "head": "RTDETRDecoder"}, "rtdetr"),
        ([(1, 300, 84)], {"names": NAMES, "head": "RTDETRDecoder"}, "rtdetr-scores"),
        ([(1, 300, 84)], {"names": NAMES}, "rtdetr-scores"),
        ([(1, 300, 6)], {"names": TWO, "head": "RTDETRDecoder"}, "rtdetr"),
    ],
)
def test_layouts(shapes: list[tuple[int | None, ...]], metadata: dict[str, object], name: str) -> None:
    assert read(*shapes, **metadata) == name


def test_few_boxes_of_a_small_input_are_those_of_its_grid() -> None:
    """At 96 x 96 a head with three boxes a cell gives fewer boxes than a selection usually has."""
    assert read((1, 567, 6), size=96, names=ONE) == "yolov5"
    assert read((1, 300, 6), size=96, names=ONE) == "end-to-end"


@pytest.mark.parametrize(
    ("shapes", "metadata", "seen"),
    [
        ([(1, 80)], {"names": NAMES, "task": "classify"}, r"o0 \(1, 80\); 80 class names; task classify"),
        ([(1, 86, 8400)], {"names": NAMES}, r"o0 \(1, 86, 8400\); 80 class names"),
        ([(1, 300, 7)], {"names": NAMES}, r"o0 \(1, 300, 7\)"),
        ([(1, None, None)], {"names": NAMES}, r"o0 \(1, \?, \?\)"),
        ([(1, 8400, 4), (1, 8400, 80)], {}, r"o0 \(1, 8400, 4\), o1 \(1, 8400, 80\); no class names"),
        ([], {}, "no class names"),
    ],
)
def test_what_is_not_known_is_named_with_what_is(
    shapes: list[tuple[int | None, ...]], metadata: dict[str, object], seen: str
) -> None:
    with pytest.raises(InputError, match=rf"x\.onnx: .*{seen}") as caught:
        read(*shapes, **metadata)
    assert all(name in str(caught.value) for name in LAYOUTS)


def test_the_choice_of_the_user_needs_the_right_shape() -> None:
    assert read((1, 300, 6), names=NAMES, layout="rtdetr") == "rtdetr"
    assert read((1, 300, 84), names=NAMES, layout="yolov8-rows") == "yolov8-rows"
    with pytest.raises(InputError, match="layout yolov8 was asked for, but it has another shape"):
        read((1, 300, 84), names=NAMES, layout="yolov8")
