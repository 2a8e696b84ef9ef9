"""Networks on the CPU through OpenVINO: reading, compiling, running many pictures at once."""

from __future__ import annotations

import ast
import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino as ov
import openvino.opset13 as opset
from openvino.preprocess import ColorFormat, PrePostProcessor

from common.devices import openvino_core
from common.errors import InputError
from common.networks import openvino_reason, read_network_file
from common.settings import read_yaml
from detection.layouts import Metadata, OutputShape
from detection.network import NetworkFacts, Receive

# What exporters write lies within these; beyond them it is damaged, and the usual values are taken.
_MAX_STRIDE = 256
_MAX_SIDE = 16384
_MAX_CLASSES = 100_000
_USUAL_STRIDE = 32
_USUAL_SIDE = 640
_HINTS = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}


def read_model(path: Path) -> Any:
    """An OpenVINO model from a `.xml` (with its `.bin` beside it) or an `.onnx`.

    Raises:
        InputError: the file is damaged or no such network.
    """
    model = read_network_file(path)
    model.set_friendly_name(str(path))
    _keep_slices_apart(model)
    return model


def _keep_slices_apart(model: Any) -> None:
    """Let networks compile that select rows of several slices of one table, as end-to-end heads with masks do.

    OpenVINO 2026.4 puts such slices together and then gives the whole table to the selection, which it refuses as of
    another shape.
    """
    for op in model.get_ops():
        piece = op.input_value(0).get_node() if op.get_type_name() == "GatherElements" else None
        if piece is None or piece.get_type_name() != "Slice":
            continue
        whole, part = (_lengths(each.get_partial_shape()) for each in (piece.input_value(0), piece.output(0)))
        axes = [axis for axis, (old, new) in enumerate(zip(whole, part, strict=True)) if old != new]
        if len(axes) == 1 and part[axes[0]] is not None:
            start = opset.squeeze(piece.input_value(1), np.array(0))
            rows = opset.range(start, opset.add(start, opset.constant(part[axes[0]], np.int64)), np.int64(1), "i64")
            selected = opset.gather(piece.input_value(0), rows, np.int64(axes[0]))
            op.input(0).replace_source_output(selected.output(0))


@dataclass(frozen=True, slots=True)
class InputForm:
    """How a model takes pictures.

    Attributes:
        channels_last: (batch, height, width, 3) instead of (batch, 3, height, width).
        batch: pictures that go in at once; 1 where the model takes any number.
        size: (height, width) where the model takes one size only; a side of any length is None.
        bytes: colours are integers in 0..255; otherwise floating-point numbers in 0..1.
    """

    channels_last: bool
    batch: int
    size: tuple[int | None, int | None]
    bytes: bool

    @classmethod
    def of(cls, model: Any, source: object) -> InputForm:
        """Read it from a model.

        Raises:
            InputError: the model takes something else than colour pictures.
        """
        inputs = model.inputs
        shape = _lengths(inputs[0].partial_shape) if inputs else ()
        channels_last = len(shape) == 4 and shape[3] == 3 and shape[1] != 3
        if len(inputs) != 1 or len(shape) != 4 or shape[3 if channels_last else 1] not in (3, None):
            seen = ", ".join(f"{_name(each)} {each.partial_shape}" for each in inputs) or "nothing"
            raise InputError(
                f"{source}: takes {seen}; a detector must have one input, (batch, 3, height, width) or "
                "(batch, height, width, 3)"
            )
        height, width = shape[1:3] if channels_last else shape[2:]
        kind = inputs[0].element_type
        return cls(channels_last, shape[0] or 1, (height, width), kind in (ov.Type.u8, ov.Type.i32))

    def shape(self, size: tuple[int, int]) -> list[int]:
        """The input's shape for pictures of (height, width)."""
        return [self.batch, *size, 3] if self.channels_last else [self.batch, 3, *size]


