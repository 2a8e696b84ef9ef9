"""Networks of other projects in ONNX or OpenVINO format, adapted to this project's input: (n, 3, h, w) uint8."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from openvino import Layout, Type
from openvino.preprocess import PrePostProcessor

from common.errors import InputError
from reid.interface import COSINE_APPROXIMATES, INPUT, OUTPUT, VISIBILITY, Distance
from reid.network_options import NetworkOptions
from reid.settings import IMAGENET_MEAN, IMAGENET_STD

_KNOWN_INPUTS = "supported are (n, 3, height, width) and (n, height, width, 3) of float32, float16 or uint8"
_KNOWN_OUTPUTS = "supported are (n, d) and (n, d, 1, 1)"
_ELEMENTS = {"f32": "float32", "f16": "float16", "u8": "uint8"}
_PASSED_THROUGH = ("Convert", "Transpose", "Reshape", "Unsqueeze", "Squeeze")
_ARITHMETIC = ("Subtract", "Add", "Multiply", "Divide")


@dataclass(frozen=True, slots=True)
class AdaptedNetwork:
    """A network that takes uint8 images.

    Attributes:
        model: `openvino.Model` with one input (n, 3, h, w) uint8 in the network's colour order.
        output: index of the output with the features.
        batch: the fixed batch size; 0 if any is accepted.
        image_size: height and width in pixels.
        dims: length of a feature vector.
        notes: what the network is and what was assumed about it, one line each.
        distance: how its vectors are ranked.
    """

    model: Any
    output: int
    batch: int
    image_size: tuple[int, int]
    dims: int
    notes: tuple[str, ...]
    distance: Distance = "cosine"


def adapt_network(
    model: Any, name: str, options: NetworkOptions, given: frozenset[str] = frozenset()
) -> AdaptedNetwork:
    """Find out what a network takes and returns, and add the missing preprocessing to its graph.

    Args:
        model: an `openvino.Model`; changed in place.
        name: for notes and errors.
        options: what is known about the network.
        given: names of the options that the user gave; the others are assumptions.

    Raises:
        InputError: the inputs or outputs are not those of a re-id network; the message names what was found and what
            is supported.
    """
    if len(model.inputs) != 1:
        raise InputError(f"{name}: {len(model.inputs)} inputs ({_ports(model.inputs)}); {_KNOWN_INPUTS}, one input")
    port = model.inputs[0]
    shape = port.get_partial_shape()
    element = port.get_element_type().get_type_name()
    found = f"input {_shape(shape)} {_ELEMENTS.get(element, element)}"
    layout = _layout(shape, options, f"{name}: {found}")
    if element not in _ELEMENTS:
        raise InputError(f"{name}: {found}; {_KNOWN_INPUTS}")
    rows, columns = (1, 2) if layout == "nhwc" else (2, 3)
    size = _image_size(shape, rows, columns, options, f"{name}: {found}")
    batch = shape[0].get_length() if shape[0].is_static else 0
    if not (shape[rows].is_static and shape[columns].is_static):
        model.reshape({0: [batch or -1, *((3, *size) if layout == "nchw" else (*size, 3))]})
    output, dims = _feature_output(model, name, options)
    distance: Distance = "common_visible" if _shows_parts(model) else "cosine"
    steps = _Normalisation.of(model, element, options, name)
    processor = PrePostProcessor(model)
    processor.input().tensor().set_element_type(Type.u8).set_layout(Layout("NCHW"))
    processor.input().model().set_layout(Layout(layout.upper()))
    if steps.applied:
        chain = processor.input().preprocess().convert_element_type(Type.f32)
        if steps.white == 1:
            chain.scale(255.0)
        chain.mean(list(steps.mean)).scale(list(steps.std))
    adapted = processor.build()
    ours = element == "u8" and port.get_any_name() == INPUT and model.outputs[output].get_any_name() == OUTPUT
    notes = () if ours else (f"{name}: {found}, {dims} dimensions; {_assumptions(options, given, steps, element)}",)
    if distance != "cosine":
        notes = (*notes, f"{name}: {COSINE_APPROXIMATES}")
    return AdaptedNetwork(adapted, output, batch, size, dims, notes, distance)


@dataclass(frozen=True, slots=True)
class _Normalisation:
    """What is done to bytes before they enter the network, and why."""

    applied: bool
    white: int
    mean: Sequence[float]
    std: Sequence[float]
    inside: bool

    @classmethod
    def of(cls, model: Any, element: str, options: NetworkOptions, name: str) -> _Normalisation:
        chosen = options.mean is not None or options.std is not None or options.range is not None
        if element == "u8":
            if chosen:
                raise InputError(f"{name}: takes uint8 images, so mean, std and range cannot be set; remove them")
            return cls(False, 255, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), True)
        if not chosen:
            constants = _leading_constants(model)
            if constants:
                # Means above 2 and factors below 1/50 (1/255, 1/58) belong to values of 0..255.
                large = any(np.abs(c).max() > 2 for c in constants) or any(
                    0 < np.abs(c).max() < 0.02 for c in constants
                )
                return cls(True, 255 if large else 1, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), True)
            return cls(True, 1, IMAGENET_MEAN, IMAGENET_STD, False)
        white = options.white
        if options.mean is None and options.std is None:  # only the range was given
            return cls(True, white, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), False)
        mean = options.mean or tuple(white * value for value in IMAGENET_MEAN)
        std = options.std or tuple(white * value for value in IMAGENET_STD)
        return cls(True, white, mean, std, False)


def _layout(shape: Any, options: NetworkOptions, found: str) -> str:
    if shape.rank.is_dynamic or len(shape) != 4:
        raise InputError(f"{found}; {_KNOWN_INPUTS}")
    first, last = (not axis.is_static or axis.get_length() == 3 for axis in (shape[1], shape[3]))
    fixed_first, fixed_last = (axis.is_static and axis.get_length() == 3 for axis in (shape[1], shape[3]))
    if options.layout:
        if not (first if options.layout == "nchw" else last):
            raise InputError(f"{found}: layout {options.layout} needs 3 channels there; {_KNOWN_INPUTS}")
        return options.layout
    if fixed_first != fixed_last:
        return "nchw" if fixed_first else "nhwc"
    if not (first or last):
        raise InputError(f"{found}: no axis of 3 channels; {_KNOWN_INPUTS}")
    if first != last:
        return "nchw" if first else "nhwc"
    raise InputError(f"{found}: the axis order is ambiguous; give layout: nchw or layout: nhwc")


def _image_size(shape: Any, rows: int, columns: int, options: NetworkOptions, found: str) -> tuple[int, int]:
    sizes = []
    for axis, index, word in ((rows, 0, "height"), (columns, 1, "width")):
        fixed = shape[axis].get_length() if shape[axis].is_static else None
        wanted = options.size[index] if options.size else None
        if fixed is None and wanted is None:
            raise InputError(f"{found}: its {word} is not fixed; give the size, for example size=256x256")
        if fixed is not None and wanted is not None and fixed != wanted:
            raise InputError(f"{found}: its {word} is fixed at {fixed}, size asks for {wanted}; remove size")
        sizes.append(int(fixed if fixed is not None else wanted or 0))
    if min(sizes) < 1:
        raise InputError(f"{found}; {_KNOWN_INPUTS}")
    return sizes[0], sizes[1]


def _feature_output(model: Any, name: str, options: NetworkOptions) -> tuple[int, int]:
    """Index of the output with the features, and their length."""
    dims = [_vector_length(port.get_partial_shape()) for port in model.outputs]
    if options.output is not None:
        chosen = [i for i, port in enumerate(model.outputs) if options.output in port.get_names()]
        if not chosen:
            raise InputError(f"{name}: no output {options.output!r}; it has {_ports(model.outputs)}")
    else:
        chosen = [i for i, length in enumerate(dims) if length]
        if _shows_parts(model):
            chosen = [i for i, port in enumerate(model.outputs) if OUTPUT in port.get_names()]
        if len(chosen) > 1:
            raise InputError(
                f"{name}: several outputs could be the features ({_ports(model.outputs)}); choose one with output=NAME"
            )
    if not chosen or not dims[chosen[0]]:
        raise InputError(f"{name}: output {_ports(model.outputs)}; {_KNOWN_OUTPUTS}")
    return chosen[0], dims[chosen[0]]


def _shows_parts(model: Any) -> bool:
    """Whether a network is this project's with parts: `embedding` and `visibility`."""
    named = [port.get_names() for port in model.outputs]
    return len(named) == 2 and any(OUTPUT in n for n in named) and any(VISIBILITY in n for n in named)


