"""Travel-time distributions: one histogram density per link, learned from weighted times."""

from __future__ import annotations

from dataclasses import dataclass, field

import numba
import numpy as np
import numpy.typing as npt

BINS = 96
"""Bins per density; their width follows from the spread of the link. Raising it costs memory and resolves finer shapes.
Theory: several bins per bandwidth."""
MIN_BANDWIDTH = 0.12
"""Seconds that the kernel bandwidth does not fall below. Raising it blurs sharp travel times. Theory: clocks and the
ends of boxes are not more accurate."""
SPREAD_STRENGTH = 2.0
"""Strength of the prior `USUAL_SPREAD`, in vehicles. Raising it keeps densities broad for longer. Development
scenarios."""
USUAL_SPREAD = 1.0
"""Usual standard deviation of travel times in seconds, for short ones. Raising it starts with broader densities.
Development scenarios."""
USUAL_RELATIVE_SPREAD = 0.15
"""Part of the travel time that is added to the usual standard deviation. Raising it starts long links with broader
densities. Theory: about the coefficient of variation of speeds in free traffic."""
TAIL = 0.005
"""Share of the weight at either end of the times that may lie outside the core of the density. Raising it makes bins
finer and cuts more outliers off. Safety bound against single outliers that would make all bins coarse."""
KERNEL_REACH = 4
"""Bandwidths at which a kernel is cut off. Raising it costs time. Theory: 6e-5 of a normal density lie beyond."""


