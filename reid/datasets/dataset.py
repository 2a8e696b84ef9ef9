"""A re-id data set: a training table and one or more divisions of the test images into queries and gallery."""

from __future__ import annotations

from dataclasses import dataclass

from reid.datasets.table import ImageTable


@dataclass(frozen=True, slots=True)
class Split:
    """One test: rank `gallery` for each image of `query`.

    The protocol is the same everywhere: a gallery image with the query's identity *and* camera is junk and left out of
    the query's ranking. Where the camera is unknown (-1), nothing is junk.
    """

    query: ImageTable
    gallery: ImageTable


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a data set holds, as its protocol divides it.

    Attributes:
        name: the name that `load_dataset` knows it by, with its test size where it has several (`veriwild-small`).
        train: the training images; empty where a data set has none.
        splits: the tests; more than one where the protocol averages over random draws (VehicleID: 10). Report the mean
            and standard deviation over them. Images recur across splits: embed each path once.
        notes: what deviates from the data set as published, one line each (other counts, a query left out ...).
    """

    name: str
    train: ImageTable
    splits: tuple[Split, ...]
    notes: tuple[str, ...] = ()

    @property
    def query(self) -> ImageTable:
        """The first split's queries; an empty table where there is no test."""
        return self.splits[0].query if self.splits else ImageTable.empty()

    @property
    def gallery(self) -> ImageTable:
        """The first split's gallery; an empty table where there is no test."""
        return self.splits[0].gallery if self.splits else ImageTable.empty()
