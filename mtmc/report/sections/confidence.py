"""How sure the joins of one extractor are, and whether their probabilities mean what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtmc.report.data import JoinInfo
from mtmc.report.sections.section import Page, Section

BINS = 10
SHOWN = 20
"""Joins that are listed, the least sure ones."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Joins with probabilities in one tenth: how many, their mean probability, and the share that is right among those
    that ground truth can judge; None where there are none."""

    count: int
    probability: float
    right: float | None


def bins_of(joins: Sequence[JoinInfo]) -> list[Bin]:
    """The bins that hold joins, by probability."""
    found = []
    for number in range(BINS):
        own = [join for join in joins if min(int(join.probability * BINS), BINS - 1) == number]
        if own:
            judged = [join.right for join in own if join.right is not None]
            mean = sum(join.probability for join in own) / len(own)
            found.append(Bin(len(own), mean, sum(judged) / len(judged) if judged else None))
    return found


def _values(page: Page) -> Mapping[str, object] | None:
    every = [extractor.joins for extractor in page.data.extractors]
    if not any(every):
        return None
    return {"bins": [bins_of(joins) for joins in every], "doubts": [joins[:SHOWN] for joins in every]}


SECTION = Section("confidence", "How sure", _values)
