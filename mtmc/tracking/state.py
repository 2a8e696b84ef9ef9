"""The state of all tracks of one camera in arrays, and its prediction and update, compiled.

Every track has four independent constant-velocity Kalman filters: centre x, centre y, width, height. The noise of
SORT's filter is diagonal, so the usual 8 x 8 matrices hold nothing more. The state is that at the last box; predictions
for any later time follow from it directly, so frame intervals may vary.

Sources: A. Bewley et al., "Simple Online and Realtime Tracking", arXiv 1602.00763; Y. Zhang et al., "ByteTrack",
arXiv 2110.06864; J. Cao et al., "Observation-Centric SORT", arXiv 2203.14360, section 3.2 (re-update).
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

NUMBER, HITS, MISSED, CONFIRMED = 0, 1, 2, 3
"""Columns of `State.counts`."""
TRAIL = 4
"""Boxes kept for a track's direction. Raising it measures a steadier but older direction. OC-SORT's delta t, 3
frames, needs 4."""
MAX_VIRTUAL_BOXES = 60
"""Virtual boxes of a re-update. Raising it costs time; with more boxes the first ones no longer matter."""


class State(NamedTuple):
    """Arrays with room for `len(seen)` tracks; the active ones come first, by track number."""

    mean: FloatArray  #: (c, 8) centre x, y, width, height at `seen`, in pixels; then their change per second
    spread: FloatArray  #: (c, 12) for each of the four: variance of value, covariance, variance of speed
    seen: FloatArray  #: (c,) seconds of the last box
    observed: FloatArray  #: (c, 4) the last box: left, top, right, bottom
    trail: FloatArray  #: (c, TRAIL, 2) centres of the last boxes, a ring buffer
    counts: IntArray  #: (c, 4) track number, boxes so far, frames without a box since, whether confirmed
    held: FloatArray  #: (c, h, 7) boxes of a tentative track: frame, left, top, width, height, score, label

    @classmethod
    def with_room(cls, tracks: int, held: int) -> State:
        """Room for `tracks` tracks, each with up to `held` boxes kept until it is confirmed."""
        return cls(
            np.zeros((tracks, 8)),
            np.zeros((tracks, 12)),
            np.zeros(tracks),
            np.zeros((tracks, 4)),
            np.zeros((tracks, TRAIL, 2)),
            np.zeros((tracks, 4), np.int64),
            np.zeros((tracks, max(held, 1), 7)),
        )

    def enlarged(self, tracks: int) -> State:
        """A copy with room for `tracks` tracks."""
        larger = State.with_room(tracks, self.held.shape[1])
        for old, new in zip(self, larger, strict=True):
            new[: len(old)] = old
        return larger


class Rules(NamedTuple):
    """The settings that `advance` needs, as plain numbers."""

    start_score: float
    confirm_hits: int
    tentative_misses: int
    max_lost: float
    reupdate: bool
    backfill: bool
    position_noise: float
    size_noise: float
    acceleration: float
    size_acceleration: float
    initial_speed: float


@numba.njit(cache=True)
def predict(state: State, n: int, time: float) -> tuple[FloatArray, FloatArray]:
    """Where the first `n` tracks are expected at `time`.

    Returns:
        (n, 4) float64 left, top, right, bottom; and (n, 4) float64 heading: x, y of the last observed centre and x, y
        of the observed direction, whose length is its reliability: distance travelled over box size, at most 1.
    """
    box = np.empty((n, 4))
    heading = np.empty((n, 4))
    for i in range(n):
        mean = state.mean[i]
        dt = time - state.seen[i]
        # A vehicle's size rarely changes by half during an occlusion; noise in its rate of change must not either.
        w = min(max(mean[2] + mean[6] * dt, 0.67 * mean[2]), 1.5 * mean[2])
        h = min(max(mean[3] + mean[7] * dt, 0.67 * mean[3]), 1.5 * mean[3])
        x = mean[0] + mean[4] * dt
        y = mean[1] + mean[5] * dt
        box[i, 0] = x - 0.5 * w
        box[i, 1] = y - 0.5 * h
        box[i, 2] = x + 0.5 * w
        box[i, 3] = y + 0.5 * h
        hits = state.counts[i, HITS]
        newest = (hits - 1) % TRAIL
        oldest = hits % TRAIL if hits >= TRAIL else 0
        dx = state.trail[i, newest, 0] - state.trail[i, oldest, 0]
        dy = state.trail[i, newest, 1] - state.trail[i, oldest, 1]
        far = np.sqrt(dx * dx + dy * dy)
        size = np.sqrt(max(w * h, 1e-9))
        trust = 1.0 / max(far, size)
        heading[i, 0] = state.trail[i, newest, 0]
        heading[i, 1] = state.trail[i, newest, 1]
        heading[i, 2] = dx * trust
        heading[i, 3] = dy * trust
    return box, heading


@numba.njit(cache=True)
def _correct(mean: FloatArray, spread: FloatArray, z: FloatArray, dt: float, rules: Rules) -> None:
    """Predict one track's filters `dt` seconds ahead and update them with the box `z` (centre, width, height)."""
    size = np.sqrt(max(mean[2] * mean[3], 1.0))
    for k in range(4):
        noise = (rules.position_noise if k < 2 else rules.size_noise) * size
        push = (rules.acceleration if k < 2 else rules.size_acceleration) * size
        q = push * push * dt
        a = spread[3 * k]
        b = spread[3 * k + 1]
        c = spread[3 * k + 2]
        a += 2.0 * dt * b + dt * dt * c + q * dt * dt / 3.0
        b += dt * c + q * dt / 2.0
        c += q
        total = a + noise * noise
        gain = a / total
        gain_speed = b / total
        error = z[k] - (mean[k] + mean[4 + k] * dt)
        mean[k] += mean[4 + k] * dt + gain * error
        mean[4 + k] += gain_speed * error
        spread[3 * k] = (1.0 - gain) * a
        spread[3 * k + 1] = (1.0 - gain) * b
        spread[3 * k + 2] = c - gain_speed * b


