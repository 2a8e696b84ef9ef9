"""Configuration and versions."""

from __future__ import annotations

import json
from collections.abc import Mapping

import yaml

from mtmc.report.sections.section import Page, Section


def _as_yaml(configuration: Mapping[str, object]) -> str:
    plain = json.loads(json.dumps(configuration, default=str))
    return str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)) if plain else "(empty)"


def _values(page: Page) -> Mapping[str, object]:
    return {"configuration": _as_yaml(page.data.configuration)}


SECTION = Section("configuration", "Configuration", _values)
