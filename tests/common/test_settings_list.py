"""Settings as text."""

from typing import Literal

import pytest
from pydantic import BaseModel, Field

from common.errors import InputError
from common.settings_list import list_settings, settings_of
from mtmc.config import PipelineSettings


class Part(BaseModel):
    """How boxes are found.

    More text, which is not listed.
    """

    score: float = Field(0.1, ge=0, lt=1, description="Minimum confidence. Raising it loses faint vehicles.")
    side: int = Field(18, ge=1, description="Pixels.")
    kind: Literal["fast", "exact"] = Field("fast", description="Which.")
    on: bool = Field(True, description="Whether.")
    limit: int | None = Field(None, ge=1, description="How many.")
    options: dict[str, int] = Field(default_factory=dict, description="More.")


class Whole(BaseModel):
    """All of it."""

    detection: Part = Part()


def test_a_setting_is_listed_with_default_range_and_description() -> None:
    assert list_settings(Whole) == (
        "detection: How boxes are found.\n\n"
        "  detection.score = 0.1    (0 <= x < 1)\n"
        "      Minimum confidence. Raising it loses faint vehicles.\n"
        "  detection.side = 18    (1 <= x, integer)\n"
        "      Pixels.\n"
        "  detection.kind = fast    (fast, exact)\n"
        "      Which.\n"
        "  detection.on = true    (true, false)\n"
        "      Whether.\n"
        "  detection.limit = null    (1 <= x, integer or null)\n"
        "      How many.\n"
        "  detection.options = {}    (a mapping)\n"
        "      More.\n"
    )


def test_a_word_filters_settings_and_an_unknown_word_is_an_error() -> None:
    assert list_settings(Whole, "side").count(" = ") == 1
    with pytest.raises(InputError, match="did you mean"):
        list_settings(Whole, "scor3")


def test_every_setting_of_a_run_has_a_description() -> None:
    listed = list(settings_of(PipelineSettings))
    assert len(listed) > 50
    assert not [setting.key for setting in listed if not setting.description]
