"""Networks as other projects export them: the car is found where it is, or the layout is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino
import pytest
import yaml
from onnx import TensorProto

from common.errors import InputError
from detection.detections import Detections
from detection.loading import load_detector
from tests.detection.constant_networks import (
    ANCHORS,
    CAR,
    CAR_BOX,
    COCO,
    SIDE,
    ULTRALYTICS,
    per_class,
    selected,
    with_objectness,
    write_network,
)

NORMALISED = [side / SIDE for side in CAR]
DETR = ULTRALYTICS | {"head": "RTDETRDecoder"}
MASKS = [1.0] * 32
PROTOTYPES = np.zeros((1, 32, SIDE // 4, SIDE // 4))
RAW = np.zeros((1, 3, SIDE // 8, SIDE // 8, 85))
CASES: dict[str, tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]] = {
    "yolov8": ({"output0": per_class()}, ULTRALYTICS),
    "yolov8 without metadata": ({"output0": per_class()}, {}),
    "yolov8, dimensions swapped": ({"output0": per_class().transpose(0, 2, 1)}, ULTRALYTICS),
    "yolov8, dimensions swapped, no metadata": ({"output0": per_class().transpose(0, 2, 1)}, {}),
    "segmentation": ({"output0": per_class(extra=MASKS), "output1": PROTOTYPES}, ULTRALYTICS | {"task": "segment"}),
    "prototypes first": ({"output1": PROTOTYPES, "output0": per_class(extra=MASKS)}, ULTRALYTICS | {"task": "segment"}),
    "segmentation without metadata": ({"output0": per_class(extra=MASKS), "output1": PROTOTYPES}, {}),
    "pose": (
        {"output0": per_class(extra=[9.0] * 51)},
        ULTRALYTICS | {"task": "pose", "kpt_shape": [17, 3]},
    ),
    "yolov5": ({"output0": with_objectness()}, {"stride": 32, "names": COCO}),
    "yolov5 without metadata": ({"output": with_objectness()}, {}),
    "yolov5 with raw maps": ({"raw": RAW, "output": with_objectness()}, {"stride": 32, "names": COCO}),
    "yolov5 with masks": ({"o0": with_objectness(extra=MASKS), "o1": PROTOTYPES}, {"stride": 32, "names": COCO}),
    "yolov5 with one class": ({"output0": with_objectness(1, car=0)}, {"names": {0: "car"}}),
    "end to end": ({"output0": selected()}, ULTRALYTICS | {"end2end": True}),
    "built-in suppression": ({"output0": selected()}, ULTRALYTICS | {"end2end": False, "args": {"nms": True}}),
    "end to end without task": ({"output0": selected()}, {"names": COCO}),
    "end to end, two classes": ({"output0": selected(car=1)}, {"names": {0: "person", 1: "car"}}),
    "end to end, masks": (
        {"output0": selected(MASKS), "output1": PROTOTYPES},
        ULTRALYTICS | {"task": "segment", "end2end": True},
    ),
    "end to end, masks only": ({"output0": selected(MASKS)}, ULTRALYTICS | {"task": "segment", "end2end": True}),
    "end to end, pose": ({"output0": selected([9.0] * 51)}, ULTRALYTICS | {"task": "pose", "end2end": True}),
    "rtdetr": ({"output0": selected(box=NORMALISED)}, ULTRALYTICS | {"head": "RTDETRDecoder", "end2end": False}),
    "rtdetr before heads were named": (
        {"output0": selected(box=NORMALISED)},
        ULTRALYTICS | {"end2end": False, "args": {"nms": False}},
    ),
    "rtdetr, a score per class": (
        {"output0": np.concatenate((np.array(NORMALISED)[:, None].repeat(300, 1), per_class()[0, 4:, :300])).T[None]},
        ULTRALYTICS,
    ),
}  # fmt: skip


def find(path: Path, **options: Any) -> Detections:
    """The boxes in a grey picture of the network's size."""
    detector = load_detector(path, precision="float32", threads=1, score=0.1, **options)
    return detector.detect([np.full((SIDE, SIDE, 3), 90, np.uint8)])[0]


