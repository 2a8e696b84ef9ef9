"""What a measured value is worth: likelihood ratios of true against false pairs, learned from weighted examples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression
from scipy.stats import norm

CELLS = 64
"""Points of the likelihood ratio, evenly spaced. Raising it costs time and resolves finer shapes. Theory: several
points per bandwidth."""
EXAMPLES = 100_000
"""Pairs from which a ratio is fitted. Raising it costs time and changes next to nothing. Safety bound on time."""
MIN_FALSE = 8.0
"""Number of false pairs below which nothing is fitted, and every value is worth 0. Raising it needs larger scenarios.
Safety bound against a density of a handful of values."""
MIN_CERTAIN = 10
"""Number of pairs that are certainly false below which they are not used. Raising it needs more tracks that are seen at
once. Safety bound against a density of a handful of values."""
MAX_SURPRISE = 2.0
"""Standard deviations of the expected similarity by which a mean that is farther off widens the spread at most. Raising
it takes features that are far better than expected for features of mixed quality. Development scenarios."""
MIN_VARIANCE = 0.01
"""Smallest variance of true pairs, in variances of false pairs. Raising it blurs the ratio. Safety bound."""
MAX_LOG_RATIO = 8.0
"""Nats beyond which a value is neither for nor against a pair: no single value may settle it. Raising it trusts single
values more. Safety bound."""
TAIL_SHARE = 0.05
"""Share of a wide normal density in that of false pairs, so that its tails fall smoothly. Raising it makes high values
weaker evidence. Safety bound."""
SURPLUS_ROUNDS = 8
"""Rounds in which the share of true pairs among the rest is estimated. Raising it costs time and changes little.
Theory: expectation-maximisation of one share converges geometrically."""
MIN_SURPLUS = 0.001
"""Share of true pairs among the rest from which that estimate starts. Raising it changes the first rounds only. Theory:
the likelihood of a mixture has one maximum in its share."""
EXTREME_SHARE = 0.02
"""Share of the pairs that are certainly false, the largest values, to which an exponential tail is fitted. Raising it
steadies the tail, and fits it to values that are further from the largest. Development scenarios."""
MIN_EXTREME = 10
"""Number of values to which this tail is fitted at least. Raising it steadies the tail. Safety bound."""
TAIL_DEVIATION = 1.2
"""Standard deviation of this normal density, in those of false pairs. Raising it makes high values weaker evidence.
Safety bound."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Piecewise-linear map from a value to its log-likelihood ratio, constant beyond its ends.

    Attributes:
        value: (k,) ascending.
        log_ratio: (k,) nats.
    """

    value: npt.NDArray[np.float64]
    log_ratio: npt.NDArray[np.float64]

    def at(self, value: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Log-likelihood ratio of each value in nats; 0 for NaN, which means not measured."""
        result = np.interp(value, self.value, self.log_ratio)
        return np.where(np.isnan(value), 0.0, result)


