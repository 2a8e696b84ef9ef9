"""The feature extractor: vehicle crops to vectors. The one class that most users of this package need."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from common.errors import InputError, path_not_found
from common.nearest import nearest
from reid.backends import PRECISIONS, Backend, OpenVinoBackend, TorchBackend
from reid.checkpoint import load_model
from reid.deploy import save_openvino, to_openvino
from reid.models import ReidModel
from reid.shipped import EXTRACTORS, shipped_extractor
from reid.views import resize

<<<<<<< HEAD
=======
WEIGHTS = Path(__file__).resolve().parent.parent / "weights"
"""Folder of the checkpoints shipped with the project."""

>>>>>>> f5101be (reid, simulation: rewrite docstrings, help and errors in plain English)
Crop = npt.NDArray[np.uint8] | Image.Image

# Part of every cache key: increase it when the same weights give different vectors (resizing, conversion).
_VERSION = "1"


class Extractor:
    """Maps vehicle crops to float32 unit vectors whose dot product is the visual similarity of two vehicles.

    Example:
        >>> import numpy as np
        >>> from reid.extractor import Extractor
        >>> extractor = Extractor.load("baseline")  # doctest: +SKIP
        >>> extractor.embed([np.zeros((80, 120, 3), np.uint8)]).shape  # doctest: +SKIP
        (1, 256)
    """

    def __init__(self, backend: Backend, content: str, batch: int = 32) -> None:
        """Wrap a backend; most callers use `load` or `of_model`.

        Args:
            backend: runs the network.
            content: a hash of the weights and the configuration.
            batch: crops per forward pass; raising it costs memory and, on a GPU, saves time.
        """
        if batch < 1:
            raise InputError(f"batch must be at least 1, not {batch}")
        self._backend = backend
        self._content = content
        self._batch = batch

    @classmethod
    def load(
        cls,
        weights: str | Path = "baseline",
        device: str = "auto",
        *,
        precision: str = "auto",
        threads: int = 0,
        batch: int = 32,
        cache_dir: str | Path | None = None,
        backend: Literal["auto", "openvino", "torch"] = "auto",
    ) -> Extractor:
        """Load a network.

        Args:
            weights: a name in the project's `weights/` (`baseline`, `ssbver`) or a file: a checkpoint (.safetensors),
                or an export of `reid.export` (.onnx, .xml).
            device: `auto` (the first GPU if there is one, else the CPU), `cpu`, `cuda`, `cuda:1`.
            precision: `float32`, `bfloat16`, or `auto`: bfloat16 on a GPU and on CPUs with native support, else
                float32. bfloat16 is about twice as fast and changes a vector by a cosine distance of about 1e-4.
            threads: CPU threads; 0 for all cores.
            batch: crops per forward pass.
            cache_dir: folder that caches a checkpoint's OpenVINO conversion under a hash of its content; None
                converts it each time (seconds).
            backend: `auto` is OpenVINO on the CPU and PyTorch on a GPU.

        Raises:
            InputError: unknown file, name, device or precision, or a damaged file.
        """
        path = find_weights(weights)
        if threads < 0:
            raise InputError(f"threads must be at least 0 (all cores), not {threads}")
        if precision not in PRECISIONS:
            raise InputError(f"precision {precision!r} is unknown; there are {', '.join(PRECISIONS)}")
        device = choose_device(device)
        if path.suffix in (".onnx", ".xml"):
            if device != "cpu":
                raise InputError(
                    f"{path}: exported networks run on the CPU; to run on {device}, give the .safetensors checkpoint"
                )
            content = _hash_files(path, path.with_suffix(".bin"))
            return cls(OpenVinoBackend(path, precision, threads), content, batch)
        content = _hash_files(path)
        if backend == "torch" or (backend == "auto" and device != "cpu"):
            model, _ = load_model(path, device)
            return cls(TorchBackend(model, device, precision), content, batch)
        if device != "cpu":
            raise InputError(f"backend openvino runs on the CPU, not on {device}")
        return cls(OpenVinoBackend(_converted(path, content, cache_dir), precision, threads), content, batch)

    @classmethod
    def of_model(
        cls,
        model: ReidModel,
        device: str = "cpu",
        *,
        precision: str = "auto",
        threads: int = 0,
        batch: int = 32,
        backend: Literal["auto", "openvino", "torch"] = "auto",
    ) -> Extractor:
        """Wrap a copy of a network that is in memory. Arguments as in `load`."""
        digest = hashlib.sha256(model.config.model_dump_json().encode())
        for name, value in sorted(model.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
        model = copy.deepcopy(model)
        if backend == "openvino" or (backend == "auto" and device == "cpu"):
            return cls(OpenVinoBackend(to_openvino(model), precision, threads), digest.hexdigest(), batch)
        return cls(TorchBackend(model, device, precision), digest.hexdigest(), batch)

    @property
    def dims(self) -> int:
        """Length of a feature vector."""
        return self._backend.dims

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width in pixels that every crop is resized to."""
        return self._backend.image_size

    @property
    def precision(self) -> str:
        """Arithmetic of the network: `float32` or `bfloat16`."""
        return self._backend.precision

    @property
    def key(self) -> str:
        """Identifies what determines the vectors (weights, backend, precision), for use in cache keys."""
        return f"reid-{_VERSION}-{self._content[:32]}-{self._backend.name}-{self._backend.precision}"

    def embed(self, crops: Sequence[Crop], colour: Literal["bgr", "rgb"] = "bgr") -> npt.NDArray[np.float32]:
        """Compute the features of crops of any sizes.

        Args:
            crops: uint8 arrays (h, w, 3), greyscale (h, w) or (h, w, 1), or (h, w, 4) whose alpha channel is dropped;
                or PIL images of any mode. Each is resized to `image_size`.
            colour: channel order of the arrays: `bgr` (OpenCV, this project's videos) or `rgb`. Ignored for PIL
                images.

        Returns:
            (n, dims) float32 unit vectors. An empty crop gets a zero vector, which is similar to nothing.
        """
        vectors = np.zeros((len(crops), self.dims), np.float32)
        filled = [row for row, crop in enumerate(crops) if 0 not in _size(crop)]
        for start in range(0, len(filled), self._batch):
            rows = filled[start : start + self._batch]
            vectors[rows] = self.embed_prepared(self.prepare([crops[row] for row in rows], colour))
        return vectors

    def prepare(self, crops: Sequence[Crop], colour: Literal["bgr", "rgb"] = "bgr") -> npt.NDArray[np.uint8]:
        """Resize non-empty crops to network input, (n, 3, h, w) uint8 RGB. Arguments as in `embed`."""
        height, width = self.image_size
        prepared = np.empty((len(crops), 3, height, width), np.uint8)
        for target, crop in zip(prepared, crops, strict=True):
            _fill(target, crop, colour)
        return prepared

    def embed_prepared(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Compute the features of images made by `prepare`: (n, 3, h, w) uint8 RGB to (n, dims) float32."""
        vectors = np.zeros((len(images), self.dims), np.float32)
        for start in range(0, len(images), self._batch):
            vectors[start : start + self._batch] = self._backend.infer(images[start : start + self._batch])
        # In lower precision the norm is slightly off 1; broken weights produce NaN.
        vectors = np.nan_to_num(vectors, nan=0.0, posinf=0.0, neginf=0.0)
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        result: npt.NDArray[np.float32] = vectors / np.maximum(length, np.finfo(np.float32).tiny)
        return result


<<<<<<< HEAD
def find_weights(weights: str | Path) -> Path:
    """The file of a shipped checkpoint's name, or the file itself.
=======
def find_weights(weights: str | Path, folder: Path = WEIGHTS) -> Path:
    """Resolve the name of a shipped checkpoint, or a path, to a file.
>>>>>>> f5101be (reid, simulation: rewrite docstrings, help and errors in plain English)

    Raises:
        InputError: neither exists; the message gives the closest names.
    """
    path = Path(weights).expanduser()
    if path.is_file():
        return path
    shipped = shipped_extractor(str(weights))
    if shipped is not None:
        return shipped
    if len(path.parts) > 1:
        raise path_not_found(path, "weights file")
    raise InputError(
        f"weights {str(weights)!r}: neither a file nor the name of a shipped extractor{nearest(path.name, EXTRACTORS)}"
    )


def choose_device(device: str) -> str:
    """Resolve `auto` to the first GPU if there is one, else the CPU; check other names.

    Raises:
        InputError: the device is unknown or not available.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device)
    except RuntimeError:
        kind = None
    if kind is None or kind.type not in ("cpu", "cuda"):
        raise InputError(f"device {device!r} is unknown; there are auto, cpu, cuda, cuda:<number>")
    if kind.type == "cuda" and (kind.index or 0) >= torch.cuda.device_count():
        raise InputError(f"device {device!r}: this machine has {torch.cuda.device_count()} GPUs; use cpu")
    return device


def _converted(path: Path, content: str, cache_dir: str | Path | None) -> object:
    """The checkpoint converted to OpenVINO, from the cache if possible."""
    if cache_dir is None:
        return to_openvino(load_model(path)[0])
    cached = Path(cache_dir).expanduser() / f"reid-{_VERSION}-{content[:32]}.xml"
    if not (cached.is_file() and cached.with_suffix(".bin").is_file()):
        save_openvino(to_openvino(load_model(path)[0]), cached)
    return cached


def _hash_files(*paths: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        if path.is_file():
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _size(crop: Crop) -> tuple[int, ...]:
    if isinstance(crop, Image.Image):
        return crop.size
    if isinstance(crop, np.ndarray):
        return crop.shape
    raise TypeError(f"crops must be arrays or PIL images, not {type(crop).__name__}; PIL.Image.open reads a file")


def _fill(target: npt.NDArray[np.uint8], crop: Crop, colour: Literal["bgr", "rgb"]) -> None:
    """Resize a crop into `target`, (3, h, w) RGB."""
    pixels: npt.NDArray[np.uint8] = np.asarray(crop.convert("RGB")) if isinstance(crop, Image.Image) else crop
    reverse = colour == "bgr" and not isinstance(crop, Image.Image)
    if pixels.dtype != np.uint8:
        raise ValueError(f"crops must be uint8, not {pixels.dtype}")
    channels = 1 if pixels.ndim == 2 else pixels.shape[2] if pixels.ndim == 3 else 0
    if channels not in (1, 3, 4):
        raise ValueError(f"crops must be (h, w), (h, w, 1), (h, w, 3) or (h, w, 4), not {pixels.shape}")
    resized = resize(np.ascontiguousarray(pixels), target.shape[1:])
    if channels == 1:
        target[:] = resized.reshape(target.shape[1:])
    else:
        target[:] = (resized[:, :, 2::-1] if reverse else resized[:, :, :3]).transpose(2, 0, 1)