@dataclass(frozen=True, slots=True)
class TravelTimes:
    """Densities of the travel time in seconds, one for each link. Times are negative where fields of view overlap.

    Links may share one: in a large scenario most have no vehicle, or nothing is known about them yet.

    Attributes:
        first: (l,) float64, left edge of the first bin.
        step: (l,) float64, width of the bins, equal for links that share a density.
        distinct: (k, BINS) float64, per second; the mass of each row is 1, or 0 for links without vehicles.
        row: (l,) int64, row of `distinct` of each link.
        peak: (l,) float64, per second, height of the kernel of one vehicle at its own time, 1 / (bandwidth *
            sqrt(2 pi)); 0 for a link that was not fitted to a sample.
    """

    first: npt.NDArray[np.float64]
    step: npt.NDArray[np.float64]
    distinct: npt.NDArray[np.float64]
    row: npt.NDArray[np.int64]
    peak: npt.NDArray[np.float64]
    _below: list[npt.NDArray[np.float64]] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def density(self) -> npt.NDArray[np.float64]:
        """(l, BINS) the density of each link."""
        return self.distinct[self.row]

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """(l,) whether a link has a density, not a row of zeros."""
        filled = np.asarray(self.distinct.any(axis=1), np.bool_)
        return np.asarray(filled[self.row], np.bool_)

    def at(self, link: npt.NDArray[np.int64], seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(m,) density of each (link, travel time), linear between the middles of bins, 0 outside."""
        value: npt.NDArray[np.float64] = _compiled_at(self.first, self.step, self.distinct, self.row, link, seconds)
        return value

    def mass_below(self, link: npt.NDArray[np.int64], seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(m,) probability that the travel time of each link is below `seconds`."""
        if not self._below:  # needed several times in each round of learning
            self._below.append(self._cumulative())
        value: npt.NDArray[np.float64] = _compiled_mass(self.first, self.step, self._below[0], self.row, link, seconds)
        return value

    def quantile(self, share: float) -> npt.NDArray[np.float64]:
        """(l,) travel time below which a share of each link's mass lies, in [0, 1]."""
        total = self._cumulative()
        total /= np.maximum(total[:, -1:], 1e-12)
        position = (total < share).sum(1)[self.row]
        result: npt.NDArray[np.float64] = self.first + (position + 0.5) * self.step
        return result

    def _cumulative(self) -> npt.NDArray[np.float64]:
        """(k, BINS) mass of each density up to the right edge of each bin."""
        step = np.ones(len(self.distinct))
        step[self.row] = self.step
        return np.cumsum(self.distinct * step[:, None], axis=1)


def fit_travel_times(
    link: npt.NDArray[np.int64], seconds: npt.NDArray[np.float64], weight: npt.NDArray[np.float64], links: int
) -> TravelTimes:
    """Kernel densities of weighted travel times.

    The bandwidth is 0.9 min(sd, IQR / 1.34) n^(-1/5) (Silverman, Density Estimation for Statistics and Data Analysis,
    1986, eq. 3.31), where n is the sum of the weights.

    Args:
        link: (m,) link of each time, in [0, links).
        seconds: (m,) travel times.
        weight: (m,) probability that the time is that of a true pair.
        links: number of links; a link without weight gets a row of zeros.
    """
    order = np.lexsort((seconds, link))
    link, seconds, weight = link[order], seconds[order], weight[order]
    fitted, begin = np.unique(link, return_index=True)
    first, step, peak = np.zeros(links), np.ones(links), np.zeros(links)
    row = np.full(links, len(fitted), np.int64)
    row[fitted] = np.arange(len(fitted))
    first[fitted], step[fitted], density, bandwidth = _kernel_rows(np.append(begin, len(link)), seconds, weight)
    peak[fitted] = np.where(bandwidth > 0, 1.0 / (np.maximum(bandwidth, 1e-9) * np.sqrt(2 * np.pi)), 0.0)
    return TravelTimes(first, step, np.concatenate([density, np.zeros((1, BINS))]), row, peak)


def _kernel_rows(*arguments: npt.NDArray[np.generic]) -> tuple[npt.NDArray[np.float64], ...]:
    result: tuple[npt.NDArray[np.float64], ...] = _compiled_kernel_rows(*arguments)
    return result


@numba.njit(cache=True)
def _compiled_at(first, step, distinct, row, link, seconds):  # type: ignore[no-untyped-def]  # pragma: no cover
    bins = distinct.shape[1]
    value = np.zeros(len(link))
    for m in range(len(link)):
        place = (seconds[m] - first[link[m]]) / step[link[m]] - 0.5
        if not -1.0 <= place < bins:
            continue
        left = int(np.floor(place))
        part = place - left
        low = distinct[row[link[m]], left] if left >= 0 else 0.0
        high = distinct[row[link[m]], left + 1] if left < bins - 1 else 0.0
        value[m] = low * (1 - part) + high * part
    return value


@numba.njit(cache=True)
def _compiled_mass(first, step, below, row, link, seconds):  # type: ignore[no-untyped-def]  # pragma: no cover
    bins = below.shape[1]
    mass = np.empty(len(link))
    for m in range(len(link)):
        place = min(max((seconds[m] - first[link[m]]) / step[link[m]], 0.0), float(bins))
        left = min(int(place), bins - 1)
        own = below[row[link[m]]]
        before = own[left - 1] if left > 0 else 0.0
        mass[m] = before + (own[left] - before) * (place - left)
    return mass


@numba.njit(cache=True)
def _compiled_kernel_rows(bounds, seconds, weight):  # type: ignore[no-untyped-def]  # pragma: no cover
    links = len(bounds) - 1
    first = np.zeros(links)
    step = np.ones(links)
    density = np.zeros((links, BINS))
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
            if seen == 0 and running >= TAIL:
                low = seconds[k]
                seen = 1
            if seen == 1 and running >= 0.25:
                q1 = seconds[k]
                seen = 2
            if seen == 2 and running >= 0.75:
                q3 = seconds[k]
                seen = 3
            if seen == 3 and running >= 1.0 - TAIL:
                high = seconds[k]
                seen = 4
        deviation = np.sqrt(spread / total)
        middle = (q3 - q1) / 1.34
        if 0 < middle < deviation:
            deviation = middle
        # A handful of times says little about their spread: the usual spread counts as `SPREAD_STRENGTH` more.
        usual = USUAL_SPREAD + USUAL_RELATIVE_SPREAD * abs(mean)
        deviation = np.sqrt((total * deviation**2 + SPREAD_STRENGTH * usual**2) / (total + SPREAD_STRENGTH))
        count = max(total, 1.0)
        h = max(0.9 * deviation * count ** (-0.2), MIN_BANDWIDTH)
        bandwidth[row] = h
        first[row] = low - KERNEL_REACH * h
        step[row] = (high - low + 2 * KERNEL_REACH * h) / BINS
        # Bins wider than the kernel would blur it twice.
        kernel = max(h, 0.5 * step[row])
        reach = int(np.ceil(KERNEL_REACH * kernel / step[row]))
        variance = spread / total
        shrink = np.sqrt(variance / (variance + kernel**2))
        for k in range(a, b):
            if weight[k] <= 0:
                continue
            # Times are drawn together so that smoothing keeps their variance: else densities would widen in each round.
            at = (mean + shrink * (seconds[k] - mean) - first[row]) / step[row]
            middle_bin = int(np.floor(at))
            norm = 0.0
            for c in range(middle_bin - reach, middle_bin + reach + 1):
                norm += np.exp(-0.5 * ((c + 0.5 - at) * step[row] / kernel) ** 2)
            for c in range(max(middle_bin - reach, 0), min(middle_bin + reach + 1, BINS)):
                value = np.exp(-0.5 * ((c + 0.5 - at) * step[row] / kernel) ** 2) / norm
                density[row, c] += weight[k] * value / (total * step[row])
        mass = density[row].sum() * step[row]
        if mass > 0:
            density[row] /= mass
    return first, step, density, bandwidth
