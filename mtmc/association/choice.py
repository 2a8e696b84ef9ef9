"""The method of association of a run by name: ours, plain linkage, or the user's own class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from common.errors import InputError
from common.plugins import make, source_key
from mtmc.association.interface import AssociationMethod
from mtmc.association.settings import AssociationSettings, LinkageSettings
from mtmc.tracking.repair_settings import RepairSettings

DEFAULT_ASSOCIATION = "learned"
ASSOCIATIONS = {
    DEFAULT_ASSOCIATION: "mtmc.association.learned:LearnedAssociation",
    "linkage": "mtmc.association.linkage:AverageLinkage",
}
"""Names of `--association`."""


def make_association(
    name: str,
    *,
    learned: AssociationSettings,
    linkage: LinkageSettings,
    repair: RepairSettings,
    options: Mapping[str, Any],
) -> AssociationMethod:
    """A method of association.

    Args:
        name: a key of `ASSOCIATIONS`, or the user's own class (`package.module:Class`).
        learned, linkage: the settings of the two that we have.
        repair: of it, the settings that say which tracks are parked.
        options: keyword arguments of the user's own class.

    Raises:
        InputError: no such method, or it does not take these options.
    """
    if name in ASSOCIATIONS and options:
        raise InputError(f"--association {name}: takes no options, only settings; not {dict(options)}")
    if name == DEFAULT_ASSOCIATION:
        from mtmc.association.learned import LearnedAssociation  # numba and scipy: not for results in the cache

        return LearnedAssociation(learned, repair)
    if name == "linkage":
        from mtmc.association.linkage import AverageLinkage

        return AverageLinkage(linkage)
    method: AssociationMethod = make(name, ASSOCIATIONS, "--association", options)
    if not callable(getattr(method, "associate", None)):
        raise InputError(f"--association {name}: has no method associate(tracks, features, scenario, ...)")
    return method


def association_key(
    name: str,
    *,
    learned: AssociationSettings,
    linkage: LinkageSettings,
    repair: RepairSettings,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """What decides the identities beside tracks, features and links, as part of a cache key."""
    key: dict[str, Any] = {"method": source_key(name, ASSOCIATIONS, "--association")}
    if name == DEFAULT_ASSOCIATION:
        parked = repair.model_dump(include={"parked_seconds", "parked_extent"})
        return {**key, "settings": learned.model_dump(), "parked": parked}
    if name == "linkage":
        return {**key, "settings": linkage.model_dump()}
    return {**key, "options": dict(options)}
