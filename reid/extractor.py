"""The feature extractor: vehicle crops to vectors. The one class that most users of this package need."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from common.devices import choose_device, normalise_precision
from common.errors import InputError, path_not_found
from common.files import write_json
from common.nearest import nearest
from reid.interface import COSINE_APPROXIMATES, PRECISIONS, Distance
from reid.network_options import NetworkOptions, read_options, related_files, split_options
from reid.shipped import EXTRACTORS, shipped_extractor
from reid.tensor_files import is_own_checkpoint
from reid.views import resize

if TYPE_CHECKING:
    from reid.backends import Backend
    from reid.branches import ImageLabels
    from reid.models import ReidModel

# Torch and OpenVINO take seconds to import, so they are imported where a network is read or run: a run whose vectors
# are in the cache needs neither.

Crop = npt.NDArray[np.uint8] | Image.Image

# Part of every cache key: increase it when the same weights give different vectors (resizing, conversion).
_VERSION = "1"
# Stands for the checkpoint in notes that are kept: the same content may lie elsewhere next time.
_PATH = "{checkpoint}"
_LABELS_NOTE = "{path}: uses cameras and viewpoints where a data set gives them, and their mean embedding elsewhere"


class Extractor:
    """Maps vehicle crops to float32 unit vectors whose dot product is the visual similarity of two vehicles.

    Example:
        >>> import numpy as np
        >>> from reid.extractor import Extractor
        >>> extractor = Extractor.load("baseline")  # doctest: +SKIP
        >>> extractor.embed([np.zeros((80, 120, 3), np.uint8)]).shape  # doctest: +SKIP
        (1, 256)
    """

    def __init__(
        self,
        backend: Backend,
        content: str,
        batch: int = 32,
        *,
        options: NetworkOptions | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        """Wrap a backend; most callers use `load` or `of_model`.

        Args:
            backend: runs the network.
            content: a hash of the weights and the configuration.
            batch: crops per forward pass; raising it costs memory and, on a GPU, saves time.
            options: colour order and resizing of a network from another project.
            notes: what was assumed about the network.
        """
        if batch < 1:
            raise InputError(f"batch must be at least 1, not {batch}")
        self._backend = backend
        self._content = content
        self._batch = batch
        self._options = options or NetworkOptions()
        self.notes = (*notes, *backend.notes)

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
                an ONNX or OpenVINO network (.onnx, .xml), or a checkpoint of another project (.pth, ...). Options for
                networks of other projects may follow the file name: `net.onnx:bgr,mean=0.5/0.5/0.5`.
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
        name, text = split_options(weights)
        path = find_weights(name)
        if threads < 0:
            raise InputError(f"threads must be at least 0 (all cores), not {threads}")
        precision = normalise_precision(precision)
        if precision not in PRECISIONS:
            raise InputError(f"precision {precision!r}: extractors do not compute in it; use {', '.join(PRECISIONS)}")
        device = choose_device(device)
        if path.suffix.lower() in (".onnx", ".xml"):
            if device != "cpu":
                raise InputError(
                    f"{path}: exported networks run on the CPU; to run on {device}, give the .safetensors checkpoint"
                )
            from reid.backends import OpenVinoBackend

            options, given = read_options(path, text)
            runner = OpenVinoBackend(path, precision, threads, options, given)
            return cls(runner, _content(path, options, given), batch, options=options)
        converted = _find_conversion(path, text, cache_dir) if backend != "torch" and device == "cpu" else None
        if converted is not None:
            from reid.backends import OpenVinoBackend

            runner = OpenVinoBackend(converted.file, precision, threads)
            return cls(runner, converted.content, batch, options=converted.options, notes=converted.notes)
        model, options, given, notes = _load_checkpoint(path, text)
        content = _content(path, options, given)
        # OpenVINO's networks take images alone, without cameras and viewpoints.
        if backend == "torch" or (backend == "auto" and (device != "cpu" or model.takes_labels)):
            from reid.torch_backend import TorchBackend

            return cls(TorchBackend(model.to(device), device, precision), content, batch, options=options, notes=notes)
        if device != "cpu":
            raise InputError(f"backend openvino runs on the CPU, not on {device}")
        from reid.backends import OpenVinoBackend

        network = _converted(model, content, cache_dir, path, notes)
        return cls(OpenVinoBackend(network, precision, threads), content, batch, options=options, notes=notes)

    @classmethod
    def convert(cls, weights: str | Path, device: str = "auto", *, cache_dir: str | Path) -> None:
        """Convert a checkpoint to OpenVINO in `cache_dir`, where `load` on the CPU finds it. Other files need nothing.

        Raises:
            InputError: as in `load`.
        """
        name, text = split_options(weights)
        path = find_weights(name)
        if path.suffix in (".onnx", ".xml") or choose_device(device) != "cpu":
            return
        if _find_conversion(path, text, cache_dir) is not None:
            return
        model, options, given, notes = _load_checkpoint(path, text)
        _converted(model, _content(path, options, given), cache_dir, path, notes)

    @classmethod
    def check(cls, weights: str | Path, cache_dir: str | Path | None = None) -> tuple[str, ...]:
        """Check quickly that a network can be used: read it without compiling or converting it.

        Args:
            weights: as in `load`.
            cache_dir: as in `load`; a checkpoint that was converted there is known to be sound, and is not read again.

        Returns:
            Notes about what was assumed, one line each; empty for networks of this project.

        Raises:
            InputError: the file is missing, damaged or not a supported network; the options are invalid.
        """
        name, text = split_options(weights)
        path = find_weights(name)
        if path.suffix.lower() in (".onnx", ".xml"):
            from reid.backends import read_network

            return read_network(path, *read_options(path, text)).notes
        converted = _find_conversion(path, text, cache_dir)
        return _load_checkpoint(path, text)[3] if converted is None else converted.notes

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
        import torch

        digest = hashlib.sha256(model.config.model_dump_json().encode())
        for name, value in sorted(model.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
        model = copy.deepcopy(model)
        if backend == "openvino" or (backend == "auto" and device == "cpu" and not model.takes_labels):
            from reid.backends import OpenVinoBackend
            from reid.deploy import to_openvino

            return cls(OpenVinoBackend(to_openvino(model), precision, threads), digest.hexdigest(), batch)
        from reid.torch_backend import TorchBackend

        return cls(TorchBackend(model, device, precision), digest.hexdigest(), batch)

    @property
    def dims(self) -> int:
        """Length of a feature vector."""
        return self._backend.dims

    @property
    def distance(self) -> Distance:
        """How vectors are ranked: `cosine`, or `common_visible` (PVEN), of which the cosine is an approximation."""
        return self._backend.distance

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
        """Resize non-empty crops to network input, (n, 3, h, w) uint8. Arguments as in `embed`."""
        height, width = self.image_size
        prepared = np.empty((len(crops), 3, height, width), np.uint8)
        for target, crop in zip(prepared, crops, strict=True):
            _fill(target, crop, colour, self._options)
        return prepared

    def embed_prepared(
        self, images: npt.NDArray[np.uint8], labels: ImageLabels | None = None
    ) -> npt.NDArray[np.float32]:
        """Compute the features of images made by `prepare`.

        Args:
            images: (n, 3, h, w) uint8.
            labels: cameras and viewpoints of the n images, for networks that use them; None: not known.

        Returns:
            (n, dims) float32 unit vectors.
        """
        vectors = np.zeros((len(images), self.dims), np.float32)
        for start in range(0, len(images), self._batch):
            rows = slice(start, start + self._batch)
            known = None if labels is None else type(labels)(*(part[rows] for part in labels))
            vectors[rows] = self._backend.infer(images[rows], known)
        # In lower precision the norm is slightly off 1; broken weights produce NaN.
        vectors = np.nan_to_num(vectors, nan=0.0, posinf=0.0, neginf=0.0)
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        result: npt.NDArray[np.float32] = vectors / np.maximum(length, np.finfo(np.float32).tiny)
        return result


def find_weights(weights: str | Path) -> Path:
    """Resolve the name of a shipped checkpoint, or a path, to a file.

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


