"""The settings of a run, grouped by stage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from common.settings import apply_overrides, read_yaml, validate
from mtmc.appearance.settings import EmbeddingSettings
from mtmc.association.settings import AssociationSettings, LinkageSettings
from mtmc.observation.settings import ObserveSettings
from mtmc.sharding.settings import ShardingSettings


class PipelineSettings(ObserveSettings):
    """Everything that can be set in `--config FILE` and by `--set key=value`."""

    embedding: EmbeddingSettings = EmbeddingSettings()
    association: AssociationSettings = AssociationSettings()
    linkage: LinkageSettings = LinkageSettings()
    sharding: ShardingSettings = ShardingSettings()


def load_config(path: Path | None, overrides: Iterable[str]) -> PipelineSettings:
    """The settings of a YAML file with overrides on top; both may be absent.

    Raises:
        InputError: a key or value is wrong; the message names it, what is allowed, and the closest key.
    """
    content = apply_overrides(read_yaml(path) if path is not None else {}, overrides)
    return validate(PipelineSettings, content, str(path) if path is not None else "--set")


def make_settings(content: PipelineSettings | Mapping[str, Any]) -> PipelineSettings:
    """Settings from a mapping of those that differ from their defaults, nested or with dotted keys.

    Raises:
        InputError: a key or value is wrong; the message names it, what is allowed, and the closest key.

    >>> make_settings({"association.threshold": 0.4}) == make_settings({"association": {"threshold": 0.4}})
    True
    """
    if isinstance(content, PipelineSettings):
        return content
    nested: dict[str, Any] = {}
    for key, value in content.items():
        *parents, last = key.split(".")
        branch = nested
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[last] = {**branch.get(last, {}), **value} if isinstance(value, Mapping) else value
    return validate(PipelineSettings, nested, "settings")
