"""The unit of work: one clip through decoder, detector, tracker, crops and extractors, in one task."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from common.cache import Cache
from common.errors import InputError
from common.files import write_json
from mtmc.appearance.embedding import embed_crops
from mtmc.appearance.extraction import LoadedBy
from mtmc.appearance.features import write_vectors
from mtmc.appearance.settings import EmbeddingSettings
from mtmc.crops.table import read_crops
from mtmc.observation.job import ObserveJob


class UnusableClip(InputError):
    """The files of one camera cannot be used; the other cameras can."""


@dataclass(frozen=True, slots=True)
class EmbedJob:
    """Crops of a clip to vectors.

    Attributes:
        key: the key of the result in the cache.
        extractor: what makes the vectors.
        settings: which crops are used.
    """

    key: str
    extractor: LoadedBy
    settings: EmbeddingSettings


@dataclass(frozen=True, slots=True)
class ClipJob:
    """A clip with all that is wanted of it. What is in the cache is not done again.

    Attributes:
        observe: boxes, tracks and crops.
        embed: vectors, one job per extractor.
        cache: where results are found and kept.
        threads: CPU threads of decoder, detector and extractors.
    """

    observe: ObserveJob
    embed: tuple[EmbedJob, ...]
    cache: Cache
    threads: int = field(default=1)


def work_on_clip(job: ClipJob, advance: Callable[[str, int], None] | None = None) -> None:
    """Write everything that the job asks for into the cache. Frames never leave this function.

    Args:
        job: the clip.
        advance: called with the camera's name and the number of frames processed since the last call.

    Raises:
        UnusableClip: the camera's files cannot be used.
        InputError: an extractor cannot be used.
    """
    cache = job.cache
    if cache.find("observe", job.observe.key) is None:
        from mtmc.observation.camera import observe_camera  # seconds of imports, which only the work itself needs

        try:
            observe_camera(job.observe, advance)
        except InputError as error:
            raise UnusableClip(str(error)) from error
    due = [embed for embed in job.embed if cache.find("embed", embed.key) is None]
    if not due:
        return
    crops = read_crops(cache.folder("observe", job.observe.key) / "crops.parquet")
    for embed in due:
        extractor = embed.extractor.load(job.threads)
        start = time.perf_counter()
        vectors = embed_crops(crops, extractor, embed.settings)
        with cache.write("embed", embed.key) as folder:
            write_vectors(folder / "vectors.safetensors", vectors)
            write_json(folder / "stats.json", {"crops": len(crops), "seconds": time.perf_counter() - start})
