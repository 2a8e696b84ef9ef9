"""Input and output of networks from other projects: colour order, normalisation, size and layout.

A network of this project stores all of this itself. For a network of another project it is read from a YAML file next
to the network (`net.onnx.yaml` or `net.yaml`), or from options after the file name (`net.onnx:bgr,mean=0.5/0.5/0.5`),
which take precedence. What is given nowhere is assumed, and `Extractor.notes` says so.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, field_validator

from common.errors import InputError
from common.settings import Settings, read_yaml, validate

Triple = tuple[float, float, float]
_PositiveTriple = tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]

_SUFFIXES = "onnx|xml|pth|pt|ckpt|tar|bin|safetensors|pkl"
_WITH_OPTIONS = re.compile(rf"^(?P<path>.+?\.(?:{_SUFFIXES})):(?P<options>(?![\\/]).+)$", re.IGNORECASE)
_FLAGS = {
    "rgb": ("colour", "rgb"),
    "bgr": ("colour", "bgr"),
    "nchw": ("layout", "nchw"),
    "nhwc": ("layout", "nhwc"),
    "stretch": ("resize", "stretch"),
    "letterbox": ("resize", "letterbox"),
}
_EXAMPLE = "for example net.onnx:bgr,mean=0.5/0.5/0.5,std=0.5/0.5/0.5,size=256x128"


class NetworkOptions(Settings):
    """Input and output of a network from another project; None where the network itself or a default decides."""

    colour: Literal["rgb", "bgr"] | None = Field(None, description="channel order of the input; default rgb")
    mean: Triple | None = Field(
        None, description="mean per channel, in the input's channel order, subtracted after scaling to `range`"
    )
    std: _PositiveTriple | None = Field(
        None, description="standard deviation per channel, in the input's channel order; the input is divided by it"
    )
    range: Literal[1, 255] | None = Field(
        None, description="value of a white pixel before normalisation; default 255 if a mean is above 2, else 1"
    )
    size: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None = Field(
        None, description="height and width of the input in pixels, for networks that accept several sizes"
    )
    resize: Literal["stretch", "letterbox"] | None = Field(
        None, description="stretch a crop to the input size (default), or keep its aspect ratio and pad with black"
    )
    interpolation: Literal["nearest", "bilinear", "bicubic", "area"] | None = Field(
        None, description="interpolation of the resize; default bilinear, area when shrinking by more than half"
    )
    layout: Literal["nchw", "nhwc"] | None = Field(
        None, description="axis order of the input, where its shape is ambiguous"
    )
    output: str | None = Field(None, description="name of the output with the features, for networks with several")
    backbone: str | None = Field(None, description="architecture of a checkpoint (.pth, ...), a name of model.backbone")
    pooling: Literal["avg", "gem"] | None = Field(None, description="pooling of a checkpoint; default as found in it")
    last_stride: Literal[1, 2] | None = Field(None, description="last stride of a ResNet checkpoint; default 1")

    @field_validator("mean", "std", mode="before")
    @classmethod
    def _repeat_scalar(cls, value: Any) -> Any:
        return [value] * 3 if isinstance(value, int | float) and not isinstance(value, bool) else value

    @field_validator("size", mode="before")
    @classmethod
    def _square(cls, value: Any) -> Any:
        return [value, value] if isinstance(value, int) and not isinstance(value, bool) else value

    @property
    def white(self) -> int:
        """Value of a white pixel before normalisation."""
        return self.range or (255 if self.mean is not None and max(self.mean) > 2 else 1)


def split_options(text: str | Path) -> tuple[str, str]:
    """Split `FILE:OPTIONS` into the file and the options; options are empty if there are none.

    >>> split_options("nets/net.onnx:bgr,size=256x128")
    ('nets/net.onnx', 'bgr,size=256x128')
    >>> split_options("baseline")
    ('baseline', '')
    """
    whole = str(text)
    match = None if Path(whole).expanduser().exists() else _WITH_OPTIONS.match(whole)
    return (match["path"], match["options"]) if match else (whole, "")


def options_file(path: Path) -> Path | None:
    """The YAML file next to a network: `net.onnx.yaml`, else `net.yaml`; None if there is neither."""
    for candidate in (path.with_name(f"{path.name}.yaml"), path.with_suffix(".yaml")):
        if candidate.is_file():
            return candidate
    return None


def related_files(path: Path, with_options: bool = True) -> list[Path]:
    """The files that determine what a network does: itself, its weights (.bin), and its YAML file."""
    files = [path]
    if path.suffix == ".xml" and path.with_suffix(".bin").is_file():
        files.append(path.with_suffix(".bin"))
    options = options_file(path) if with_options else None
    return [*files, options] if options else files


def read_options(path: Path, text: str = "") -> tuple[NetworkOptions, frozenset[str]]:
    """Read the options of a network from the YAML file next to it and from `text`, which takes precedence.

    Args:
        path: file of the network.
        text: comma-separated options: `rgb`, `bgr`, `nchw`, `nhwc`, `stretch`, `letterbox` or `key=value`; several
            numbers are separated by `/`, `x` or commas (`mean=0.485/0.456/0.406`, `size=256x128`).

    Returns:
        The options, and the names of those that were given.

    Raises:
        InputError: an unknown key or an invalid value, in the YAML file or in `text`.
    """
    file = options_file(path)
    content = read_yaml(file) if file else {}
    source = str(file) if file else ""
    if text:
        content |= _parse(text, path)
        source = f"{source} + {path.name}:{text}" if source else f"{path.name}:{text}"
    options = validate(NetworkOptions, content, source or str(path))
    return options, frozenset(key for key, value in content.items() if value is not None)


def _parse(text: str, path: Path) -> dict[str, Any]:
    """The keys and values of `rgb,mean=0.5,0.5,0.5`."""
    content: dict[str, Any] = {}
    key = ""
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        if equals:
            key = name.strip()
            content[key] = _value(value)
        elif part.lower() in _FLAGS:
            key, content[_FLAGS[part.lower()][0]] = "", _FLAGS[part.lower()][1]
        elif key and isinstance(_value(part), int | float):  # a list goes on: mean=0.5,0.5,0.5
            earlier = content[key]
            content[key] = [*(earlier if isinstance(earlier, list) else [earlier]), _value(part)]
        else:
            raise InputError(
                f"{path.name}:{text}: {part!r} is neither key=value nor one of {', '.join(_FLAGS)}; {_EXAMPLE}"
            )
    return content


def _value(text: str) -> Any:
    """A number, a list of numbers (`0.5/0.5/0.5`, `256x128`), or the text itself."""
    numbers = [_number(part) for part in re.split(r"[/x ]", text.strip())]
    if None not in numbers:
        return numbers if len(numbers) > 1 else numbers[0]
    return text.strip()


def _number(text: str) -> int | float | None:
    try:
        value = yaml.safe_load(text) if re.fullmatch(r"[-+]?\d+", text) else float(text)
    except ValueError:
        return None
    return value if isinstance(value, int | float) else None
