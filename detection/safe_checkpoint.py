"""Ultralytics checkpoints without running what is in them.

An ultralytics `.pt` is a pickle of whole modules, and unpickling runs whatever the file asks for. Here
`torch.load(weights_only=True)` fills inert stand-ins instead of the classes that the file names. Only when every name
has been found to be a layer of torch or ultralytics are real modules made from the stand-ins, without calling any
constructor: a constructor of ultralytics evaluates text from the file.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from pathlib import Path
from typing import Any, cast

import torch

from common.damaged_checkpoints import DAMAGED_CHECKPOINT
from common.errors import InputError
from detection.ultralytics_package import ultralytics_module

# Where layers come from: everything there that is a torch module may be named.
_LAYERS = re.compile(r"(torch\.nn\.modules|ultralytics\.nn\.modules)\.\w+\.\w+|ultralytics\.nn\.(tasks|modules)\.\w+")
# Records of the training run and its loss: kept inert and dropped, never imported.
_RECORDS = re.compile(
    r"ultralytics\.(yolo\.)?utils\.(loss\.|tal\.)?\w+|numpy\.dtype|numpy\.dtypes\.\w+"
    r"|numpy\.(_core|core)\.multiarray\.scalar|pathlib\.(_local\.)?\w*Path"
)
# Names that older versions gave to today's classes.
_RENAMED = {
    "ultralytics.nn.modules.block.Silence": "torch.nn.modules.linear.Identity",
    "ultralytics.nn.tasks.YOLOv10DetectionModel": "ultralytics.nn.tasks.DetectionModel",
}
# Methods that ultralytics puts in the place of `forward` when it folds batch norms into convolutions.
_FORWARDS = frozenset({"forward", "forward_fuse"})


class _Layer:
    """Stands for a module: takes no arguments, holds its state."""

    origin: str

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}

    def __new__(cls) -> _Layer:
        self = super().__new__(cls)
        self.state = {}
        return self

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.state = state


class _Record:
    """Stands for anything that is not needed: forgets what it is given."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        pass

    def __new__(cls, *args: object, **kwargs: object) -> _Record:
        return super().__new__(cls)

    def __setstate__(self, state: object) -> None:
        pass


class _Method:
    """Stands for a method of a layer that was stored as an attribute, as fused convolutions do with `forward`."""

    def __init__(self, owner: object, name: object) -> None:
        self.owner = owner
        self.name = str(name)


def load_modules(path: Path, settings_folder: Path | None = None) -> torch.nn.Module:
    """The model in an ultralytics checkpoint, in float32 and evaluation mode.

    Args:
        path: a `.pt` as ultralytics writes it. The averaged model (`ema`) is preferred where there is one.
        settings_folder: where ultralytics keeps its settings; None: where it likes.

    Raises:
        InputError: the file is damaged, is not such a checkpoint, or names a class that is not a layer of torch or
            ultralytics (the class is named).
    """
    ultralytics_module("ultralytics", settings_folder)
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
        stand_ins: list[Any] = [(_stand_in(name, path), name) for name in names]
        with torch.serialization.safe_globals(stand_ins):
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except DAMAGED_CHECKPOINT as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path}: not a readable ultralytics checkpoint, damaged or of another kind ({_first_line(error)}); "
            "fetch or export it again"
        ) from error
    model = (checkpoint.get("ema") or checkpoint.get("model")) if isinstance(checkpoint, dict) else None
    if not isinstance(model, _Layer):
        raise InputError(
            f"{path}: holds no model, only {_contents(checkpoint)}; give a checkpoint that ultralytics saved"
        )
    try:
        built: Any = _Builder().module(model)
        # Where ultralytics looks for them: the settings of the training, above all the size of its pictures.
        built.args = _plain(checkpoint.get("train_args")) or _plain(getattr(built, "args", None))
        return cast(torch.nn.Module, built.float().eval())
    except (AttributeError, TypeError, KeyError, RuntimeError) as error:
        raise InputError(
            f"{path}: its layers do not fit this version of ultralytics ({_first_line(error)}); "
            "export it to ONNX with the version that wrote it, and give that file"
        ) from error


def _stand_in(name: str, path: Path) -> Any:
    if name == "builtins.getattr":
        return _Method
    name = _RENAMED.get(name, name)
    if _LAYERS.fullmatch(name):
        layer = _resolve(name)
        if isinstance(layer, type) and issubclass(layer, torch.nn.Module):
            return type(layer.__name__, (_Layer,), {"origin": name})
    elif _RECORDS.fullmatch(name):
        return type(name.rpartition(".")[2], (_Record,), {})
    raise InputError(
        f"{path}: names {name}, which is not a layer of torch or ultralytics; loading it could run foreign code. "
        "Give a checkpoint that ultralytics wrote, or an ONNX export of this one"
    )


def _resolve(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(ultralytics_module(module), attribute, None)
    except ModuleNotFoundError:
        return None


class _Builder:
    """Makes real modules of stand-ins, each once, however often it is referred to."""

    def __init__(self) -> None:
        self._made: dict[int, torch.nn.Module] = {}

    def module(self, layer: _Layer) -> torch.nn.Module:
        made = self._made.get(id(layer))
        if made is not None:
            return made
        kind = _resolve(layer.origin)
        module: Any = kind.__new__(kind)
        self._made[id(layer)] = module
        # Only plain attributes: a stored method or class would shadow the module's own.
        state = {str(key): self._value(value) for key, value in layer.state.items() if not _foreign(value)}
        module.__setstate__(state)
        stored = layer.state.get("forward")
        if (
            isinstance(stored, _Method)
            and stored.owner is layer
            and stored.name in _FORWARDS
            and hasattr(kind, stored.name)
        ):
            module.forward = getattr(module, stored.name)
        assert isinstance(module, torch.nn.Module)
        return module

    def _value(self, value: Any) -> Any:
        if isinstance(value, _Layer):
            return self.module(value)
        if isinstance(value, dict):
            kind = OrderedDict if isinstance(value, OrderedDict) else dict
            return kind((key, self._value(item)) for key, item in value.items() if not _foreign(item))
        if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
            return type(value)(self._value(item) for item in value if not _foreign(item))
        return value


def _foreign(value: object) -> bool:
    return isinstance(value, (_Record, _Method, type)) or (
        callable(value) and not isinstance(value, (_Layer, torch.Tensor))
    )


def _plain(arguments: object) -> dict[str, Any]:
    return {str(key): value for key, value in arguments.items()} if isinstance(arguments, dict) else {}


def _contents(checkpoint: object) -> str:
    if isinstance(checkpoint, dict):
        return f"the keys {', '.join(sorted(map(str, checkpoint))[:6]) or '(none)'}"
    return f"a {type(checkpoint).__name__}"


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