def facts_of(model: Any, source: Path) -> NetworkFacts:
    """What an exporter wrote into a model (ONNX's metadata, OpenVINO's runtime information, or the `metadata.yaml` that
    ultralytics writes beside an OpenVINO model), and the shapes of its outputs. Sets the model to one input size.

    Raises:
        InputError: the model takes no pictures, or cannot take the size that it names.
    """
    found = _metadata_beside(source)
    for section in ("framework", "model_info"):
        if model.has_rt_info(section):
            found.update({key: value.value for key, value in model.get_rt_info(section).astype(dict).items()})
    names = _names(found.get("names"))
    if not names and isinstance(found.get("labels"), str):
        names = {number: name.replace("_", " ") for number, name in enumerate(found["labels"].split())}
    form = InputForm.of(model, source)
    stride = max(_numbers(found.get("stride")), default=0)
    stride = stride if 0 < stride <= _MAX_STRIDE else _USUAL_STRIDE
    stated = _numbers(found.get("imgsz"))
    if not stated or min(stated) < stride or max(stated) > _MAX_SIDE:
        stated = (_USUAL_SIDE,)
    size = (form.size[0] or stated[0], form.size[1] or stated[-1])
    fixed = None not in form.size
    try:
        model.reshape({model.input(0): form.shape(size)})
    except RuntimeError as error:
        raise InputError(
            f"{source}: does not take the {size[0]}x{size[1]} pixels that it names; export it again"
        ) from error
    outputs = tuple(OutputShape(_name(each), _lengths(each.partial_shape)) for each in model.outputs)
    keypoints = _numbers(found.get("kpt_shape"))
    metadata = Metadata(
        names,
        _text(found.get("task")),
        _text(found.get("head")),
        _selects(found),
        keypoints[0] * keypoints[1] if len(keypoints) == 2 and min(keypoints) > 0 else None,
    )
    return NetworkFacts(metadata, outputs, size, fixed, stride)


def run_once(model: Any, size: tuple[int, int]) -> tuple[OutputShape, ...]:
    """The shapes of a model's outputs for an empty picture of (height, width)."""
    form = InputForm.of(model, model.friendly_name)
    compiled = openvino_core().compile_model(model, "CPU")
    kind = model.input(0).element_type.to_dtype()
    request = compiled.create_infer_request()
    request.infer({0: np.zeros(form.shape(size), kind)})
    names = [_name(each) for each in model.outputs]
    shapes = [request.get_output_tensor(number).shape for number in range(len(names))]
    return tuple(OutputShape(name, tuple(map(int, shape))) for name, shape in zip(names, shapes, strict=True))


def save_model(model: Any, path: Path, facts: NetworkFacts) -> None:
    """Write a model as `.xml` and `.bin`, with its facts inside."""
    metadata = facts.metadata
    known = {
        "names": dict(metadata.names),
        "stride": facts.stride,
        "imgsz": list(facts.size),
        "task": metadata.task,
        "head": metadata.head,
        "end2end": metadata.selects,
        "kpt_shape": None if metadata.keypoints is None else [metadata.keypoints, 1],
    }
    for key, value in known.items():
        if value is not None:
            model.set_rt_info(str(value), ["model_info", key])
    ov.save_model(model, path, compress_to_fp16=False)


def _metadata_beside(source: Path) -> dict[str, Any]:
    path = source.with_name("metadata.yaml")
    if source.suffix.lower() != ".xml" or not path.is_file():
        return {}
    return {key: value if isinstance(value, str) else repr(value) for key, value in read_yaml(path).items()}


def _selects(found: Mapping[str, Any]) -> bool | None:
    """Whether the network selects its boxes: by its head, or by suppression that was exported with it."""
    arguments = _literal(found.get("args"))
    suppresses = arguments.get("nms", False) if isinstance(arguments, dict) else None
    end_to_end = _literal(found.get("end2end"))
    if end_to_end is True or suppresses is True:
        return True
    # Older exporters wrote neither; then only the shape tells.
    return False if end_to_end is False and isinstance(arguments, dict) else None


def _names(text: object) -> dict[int, str]:
    value = _literal(text)
    if isinstance(value, (list, tuple)):
        value = dict(enumerate(value))
    try:
        names = {int(key): str(name) for key, name in value.items()} if isinstance(value, dict) else {}
    except (ValueError, TypeError):
        return {}
    return names if all(0 <= number < _MAX_CLASSES for number in names) else {}


