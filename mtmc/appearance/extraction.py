"""An extractor that a run compares: what it is, its key in the cache, and loading it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from common.cache import key_of
from common.files import file_digest
from mtmc.appearance.embedding import CropExtractor
from mtmc.appearance.own_extractor import OwnExtractor, own_extractor_key


@dataclass(frozen=True, slots=True)
class Extraction:
    """An extractor to run: one row of the result table.

    Attributes:
        name: its name in tables and folders.
        weights: its weights; None and no `own` runs without appearance.
        own: the user's own class, `package.module:Class`, instead of weights.
        options: how to feed a network of another project (see `reid.network_options`), "" for none.
        notes: what was assumed about that network, one line each.
    """

    name: str
    weights: Path | None
    own: str | None = None
    options: str = ""
    notes: tuple[str, ...] = ()

    @property
    def extracts(self) -> bool:
        """Whether there is an extractor at all."""
        return self.weights is not None or self.own is not None

    def checksum(self, options: Mapping[str, Any]) -> str:
        """The digest of the weights, or of the user's class and its `options`; "" without appearance."""
        if self.own is not None:
            return key_of({"own": own_extractor_key(self.own, options)})
        return file_digest(self.weights) if self.weights is not None else ""


def converted_networks(cache: Path) -> Path:
    """The folder, in that of the cache, of extractors that were converted to OpenVINO."""
    return cache / "extractors"


@dataclass(frozen=True, slots=True)
class LoadedBy:
    """How a process loads an extractor.

    Attributes:
        extraction: which one.
        options: keyword arguments of the user's own class.
        device: where it runs.
        converted: folder of conversions to OpenVINO.
    """

    extraction: Extraction
    options: Mapping[str, Any]
    device: str
    converted: Path

    def prepare(self) -> None:
        """Convert the network once, before several processes would.

        Raises:
            InputError: the file is damaged, or not a supported network.
        """
        if self.extraction.weights is not None:
            from reid.extractor import Extractor

            Extractor.convert(_weights(self.extraction), self.device, cache_dir=self.converted)

    def load(self, threads: int) -> CropExtractor:
        """The extractor with `threads` CPU threads (0: all); a process loads each one once."""
        return _load(_Hashed(key_of({"is": repr(self), "threads": threads}), self), threads)


@dataclass(frozen=True, slots=True)
class _Hashed:
    """A key for `lru_cache`: options may hold lists, which cannot be hashed."""

    key: str
    value: LoadedBy

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hashed) and self.key == other.key


@lru_cache(maxsize=4)
def _load(hashed: _Hashed, threads: int) -> CropExtractor:
    wanted = hashed.value
    extraction = wanted.extraction
    if extraction.own is not None:
        return OwnExtractor(extraction.own, wanted.options)
    if extraction.weights is None:
        raise ValueError(f"{extraction.name}: an extractor without weights")
    # Imported here: a clip whose vectors are in the cache does not need it.
    from reid.extractor import Extractor

    return Extractor.load(_weights(extraction), wanted.device, threads=threads, cache_dir=wanted.converted)


def _weights(extraction: Extraction) -> str:
    """The weights as `reid.Extractor` takes them, with the options."""
    return f"{extraction.weights}:{extraction.options}" if extraction.options else str(extraction.weights)
