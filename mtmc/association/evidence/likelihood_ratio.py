"""What a measured value is worth: likelihood ratios of true against false pairs, learned from weighted examples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CELLS = 64
EXAMPLES = 100_000
"""Pairs that a fit looks at; more change nothing."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Piecewise-linear map of a value to the log of its likelihood ratio, constant beyond its ends.

    Attributes:
        value: (k,) ascending.
        log_ratio: (k,).
    """

    value: npt.NDArray[np.float64]
    log_ratio: npt.NDArray[np.float64]

    def at(self, value: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Log-likelihood ratio of each value; 0 for NaN (not measured)."""
        result = np.interp(value, self.value, self.log_ratio)
        return np.where(np.isnan(value), 0.0, result)


def fit_scale(
    value: npt.NDArray[np.float64],
    probability: npt.NDArray[np.float64],
    rest: npt.NDArray[np.float64],
    prior_mean: float,
    prior_deviation: float,
    strength: float,
    limit: float = 8.0,
) -> Scale:
    """Fit a rising log-likelihood ratio.

    True pairs: a normal distribution around the weighted values, held by a prior. False pairs: kernel density of the
    rest. The ratio is made to rise with the value, since a greater similarity never speaks against a pair.

    Args:
        value: (m,) values of candidate pairs, NaN where not measured.
        probability: (m,) probability that each is a true pair.
        rest: (m,) how much each counts as a false one.
        prior_mean: expected value of true pairs, in deviations of false pairs above their mean.
        prior_deviation: expected spread of true pairs, in deviations of false pairs.
        strength: how many true pairs the prior is worth.
        limit: bound of the log ratio on either side: no single value may settle a pair.
    """
    measured = np.flatnonzero(np.isfinite(value))
    measured = measured[:: max(1, len(measured) // EXAMPLES)]
    value, probability, rest = value[measured], probability[measured], rest[measured]
    if float(rest.sum()) < 8.0:
        return Scale(np.array([0.0, 1.0]), np.zeros(2))
    mean = float(np.average(value, weights=rest))
    deviation = max(float(np.sqrt(np.average((value - mean) ** 2, weights=rest))), 1e-6)
    z = (value - mean) / deviation
    total = float(probability.sum()) + strength
    centre = (float(probability @ z) + strength * prior_mean) / total
    apart = strength * (prior_deviation**2 + (prior_mean - centre) ** 2)
    spread = max((float(probability @ (z - centre) ** 2) + apart) / total, 0.01)
    grid = np.linspace(
        min(float(z.min()), centre - 3 * np.sqrt(spread)), max(float(z.max()), centre + 3 * np.sqrt(spread)), CELLS
    )
    log_true = -0.5 * (grid - centre) ** 2 / spread - 0.5 * np.log(2 * np.pi * spread)
    log_false = np.log(_density(z, rest, grid))
    ratio = np.clip(_rising(log_true - log_false, np.exp(log_true) + np.exp(log_false)), -limit, limit)
    return Scale(mean + grid * deviation, ratio)


def correlation_ratio(
    u: npt.NDArray[np.float64], v: npt.NDArray[np.float64], rho: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Log-likelihood ratio of two standard normal scores under correlation `rho` against independence."""
    rest = 1.0 - rho**2
    result: npt.NDArray[np.float64] = -0.5 * np.log(rest) - 0.5 * rho * (rho * (u**2 + v**2) - 2 * u * v) / rest
    return result


def _density(
    sample: npt.NDArray[np.float64], weight: npt.NDArray[np.float64], grid: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Kernel density of a weighted sample on an even grid, with a normal floor so that tails fall smoothly."""
    step = grid[1] - grid[0]
    cell = np.clip(((sample - grid[0]) / step + 0.5).astype(np.int64), 0, CELLS - 1)
    counts = np.bincount(cell, weight, CELLS)
    total = float(counts.sum())
    bandwidth = max(1.06 * max(total, 1.0) ** -0.2, float(step))
    kernel = np.exp(-0.5 * ((grid[:, None] - grid[None]) / bandwidth) ** 2)
    density = (kernel / kernel.sum(0)) @ counts / (total * step)
    normal = np.exp(-0.5 * grid**2 / 1.44) / np.sqrt(2 * np.pi * 1.44)
    result: npt.NDArray[np.float64] = 0.95 * density + 0.05 * normal + 1e-9
    return result


def _rising(values: npt.NDArray[np.float64], weight: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weighted least-squares non-decreasing fit (pool adjacent violators)."""
    blocks: list[list[float]] = []
    for value, w in zip(values, weight, strict=True):
        blocks.append([float(value), float(w), 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            value_b, weight_b, count_b = blocks.pop()
            value_a, weight_a, count_a = blocks.pop()
            joint = weight_a + weight_b
            blocks.append([(value_a * weight_a + value_b * weight_b) / joint, joint, count_a + count_b])
    return np.concatenate([np.full(int(count), value) for value, _, count in blocks])
