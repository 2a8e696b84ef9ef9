"""Validation during training: mAP and CMC@1 of the averaged network on a test split."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from common.errors import InputError
from reid.branches import ImageLabels
from reid.datasets import ImageTable, Split
from reid.images import UnreadableImage
from reid.models import ReidModel, normalise
from reid.ranking_figures import rank_split, split_matches
from reid.training.batches import ImageStore
from reid.views import resize

_BATCH = 64


@torch.no_grad()
def embed_images(
    model: ReidModel, store: ImageStore, device: torch.device, half: bool, labels: ImageLabels | None = None
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Compute the features of all images of a store in evaluation mode.

    Args:
        model: the network; its train/eval mode is restored.
        store: the images.
        device: device of the model.
        half: run in bfloat16.
        labels: cameras and viewpoints of the images; None: not known.

    Returns:
        (n, dims) L2-normalised features, zero for unreadable images, and an (n,) mask of the readable ones.
    """
    training = model.training
    model.eval()
    features = np.zeros((len(store.paths), model.dims), np.float32)
    readable = np.ones(len(store.paths), bool)
    size = model.config.image_size
    for first in range(0, len(store.paths), _BATCH):
        rows = range(first, min(first + _BATCH, len(store.paths)))
        resized = np.zeros((len(rows), *size, 3), np.uint8)
        for place, row in enumerate(rows):
            try:
                resized[place] = resize(store.read(row), size)
            except UnreadableImage:
                readable[row] = False
        images = torch.from_numpy(resized).permute(0, 3, 1, 2).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            known = None
            if labels is not None and model.takes_labels:
                known = ImageLabels(*(part[rows.start : rows.stop] for part in labels)).to(device)
            embedded = model.embed(normalise(images, model.config), known)
        features[rows.start : rows.stop] = torch.nn.functional.normalize(embedded.float(), dim=1).cpu().numpy()
    model.train(training)
    features[~readable] = 0.0
    return features, readable


class Validation:
    """A test split that is ranked again at each call; images are read once if they fit into memory.

    Args:
        split: queries and gallery.
        queries: maximum number of queries, chosen evenly; 0 uses all.
        gigabytes: memory limit for decoded images.

    Raises:
        InputError: no query has a match in the gallery.
    """

    def __init__(self, split: Split, queries: int = 0, gigabytes: float = 0.0) -> None:
        chosen = split.query
        if queries and len(chosen) > queries:
            chosen = chosen[np.linspace(0, len(chosen) - 1, queries).astype(np.int64)]
        self.split = Split(chosen, split.gallery)
        if split_matches(self.split).junk.all():
            raise InputError(
                "validation: no query has a match in the gallery; check the identities and cameras of the data"
            )
        both = ImageTable.concatenate([chosen, split.gallery])
        self._store = ImageStore(both.path.tolist(), gigabytes)
        self._labels = ImageLabels(torch.from_numpy(both.camera), torch.from_numpy(both.viewpoint))

    def __call__(self, model: ReidModel, device: torch.device, half: bool = False) -> dict[str, float]:
        """Compute `mAP` and `cmc1` as fractions; unreadable images are skipped."""
        features, readable = embed_images(model, self._store, device, half, self._labels)
        n = len(self.split.query)
        q, g = readable[:n], readable[n:]
        split = Split(self.split.query[q], self.split.gallery[g])
        ranking = rank_split(features[:n][q], features[n:][g], split, distance=model.distance)
        if not ranking.queries:
            return {}  # nothing readable is left to rank: no figures rather than zeros
        return {"mAP": ranking.mean_average_precision, "cmc1": ranking.cmc(1)}
