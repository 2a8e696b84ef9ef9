"""Crops of vehicles to vectors: the one class that most users of this package need."""

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

Crop = npt.NDArray[np.uint8] | Image.Image

# Part of every key: raise it when the same weights would give other vectors (resizing, conversion).
_VERSION = "1"


class Extractor:
    """Turns crops into float32 vectors of length 1; their dot product is the similarity of two vehicles' looks.

    Example:
        >>> import numpy as np
        >>> from reid.extractor import Extractor
        >>> extractor = Extractor.load("baseline")  # doctest: +SKIP
        >>> extractor.embed([np.zeros((80, 120, 3), np.uint8)]).shape  # doctest: +SKIP
        (1, 256)
    """

    def __init__(self, backend: Backend, content: str, batch: int = 32) -> None:
        """Wrap a backend; `load` and `of_model` are the usual ways in.

        Args:
            backend: what runs the network.
            content: a hash of the weights and the configuration.
            batch: crops that go through the network at once; raising it costs memory and, on a GPU, saves time.
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
            device: `auto` is the first GPU where there is one, else the CPU; `cpu`, `cuda`, `cuda:1`.
            precision: `float32`, `bfloat16`, or `auto`: bfloat16 on a GPU and where the CPU computes in it, else
                float32. bfloat16 is about twice as fast and moves a vector by a cosine of about 1e-4.
            threads: CPU threads; 0 for all cores.
            batch: crops that go through the network at once.
            cache_dir: where a checkpoint's OpenVINO form is kept, under a hash of its content; None converts it
                anew (seconds).
            backend: `auto` is OpenVINO on the CPU and PyTorch on a GPU.

        Raises:
            InputError: no such file or name, a damaged file, a device or precision that does not exist.
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
                    f"{path}: exported networks run on the CPU; on {device} give the .safetensors checkpoint"
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
        """Use a copy of a network that is in memory, as it is now. Arguments as `load`."""
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
        """Length of a vector."""
        return self._backend.dims

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width that every crop is resized to."""
        return self._backend.image_size

    @property
    def precision(self) -> str:
        """What the network computes in: `float32` or `bfloat16`."""
        return self._backend.precision

    @property
    def key(self) -> str:
        """What decides the vectors: content hash of the weights, backend, precision. Part of cache keys."""
        return f"reid-{_VERSION}-{self._content[:32]}-{self._backend.name}-{self._backend.precision}"

    def embed(self, crops: Sequence[Crop], colour: Literal["bgr", "rgb"] = "bgr") -> npt.NDArray[np.float32]:
        """Vectors of crops of any sizes.

        Args:
            crops: uint8 arrays (h, w, 3), also grey (h, w) or (h, w, 1), also with a fourth (alpha) channel that is
                dropped; or PIL images of any mode. Each is stretched to `image_size`.
            colour: the channels' order in the arrays: `bgr` (OpenCV, this project's videos) or `rgb`. PIL images know
                theirs.

        Returns:
            (n, dims) float32, rows of length 1. A crop without pixels gets a row of zeros: similar to nothing.
        """
        vectors = np.zeros((len(crops), self.dims), np.float32)
        filled = [row for row, crop in enumerate(crops) if 0 not in _size(crop)]
        for start in range(0, len(filled), self._batch):
            rows = filled[start : start + self._batch]
            vectors[rows] = self.embed_prepared(self.prepare([crops[row] for row in rows], colour))
        return vectors

    def prepare(self, crops: Sequence[Crop], colour: Literal["bgr", "rgb"] = "bgr") -> npt.NDArray[np.uint8]:
        """Crops (none empty) as the network takes them: (n, 3, h, w) uint8 RGB. Arguments as `embed`."""
        height, width = self.image_size
        prepared = np.empty((len(crops), 3, height, width), np.uint8)
        for target, crop in zip(prepared, crops, strict=True):
            _fill(target, crop, colour)
        return prepared

    def embed_prepared(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Vectors of images that `prepare` made: (n, 3, h, w) uint8 RGB to (n, dims) float32."""
        vectors = np.zeros((len(images), self.dims), np.float32)
        for start in range(0, len(images), self._batch):
            vectors[start : start + self._batch] = self._backend.infer(images[start : start + self._batch])
        # Lower precisions leave the length a little beside 1; broken weights give what is no number.
        vectors = np.nan_to_num(vectors, nan=0.0, posinf=0.0, neginf=0.0)
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        result: npt.NDArray[np.float32] = vectors / np.maximum(length, np.finfo(np.float32).tiny)
        return result


def find_weights(weights: str | Path) -> Path:
    """The file of a shipped checkpoint's name, or the file itself.

    Raises:
        InputError: neither; the line gives the nearest names.
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
    """`auto` resolved: the first GPU where there is one, else the CPU; other names are checked.

    Raises:
        InputError: an unknown device, or one that this machine does not have.
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
    """The checkpoint's OpenVINO form, from the cache or made now."""
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
    """Write a crop, stretched, into `target` (3, h, w), RGB."""
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
