"""Versions of the packages that results depend on."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version


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
            providers = _providers().get(name, [])
            found |= {provider: version(provider) for provider in sorted(set(providers))} or {name: "not installed"}
    return found


@cache
def _providers() -> dict[str, list[str]]:
    return {module: list(names) for module, names in packages_distributions().items()}
