"""Networks in OpenVINO or ONNX files, run on the CPU."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from common.devices import fastest_cpu_precision
from common.errors import InputError
from common.files import atomic
from detection.letterbox import Letterbox
from detection.network import NetworkFacts, content_hash, kept_facts

if TYPE_CHECKING:
    from detection.openvino_network import OpenVinoNetwork

# OpenVINO takes a second to import; a detector whose boxes are all in the cache does not need it.

# Part of the place of cached facts; increase it when they are read differently.
_VERSION = 1

# Frames over all calibration videos; more take longer and change the ranges little.
_CALIBRATION_FRAMES = 48
# Frames of each video that are decoded for calibration: the first minute shows what the camera sees.
_CALIBRATION_SPAN = 600


class OpenVinoWeights:
    """A network in a file, `.onnx` or `.xml`.

    Args:
        path: the file.
        precision: as for `OpenVinoNetwork`, or "int8": the network is quantised unless it already is.
        threads: CPU threads; 0: all that this process may use.
        cache: folder for quantised networks; None: they are not kept.
        calibration: videos whose frames set the activation ranges of an int8 network.
    """

    def __init__(
        self, path: Path, *, precision: str, threads: int, cache: Path | None, calibration: Sequence[Path]
    ) -> None:
        self._path = path
        self._precision = precision
        self._threads = threads
        self._cache = cache
        self._calibration = tuple(calibration)
        self._content = content_hash(*(file for file in (path, path.with_suffix(".bin")) if file.is_file()))

    @property
    def key(self) -> str:
        return f"openvino {self._content} {precision_key(self._precision, self._calibration)}"

    @cached_property
    def facts(self) -> NetworkFacts:
        # An .xml has a file of metadata beside it, which its content does not tell.
        if self._cache is None or self._path.suffix.lower() != ".onnx":
            return self._read_facts()
        return kept_facts(self._cache / f"{self._content[:16]}-{_VERSION}" / "facts.json", self._read_facts)

    def _read_facts(self) -> NetworkFacts:
        from detection.openvino_network import facts_of, read_model, run_once

        model = read_model(self._path)
        facts = facts_of(model, self._path)
        if any(not output.shape or None in output.shape for output in facts.outputs):
            # Some shapes follow from what the network computes, as after built-in suppression of duplicates.
            facts = replace(facts, outputs=run_once(model, facts.size))
        return facts

    def network(self, size: tuple[int, int]) -> OpenVinoNetwork:
        from detection.openvino_network import read_model

        return build_network(
            lambda: read_model(self._path),
            self.facts,
            size,
            precision=self._precision,
            threads=self._threads,
            cache=None if self._cache is None else self._cache / self._content[:16],
            calibration=self._calibration,
        )


def build_network(
    read: Callable[[], Any],
    facts: NetworkFacts,
    size: tuple[int, int],
    *,
    precision: str,
    threads: int,
    cache: Path | None,
    calibration: Sequence[Path],
) -> OpenVinoNetwork:
    """Compile the model that `read` gives for `size`, quantised and kept under `cache` where the precision is int8."""
    from detection.openvino_network import OpenVinoNetwork

    if precision != "int8":
        return OpenVinoNetwork(read(), size, precision, threads)

    def quantised() -> Any:
        model = read()
        if any(op.get_type_name() == "FakeQuantize" for op in model.get_ops()):
            return model
        return _quantise(model, size, calibration)

    name = f"{size[0]}x{size[1]}-{precision_key(precision, calibration).replace(' ', '-')}"
    model = cached_model(None if cache is None else cache / name, quantised, facts)
    # What is not int8 runs in the fastest other precision.
    return OpenVinoNetwork(model, size, fastest_cpu_precision(), threads)


def cached_model(folder: Path | None, make: Callable[[], Any], facts: NetworkFacts) -> Any:
    """The model kept in `folder`, made and put there first where it is not; `folder` None: just made."""
    from detection.openvino_network import read_model, save_model

    if folder is None:
        return make()
    if not (folder / "model.xml").is_file():
        with atomic(folder) as aside:
            aside.mkdir()
            save_model(make(), aside / "model.xml", facts)
    return read_model(folder / "model.xml")


def precision_key(precision: str, calibration: Sequence[Path]) -> str:
    """The part of a cache key that holds the precision; int8 depends on the calibration videos."""
    if precision != "int8" or not calibration:
        return precision
    return f"int8 {content_hash(*_files(calibration))[:16]}"


def _files(videos: Sequence[Path]) -> list[Path]:
    return [
        file for video in videos for file in (sorted(video.iterdir()) if video.is_dir() else [video]) if file.is_file()
    ]


def require_quantiser(calibration: Sequence[Path]) -> None:
    """Refuse to quantise without the package or the videos for it.

    Raises:
        InputError: with what is missing.
    """
    if find_spec("nncf") is None:
        raise InputError("precision int8: needs the package nncf; install this project with the extra [int8]")
    if not calibration:
        raise InputError("precision int8: needs videos to calibrate on; name some, or give an int8 network")


def _nncf() -> Any:
    """The package nncf; it reports its use over the network unless the package for that is not found."""
    reporting = sys.modules.get("openvino_telemetry")
    sys.modules["openvino_telemetry"] = cast(ModuleType, None)
    try:
        return importlib.import_module("nncf")
    finally:
        if reporting is None:
            del sys.modules["openvino_telemetry"]
        else:
            sys.modules["openvino_telemetry"] = reporting


def _quantise(model: Any, size: tuple[int, int], calibration: Sequence[Path]) -> Any:
    from detection.openvino_network import InputForm
    from detection.video import open_video

    require_quantiser(calibration)
    nncf = _nncf()
    form = InputForm.of(model, model.friendly_name)
    model.reshape({model.input(0): form.shape(size)})
    pictures = []
    for path in calibration:
        video = open_video(path, threads=1)
        letterbox = Letterbox.within((video.info.height, video.info.width), size)
        span = min(video.info.frames or _CALIBRATION_SPAN, _CALIBRATION_SPAN)
        step = max(span * len(calibration) // _CALIBRATION_FRAMES, 1)
        pictures += [letterbox.apply(frame) for _, frame in video.frames(step=step, last=span)]

    def network_input(picture: Any) -> Any:
        rgb = np.repeat(picture[None, :, :, ::-1], form.batch, 0)
        arranged = rgb if form.channels_last else rgb.transpose(0, 3, 1, 2)
        return arranged if form.bytes else arranged.astype("float32") / 255

    # The head turns scores and distances into boxes: eight bits are too few for pixels.
    sigmoids = [op.get_friendly_name() for op in model.get_ops() if op.get_type_name() == "Sigmoid"]
    heads = tuple(f"{name.split('/')[0]}{end}" for name in sigmoids[-1:] for end in ("/", ".dfl"))
    delicate = [
        op.get_friendly_name()
        for op in model.get_ops()
        if op.get_type_name() != "Constant"
        and (op.get_type_name() == "Sigmoid" or op.get_friendly_name().startswith(heads))
    ]
    # nncf draws its progress on standard output, where a command's result goes.
    with redirect_stdout(sys.stderr):
        return nncf.quantize(
            model,
            nncf.Dataset(pictures, network_input),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(pictures),
            ignored_scope=nncf.IgnoredScope(names=delicate),
        )