def _load_checkpoint(path: Path, text: str) -> tuple[ReidModel, NetworkOptions, frozenset[str], tuple[str, ...]]:
    """A checkpoint of this project (which stores its own settings) or of another one, with options and notes."""
    if path.suffix == ".safetensors" and is_own_checkpoint(path):
        from reid.checkpoint import load_model

        if text:
            raise InputError(f"{path}: stores its own settings; remove the options {text!r}")
        own = load_model(path)[0]
        notes = [_LABELS_NOTE.format(path=path)] if own.takes_labels else []
        notes += [f"{path}: {COSINE_APPROXIMATES}"] if own.distance != "cosine" else []
        return own, NetworkOptions(), frozenset(), tuple(notes)
    from reid.checkpoint_import import import_checkpoint

    options, given = read_options(path, text)
    model, assumed = import_checkpoint(path, options, given)
    return model, options, given, assumed


@dataclass(frozen=True, slots=True)
class _Conversion:
    """A checkpoint's conversion to OpenVINO in the cache.

    Attributes:
        file: the network (.xml).
        content: the hash of the checkpoint and its options.
        options: how to feed the network.
        notes: what was assumed about the checkpoint.
    """

    file: Path
    content: str
    options: NetworkOptions
    notes: tuple[str, ...]


def _find_conversion(path: Path, text: str, cache_dir: str | Path | None) -> _Conversion | None:
    """The conversion that `_converted` kept of a checkpoint, found by the content of its files; None: there is none."""
    own = path.suffix == ".safetensors" and is_own_checkpoint(path)
    if cache_dir is None or (own and text):
        return None
    options, given = (NetworkOptions(), frozenset[str]()) if own else read_options(path, text)
    content = _content(path, options, given)
    file = _conversion_file(content, cache_dir)
    try:
        record = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        notes = tuple(str(note).replace(_PATH, str(path)) for note in record["notes"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not (file.is_file() and file.with_suffix(".bin").is_file()):
        return None
    return _Conversion(file, content, options, notes)


def _converted(
    model: ReidModel, content: str, cache_dir: str | Path | None, path: Path, notes: tuple[str, ...]
) -> object:
    """The model converted to OpenVINO, from the cache if possible. What was assumed about it is kept beside it."""
    from reid.deploy import save_openvino, to_openvino

    if cache_dir is None:
        return to_openvino(model)
    cached = _conversion_file(content, cache_dir)
    if not (cached.is_file() and cached.with_suffix(".bin").is_file()):
        save_openvino(to_openvino(model), cached)
    if not model.takes_labels:  # which `load` runs with torch
        write_json(cached.with_suffix(".json"), {"notes": [note.replace(str(path), _PATH) for note in notes]})
    return cached


def _conversion_file(content: str, cache_dir: str | Path) -> Path:
    return Path(cache_dir).expanduser() / f"reid-{_VERSION}-{content[:32]}.xml"


def _content(path: Path, options: NetworkOptions, given: frozenset[str]) -> str:
    """A hash of a network's files and options."""
    digest = hashlib.sha256()
    for file in related_files(path, with_options=False):
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    if given:
        digest.update(options.model_dump_json().encode())
    return digest.hexdigest()


def _size(crop: Crop) -> tuple[int, ...]:
    if isinstance(crop, Image.Image):
        return crop.size
    if isinstance(crop, np.ndarray):
        return crop.shape
    raise TypeError(f"crops must be arrays or PIL images, not {type(crop).__name__}; PIL.Image.open reads a file")


def _fill(target: npt.NDArray[np.uint8], crop: Crop, colour: Literal["bgr", "rgb"], options: NetworkOptions) -> None:
    """Resize a crop into `target`, (3, h, w) in the colour order of the network."""
    pixels: npt.NDArray[np.uint8] = np.asarray(crop.convert("RGB")) if isinstance(crop, Image.Image) else crop
    order = "rgb" if isinstance(crop, Image.Image) else colour
    reverse = order != (options.colour or "rgb")
    if pixels.dtype != np.uint8:
        raise ValueError(f"crops must be uint8, not {pixels.dtype}")
    channels = 1 if pixels.ndim == 2 else pixels.shape[2] if pixels.ndim == 3 else 0
    if channels not in (1, 3, 4):
        raise ValueError(f"crops must be (h, w), (h, w, 1), (h, w, 3) or (h, w, 4), not {pixels.shape}")
    height, width = target.shape[1:]
    top = left = 0
    if options.resize == "letterbox":
        scale = min(height / pixels.shape[0], width / pixels.shape[1])
        inner = (max(1, round(pixels.shape[0] * scale)), max(1, round(pixels.shape[1] * scale)))
        top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
        target[:] = 0
        target = target[:, top : top + inner[0], left : left + inner[1]]
    resized = resize(np.ascontiguousarray(pixels), target.shape[1:], options.interpolation)
    if channels == 1:
        target[:] = resized.reshape(target.shape[1:])
    else:
        target[:] = (resized[:, :, 2::-1] if reverse else resized[:, :, :3]).transpose(2, 0, 1)