def fit_scale(
    value: npt.NDArray[np.float64],
    probability: npt.NDArray[np.float64],
    rest: npt.NDArray[np.float64],
    *,
    prior_mean: float,
    prior_deviation: float,
    strength: float,
    different: npt.NDArray[np.float64] | None = None,
    robust: bool = False,
) -> Scale:
    """Fit a non-decreasing log-likelihood ratio.

    True pairs: a normal density fitted to the weighted values and a prior. False pairs: a kernel density of the rest.
    Isotonic regression makes the ratio non-decreasing, since a greater similarity is never evidence against a pair.

    The rest holds true pairs that are not believed yet, and these lie where false pairs are rarest. They are subtracted
    from it, as far as pairs that are certainly false are rarer there.

    Args:
        value: (m,) values of candidate pairs, NaN where not measured.
        probability: (m,) probability that each is a true pair.
        rest: (m,) weight of each as an example of a false pair.
        prior_mean: expected mean of true pairs, in standard deviations of false pairs above their mean.
        prior_deviation: expected standard deviation of true pairs, in standard deviations of false pairs.
        strength: number of true pairs that the prior is worth.
        different: (k,) values of pairs that are certainly false.
        robust: whether some of the true pairs may be wrong. Then their median and their median absolute deviation from
            it (Hampel, "The influence curve and its role in robust estimation", 1974) take the place of mean and
            deviation, and how far they are from the expected mean does not widen the spread.
    """
    measured = np.flatnonzero(np.isfinite(value))
    measured = measured[:: max(1, len(measured) // EXAMPLES)]
    value, probability, rest = value[measured], probability[measured], rest[measured]
    if float(rest.sum()) < MIN_FALSE:
        return Scale(np.array([0.0, 1.0]), np.zeros(2))
    mean = float(np.average(value, weights=rest))
    deviation = max(float(np.sqrt(np.average((value - mean) ** 2, weights=rest))), 1e-6)
    z = (value - mean) / deviation
    count = float(probability.sum())
    if robust and count > 0:
        own = _median(z, probability)
        squares = count * (_median(np.abs(z - own), probability) / norm.ppf(0.75)) ** 2
        off = 0.0
    else:
        own = float(probability @ z) / max(count, 1e-9)
        squares = float(probability @ (z - own) ** 2)
        # How far the features are from the expected mean says little about their spread.
        off = min(abs(prior_mean - own), MAX_SURPRISE * prior_deviation) ** 2
    centre = (count * own + strength * prior_mean) / (count + strength)
    apart = strength * prior_deviation**2 + strength * count / (strength + count) * off
    spread = max((squares + apart) / (count + strength), MIN_VARIANCE)
    grid = np.linspace(
        min(float(z.min()), centre - 3 * np.sqrt(spread)), max(float(z.max()), centre + 3 * np.sqrt(spread)), CELLS
    )
    log_true = -0.5 * (grid - centre) ** 2 / spread - 0.5 * np.log(2 * np.pi * spread)
    false = kernel_density(z, rest, grid)
    if different is not None and len(different) >= MIN_CERTAIN:
        certain = _with_tail((different - mean) / deviation, grid)
        false = _without_true(false, np.exp(log_true), np.where(grid > 0, np.minimum(false, certain), false), robust)
    log_false = np.log(false)
    weights = np.exp(log_true) + np.exp(log_false)
    ratio = np.clip(isotonic_regression(log_true - log_false, weights=weights).x, -MAX_LOG_RATIO, MAX_LOG_RATIO)
    return Scale(mean + grid * deviation, ratio)


def _median(value: npt.NDArray[np.float64], weight: npt.NDArray[np.float64]) -> float:
    """Weighted median."""
    order = np.argsort(value)
    total = np.cumsum(weight[order])
    return float(value[order[np.searchsorted(total, 0.5 * total[-1])]])


def correlation_ratio(
    u: npt.NDArray[np.float64], v: npt.NDArray[np.float64], rho: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Log-likelihood ratio of pairs of standard normal scores with correlation `rho` against independent ones.

    Args:
        u, v: (m,) scores.
        rho: (m,) correlation, in (-1, 1).
    """
    rest = 1.0 - rho**2
    result: npt.NDArray[np.float64] = -0.5 * np.log(rest) - 0.5 * rho * (rho * (u**2 + v**2) - 2 * u * v) / rest
    return result


def kernel_density(
    sample: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
    grid: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Kernel density of a weighted sample on an even grid, mixed with a wide normal density."""
    step = grid[1] - grid[0]
    cell = np.clip(((sample - grid[0]) / step + 0.5).astype(np.int64), 0, CELLS - 1)
    counts = np.bincount(cell, weight, CELLS)
    total = float(counts.sum())
    bandwidth = max(1.06 * max(total, 1.0) ** -0.2, float(step))
    kernel = np.exp(-0.5 * ((grid[:, None] - grid[None]) / bandwidth) ** 2)
    density = (kernel / kernel.sum(0)) @ counts / (total * step)
    variance = TAIL_DEVIATION**2
    normal = np.exp(-0.5 * grid**2 / variance) / np.sqrt(2 * np.pi * variance)
    result: npt.NDArray[np.float64] = (1.0 - TAIL_SHARE) * density + TAIL_SHARE * normal + 1e-9
    return result


def _without_true(
    mixed: npt.NDArray[np.float64],
    true: npt.NDArray[np.float64],
    least: npt.NDArray[np.float64],
    robust: bool,
) -> npt.NDArray[np.float64]:
    """Density of the false pairs in a mixture of both: what is left when the share of true pairs is subtracted.

    The share is estimated by expectation-maximisation, as if false pairs were distributed like the least of them.

    Args:
        mixed: (k,) density of the mixture on an even grid.
        true: (k,) that of true pairs.
        least: (k,) a bound that the result does not fall below, at most `mixed`.
        robust: whether look-alikes may be mistaken for true pairs. Half of the true pairs lie above their median, so
            what lies below it and has no counterpart above is not theirs.
    """
    share = MIN_SURPLUS
    for _ in range(SURPLUS_ROUNDS):
        part = share * true / (share * true + (1.0 - share) * least)
        share = float((mixed * part).sum() / mixed.sum())
    if robust:
        high = np.cumsum(true) >= 0.5 * true.sum()
        share = min(share, float(mixed[high].sum() / true[high].sum()))
    return np.maximum(mixed - share * true, least)


def _with_tail(sample: npt.NDArray[np.float64], grid: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Kernel density of a sample on an even grid, with an exponential tail in place of its largest values.

    Vehicles of one model make the tail heavier than a normal one. The mean excess over a high threshold is the
    maximum-likelihood estimate of its scale (Pickands, "Statistical inference using extreme order statistics", 1975,
    with shape 0).
    """
    count = max(int(EXTREME_SHARE * len(sample)), MIN_EXTREME)
    largest = np.sort(sample)[-count:]
    scale = max(float(np.mean(largest - largest[0])), float(grid[1] - grid[0]))
    tail = count / len(sample) / scale * np.exp(-(grid - largest[0]) / scale)
    # One more value, anywhere: n values do not show what happens less often than once in n.
    unseen = 1.0 / (len(sample) + 1.0) / float(grid[-1] - grid[0])
    density = np.where(grid > largest[0], tail, kernel_density(sample, np.ones(len(sample)), grid))
    return np.asarray(density + unseen, np.float64)