@pytest.mark.parametrize("case", CASES)
def test_the_car_is_found(tmp_path: Path, case: str) -> None:
    outputs, metadata = CASES[case]
    found = find(write_network(tmp_path / "net.onnx", outputs, metadata))
    np.testing.assert_allclose(found.box, [CAR_BOX], atol=1e-3)
    assert found.label.tolist() == [2]
    np.testing.assert_allclose(found.score, [0.9025 if "yolov5" in case else 0.9], atol=1e-6)


def flat_rows(pictures: int = 1) -> npt.NDArray[Any]:
    """The layout of YOLOv7's built-in suppression: picture, box, class, score; a bus of a low score last."""
    rows = [(picture, 55, 65, 105, 95, 2, 0.9) for picture in range(pictures)]
    return np.array([*rows, (pictures - 1, 5, 5, 9, 9, 5, 0.05)])


def test_one_table_for_all_pictures_of_a_batch(tmp_path: Path) -> None:
    path = write_network(tmp_path / "net.onnx", {"output": flat_rows(4)}, {"names": COCO}, shape=(4, 3, SIDE, SIDE))
    detector = load_detector(path, precision="float32", threads=1, score=0.1)
    found = detector.detect([np.full((SIDE, SIDE, 3), 90, np.uint8)] * 6)
    assert [each.box.tolist() for each in found] == [[CAR_BOX]] * 6
    assert [each.frame.tolist() for each in found] == [[number] for number in range(1, 7)]
    single = write_network(tmp_path / "one.onnx", {"output": flat_rows()[:1]}, {"names": COCO})
    with pytest.raises(InputError, match=r"output layout is not known \(output \(1, 7\)"):  # seven classes, or a box
        find(single)
    assert find(single, layout="yolov7-nms").box.tolist() == [CAR_BOX]


def test_boxes_that_are_none_are_left_out(tmp_path: Path) -> None:
    table = per_class()
    for column, box in enumerate(([np.nan] * 4, [np.inf, 5, 5, 5], [5, 5, -3, 4]), start=1):
        table[0, :4, column], table[0, 6, column] = box, 0.99
    assert find(write_network(tmp_path / "net.onnx", {"output0": table}, ULTRALYTICS)).box.tolist() == [CAR_BOX]


def test_centres_are_not_taken_for_corners(tmp_path: Path) -> None:
    path = write_network(tmp_path / "net.onnx", {"output0": selected(box=CAR)}, ULTRALYTICS | {"end2end": True})
    with pytest.raises(InputError, match=r"which has boxes as corners, but most of them have no area"):
        find(path)


@pytest.mark.parametrize("factor", [2.5, 100])
def test_scores_that_are_none_are_refused(tmp_path: Path, factor: float) -> None:
    table = per_class()
    table[0, 4:] *= factor
    with pytest.raises(InputError, match=r"read as layout yolov8, which has scores in 0\.\.1, but one is"):
        find(write_network(tmp_path / "net.onnx", {"output0": table}, ULTRALYTICS))


@pytest.mark.parametrize(
    "metadata",
    [
        {"imgsz": [0, 0]},
        {"imgsz": [-640, 10**12]},
        {"imgsz": "large"},
        {"stride": 0},
        {"stride": "[8, 16, 32]"},
        {"stride": "nan"},
        {"kpt_shape": ["a", 2]},
        {"names": {-1: "car", 10**12: "truck"}},
        {"names": "(" * 500},
    ],
    ids=str,
)
def test_metadata_that_is_none_is_ignored(tmp_path: Path, metadata: dict[str, Any]) -> None:
    path = write_network(
        tmp_path / "net.onnx", {"output0": per_class()}, ULTRALYTICS | metadata, shape=("n", 3, "height", "width")
    )
    (found,) = load_detector(path, threads=1).detect([np.zeros((640, 640, 3), np.uint8)])
    assert found.label.tolist() == [2]


@pytest.mark.parametrize("end_to_end", [False, True])
@pytest.mark.parametrize(
    ("angle", "box"),
    [(0.0, CAR_BOX), (np.pi / 2, [65, 55, 30, 50]), (np.pi / 4, [80 - 28.2843, 80 - 28.2843, 56.5685, 56.5685])],
)
def test_an_oriented_box_becomes_its_upright_hull(
    tmp_path: Path, end_to_end: bool, angle: float, box: list[float]
) -> None:
    output = selected([angle], box=CAR) if end_to_end else per_class(extra=[angle])
    metadata = ULTRALYTICS | {"task": "obb", "end2end": end_to_end}
    found = find(write_network(tmp_path / "net.onnx", {"output0": output}, metadata))
    np.testing.assert_allclose(found.box, [box], atol=1e-3)


