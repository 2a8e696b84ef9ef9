"""Hold out training identities as a test set, for data sets without one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from common.errors import InputError
from reid.datasets.dataset import Split
from reid.datasets.table import UNKNOWN_CAMERA, ImageTable


def hold_out(table: ImageTable, fraction: float, seed: int) -> tuple[ImageTable, Split]:
    """Split a table by identity into training images and a test split like VeRi's.

    Only identities that can be re-identified are held out: seen by at least two cameras or, if cameras are unknown, in
    at least two images. One image per (identity, camera) becomes a query. The gallery consists of all held-out images
    except queries whose camera is unknown (the junk rule would not remove them from their own ranking).

    Args:
        table: all images.
        fraction: fraction of the identities to hold out, in [0, 1); rounded up to one identity if any is eligible.
        seed: seed of the choice of identities and queries.

    Returns:
        The training table and the test split, which is empty if `fraction` is 0.
    """
    if not 0 <= fraction < 1:
        raise InputError(f"holdout must be at least 0 and below 1, not {fraction}")
    if fraction == 0 or not len(table):
        return table, Split(ImageTable.empty(), ImageTable.empty())
    random = np.random.default_rng(seed)
    identities, label = np.unique(table.identity, return_inverse=True)
    candidates = np.flatnonzero(_can_be_found(table, label, len(identities)))
    wanted = min(max(1, round(fraction * len(identities))), len(candidates), len(identities) - 1)
    held = np.zeros(len(identities), bool)
    held[random.permutation(candidates)[: max(wanted, 0)]] = True
    rows = np.flatnonzero(held[label])
    # The first row of each (identity, camera) in a random order of the rows.
    shuffled = random.permutation(rows)
    pairs = np.stack([label[shuffled], table.camera[shuffled]], axis=1)
    first = np.unique(pairs, axis=0, return_index=True)[1] if len(rows) else np.zeros(0, np.int64)
    queries = np.sort(shuffled[first])
    lost = queries[table.camera[queries] == UNKNOWN_CAMERA]
    return table[~held[label]], Split(table[queries], table[np.setdiff1d(rows, lost)])


def _can_be_found(table: ImageTable, label: npt.NDArray[np.integer], identities: int) -> npt.NDArray[np.bool_]:
    images = np.bincount(label, minlength=identities)
    known = table.camera != UNKNOWN_CAMERA
    pairs = np.unique(np.stack([label[known], table.camera[known]], axis=1), axis=0)
    cameras = np.bincount(pairs[:, 0], minlength=identities)
    unknown = np.bincount(label[~known], minlength=identities)
    result: npt.NDArray[np.bool_] = np.where(cameras > 0, cameras + (unknown > 0) >= 2, images >= 2)
    return result