def _vector_length(shape: Any) -> int:
    """Length of a feature if a shape is (n, d), or that with further axes of length 1; else 0."""
    if shape.rank.is_dynamic or len(shape) < 2 or any(axis.is_dynamic for axis in list(shape)[1:]):
        return 0
    lengths = [axis.get_length() for axis in list(shape)[1:]]
    return int(np.prod(lengths)) if sum(length != 1 for length in lengths) <= 1 else 0


def _leading_constants(model: Any) -> list[npt.NDArray[np.float64]]:
    """Constants that are subtracted from the input, added to it or multiplied with it before anything else."""
    constants = []
    consumers = list(model.inputs[0].get_target_inputs())
    while len(consumers) == 1:
        node = consumers[0].get_node()
        kind = node.get_type_name()
        if kind in _ARITHMETIC:
            other = [_constant(value.get_source_output().get_node()) for value in node.inputs()]
            values = [value for value in other if value is not None and value.size in (1, 3)]
            if not values:
                break
            constants.append(values[0])
        elif kind not in _PASSED_THROUGH:
            break
        consumers = list(node.output(0).get_target_inputs())
    return constants


def _constant(node: Any) -> npt.NDArray[np.float64] | None:
    while node.get_type_name() in _PASSED_THROUGH and node.get_input_size():
        node = node.input_value(0).get_node()
    return np.asarray(node.data, np.float64) if node.get_type_name() == "Constant" else None


