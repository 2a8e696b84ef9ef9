"""Re-id data sets, each read as its makers distribute it: one file a data set, one function to load any of them."""

from __future__ import annotations

from reid.datasets.dataset import Dataset, Split
from reid.datasets.table import UNKNOWN_CAMERA, ImageTable

__all__ = ["UNKNOWN_CAMERA", "Dataset", "ImageTable", "Split"]