@pytest.mark.parametrize(
    "options",
    [
        {"shape": (1, SIDE, SIDE, 3)},
        {"input_type": TensorProto.FLOAT16},
        {"input_type": TensorProto.FLOAT16, "output_type": TensorProto.FLOAT16},
        {"input_type": TensorProto.UINT8},
        {"shape": (1, SIDE, SIDE, 3), "input_type": TensorProto.UINT8},
        {"shape": ("batch", 3, SIDE, SIDE)},
        {"shape": ("batch", 3, "height", "width")},
        {"shape": ("batch", "channels", "height", "width")},
        {"output_shapes": {"output0": ("batch", "rows", "boxes")}},
    ],
    ids=str,
)
def test_inputs_of_any_form(tmp_path: Path, options: dict[str, Any]) -> None:
    path = write_network(tmp_path / "net.onnx", {"output0": per_class()}, ULTRALYTICS, **options)
    np.testing.assert_allclose(find(path).box, [CAR_BOX], atol=0.05)


def test_bytes_and_fractions_reach_the_network_as_they_should(tmp_path: Path) -> None:
    """A thousandth of the mean of what the network is given is added to its score, which so shows the scale."""
    import onnx
    from onnx import numpy_helper

    for name, kind, mean in (("float", TensorProto.FLOAT, 0.6), ("bytes", TensorProto.UINT8, 153.0)):
        answer = per_class()
        path = write_network(tmp_path / f"{name}.onnx", {"output0": answer}, ULTRALYTICS, input_type=kind)
        model = onnx.load(path)
        model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.array(0.001, np.float32), "zero"))
        onnx.save(model, path)
        detector = load_detector(path, precision="float32", threads=1, score=0.1)
        (found,) = detector.detect([np.full((SIDE, SIDE, 3), 153, np.uint8)])
        assert found.score.max() == pytest.approx(0.9 + mean / 1000, abs=1e-5)


def test_every_picture_of_a_fixed_batch_gets_its_own_boxes(tmp_path: Path) -> None:
    answer = np.concatenate([per_class(), per_class(), per_class()])
    for slot in range(3):
        answer[slot, 4:, 0] *= 1 - slot / 4
    path = write_network(tmp_path / "net.onnx", {"output0": answer}, ULTRALYTICS, shape=(3, 3, SIDE, SIDE))
    detector = load_detector(path, precision="float32", threads=1, score=0.1)
    found = detector.detect([np.zeros((SIDE, SIDE, 3), np.uint8)] * 5)
    np.testing.assert_allclose([table.score[0] for table in found], [0.9, 0.675, 0.45, 0.9, 0.675], atol=1e-5)
    assert [table.frame.tolist() for table in found] == [[1], [2], [3], [4], [5]]


def test_nothing_found_is_an_empty_table(tmp_path: Path) -> None:
    for name, output in (
        ("a", np.zeros((1, 84, ANCHORS))),
        ("b", np.zeros((1, 300, 6))),
        ("c", np.zeros((1, 999, 85))),
    ):
        path = write_network(tmp_path / f"{name}.onnx", {"output0": output}, {"names": COCO})
        assert len(find(path)) == 0


@pytest.mark.parametrize(
    ("outputs", "metadata", "fault"),
    [
        ({"o": np.full((1, 80), 1 / 80)}, ULTRALYTICS | {"task": "classify"}, r"not a detector.*o \(1, 80\)"),
        ({"o": np.full((1, 1000), 1e-3)}, {}, r"not a detector.*o \(1, 1000\).*known: yolov8 .*yolov5 .*rtdetr "),
        ({"o": np.zeros((1, 255, 20, 20)), "p": np.zeros((1, 255, 10, 10))}, {"names": COCO}, "raw feature maps"),
        ({"o": RAW}, {"names": COCO}, "raw feature maps"),
        ({"logits": np.zeros((1, 300, 80)), "pred_boxes": np.zeros((1, 300, 4))}, {}, "several outputs"),
        ({"o": np.zeros((1, 90, ANCHORS))}, {"names": COCO}, r"layout is not known \(o \(1, 90, 525\); 80 class names"),
        ({"o": np.zeros((1, 85, 3 * ANCHORS))}, {"names": COCO}, r"layout is not known \(o \(1, 85, 1575\)"),
        ({"output": with_objectness()[:, :ANCHORS]}, {}, "YOLOX"),
    ],
)  # fmt: skip
def test_an_unknown_layout_is_named(
    tmp_path: Path, outputs: dict[str, Any], metadata: dict[str, Any], fault: str
) -> None:
    path = write_network(tmp_path / "net.onnx", outputs, metadata)
    with pytest.raises(InputError, match=fault) as caught:
        load_detector(path)
    assert "\n" not in str(caught.value) and "net.onnx" in str(caught.value)


