"""Travel-time distributions: one histogram density a link, learned from weighted times."""

from __future__ import annotations

from dataclasses import dataclass, field

import numba
import numpy as np
import numpy.typing as npt

BINS = 96
"""Bins of a density; their width suits each link's spread."""
LEAST_BANDWIDTH = 0.12
"""Seconds: clocks and box ends are not surer than that."""
SPREAD_STRENGTH = 2.0
"""How many vehicles the usual scatter of travel times is worth."""
USUAL_LEAST, USUAL_PART = 1.0, 0.15
"""The usual scatter: seconds, and part of the travel time."""


@dataclass(frozen=True, slots=True)
class TravelTimes:
    """Densities of the travel time (seconds, may be negative where views overlap), one row a link.

    Attributes:
        first: (l,) float64, left edge of the first bin.
        step: (l,) float64, width of the bins.
        density: (l, BINS) float64, per second; each row's mass adds to 1 (a row of zeros: never travelled).
        peak: (l,) float64, the height that one vehicle of the sample adds at its own time, per second of mass
            (1 / (bandwidth * sqrt(2 pi))); 0 for a row that came from no sample.
    """

    first: npt.NDArray[np.float64]
    step: npt.NDArray[np.float64]
    density: npt.NDArray[np.float64]
    peak: npt.NDArray[np.float64]
    _below: list[npt.NDArray[np.float64]] = field(default_factory=list, init=False, repr=False, compare=False)

    def at(self, link: npt.NDArray[np.int64], seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Density of each (link, travel time), linear between the middles of bins, 0 outside."""
        place = (seconds - self.first[link]) / self.step[link] - 0.5
        left = np.floor(place).astype(np.int64)
        part = place - left
        inside = (left >= -1) & (left < BINS)
        left = np.clip(left, -1, BINS - 1)
        low = np.where(left >= 0, self.density[link, np.maximum(left, 0)], 0.0)
        high = np.where(left < BINS - 1, self.density[link, np.minimum(left + 1, BINS - 1)], 0.0)
        value: npt.NDArray[np.float64] = np.where(inside, low * (1 - part) + high * part, 0.0)
        return value

    def mass_below(self, link: npt.NDArray[np.int64], seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Probability that the travel time of a link is below `seconds`."""
        if not self._below:  # asked for several times in each round of learning
            self._below.append(np.cumsum(self.density * self.step[:, None], axis=1))
        value: npt.NDArray[np.float64] = _compiled_mass(self.first, self.step, self._below[0], link, seconds)
        return value

    def quantile(self, share: float) -> npt.NDArray[np.float64]:
        """(l,) time below which `share` of each link's mass lies."""
        total = np.cumsum(self.density * self.step[:, None], axis=1)
        total /= np.maximum(total[:, -1:], 1e-12)
        position = (total < share).sum(1)
        result: npt.NDArray[np.float64] = self.first + (position + 0.5) * self.step
        return result


def fit_travel_times(
    link: npt.NDArray[np.int64], seconds: npt.NDArray[np.float64], weight: npt.NDArray[np.float64], links: int
) -> TravelTimes:
    """Kernel densities of weighted travel times.

    Args:
        link: (m,) link of each time, in [0, links).
        seconds: (m,) travel times.
        weight: (m,) probability that the time is one of a true pair.
        links: number of links; one without weight gets a row of zeros.

    The bandwidth is Silverman's 0.9 min(sd, IQR / 1.34) n^(-1/5), with weights for n.
    """
    order = np.lexsort((seconds, link))
    link, seconds, weight = link[order], seconds[order], weight[order]
    bounds = np.searchsorted(link, np.arange(links + 1))
    first, step, density, bandwidth = _kernel_rows(
        bounds, seconds, weight, BINS, LEAST_BANDWIDTH, SPREAD_STRENGTH, USUAL_LEAST, USUAL_PART
    )
    peak = np.where(bandwidth > 0, 1.0 / (np.maximum(bandwidth, 1e-9) * np.sqrt(2 * np.pi)), 0.0)
    return TravelTimes(first, step, density, peak)


def _kernel_rows(
    bounds: npt.NDArray[np.int64],
    seconds: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
    bins: int,
    least: float,
    usual_count: float,
    usual_least: float,
    usual_part: float,
) -> tuple[npt.NDArray[np.float64], ...]:
    result: tuple[npt.NDArray[np.float64], ...] = _compiled_kernel_rows(
        bounds, seconds, weight, bins, least, usual_count, usual_least, usual_part
    )
    return result


@numba.njit(cache=True)
def _compiled_mass(first, step, below, link, seconds):  # type: ignore[no-untyped-def]  # pragma: no cover
    bins = below.shape[1]
    mass = np.empty(len(link))
    for m in range(len(link)):
        row = link[m]
        place = min(max((seconds[m] - first[row]) / step[row], 0.0), float(bins))
        left = min(int(place), bins - 1)
        before = below[row, left - 1] if left > 0 else 0.0
        mass[m] = before + (below[row, left] - before) * (place - left)
    return mass


@numba.njit(cache=True)
def _compiled_kernel_rows(bounds, seconds, weight, bins, least, usual_count, usual_least, usual_part):  # type: ignore[no-untyped-def]  # pragma: no cover
    links = len(bounds) - 1
    first = np.zeros(links)
    step = np.ones(links)
    density = np.zeros((links, bins))
    bandwidth = np.zeros(links)
    for row in range(links):
        a, b = bounds[row], bounds[row + 1]
        total = 0.0
        mean = 0.0
        for k in range(a, b):
            total += weight[k]
            mean += weight[k] * seconds[k]
        if total < 1e-3:
            continue
        mean /= total
        spread = 0.0
        squared = 0.0
        running = 0.0
        low = seconds[a]
        q1 = seconds[a]
        q3 = seconds[b - 1]
        high = seconds[b - 1]
        seen = 0
        for k in range(a, b):
            spread += weight[k] * (seconds[k] - mean) ** 2
            squared += weight[k] ** 2
            running += weight[k] / total
            if seen == 0 and running >= 0.005:
                low = seconds[k]
                seen = 1
            if seen == 1 and running >= 0.25:
                q1 = seconds[k]
                seen = 2
            if seen == 2 and running >= 0.75:
                q3 = seconds[k]
                seen = 3
            if seen == 3 and running >= 0.995:
                high = seconds[k]
                seen = 4
        deviation = np.sqrt(spread / total)
        middle = (q3 - q1) / 1.34
        if 0 < middle < deviation:
            deviation = middle
        # A handful of times says little of how far they scatter: the usual scatter counts as `usual_count` more.
        usual = usual_least + usual_part * abs(mean)
        deviation = np.sqrt((total * deviation**2 + usual_count * usual**2) / (total + usual_count))
        count = max(total, 1.0)
        h = max(0.9 * deviation * count ** (-0.2), least)
        bandwidth[row] = h
        first[row] = low - 4 * h
        step[row] = (high - low + 8 * h) / bins
        # Bins wider than the kernel would blur it twice.
        kernel = max(h, 0.5 * step[row])
        reach = int(np.ceil(4 * kernel / step[row]))
        variance = spread / total
        shrink = np.sqrt(variance / (variance + kernel**2))
        for k in range(a, b):
            if weight[k] <= 0:
                continue
            # Drawn together so that smoothing does not widen: else each round of learning would be broader.
            at = (mean + shrink * (seconds[k] - mean) - first[row]) / step[row]
            middle_bin = int(np.floor(at))
            norm = 0.0
            for c in range(middle_bin - reach, middle_bin + reach + 1):
                norm += np.exp(-0.5 * ((c + 0.5 - at) * step[row] / kernel) ** 2)
            for c in range(max(middle_bin - reach, 0), min(middle_bin + reach + 1, bins)):
                value = np.exp(-0.5 * ((c + 0.5 - at) * step[row] / kernel) ** 2) / norm
                density[row, c] += weight[k] * value / (total * step[row])
        mass = density[row].sum() * step[row]
        if mass > 0:
            density[row] /= mass
    return first, step, density, bandwidth
