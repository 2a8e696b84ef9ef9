"""The only place that imports ultralytics, because the import changes the process and the home directory."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import torch

from common.errors import InputError

# Otherwise it installs packages, and looks for them on the network, while a program runs.
_CONTAINMENT = {"YOLO_AUTOINSTALL": "false", "ULTRALYTICS_SKIP_REQUIREMENTS_CHECKS": "1", "YOLO_VERBOSE": "false"}

_REPLACED: tuple[tuple[Any, str], ...] = (
    (PIL.Image, "open"),
    (cv2, "imread"),
    (cv2, "imwrite"),
    (cv2, "imshow"),
    (torch, "save"),
)


def ultralytics_module(name: str, settings_folder: Path | None = None) -> Any:
    """Import a module of ultralytics, or one that its checkpoints name, and undo what the import does to the process.

    Ultralytics installs packages at run time, writes settings under the home directory, sets the number of threads of
    OpenMP, torch and OpenCV, changes how NumPy prints numbers, and replaces functions of Pillow, OpenCV and torch with
    its own: `PIL.Image.open` of a damaged file then asks for a package that is not installed. Here all of that is
    prevented or undone.

    Args:
        name: the module, such as "ultralytics.nn.tasks".
        settings_folder: where ultralytics keeps its settings, unless the user has set YOLO_CONFIG_DIR. Only the
            first import in a process counts.

    Raises:
        InputError: ultralytics, an optional dependency, is not installed.
    """
    for variable, value in _CONTAINMENT.items():
        os.environ.setdefault(variable, value)
    if settings_folder is not None:
        settings_folder.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("YOLO_CONFIG_DIR", str(settings_folder))
    originals = [(owner, attribute, getattr(owner, attribute)) for owner, attribute in _REPLACED]
    shown = np.get_printoptions()
    openmp, torch_threads, cv_threads = os.environ.get("OMP_NUM_THREADS"), torch.get_num_threads(), cv2.getNumThreads()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != "ultralytics":
            raise
        raise InputError(
            "YOLO networks by name and .pt checkpoints need ultralytics (AGPL-3.0), which is not installed; "
            "install mtmc[yolo], or give torchvision:NAME, an .onnx or an OpenVINO .xml as detector"
        ) from error
    finally:
        for owner, attribute, original in originals:
            setattr(owner, attribute, original)
        np.set_printoptions(**shown)
        if openmp is None:
            os.environ.pop("OMP_NUM_THREADS", None)
        torch.set_num_threads(torch_threads)
        cv2.setNumThreads(cv_threads)
