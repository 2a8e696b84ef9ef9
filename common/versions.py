"""Versions of the packages that results depend on."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec

_KNOWN = {
    "cv2": ("opencv-contrib-python", "opencv-contrib-python-headless", "opencv-python", "opencv-python-headless"),
}
"""Distributions that provide a module, where they are known: finding out takes half a second of every run."""


def versions(names: Iterable[str]) -> dict[str, str]:
    """The version of Python, and of the distributions that provide the given names.

    Args:
        names: of distributions ("pillow"), or of modules ("cv2") where several distributions provide the same one:
            the result names the one that is installed, as in "opencv-python-headless".

    Returns:
        Versions by distribution; "not installed" under the given name where there is none.
    """
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            providers = sorted(set(_providers(name)))
            found |= {provider: version(provider) for provider in providers} or {name: "not installed"}
    return found


def _providers(module: str) -> list[str]:
    """The installed distributions that provide a module."""
    if module in _KNOWN:
        return [name for name in _KNOWN[module] if _is_installed(name)]
    return list(_all_providers().get(module, ())) if find_spec(module.replace("-", "_")) is not None else []


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


@cache
def _all_providers() -> Mapping[str, list[str]]:
    return packages_distributions()  # reads the lists of files of all packages: half a second
