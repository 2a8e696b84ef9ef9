"""Weights in ultralytics' own format, `.pt`: exported for the CPU once, or run by torch."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import InputError
from common.files import atomic
from detection.network import Network, WeightFacts, content_hash
from detection.openvino_weights import build_network, cached_model, precision_key, require_quantiser

if TYPE_CHECKING:
    import torch

# Goes into keys; raise it when exports change.
_VERSION = 2
_TASKS = ("detect", "segment", "pose")


class CheckpointWeights:
    """An ultralytics checkpoint with a YOLO head.

    On the CPU the network is exported to OpenVINO at each input size once and kept in the cache; where it is there,
    neither torch nor ultralytics is imported.

    Args:
        path: the `.pt`.
        device: "cpu", or a torch device such as "cuda:0".
        precision: "float32", "bfloat16", "float16" or "int8" (the CPU only).
        threads: of the CPU; 0: all that this process may use.
        cache: folder where exports are kept; None: nowhere.
        calibration: videos whose frames decide the ranges of an int8 network.
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
    def facts(self) -> WeightFacts:
        kept = None if self._cache is None else self._cache / "facts.json"
        if kept is not None and kept.is_file():
            text = json.loads(kept.read_text())
            names = {int(number): name for number, name in text["names"].items()}
            return WeightFacts(names, text["stride"], text["longest"])
        facts = _facts_of(self._modules(), self._path)
        if kept is not None:
            with atomic(kept) as aside:
                aside.write_text(json.dumps({"names": facts.names, "stride": facts.stride, "longest": facts.longest}))
        return facts

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


def _facts_of(modules: Any, path: Path) -> WeightFacts:
    task = getattr(modules, "task", "detect")
    head = modules.model[-1]
    if task not in _TASKS or not hasattr(head, "cv3"):
        raise InputError(
            f"{path}: a {type(head).__name__} network for {task}; only YOLO heads for {', '.join(_TASKS)} give boxes"
        )
    names = modules.names
    names = dict(enumerate(names)) if isinstance(names, (list, tuple)) else names
    longest = modules.args.get("imgsz", 640)
    return WeightFacts(
        {int(number): str(name) for number, name in names.items()},
        int(max(modules.stride)),
        int(max(longest) if isinstance(longest, (list, tuple)) else longest),
    )


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