@pytest.mark.parametrize("shape", [(1, 1, SIDE, SIDE), (1, 3 * SIDE * SIDE)])
def test_a_network_that_takes_no_colour_pictures_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = write_network(tmp_path / "net.onnx", {"output0": per_class()}, ULTRALYTICS, shape=shape)
    with pytest.raises(InputError, match=r"net\.onnx: takes images \[1,.*must have one input"):
        load_detector(path)


def test_the_user_can_say_the_layout(tmp_path: Path) -> None:
    # Without metadata, RT-DETR's boxes look like those of a network that selects its own.
    path = write_network(tmp_path / "net.onnx", {"output0": selected(box=NORMALISED)}, {"names": COCO})
    with pytest.raises(InputError, match=r"read as layout end-to-end.*boxes in pixels, but.*detection\.layout"):
        find(path)
    np.testing.assert_allclose(find(path, layout="rtdetr").box, [CAR_BOX], atol=1e-3)
    with pytest.raises(InputError, match=r"layout yolov5 was asked for, but it has another shape"):
        find(path, layout="yolov5")
    with pytest.raises(InputError, match=r"detector layout yolo5: unknown; did you mean yolov5"):
        find(path, layout="yolo5")


def test_boxes_in_pixels_are_not_taken_for_fractions(tmp_path: Path) -> None:
    path = write_network(tmp_path / "net.onnx", {"output0": selected(box=CAR)}, DETR)
    with pytest.raises(InputError, match=r"read as layout rtdetr, which has boxes in 0\.\.1, but they reach 105"):
        find(path)


def test_rtdetr_sees_stretched_frames(tmp_path: Path) -> None:
    path = write_network(
        tmp_path / "net.onnx", {"o": selected(box=NORMALISED)}, ULTRALYTICS | {"head": "RTDETRDecoder"}
    )
    detector = load_detector(path, precision="float32", threads=1)
    (found,) = detector.detect([np.zeros((320, 800, 3), np.uint8)])
    np.testing.assert_allclose(found.box, [[275, 130, 250, 60]], atol=1e-3)


def test_the_size_is_the_networks_own(tmp_path: Path) -> None:
    path = write_network(tmp_path / "net.onnx", {"output0": per_class()}, ULTRALYTICS)
    detector = load_detector(path, precision="float32", threads=1)
    # A picture half as large as the input, and one four times as wide.
    for frame, box in (((80, 80), [27.5, 32.5, 25, 15]), ((160, 640), [220, 20, 200, 120])):
        (found,) = detector.detect([np.zeros((*frame, 3), np.uint8)])
        np.testing.assert_allclose(found.box, [box], atol=1e-3)
    assert find(path, image_size=SIDE).box.tolist() == [CAR_BOX]
    with pytest.raises(InputError, match=r"net\.onnx: takes 160x160 pixels only, image size 640"):
        load_detector(path, image_size=640)


def test_any_size_that_a_network_takes_can_be_asked_for(tmp_path: Path) -> None:
    path = write_network(
        tmp_path / "net.onnx", {"output0": per_class()}, ULTRALYTICS, shape=("batch", 3, "height", "width")
    )
    (found,) = load_detector(path, image_size=320, threads=1).detect([np.zeros((640, 640, 3), np.uint8)])
    np.testing.assert_allclose(found.box, [[110, 130, 100, 60]], atol=0.5)


