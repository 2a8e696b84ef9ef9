"""Loading detectors by name or file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from common.devices import Precision, choose_device, fastest_cpu_precision, normalise_precision, require_precision
from common.errors import InputError, path_not_found
from common.files import atomic
from common.nearest import nearest
from common.plugins import is_reference
from detection.detections import Detections
from detection.layouts import require_layout_name
from detection.own_detector import OwnDetector
from detection.vehicle_classes import VEHICLES, ClassChoice

_SUFFIXES = (".pt", ".onnx", ".xml")


class PreparedDetector(Protocol):
    """A `Detector` whose slow first steps can be done ahead of time."""

    @property
    def key(self) -> str:
        """See `detection.detector.Detector`."""

    def prepare(self, height: int, width: int) -> None:
        """Export or compile for frames of this size; before processes start, so that only one does the work."""

    def detect(self, frames: Sequence[npt.NDArray[np.uint8]]) -> list[Detections]:
        """See `detection.detector.Detector`."""


def load_detector(
    name_or_path: str | Path,
    *,
    device: str = "auto",
    score: float = 0.25,
    image_size: int | None = None,
    cache_dir: Path | None = None,
    threads: int = 0,
    precision: str = "auto",
    nms_iou: float = 0.7,
    vehicles: Collection[int] = VEHICLES,
    calibration: Sequence[Path] = (),
    own_options: Mapping[str, Any] | None = None,
    classes: ClassChoice | None = None,
    layout: str | None = None,
) -> PreparedDetector:
    """Make a detector.

    Args:
        name_or_path: one of
            - a file: an ultralytics `.pt`, an `.onnx`, or an OpenVINO `.xml` or the folder that holds it;
            - a name that ultralytics knows, such as "yolo11n" or "yolo11n.pt": downloaded once into `cache_dir`;
            - "torchvision:NAME", downloaded by torchvision, or "torchvision:NAME:FILE" with a state dict;
            - the user's own class: "package.module:Class" or "path/to/file.py:Class".
        device: "auto" (a GPU where there is one and the format can use it), "cpu", or a torch device ("cuda",
            "cuda:1"). ONNX and OpenVINO files run on the CPU.
        score: minimum confidence of a box.
        image_size: longer side of the network's input in pixels, None: the network's own. (Torchvision models: the
            shorter side.)
        cache_dir: folder for exports and downloads; None: exports are not kept, downloads are refused.
        threads: CPU threads; 0: all that this process may use. Divide them between parallel processes.
        precision: "auto" is bfloat16 on a CPU that computes in it, else float32; float16 on a GPU. Other spellings of
            a precision (bf16, fp16, ...) are understood. "int8" (the CPU only) needs `calibration` unless the file is
            int8 already, and the package nncf.
        nms_iou: boxes that overlap by more are one vehicle.
        vehicles: COCO labels to report.
        own_options: keyword arguments of the user's own class; of the other arguments only `score` counts for it.
        calibration: videos, or folders of images, whose frames set the ranges of an int8 network.
        classes: vehicles by the network's class names, such as {"object": "car"}, or "all"; see
            `detection.vehicle_classes.coco_labels`. None: the names say it.
        layout: a key of `detection.layouts.LAYOUTS`, None: read from the network. (Not for torchvision.)

    Raises:
        InputError: there is no such detector, its file is damaged or of an unknown layout, or the options contradict
            each other.
    """
    precision = normalise_precision(precision)
    if not 0 <= score < 1:
        raise InputError(f"detector score {score:g}: must be at least 0 and below 1")
    if layout is not None:
        require_layout_name(layout)
    named = str(name_or_path)
    if named.startswith("torchvision:"):
        from detection.torchvision_detector import TorchvisionDetector

        if layout is not None:
            raise InputError(f"detector layout {layout}: {named} has its own; leave the layout out")
        if precision not in ("auto", "float32"):
            raise InputError(f"precision {precision}: {named} runs in float32 only")
        _, name, *state = named.split(":", 2)
        return TorchvisionDetector(
            name,
            state=Path(state[0]) if state else None,
            device=choose_device(device),
            score=score,
            nms_iou=nms_iou,
            image_size=image_size,
            threads=threads,
            vehicles=vehicles,
            classes=classes,
        )

    if is_reference(named):
        return OwnDetector(named, own_options or {}, score)

    from detection.network import Weights
    from detection.network_detector import NetworkDetector

    path = _find(named, cache_dir)
    exports = None if cache_dir is None else cache_dir / "detectors"
    weights: Weights
    if path.suffix.lower() == ".pt":
        from detection.checkpoint_weights import CheckpointWeights

        place = choose_device(device)
        weights = CheckpointWeights(
            path,
            device=place,
            precision=_precision(precision, place, exports),
            threads=threads,
            cache=exports,
            calibration=calibration,
        )
    else:
        from detection.openvino_weights import OpenVinoWeights

        if device not in ("auto", "cpu"):
            raise InputError(f"{path}: runs on the CPU only, device {device} was asked for; give the .pt, or auto")
        weights = OpenVinoWeights(
            path,
            precision=_precision(precision, "cpu", exports),
            threads=threads,
            cache=exports,
            calibration=calibration,
        )
    return NetworkDetector(
        weights,
        source=named,
        score=score,
        nms_iou=nms_iou,
        image_size=image_size,
        vehicles=vehicles,
        classes=classes,
        layout=layout,
    )


def _find(named: str, cache_dir: Path | None) -> Path:
    """The file that is meant: itself, the network in a folder, or a download from ultralytics."""
    path = Path(named)
    if path.is_dir():
        networks = sorted(path.glob("*.xml"))
        if len(networks) != 1:
            raise InputError(f"{path}: holds {len(networks)} OpenVINO networks (.xml); name one file")
        path = networks[0]
    if path.is_file():
        if path.suffix.lower() not in _SUFFIXES:
            raise InputError(f"{path}: not a detector; give {', '.join(_SUFFIXES)} or a folder with an .xml")
        if path.suffix.lower() == ".xml" and not path.with_suffix(".bin").is_file():
            raise path_not_found(path.with_suffix(".bin"), "file of weights beside the .xml")
        return path
    if path.name != named:
        raise path_not_found(path, "detector")
    from detection.ultralytics_package import ultralytics_module

    name = named if path.suffix == ".pt" else f"{named}.pt"
    offered = ultralytics_module("ultralytics.utils.downloads", cache_dir and cache_dir / "detectors" / "ultralytics")
    detectors = sorted(known for known in offered.GITHUB_ASSETS_NAMES if known.startswith("yolo"))
    if name not in detectors:
        raise InputError(
            f"{named}: neither a file here nor a network of ultralytics{nearest(name, detectors)}"
            f"{' ' if nearest(name, detectors).endswith('?') else '; '}torchvision's are torchvision:NAME"
        )
    if cache_dir is None:
        raise InputError(f"{name}: not here, and no folder to download it to; fetch it and give its path")
    kept = cache_dir / "detectors" / "downloads" / name
    if not kept.is_file():
        _download(offered, name, kept)
    return kept


def _download(offered: object, name: str, kept: Path) -> None:
    fetch = getattr(offered, "attempt_download_asset")  # noqa: B009 - the module is typed as a plain object here
    with atomic(kept) as aside:
        try:
            fetch(aside, retry=1)
            problem = "" if aside.is_file() else "nothing arrived"
        except (OSError, RuntimeError, ValueError, AttributeError) as error:
            # Ultralytics decorates its messages with pictures.
            words = str(error).encode("ascii", "ignore").decode().split("\n")[0].strip()
            problem = words or type(error).__name__
        if problem:
            raise InputError(
                f"{name}: not here, and its download failed ({problem}); fetch it from ultralytics' releases "
                "(github.com/ultralytics/assets/releases) and give its path"
            )


def _precision(wanted: Precision, device: str, kept: Path | None) -> Precision:
    if wanted == "auto":
        return fastest_cpu_precision(kept) if device == "cpu" else "float16"
    require_precision(wanted, device)
    return wanted
