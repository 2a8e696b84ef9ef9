"""Networks on the CPU through OpenVINO: reading, compiling, running many pictures at once."""

from __future__ import annotations

import ast
import os
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino as ov
from openvino.preprocess import ColorFormat, PrePostProcessor

from common.devices import openvino_core
from common.errors import InputError
from detection.network import Receive, WeightFacts

_HINTS = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}


def read_model(path: Path) -> Any:
    """An OpenVINO model from a `.xml` (with its `.bin` beside it) or an `.onnx`.

    Raises:
        InputError: the file is damaged or no such network.
    """
    try:
        return openvino_core().read_model(path)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip() if str(error).strip() else "unreadable"
        raise InputError(f"{path}: not a readable network ({reason[:120]}); export it again") from error


def fixed_size(model: Any) -> tuple[int, int] | None:
    """(height, width) of a model's input where it takes one size only."""
    shape = model.input(0).partial_shape
    if shape.rank.is_dynamic or len(shape) != 4:
        raise InputError(f"{model.friendly_name}: input of shape {shape}, not (1, 3, height, width)")
    height, width = shape[2], shape[3]
    return None if height.is_dynamic or width.is_dynamic else (height.get_length(), width.get_length())


def facts_of(model: Any) -> WeightFacts:
    """What an exporter wrote into a model: ONNX's metadata, or OpenVINO's runtime information."""
    found: dict[str, Any] = {}
    for section in ("framework", "model_info"):
        if model.has_rt_info(section):
            found.update({key: value.value for key, value in model.get_rt_info(section).astype(dict).items()})
    names = _names(found.get("names"))
    if not names and isinstance(found.get("labels"), str):
        names = {number: name.replace("_", " ") for number, name in enumerate(found["labels"].split())}
    size = fixed_size(model)
    stride = str(found.get("stride"))
    return WeightFacts(
        names,
        int(stride) if stride.isdigit() else 32,
        max(size or _numbers(found.get("imgsz")) or (640,)),
        size,
    )


def save_model(model: Any, path: Path, facts: WeightFacts) -> None:
    """Write a model as `.xml` and `.bin`, with its facts inside."""
    for key, value in (("names", repr(facts.names)), ("stride", str(facts.stride)), ("imgsz", str([facts.longest]))):
        model.set_rt_info(value, ["model_info", key])
    ov.save_model(model, path, compress_to_fp16=False)


def _names(text: object) -> dict[int, str]:
    value = _literal(text)
    if isinstance(value, (list, tuple)):
        value = dict(enumerate(value))
    return {int(key): str(name) for key, name in value.items()} if isinstance(value, dict) else {}


def _numbers(text: object) -> tuple[int, ...]:
    value = _literal(text)
    return tuple(int(side) for side in value) if isinstance(value, (list, tuple)) else ()


def _literal(text: object) -> object:
    try:
        return ast.literal_eval(text) if isinstance(text, str) else None
    except (ValueError, SyntaxError):
        return None


class OpenVinoNetwork:
    """A model compiled for one input size, with its pre-processing inside: it takes BGR bytes.

    Pictures run in as many streams as there are threads (at most eight), which is faster than all threads on one
    picture. Batches do not help on a CPU.

    Args:
        model: as `read_model` gives it, taking (1, 3, height, width) RGB in [0, 1]. Changed by this.
        size: (height, width) of the input.
        precision: "float32", "bfloat16" or "float16": what OpenVINO computes in where the model is not int8 already.
            OpenVINO would choose by itself without saying so.
        threads: of the CPU; 0: all that this process may use.
    """

    def __init__(self, model: Any, size: tuple[int, int], precision: str, threads: int) -> None:
        threads = threads or len(os.sched_getaffinity(0))
        streams = min(threads, 8)
        model.reshape({model.input(0): [1, 3, *size]})
        steps = PrePostProcessor(model)
        steps.input(0).tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
        steps.input(0).tensor().set_color_format(ColorFormat.BGR)
        steps.input(0).model().set_layout(ov.Layout("NCHW"))
        steps.input(0).preprocess().convert_element_type(ov.Type.f32).convert_color(ColorFormat.RGB).scale(255.0)
        steps.output(0).tensor().set_element_type(ov.Type.f32)
        settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": streams,
            # Several processes, one a camera, would be pinned to the same first cores.
            "ENABLE_CPU_PINNING": False,
        }
        self._compiled = openvino_core().compile_model(steps.build(), "CPU", settings)
        self._streams = streams

    @property
    def rows(self) -> int:
        return int(self._compiled.output(0).shape[1])

    def run(self, pictures: Sequence[Callable[[], npt.NDArray[np.uint8]]], receive: Receive) -> None:
        # One request more than there are streams: the next picture waits while this thread prepares and decodes. No
        # callbacks: an exception in one would end the process.
        idle = [self._compiled.create_infer_request() for _ in range(min(self._streams + 1, len(pictures)))]
        running: deque[tuple[int, Any]] = deque()

        def finish() -> None:
            position, request = running.popleft()
            request.wait()
            receive(position, request.get_output_tensor(0).data[0])
            idle.append(request)

        for position, picture in enumerate(pictures):
            pixels = picture()[None]
            if not idle:
                finish()
            request = idle.pop()
            request.start_async({0: pixels})
            running.append((position, request))
        while running:
            finish()
