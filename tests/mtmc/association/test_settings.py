"""What a user may set, and what is refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from mtmc.association.settings import AssociationSettings


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": 0.0},
        {"threshold": 1.0},
        {"longest_travel": 0.0},
        {"longest_overlap": -1.0},
        {"rounds": 0},
        {"candidate_budget": 0},
        {"appearance": "perhaps"},
        {"no_such_switch": True},
    ],
)
def test_a_wrong_value_or_an_unknown_key_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AssociationSettings.model_validate(wrong)


def test_settings_do_not_change_under_a_run() -> None:
    settings = AssociationSettings()
    with pytest.raises(ValidationError):
        settings.threshold = 0.5  # type: ignore[misc]


def test_every_setting_has_a_description_and_every_number_its_effect() -> None:
    for name, field in AssociationSettings.model_fields.items():
        assert field.description, name
        if field.annotation in (int, float):
            assert "aising it" in field.description or "costs time" in field.description, name


def test_by_default_every_ingredient_takes_part() -> None:
    switches = [value for value in AssociationSettings().model_dump().values() if isinstance(value, bool)]
    assert len(switches) > 10
    assert all(switches)
