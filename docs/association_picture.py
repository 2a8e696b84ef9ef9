"""Draw docs/association.svg, the picture of the method in docs/association.md.

The curves are made by the functions of `mtmc.association` from a few hundred simulated values.

    python docs/association_picture.py
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from mtmc.association.evidence.likelihood_ratio import fit_scale
from mtmc.association.learning.marginals import pair_marginals
from mtmc.association.links.travel_times import fit_travel_times

PICTURE = Path(__file__).with_name("association.svg")
COLOURS = {"links": "#1f6f8b", "evidence": "#7a5195", "learning": "#b5542c", "solving": "#3b7d3b"}
TEXTS = {
    "links": "Where do tracks start and end,\nand which zones follow each other\nafter how many seconds?",
    "evidence": "What do appearance, travel time,\nlane, size and position say about\neach candidate pair?",
    "learning": "Expectation-maximisation: pairs teach\ndistributions, distributions give\npairs better probabilities.",
    "solving": "The best consistent chains, then merges,\nsplits and swaps: one identity\nper vehicle.",
}
LEFT, WIDTH, GAP = 0.015, 0.2275, 0.02


def _bare(axes: Axes, title: str = "", label: str = "") -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, fontsize=8.5, loc="left")
    axes.set_xlabel(label, fontsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _zones(axes: Axes) -> None:
    """Two cameras with the ends of their tracks, and a link between two zones."""
    random = np.random.default_rng(3)
    for left, name in ((0.0, "camera 1"), (1.5, "camera 2")):
        axes.add_patch(FancyBboxPatch((left, 0.0), 1.0, 0.7, boxstyle="square,pad=0", fc="#f3f3f3", ec="#777777"))
        axes.text(left + 0.5, 0.76, name, ha="center", fontsize=8)
        for x, y, colour in (
            (0.1, 0.2, "#2e86c1"),
            (0.9, 0.2, "#d35400"),
            (0.9, 0.52, "#2e86c1"),
            (0.1, 0.52, "#d35400"),
        ):
            places = np.array([left + x, y]) + 0.035 * random.normal(size=(14, 2))
            axes.plot(*places.T, ".", ms=3, color=colour)
    link = FancyArrowPatch(
        (0.95, 0.2), (1.55, 0.2), arrowstyle="-|>", mutation_scale=12, color=COLOURS["links"], lw=1.8
    )
    axes.add_patch(link)
    back = FancyArrowPatch(
        (1.55, 0.52), (0.95, 0.52), arrowstyle="-|>", mutation_scale=12, color=COLOURS["links"], lw=1.8
    )
    axes.add_patch(back)
    axes.text(1.25, 0.34, "links", ha="center", va="center", fontsize=8, color=COLOURS["links"])
    axes.plot([], [], ".", color="#2e86c1", label="entries")
    axes.plot([], [], ".", color="#d35400", label="exits")
    axes.legend(fontsize=7, frameon=False, loc="upper center", bbox_to_anchor=(0.5, 0.06), ncols=2, handletextpad=0.1)
    axes.set(xlim=(-0.08, 2.58), ylim=(-0.15, 0.92))
    axes.axis("off")


def _correlation(axes: Axes) -> None:
    """Delays from departures to arrivals of two Poisson streams of which most vehicles take 25 s."""
    random = np.random.default_rng(1)
    leave = np.sort(random.uniform(0, 1800, 150))
    arrive = np.concatenate([leave[:90] + 25 + 1.5 * random.normal(size=90), random.uniform(0, 1800, 60)])
    delay = (arrive[:, None] - leave).ravel()
    axes.hist(delay, np.arange(0, 80, 2), color="#9dc3cf")
    axes.axhline(150 * 150 * 2 / 1800, color="#555555", lw=0.8, ls="--")
    axes.text(79, 29, "expected by chance", fontsize=7, ha="right")
    axes.text(28, 62, "travel time of the link", fontsize=8, color=COLOURS["links"], va="top")
    axes.set_ylim(0, 66)
    _bare(axes, "", "seconds from a departure to an arrival")


def _ratio(axes: Axes) -> None:
    """A learned log-likelihood ratio between the densities that it was learned from."""
    random = np.random.default_rng(0)
    true, false = random.normal(0.68, 0.12, 200), random.normal(0.2, 0.17, 3000)
    value = np.concatenate([true, false])
    probability = np.where(np.arange(len(value)) < 200, 0.95, 0.0)
    prior = {"prior_mean": 2.5, "prior_deviation": 1.0, "strength": 10.0}
    scale = fit_scale(value, probability=probability, rest=1.0 - probability, **prior)
    bins = np.linspace(-0.3, 1.0, 53)
    axes.hist(false, bins, density=True, color="#cccccc", label="different vehicles")
    axes.hist(true, bins, density=True, color="#c9aed6", alpha=0.8, label="same vehicle")
    axes.plot(
        bins, np.maximum(1.9 + 0.3 * scale.at(bins), 0), color=COLOURS["evidence"], lw=2, label="log-likelihood ratio"
    )
    axes.set_ylim(0, 7.2)
    axes.legend(fontsize=7, frameon=False, loc="upper left", borderaxespad=0.1, labelspacing=0.2)
    _bare(axes, "", "similarity of two features")


def _travel(axes: Axes) -> None:
    random = np.random.default_rng(4)
    seconds = np.concatenate([random.normal(25, 1.5, 60), random.uniform(28, 45, 25)])
    times = fit_travel_times(np.zeros(85, np.int64), seconds, np.ones(85), 1)
    at = np.linspace(15, 55, 300)
    axes.fill_between(at, times.at(np.zeros(300, np.int64), at), color="#c9aed6")
    axes.plot(seconds, np.full(85, -0.006), "|", ms=5, color="#555555")
    _bare(axes, "", "travel time of a link")


def _marginals(axes: Axes) -> None:
    """Candidate pairs of five tracks with the probabilities that belief propagation gives them."""
    source = np.array([0, 0, 1, 1, 2, 2, 3])
    target = np.array([4, 5, 4, 5, 5, 6, 7])
    log_ratio = np.array([1.5, 0.5, 0.5, 1.0, 0.3, 1.2, -1.0])
    probability = pair_marginals(source, target, np.exp(log_ratio), 8)
    for a, b, p in zip(source, target, probability, strict=True):
        axes.plot([0, 1], [3 - a, 7 - b], color=COLOURS["learning"], lw=8 * p, alpha=0.85, solid_capstyle="butt")
    axes.plot(np.zeros(4), np.arange(4), "o", color="#444444", ms=7)
    axes.plot(np.ones(4), np.arange(4), "o", color="#444444", ms=7)
    axes.set(xlim=(-0.25, 1.25), ylim=(-0.5, 3.6))
    axes.axis("off")
    axes.set_title("line width: probability of a pair", fontsize=8.5, loc="left")


def _loop(axes: Axes) -> None:
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.axis("off")
    for x, text in (
        (0.22, "M-step:\nlink shares,\ntravel times,\nscales"),
        (0.78, "E-step:\nprobabilities\nby belief\npropagation"),
    ):
        axes.text(
            x,
            0.5,
            text,
            ha="center",
            va="center",
            fontsize=8,
            bbox={"fc": "#fbeee6", "ec": COLOURS["learning"], "pad": 4},
        )
    for begin, end in (((0.3, 0.87), (0.7, 0.87)), ((0.7, 0.13), (0.3, 0.13))):
        axes.add_patch(
            FancyArrowPatch(
                begin,
                end,
                connectionstyle="arc3,rad=-0.35",
                arrowstyle="-|>",
                mutation_scale=12,
                color=COLOURS["learning"],
                clip_on=False,
            )
        )


def _chains(axes: Axes) -> None:
    """Tracks on the axes of time and cameras, joined to identities."""
    vehicles = {
        "#2e86c1": [(0, 0), (2.2, 1), (4.4, 2)],
        "#d35400": [(0.9, 0), (3.2, 1), (5.6, 2)],
        "#27ae60": [(1.2, 2), (3.3, 3)],
    }
    for colour, tracks in vehicles.items():
        ends = [(t, t + 1.2, 3 - camera) for t, camera in tracks]
        for begin, end, row in ends:
            y = row + (0.16 if colour == "#d35400" else 0.0)
            axes.plot([begin, end], [y, y], color=colour, lw=5, solid_capstyle="butt")
        for (_, end, row), (begin, _, after) in pairwise(ends):
            shift = 0.16 if colour == "#d35400" else 0.0
            axes.plot([end, begin], [row + shift, after + shift], color=colour, lw=1, ls=":")
    axes.plot([0.2, 1.2], [0, 0], color="#999999", lw=5, solid_capstyle="butt")
    axes.text(0.7, 0.25, "seen once", fontsize=7, ha="center", color="#666666")
    axes.set(yticks=range(4), yticklabels=[f"cam {4 - k}" for k in range(4)], ylim=(-0.4, 3.6), xticks=[])
    axes.tick_params(labelsize=7, length=0)
    axes.set_xlabel("time", fontsize=8)
    axes.set_title("one colour, one identity", fontsize=8.5, loc="left")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def draw() -> Figure:
    """The picture: four columns, one for each folder of `mtmc/association`."""
    figure = plt.figure(figsize=(13.0, 5.6))
    sheet = figure.add_axes((0, 0, 1, 1))
    sheet.set(xlim=(0, 1), ylim=(0, 1))
    sheet.axis("off")
    panels = {
        "links": (_zones, _correlation),
        "evidence": (_ratio, _travel),
        "learning": (_marginals, _loop),
        "solving": (_chains, None),
    }
    for number, (name, (upper, lower)) in enumerate(panels.items()):
        left, colour = LEFT + number * (WIDTH + GAP), COLOURS[name]
        sheet.add_patch(
            FancyBboxPatch(
                (left, 0.05), WIDTH, 0.9, boxstyle="round,pad=0,rounding_size=0.008", fc="white", ec=colour, lw=1.5
            )
        )
        sheet.add_patch(
            FancyBboxPatch((left, 0.88), WIDTH, 0.07, boxstyle="round,pad=0,rounding_size=0.008", fc=colour, ec=colour)
        )
        sheet.text(
            left + WIDTH / 2,
            0.914,
            f"{number + 1}  {name}",
            color="white",
            weight="bold",
            fontsize=13,
            ha="center",
            va="center",
        )
        sheet.text(left + 0.012, 0.855, TEXTS[name], fontsize=9, va="top", linespacing=1.35)
        tall = lower is None
        upper(
            figure.add_axes(
                (left + 0.018 + 0.02 * tall, 0.43 - 0.2 * tall, WIDTH - 0.036 - 0.02 * tall, 0.25 + 0.2 * tall)
            )
        )
        if lower is not None:
            lower(figure.add_axes((left + 0.018, 0.12, WIDTH - 0.036, 0.23)))
        if number:
            sheet.add_patch(
                FancyArrowPatch(
                    (left - GAP, 0.914), (left, 0.914), arrowstyle="-|>", mutation_scale=16, color="#444444", lw=2
                )
            )
    sheet.text(
        0.5,
        0.018,
        "in: one row per track (when, where, how fast, how large, features)        out: one identity per vehicle",
        fontsize=9,
        ha="center",
        color="#444444",
    )
    return figure


def main() -> None:
    """Write the picture; the same code gives the same file."""
    matplotlib.rcParams["svg.hashsalt"] = "association"
    matplotlib.rcParams["font.family"] = "DejaVu Sans"
    draw().savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    main()
