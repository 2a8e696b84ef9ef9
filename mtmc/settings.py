"""The base of every stage's settings: unknown keys are refused, values are checked, nothing changes afterwards."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A stage's part of the configuration. Each field's description says what raising it does."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
