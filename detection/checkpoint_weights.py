"""Ultralytics checkpoints (`.pt`): exported to OpenVINO for the CPU, or run by torch on a GPU."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import InputError
from detection.layouts import Metadata
from detection.network import Network, NetworkFacts, content_hash, kept_facts
from detection.openvino_weights import build_network, cached_model, precision_key, require_quantiser

if TYPE_CHECKING:
    import torch

# Part of cache keys; increase it when exports change.
_VERSION = 3
_TASK_OF_HEAD = {"Segment": "segment", "Pose": "pose", "OBB": "obb", "Classify": "classify"}
_TASKS = ("detect", "segment", "pose", "obb")


class CheckpointWeights:
    """An ultralytics checkpoint of a detection, segmentation, pose or oriented-box network.

    On the CPU the network is exported to OpenVINO once per input size and cached; from the cache it runs without
    importing torch or ultralytics.

    Args:
        path: the `.pt`.
        device: "cpu", or a torch device such as "cuda:0".
        precision: "float32", "bfloat16", "float16" or "int8" (the CPU only).
        threads: CPU threads; 0: all that this process may use.
        cache: folder for exports; None: exports are not kept.
        calibration: videos whose frames set the activation ranges of an int8 network.
    """

    def __init__(
        self,
        path: Path,
        *,
        device: str,
        precision: str,
        threads: int,
        cache: Path | None,
        calibration: Sequence[Path],
    ) -> None:
        if precision == "int8":
            require_quantiser(calibration)
        self._path = path
        self._device = device
        self._precision = precision
        self._threads = threads
        self._content = content_hash(path)
        self._cache = None if cache is None else cache / f"{self._content[:16]}-{_VERSION}"
        self._calibration = tuple(calibration)

    @property
    def key(self) -> str:
        library = "openvino" if self._device == "cpu" else "torch"
        return f"{library} {self._content} {_VERSION} {precision_key(self._precision, self._calibration)}"

    @cached_property
    def facts(self) -> NetworkFacts:
        kept = None if self._cache is None else self._cache / "facts.json"
        return kept_facts(kept, lambda: _facts_of(self._modules(), self._path))

    def network(self, size: tuple[int, int]) -> Network:
        if self._device != "cpu":
            from detection.torch_network import TorchNetwork

            return TorchNetwork(self._modules(), size, self._precision, self._device)
        folder = None if self._cache is None else self._cache / f"{size[0]}x{size[1]}-float"
        return build_network(
            lambda: cached_model(folder, lambda: _export(self._modules(), size), self.facts),
            self.facts,
            size,
            precision=self._precision,
            threads=self._threads,
            cache=self._cache,
            calibration=self._calibration,
        )

    def _modules(self) -> torch.nn.Module:
        from detection.safe_checkpoint import load_modules

        settings = None if self._cache is None else self._cache.parent / "ultralytics"
        return load_modules(self._path, settings)


def _facts_of(modules: Any, path: Path) -> NetworkFacts:
    from detection.torch_network import output_shapes

    head = modules.model[-1]
    kind = type(head).__name__
    task = getattr(modules, "task", None) or _TASK_OF_HEAD.get(kind, "detect")
    if task not in _TASKS:
        raise InputError(f"{path}: not a detector, but a {kind} network for {task}; give one for {', '.join(_TASKS)}")
    names = modules.names
    names = dict(enumerate(names)) if isinstance(names, (list, tuple)) else names
    longest = modules.args.get("imgsz", 640)
    longest = int(max(longest) if isinstance(longest, (list, tuple)) else longest)
    stride = int(max(modules.stride))
    side = -(-longest // stride) * stride
    keypoints = getattr(head, "kpt_shape", None)
    metadata = Metadata(
        {int(number): str(name) for number, name in names.items()},
        task,
        kind,
        bool(getattr(head, "end2end", False)),
        keypoints[0] * keypoints[1] if keypoints else None,
    )
    return NetworkFacts(metadata, output_shapes(modules, (side, side)), (longest, longest), False, stride)


def _export(modules: torch.nn.Module, size: tuple[int, int]) -> Any:
    import torch
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
    from openvino.passes import ConstantFolding, Manager

    from detection.torch_network import FirstOutput

    network = FirstOutput(modules)
    example = torch.zeros(1, 3, *size)
    with torch.no_grad(), warnings.catch_warnings():
        # Tracing is deprecated in favour of `torch.export`, which OpenVINO reads but ultralytics' heads do not survive.
        warnings.simplefilter("ignore")
        network(example)
        traced: Any = torch.jit.trace(network, example, strict=False, check_trace=False)  # type: ignore[no-untyped-call]
        # Not `openvino.convert_model`: it reports its use over the network, and forks this process to do so.
        reader = FrontEndManager().load_by_framework("pytorch")
        # The decoder must live as long as the conversion: OpenVINO holds no reference to it.
        decoder = TorchScriptPythonDecoder(traced, example_input=(example,))
        model = reader.convert(reader.load(decoder))
    model.reshape({model.input(0): [1, 3, *size]})
    # With the size known, what the trace computes from sizes is constant; quantisation needs to see it so.
    passes = Manager()
    passes.register_pass(ConstantFolding())
    passes.run_passes(model)
    return model
