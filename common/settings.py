"""Configurations: YAML files and `key=value` overrides, checked against a model; a mistake gives a one-line error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from common.errors import InputError, path_not_found
from common.nearest import nearest


class Settings(BaseModel):
    """A part of a configuration: unknown keys are refused, values are checked, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


AnySettings = TypeVar("AnySettings", bound=BaseModel)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds; an empty file is an empty mapping.

    Raises:
        InputError: the file is missing, is not YAML, or does not hold a mapping.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise path_not_found(path, "YAML file") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: cannot be read as YAML ({error})") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InputError(f"{path}: must hold 'key: value' lines, not {type(content).__name__}")
    return content


def apply_overrides(content: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """A copy of `content` with each `a.b=value` set; the value is read as YAML.

    Raises:
        InputError: an override is not of the form `key=value`.
    """
    result = dict(content)
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key.strip():
            raise InputError(f"--set {override}: must be key=value, for example tracking.max_gap=20")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise InputError(f"--set {override}: the value is not valid YAML ({error})") from error
        *parents, last = key.strip().split(".")
        branch = result
        for parent in parents:
            child = branch.get(parent)
            branch[parent] = dict(child) if isinstance(child, Mapping) else {}
            branch = branch[parent]
        branch[last] = value
    return result


def validate(model: type[AnySettings], content: Mapping[str, Any], source: str) -> AnySettings:
    """Make a `model` from `content`.

    Args:
        model: the settings' class.
        content: keys and values.
        source: where they come from, named in the error.

    Raises:
        InputError: the first wrong key or value, what is allowed and the closest key.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise InputError(_first_problem(error, model, source)) from error


def _first_problem(error: ValidationError, model: type[BaseModel], source: str) -> str:
    problem = error.errors(include_url=False)[0]
    path = [str(part) for part in problem["loc"]]
    key = ".".join(path)
    if problem["type"] == "extra_forbidden":
        return f"{source}: unknown key '{key}'{nearest(path[-1], _keys_at(model, path[:-1]))}"
    message = problem["msg"].removeprefix("Value error, ")
    given = "" if problem["type"] == "missing" else f", not {problem['input']!r:.80}"
    return f"{source}: key '{key}': {message[:1].lower()}{message[1:]}{given}"


def _keys_at(model: type[BaseModel], path: Iterable[str]) -> list[str]:
    """The keys that the model nested at `path` takes; empty where the path leaves the models."""
    current: type[BaseModel] | None = model
    for part in path:
        if current is None:
            return []
        found = current.model_fields.get(part)
        if found is None:
            continue  # a mapping's own key: its values' model was already chosen
        current = _model_in(found.annotation)
    return list(current.model_fields) if current else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The settings' class in an annotation such as `X | None` or `dict[str, X]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)
