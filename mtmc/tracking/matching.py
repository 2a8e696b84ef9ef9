"""Matching of tracks and boxes within a frame: overlapping pairs by a sweep, then the best assignment among them.

Only pairs with enough overlap are considered. The assignment runs on their sparse graph: each search for a shortest
augmenting path stays within one connected component, and a component of a single pair costs one look-up. The result
equals that of a dense assignment in which pairs below the gate have weight 0.

Source of the augmentation: R. Jonker, A. Volgenant, "A shortest augmenting path algorithm for dense and sparse linear
assignment problems", Computing 38 (1987); D. F. Crouse, "On implementing 2D rectangular assignment algorithms" (2016).
Source of the direction term: J. Cao et al., "Observation-Centric SORT", arXiv 2203.14360, section 3.3.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class Gates(NamedTuple):
    """The settings that `match_frame` needs, as plain numbers."""

    high_score: float
    low_score: float
    min_iou: float
    second_min_iou: float
    first_buffer: float
    lost_track_penalty: float
    recovery: bool
    recovery_buffer: float
    direction_weight: float


@numba.njit(cache=True)
def assign(first: IntArray, column: IntArray, weight: FloatArray, columns: int) -> IntArray:
    """The one-to-one assignment with the largest sum of weights; rows and columns may stay unassigned.

    Args:
        first: (rows + 1,) int64; row r's edges are `first[r]` up to `first[r + 1]`.
        column: (edges,) int64, each edge's column.
        weight: (edges,) float64; an edge of weight <= 0 is never chosen.
        columns: the number of columns.

    Returns:
        (rows,) int64: the column assigned to each row, -1 for none.
    """
    rows = len(first) - 1
    row_column = np.full(rows, -1, np.int64)
    column_row = np.full(columns, -1, np.int64)
    # Costs are negative weights. Each row can also stay unassigned, at cost 0.
    row_dual = np.zeros(rows)
    column_dual = np.zeros(columns)
    left_over = np.empty(rows, np.int64)
    n_left = 0
    for r in range(rows):
        best = 0.0
        choice = -1
        for e in range(first[r], first[r + 1]):
            if weight[e] > best:
                best = weight[e]
                choice = column[e]
        row_dual[r] = -best
        if choice >= 0:
            if column_row[choice] < 0:
                column_row[choice] = r
                row_column[r] = choice
            else:
                left_over[n_left] = r
                n_left += 1
    if n_left == 0:
        return row_column

    distance = np.full(columns, np.inf)
    via = np.full(columns, -1, np.int64)
    done = np.zeros(columns, np.bool_)
    touched = np.empty(columns, np.int64)
    tree = np.empty(rows, np.int64)
    for k in range(n_left):
        root = left_over[k]
        n_touched = 0
        n_tree = 0
        lowest = 0.0
        alone_cost = np.inf
        alone_row = -1
        sink = -1
        row = root
        while True:
            tree[n_tree] = row
            n_tree += 1
            if lowest - row_dual[row] < alone_cost:
                alone_cost = lowest - row_dual[row]
                alone_row = row
            for e in range(first[row], first[row + 1]):
                c = column[e]
                if done[c]:
                    continue
                reach = lowest - weight[e] - row_dual[row] - column_dual[c]
                if reach < distance[c]:
                    if distance[c] == np.inf:
                        touched[n_touched] = c
                        n_touched += 1
                    distance[c] = reach
                    via[c] = row
            nearest = -1
            for t in range(n_touched):
                c = touched[t]
                if not done[c] and (nearest < 0 or distance[c] < distance[nearest]):
                    nearest = c
            if nearest < 0 or alone_cost <= distance[nearest]:
                lowest = alone_cost
                break
            lowest = distance[nearest]
            done[nearest] = True
            if column_row[nearest] < 0:
                sink = nearest
                break
            row = column_row[nearest]

        row_dual[root] += lowest
        for t in range(1, n_tree):
            row_dual[tree[t]] += lowest - distance[row_column[tree[t]]]
        for t in range(n_touched):
            c = touched[t]
            if done[c]:
                column_dual[c] -= lowest - distance[c]
        if sink < 0:
            sink = row_column[alone_row]
            row_column[alone_row] = -1
        while sink >= 0:
            row = via[sink]
            column_row[sink] = row
            before = row_column[row]
            row_column[row] = sink
            sink = before if row != root else -1
        for t in range(n_touched):
            distance[touched[t]] = np.inf
            done[touched[t]] = False
    return row_column


@numba.njit(cache=True)
def associate(
    track_box: FloatArray,
    heading: FloatArray,
    ready: npt.NDArray[np.bool_],
    penalty: FloatArray,
    track_match: IntArray,
    box: FloatArray,
    score: npt.NDArray[np.float32],
    by_left: IntArray,
    box_match: IntArray,
    min_score: float,
    min_iou: float,
    buffer: float,
    direction_weight: float,
) -> None:
    """Match tracks and boxes that are still free, in place.

    Args:
        track_box: (n, 4) float64, left, top, right, bottom where each track is expected.
        heading: (n, 4) float64: x, y of the last observed centre; x, y of the observed direction, whose length is its
            reliability, 0 to 1.
        ready: (n,) bool, whether the track takes part.
        penalty: (n,) float64, subtracted from the weight of a track's pairs; the gate `min_iou` is not affected.
        track_match: (n,) int64, the box matched to each track, -1 where free; written.
        box: (m, 4) float64, left, top, right, bottom of the detections.
        score: (m,) float32, their confidence.
        by_left: (m,) int64, the boxes' order by left edge.
        box_match: (m,) int64, the track matched to each box, -1 where free; written.
        min_score: boxes below this score take no part.
        min_iou: minimum overlap (intersection over union) of a pair.
        buffer: both boxes are enlarged by this share of their width and height on every side.
        direction_weight: weight, relative to overlap, of the cosine between the track's direction and the direction
            to the box.
    """
    tracks = np.empty(len(track_box), np.int64)
    n = 0
    for i in range(len(track_box)):
        if track_match[i] < 0 and ready[i]:
            tracks[n] = i
            n += 1
    boxes = np.empty(len(box), np.int64)
    left = np.empty(len(box))
    m = 0
    widest = 0.0
    for k in range(len(box)):
        j = by_left[k]
        if box_match[j] < 0 and score[j] >= min_score:
            boxes[m] = j
            wide = (box[j, 2] - box[j, 0]) * (1.0 + 2.0 * buffer)
            left[m] = box[j, 0]
            widest = max(widest, wide)
            m += 1
    if n == 0 or m == 0:
        return

    first = np.zeros(n + 1, np.int64)
    column = np.empty(4 * n + 16, np.int64)
    weight = np.empty(4 * n + 16)
    edges = 0
    for a in range(n):
        i = tracks[a]
        w = track_box[i, 2] - track_box[i, 0]
        h = track_box[i, 3] - track_box[i, 1]
        x0 = track_box[i, 0] - buffer * w
        y0 = track_box[i, 1] - buffer * h
        x1 = track_box[i, 2] + buffer * w
        y1 = track_box[i, 3] + buffer * h
        area = (x1 - x0) * (y1 - y0)
        start, stop = 0, m
        while start < stop:
            middle = (start + stop) >> 1
            if left[middle] < x0 - widest:
                start = middle + 1
            else:
                stop = middle
        reach = x1 + widest * buffer
        for b in range(start, m):
            if left[b] > reach:
                break
            j = boxes[b]
            gw = buffer * (box[j, 2] - box[j, 0])
            gh = buffer * (box[j, 3] - box[j, 1])
            u0 = box[j, 0] - gw
            v0 = box[j, 1] - gh
            u1 = box[j, 2] + gw
            v1 = box[j, 3] + gh
            wide = min(x1, u1) - max(x0, u0)
            high = min(y1, v1) - max(y0, v0)
            if wide <= 0.0 or high <= 0.0:
                continue
            shared = wide * high
            iou = shared / (area + (u1 - u0) * (v1 - v0) - shared)
            if iou < min_iou:
                continue
            value = iou - penalty[i]
            if direction_weight > 0.0:
                dx = 0.5 * (u0 + u1) - heading[i, 0]
                dy = 0.5 * (v0 + v1) - heading[i, 1]
                # Below a quarter of the box's size the direction to the box is mostly jitter.
                far = max(np.sqrt(dx * dx + dy * dy), 0.25 * np.sqrt((u1 - u0) * (v1 - v0)))
                value += direction_weight * (dx * heading[i, 2] + dy * heading[i, 3]) / far
            if edges == len(column):
                longer_column = np.empty(2 * edges, np.int64)
                longer_weight = np.empty(2 * edges)
                for e in range(edges):
                    longer_column[e] = column[e]
                    longer_weight[e] = weight[e]
                column, weight = longer_column, longer_weight
            column[edges] = b
            weight[edges] = max(value, 1e-6)
            edges += 1
        first[a + 1] = edges
    chosen = assign(first, column, weight, m)
    for a in range(n):
        if chosen[a] >= 0:
            i = tracks[a]
            j = boxes[chosen[a]]
            track_match[i] = j
            box_match[j] = i


@numba.njit(cache=True)
def match_frame(
    expected: FloatArray,
    heading: FloatArray,
    last: FloatArray,
    unseen: FloatArray,
    hits: IntArray,
    missed: IntArray,
    box: npt.NDArray[np.float32],
    score: npt.NDArray[np.float32],
    by_left: IntArray,
    gates: Gates,
) -> tuple[IntArray, IntArray]:
    """Match the tracks and boxes of a frame in stages, the most reliable pairs first.

    Args:
        expected: (n, 4) float64, left, top, right, bottom where each track is expected.
        heading: (n, 4) float64, see `associate`.
        last: (n, 4) float64, the last observed box, like `expected`.
        unseen: (n,) float64, seconds since then.
        hits: (n,) int64, boxes of each track so far.
        missed: (n,) int64, frames since its last box.
        box: (m, 4) float32, left, top, width, height of the detections.
        score: (m,) float32, their confidence.
        by_left: (m,) int64, the boxes' order by left edge.
        gates: the settings.

    Returns:
        (n,) int64, the box matched to each track; (m,) int64, the track matched to each box; -1 for none.
    """
    n, m = len(expected), len(box)
    track_match = np.full(n, -1, np.int64)
    box_match = np.full(m, -1, np.int64)
    corners = np.empty((m, 4))
    for j in range(m):
        corners[j, 0] = box[j, 0]
        corners[j, 1] = box[j, 1]
        corners[j, 2] = corners[j, 0] + box[j, 2]
        corners[j, 3] = corners[j, 1] + box[j, 3]
    penalty = unseen * gates.lost_track_penalty
    ready = np.empty(n, np.bool_)
    for stage in range(4):
        if (
            (stage == 1 and gates.low_score >= gates.high_score)
            or (stage == 2 and gates.first_buffer == 0.0)
            or (stage == 3 and not gates.recovery)
        ):
            continue
        for i in range(n):
            ready[i] = (
                stage == 0
                or (stage == 1 and missed[i] == 0)
                or (stage == 2 and missed[i] == 0 and hits[i] == 1)
                or (stage == 3 and missed[i] > 0)
            )
        associate(
            expected if stage < 2 else last,
            heading,
            ready,
            penalty,
            track_match,
            corners,
            score,
            by_left,
            box_match,
            gates.low_score if stage == 1 else gates.high_score,
            gates.second_min_iou if stage == 1 else gates.min_iou,
            gates.first_buffer if stage == 2 else gates.recovery_buffer if stage == 3 else 0.0,
            gates.direction_weight if stage in (0, 3) else 0.0,
        )
    return track_match, box_match