@numba.njit(cache=True)
def advance(
    state: State,
    n: int,
    time: float,
    frame: npt.NDArray[np.int32],
    box: npt.NDArray[np.float32],
    score: npt.NDArray[np.float32],
    label: npt.NDArray[np.int16],
    track_match: IntArray,
    box_match: IntArray,
    next_number: int,
    rules: Rules,
) -> tuple[
    int,
    int,
    npt.NDArray[np.int32],
    npt.NDArray[np.int32],
    npt.NDArray[np.float32],
    npt.NDArray[np.float32],
    npt.NDArray[np.int16],
]:
    """Apply the matches of a frame: update, confirm, end and start tracks.

    Args:
        state: with room for `n` + m tracks; changed in place.
        n: the number of active tracks.
        time: seconds of this frame.
        frame: (m,) int32 of the detections, like the next three; (m, 4) float32 left, top, width, height; (m,) float32;
            (m,) int16.
        track_match: (n,) int64, the box matched to each track, -1 for none.
        box_match: (m,) int64, the track matched to each box, -1 for none.
        next_number: the number of the next new track.
        rules: the settings.

    Returns:
        The number of active tracks; the next new track's number; and the rows to return, by track: its number int32,
        frame int32, box float32 (left, top, width, height), score float32, label int16. Confirmed tracks return their
        box of this frame; tracks confirmed in this frame return their earlier boxes as well.
    """
    m = len(score)
    depth = state.held.shape[1]
    room = m
    for i in range(n):
        if track_match[i] >= 0 and state.counts[i, CONFIRMED] == 0:
            room += depth
    out_track = np.empty(room, np.int32)
    out_frame = np.empty(room, np.int32)
    out_box = np.empty((room, 4), np.float32)
    out_score = np.empty(room, np.float32)
    out_label = np.empty(room, np.int16)
    out = 0
    z = np.empty(4)
    virtual = np.empty(4)
    kept = 0
    for i in range(n + m):
        born = i >= n
        j = i - n if born else track_match[i]
        if born:
            if box_match[j] >= 0 or score[j] < rules.start_score:
                continue
        elif j < 0:
            state.counts[i, MISSED] += 1
            tentative = state.counts[i, CONFIRMED] == 0
            if time - state.seen[i] > rules.max_lost or (
                tentative and state.counts[i, MISSED] > rules.tentative_misses
            ):
                continue
        # Living tracks close ranks; a track's row is never read again once a later one was moved over it.
        if kept != i and not born:
            state.seen[kept] = state.seen[i]
            for k in range(8):
                state.mean[kept, k] = state.mean[i, k]
            for k in range(12):
                state.spread[kept, k] = state.spread[i, k]
            for k in range(4):
                state.observed[kept, k] = state.observed[i, k]
                state.counts[kept, k] = state.counts[i, k]
            for s in range(TRAIL):
                state.trail[kept, s, 0] = state.trail[i, s, 0]
                state.trail[kept, s, 1] = state.trail[i, s, 1]
            for s in range(depth):
                for k in range(7):
                    state.held[kept, s, k] = state.held[i, s, k]
        row = kept
        kept += 1
        if j < 0:
            continue

        count = state.counts[row]
        z[0] = box[j, 0] + 0.5 * box[j, 2]
        z[1] = box[j, 1] + 0.5 * box[j, 3]
        z[2] = max(box[j, 2], 1.0)
        z[3] = max(box[j, 3], 1.0)
        if born:
            size = np.sqrt(z[2] * z[3])
            for k in range(4):
                state.mean[row, k] = z[k]
                state.mean[row, 4 + k] = 0.0
                noise = (rules.position_noise if k < 2 else rules.size_noise) * size
                # A size changes with the distance, so at a fraction of the speed.
                speed = (rules.initial_speed if k < 2 else 0.2 * rules.initial_speed) * size
                state.spread[row, 3 * k] = noise * noise
                state.spread[row, 3 * k + 1] = 0.0
                state.spread[row, 3 * k + 2] = speed * speed
            count[NUMBER] = next_number
            count[HITS] = 0
            count[CONFIRMED] = 0
            next_number += 1
        else:
            dt = time - state.seen[row]
            steps = min(count[MISSED] + 1, MAX_VIRTUAL_BOXES) if rules.reupdate else 1
            for s in range(1, steps + 1):
                part = s / steps
                before = state.observed[row]
                virtual[0] = (1.0 - part) * 0.5 * (before[0] + before[2]) + part * z[0]
                virtual[1] = (1.0 - part) * 0.5 * (before[1] + before[3]) + part * z[1]
                virtual[2] = (1.0 - part) * (before[2] - before[0]) + part * z[2]
                virtual[3] = (1.0 - part) * (before[3] - before[1]) + part * z[3]
                _correct(state.mean[row], state.spread[row], virtual, dt / steps, rules)
            state.mean[row, 2] = max(state.mean[row, 2], 1.0)
            state.mean[row, 3] = max(state.mean[row, 3], 1.0)
        state.seen[row] = time
        state.observed[row, 0] = z[0] - 0.5 * z[2]
        state.observed[row, 1] = z[1] - 0.5 * z[3]
        state.observed[row, 2] = z[0] + 0.5 * z[2]
        state.observed[row, 3] = z[1] + 0.5 * z[3]
        state.trail[row, count[HITS] % TRAIL, 0] = z[0]
        state.trail[row, count[HITS] % TRAIL, 1] = z[1]
        count[HITS] += 1
        count[MISSED] = 0

        if count[CONFIRMED] == 0 and count[HITS] >= rules.confirm_hits:
            count[CONFIRMED] = 1
            for s in range(count[HITS] - 1 if rules.backfill else 0):
                held = state.held[row, s]
                out_track[out] = count[NUMBER]
                out_frame[out] = np.int32(held[0])
                for k in range(4):
                    out_box[out, k] = held[1 + k]
                out_score[out] = held[5]
                out_label[out] = np.int16(held[6])
                out += 1
        if count[CONFIRMED] == 1:
            out_track[out] = count[NUMBER]
            out_frame[out] = frame[j]
            for k in range(4):
                out_box[out, k] = box[j, k]
            out_score[out] = score[j]
            out_label[out] = label[j]
            out += 1
        else:
            held = state.held[row, count[HITS] - 1]
            held[0] = frame[j]
            for k in range(4):
                held[1 + k] = box[j, k]
            held[5] = score[j]
            held[6] = label[j]
    return kept, next_number, out_track[:out], out_frame[:out], out_box[:out], out_score[:out], out_label[:out]
