"""All settings of a model as text for a terminal: key, default, allowed values, description."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from common.errors import InputError
from common.nearest import nearest

WIDTH = 100
"""Characters in a line."""


@dataclass(frozen=True, slots=True)
class SettingInfo:
    """One setting.

    Attributes:
        key: dotted, as `--set` takes it.
        default: its default as YAML would write it.
        allowed: the values that it takes, in words.
        description: what it does, and what raising it does.
    """

    key: str
    default: str
    allowed: str
    description: str


def settings_of(model: type[BaseModel], prefix: str = "") -> Iterator[SettingInfo]:
    """The settings of a model and of the models nested in it, in their order.

    >>> from pydantic import Field
    >>> class Detection(BaseModel):
    ...     score: float = Field(0.1, ge=0, lt=1, description="Minimum confidence.")
    >>> list(settings_of(Detection, "detection."))
    [SettingInfo(key='detection.score', default='0.1', allowed='0 <= x < 1', description='Minimum confidence.')]
    """
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from settings_of(field.annotation, f"{key}.")
        else:
            yield SettingInfo(
                key, _text(field.get_default(call_default_factory=True)), _allowed(field), field.description or ""
            )


def list_settings(model: type[BaseModel], words: str = "") -> str:
    """Text that lists the settings of a model, grouped by its parts.

    Args:
        model: the settings' class.
        words: list only settings whose key contains this; "" lists all.

    Raises:
        InputError: no key contains `words`.
    """
    everything = list(settings_of(model))
    chosen = [setting for setting in everything if words.lower() in setting.key]
    if not chosen:
        names = {part for setting in everything for part in (setting.key, *setting.key.split("."))}
        raise InputError(f"--settings {words}: no setting has that in its name{nearest(words, names)}")
    lines: list[str] = []
    group = ""
    for setting in chosen:
        stage = setting.key.partition(".")[0]
        if stage != group:
            group = stage
            lines += ["", f"{stage}: {_summary(model, stage)}", ""]
        lines.append(f"  {setting.key} = {setting.default}    ({setting.allowed})")
        lines += textwrap.wrap(setting.description, WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return "\n".join(lines[1:]) + "\n"


def _summary(model: type[BaseModel], name: str) -> str:
    """The first line of the documentation of a part."""
    part = model.model_fields[name].annotation
    documentation = part.__doc__ if isinstance(part, type) and issubclass(part, BaseModel) else None
    return (documentation or "").strip().partition("\n")[0]


def _text(value: Any) -> str:
    """A default as YAML would write it."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else f"{value}"


def _allowed(field: FieldInfo) -> str:
    """The values that a setting takes, in words."""
    kinds = get_args(field.annotation) if get_origin(field.annotation) is UnionType else (field.annotation,)
    words = [_values(kind, field.metadata) for kind in kinds if kind is not NoneType]
    return " or ".join([*words, "null"] if NoneType in kinds else words)


def _values(kind: Any, limits: Sequence[Any]) -> str:
    if get_origin(kind) is Literal:
        return ", ".join(map(str, get_args(kind)))
    if kind is bool:
        return "true, false"
    if kind not in (int, float):
        return "a mapping" if (get_origin(kind) or kind) in (dict, Mapping) else "text"
    low = high = ""
    for limit in limits:
        match limit:
            case Ge(ge=value):
                low = f"{value:g} <= "
            case Gt(gt=value):
                low = f"{value:g} < "
            case Le(le=value):
                high = f" <= {value:g}"
            case Lt(lt=value):
                high = f" < {value:g}"
    if not (low or high):
        return "any integer" if kind is int else "any number"
    return f"{low}x{high}{', integer' if kind is int else ''}"