def _numbers(text: object) -> tuple[int, ...]:
    """Whole numbers from one, or from a list of them; none where it is something else."""
    value = _literal(text)
    numbers = value if isinstance(value, (list, tuple)) else (value,)
    whole = all(isinstance(n, (int, float)) and not isinstance(n, bool) and n == n // 1 for n in numbers)
    return tuple(int(number) for number in numbers) if whole else ()


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value not in ("", "None") else None


def _literal(text: object) -> Any:
    try:
        return ast.literal_eval(text) if isinstance(text, str) else text
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        # OpenVINO writes booleans its own way.
        return {"YES": True, "NO": False, "true": True, "false": False}.get(str(text))


def _lengths(shape: Any) -> tuple[int | None, ...]:
    return () if shape.rank.is_dynamic else tuple(None if side.is_dynamic else side.get_length() for side in shape)


def _name(port: Any) -> str:
    return str(port.get_any_name()) if port.get_names() else ""


class OpenVinoNetwork:
    """A model compiled for one input size, with its pre-processing inside: it takes BGR bytes.

    Pictures run in as many streams as there are threads (at most eight), which is faster than all threads on one
    picture. Batches do not help on a CPU; a model that was exported for a larger batch gets one.

    Args:
        model: as `read_model` gives it, taking RGB in [0, 1], or bytes. Changed by this.
        size: (height, width) of the input.
        precision: "float32", "bfloat16" or "float16": what OpenVINO computes in where the model is not int8 already.
            OpenVINO would silently choose one itself.
        threads: of the CPU; 0: all that this process may use.
    """

    def __init__(self, model: Any, size: tuple[int, int], precision: str, threads: int) -> None:
        threads = threads or len(os.sched_getaffinity(0))
        streams = min(threads, 8)
        form = InputForm.of(model, model.friendly_name)
        model.reshape({model.input(0): form.shape(size)})
        steps = PrePostProcessor(model)
        entry = steps.input(0)
        entry.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC")).set_color_format(ColorFormat.BGR)
        entry.model().set_layout(ov.Layout("NHWC" if form.channels_last else "NCHW"))
        if form.bytes:
            entry.preprocess().convert_color(ColorFormat.RGB)
        else:
            entry.preprocess().convert_element_type(ov.Type.f32).convert_color(ColorFormat.RGB).scale(255.0)
        for number in range(len(model.outputs)):
            steps.output(number).tensor().set_element_type(ov.Type.f32)
        settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": streams,
            # Several processes, one per camera, would be pinned to the same first cores.
            "ENABLE_CPU_PINNING": False,
        }
        try:
            self._compiled = openvino_core().compile_model(steps.build(), "CPU", settings)
        except RuntimeError as error:
            raise InputError(
                f"{model.friendly_name}: OpenVINO cannot run this network ({openvino_reason(error)}); export it in "
                "OpenVINO's own format, or give the .pt"
            ) from error
        self._outputs = len(model.outputs)
        self._streams = streams
        self._batch = form.batch

    def run(self, pictures: Sequence[Callable[[], npt.NDArray[np.uint8]]], receive: Receive) -> None:
        # One request more than there are streams: the next picture waits while this thread prepares and decodes. No
        # callbacks: an exception in one would end the process.
        starts = range(0, len(pictures), self._batch)
        idle = [self._compiled.create_infer_request() for _ in range(min(self._streams + 1, len(starts)))]
        running: deque[tuple[int, int, Any]] = deque()

        def finish() -> None:
            start, count, request = running.popleft()
            request.wait()
            outputs = [request.get_output_tensor(number).data for number in range(self._outputs)]
            for slot in range(count):
                receive(start + slot, outputs, slot)
            idle.append(request)

        for start in starts:
            batch = [picture() for picture in pictures[start : start + self._batch]]
            # The last batch is filled up with its last picture, whose extra outputs are ignored.
            missing = self._batch - len(batch)
            pixels = batch[0][None] if self._batch == 1 else np.stack(batch + batch[-1:] * missing)
            if not idle:
                finish()
            request = idle.pop()
            request.start_async({0: pixels})
            running.append((start, len(batch), request))
        while running:
            finish()