def _assumptions(options: NetworkOptions, given: frozenset[str], steps: _Normalisation, element: str) -> str:
    told: list[str] = []
    assumed: list[str] = []
    (told if "colour" in given else assumed).append((options.colour or "rgb").upper())
    if element == "u8":
        told.append("uint8 without normalisation")
    elif steps.inside:
        assumed.append(f"values 0..{steps.white}, normalised in the network")
    else:
        target = told if given & {"mean", "std", "range"} else assumed
        target.append(f"values 0..{steps.white}, mean {_numbers(steps.mean)}, deviation {_numbers(steps.std)}")
    (told if "resize" in given else assumed).append("letterboxed" if options.resize == "letterbox" else "stretched")
    parts = [f"as given: {', '.join(told)}"] if told else []
    if assumed:
        parts.append(
            f"assumed: {', '.join(assumed)} (to change it, write a YAML file next to it or options after its name)"
        )
    return "; ".join(parts)


def _numbers(values: Sequence[float]) -> str:
    return "/".join(f"{value:.4g}" for value in values)


def _ports(ports: Sequence[Any]) -> str:
    return ", ".join(
        f"{next(iter(sorted(port.get_names())), '?')} {_shape(port.get_partial_shape())}" for port in ports
    )


def _shape(shape: Any) -> str:
    if shape.rank.is_dynamic:
        return "of unknown rank"
    return f"({', '.join(str(a.get_length()) if a.is_static else 'n' if not i else '?' for i, a in enumerate(shape))})"