def test_classes_of_other_names(tmp_path: Path) -> None:
    def network(names: Any) -> Path:
        return write_network(
            tmp_path / "net.onnx", {"output0": per_class(len(names), car=0)}, ULTRALYTICS | {"names": names}
        )

    assert find(network({0: "Cars", 1: "Trucks"})).label.tolist() == [2]
    assert find(network({0: "TRUCK"})).label.tolist() == [7]
    with pytest.raises(InputError, match=r"it has object; .*--set 'detection\.classes=\{object: car\}'"):
        find(network({0: "object"}))
    assert find(network({0: "object"}), classes={"object": "car"}).label.tolist() == [2]
    assert find(network({0: "object"}), classes={0: "bus"}).label.tolist() == [5]
    assert find(network({0: "object"}), classes="all").label.tolist() == [2]


def test_a_network_that_does_not_name_its_classes(tmp_path: Path) -> None:
    path = write_network(tmp_path / "net.onnx", {"output0": per_class(3)})
    with pytest.raises(InputError, match=r"does not name its 3 classes.*\{0: car\}"):
        find(path)
    assert find(path, classes={2: "truck"}).label.tolist() == [7]
    path = write_network(tmp_path / "net.onnx", {"output0": selected()})
    with pytest.raises(InputError, match="does not name its classes"):
        find(path)
    assert find(path, classes={2: "truck"}).label.tolist() == [7]


def test_an_openvino_export_tells_the_same_beside_it(tmp_path: Path) -> None:
    """What the `.xml` lacks is in the `metadata.yaml` that ultralytics writes beside it."""
    for name, outputs, metadata in (
        ("rtdetr", {"o": selected(box=NORMALISED)}, ULTRALYTICS | {"head": "RTDETRDecoder", "end2end": False}),
        ("oriented", {"o": per_class(extra=[np.pi])}, ULTRALYTICS | {"task": "obb"}),
    ):
        folder = tmp_path / name
        folder.mkdir()
        model = openvino.Core().read_model(write_network(tmp_path / "net.onnx", outputs))
        openvino.save_model(model, folder / "net.xml", compress_to_fp16=False)
        (folder / "metadata.yaml").write_text(yaml.safe_dump(metadata))
        np.testing.assert_allclose(find(folder).box, [CAR_BOX], atol=1e-3)


def test_end_to_end_heads_that_gather_from_slices(tmp_path: Path) -> None:
    """YOLO26's heads with masks or angles: the best rows of three slices of one table."""
    import onnx
    from onnx import helper, numpy_helper

    path = write_network(
        tmp_path / "net.onnx",
        {"table": per_class(extra=[0.0])},
        ULTRALYTICS | {"task": "obb", "end2end": True},
    )
    model = onnx.load(path)
    graph = model.graph
    numbers = {"n0": 0, "n4": 4, "n84": 84, "n85": 85, "axis": 2, "one": 1, "k": 300, "classes": 80}
    graph.initializer.extend(numpy_helper.from_array(np.array([value]), name) for name, value in numbers.items())
    graph.initializer.append(numpy_helper.from_array(np.array([1, 1, 4]), "four"))
    graph.node.extend(
        [
            helper.make_node("Transpose", ["table"], ["rows"], perm=[0, 2, 1]),
            helper.make_node("Slice", ["rows", "n0", "n4", "axis"], ["boxes"]),
            helper.make_node("Slice", ["rows", "n4", "n84", "axis"], ["scores"]),
            helper.make_node("Slice", ["rows", "n84", "n85", "axis"], ["angles"]),
            helper.make_node("ReduceMax", ["scores"], ["best"], axes=[2], keepdims=1),
            helper.make_node("ArgMax", ["scores"], ["kind"], axis=2, keepdims=1),
            helper.make_node("TopK", ["best", "k"], ["top", "index"], axis=1),
            helper.make_node("Tile", ["index", "four"], ["index4"]),
            helper.make_node("GatherElements", ["boxes", "index4"], ["top_boxes"], axis=1),
            helper.make_node("GatherElements", ["kind", "index"], ["top_kind"], axis=1),
            helper.make_node("GatherElements", ["angles", "index"], ["top_angles"], axis=1),
            helper.make_node("Cast", ["top_kind"], ["top_class"], to=TensorProto.FLOAT),
            helper.make_node("Concat", ["top_boxes", "top", "top_class", "top_angles"], ["output0"], axis=2),
        ]
    )
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 300, 7]))
    onnx.save(model, path)
    np.testing.assert_allclose(find(path).box, [CAR_BOX], atol=1e-3)
