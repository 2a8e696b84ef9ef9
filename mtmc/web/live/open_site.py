"""A live site by its SITE.yaml or by the folder of its store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from common.errors import InputError
from mtmc.appearance.embedding import CropExtractor
from mtmc.config import make_settings
from mtmc.online.live_site import ground_of
from mtmc.online.networks import NO_APPEARANCE, load_extractor
from mtmc.online.site import SiteFile, read_site
from mtmc.online.store import Store
from mtmc.web.live.view import HOURS, LiveReader


def open_site(path: Path, *, hours: float = HOURS) -> tuple[LiveReader, Callable[[], CropExtractor]]:
    """What reads the site's store, and what loads its extractor.

    Args:
        path: SITE.yaml, or the folder of a store.
        hours: how far back it is shown.

    Raises:
        InputError: the file is wrong, or nothing was written to its store yet.
    """
    file = None if path.is_dir() else read_site(path)
    folder = path if file is None else file.store
    name, places = (None, None) if file is None else (file.site.name, _places(file))

    def load() -> CropExtractor:
        store = Store(folder, read_only=True)
        try:
            extractor = (file.site.extractor if file is not None else store.meta("extractor")) or NO_APPEARANCE
        finally:
            store.close()
        found = load_extractor(extractor, make_settings({}), folder / "networks")
        if found is None:
            raise InputError("this site has no appearance (extractor: none), so pictures cannot be compared")
        return found

    return LiveReader(folder, name=name, places=places, hours=hours), load


def _places(file: SiteFile) -> dict[str, tuple[float, float]]:
    """Metres east and north of what the cameras with a calibration look at."""
    places = {}
    for name, ground in ground_of(file).items():
        width, height = file.site.cameras[name].size or (0, 0)
        east, north = ground.to_ground([[width / 2, height * 0.8]])[0]
        if np.isfinite([east, north]).all():
            places[name] = (float(east), float(north))
    return places
