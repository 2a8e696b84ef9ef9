"""How far a mean may be off by chance: the bootstrap over groups, such as identities, that were drawn as a whole."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def bootstrap_means(
    values: npt.ArrayLike, groups: npt.ArrayLike, *, draws: int = 2000, seed: int = 0
) -> npt.NDArray[np.float64]:
    """Means of a sample whose groups are drawn again, with replacement.

    Several queries of one vehicle are not independent, so vehicles are drawn, not queries. B. Efron, R. Tibshirani, "An
    Introduction to the Bootstrap" (1993), chapter 8. Two results with the same `groups` and `seed` draw the same
    groups: the difference of their means is a paired one.

    Args:
        values: (n,) or (n, m), m figures of each of n observations.
        groups: (n,) the group of each observation, any integers.
        draws: number of resamples; more make the limits of an interval steadier.
        seed: seed of the resampling.

    Returns:
        (draws,) or (draws, m): the mean over all observations of the groups of each resample.

    >>> means = bootstrap_means([0.0, 0.0, 1.0, 1.0], [1, 1, 2, 2], draws=1000)
    >>> sorted(set(means.tolist()))
    [0.0, 0.5, 1.0]
    """
    table = np.asarray(values, np.float64)
    columns = table.reshape(len(table), -1)
    distinct, group = np.unique(np.asarray(groups), return_inverse=True)
    totals = np.zeros((len(distinct), columns.shape[1] + 1))
    np.add.at(totals, group, np.column_stack([columns, np.ones(len(columns))]))
    random = np.random.default_rng(seed)
    weights = random.multinomial(len(distinct), np.full(len(distinct), 1.0 / len(distinct)), size=draws)
    sums = weights @ totals
    means: npt.NDArray[np.float64] = sums[:, :-1] / sums[:, -1:]
    return means.reshape(draws, *table.shape[1:])


def interval(samples: npt.NDArray[np.float64], level: float = 0.95) -> tuple[float, float]:
    """The percentile interval of bootstrap samples: the limits that leave out (1 - level) / 2 on each side.

    >>> interval(np.linspace(0.0, 1.0, 101), level=0.9)
    (0.05, 0.95)
    """
    low, high = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2])
    return round(float(low), 12), round(float(high), 12)
