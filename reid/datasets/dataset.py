"""A re-id data set: a training table and one or more query/gallery splits of the test images."""

from __future__ import annotations

from dataclasses import dataclass

from reid.datasets.table import ImageTable


@dataclass(frozen=True, slots=True)
class Split:
    """One test split: `gallery` is ranked for each image of `query`.

    All data sets use the same protocol: a gallery image with the query's identity *and* camera is junk and ignored in
    the query's ranking. If the camera is unknown (-1), nothing is junk.
    """

    query: ImageTable
    gallery: ImageTable


@dataclass(frozen=True, slots=True)
class Dataset:
    """A re-id data set, divided according to its protocol.

    Attributes:
        name: name for `load_dataset`, with the test size if there are several (`veriwild-small`).
        train: the training images; may be empty.
        splits: the test splits; more than one if the protocol averages over random draws (VehicleID: 10). Report mean
            and standard deviation over them. Images recur across splits: embed each path once.
        notes: deviations from the published data set, one line each (different counts, a missing list, ...).
    """

    name: str
    train: ImageTable
    splits: tuple[Split, ...]
    notes: tuple[str, ...] = ()

    @property
    def query(self) -> ImageTable:
        """The first split's queries; an empty table if there is no test split."""
        return self.splits[0].query if self.splits else ImageTable.empty()

    @property
    def gallery(self) -> ImageTable:
        """The first split's gallery; an empty table if there is no test split."""
        return self.splits[0].gallery if self.splits else ImageTable.empty()
