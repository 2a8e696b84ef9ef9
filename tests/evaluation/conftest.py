"""Made-up scenes, and the figures that motmetrics and trackeval give for them."""

from __future__ import annotations

from collections.abc import Callable

import motmetrics
import numpy as np
import pytest
import trackeval

from evaluation.boxes import Boxes

MakeScene = Callable[..., tuple[Boxes, Boxes]]
Reference = Callable[..., dict[str, float]]


@pytest.fixture
def make_scene() -> MakeScene:
    """Ground truth and flawed predictions: noise, gaps, false boxes, splits and identity switches."""

    def make(
        seed: int, *, cameras: int = 3, vehicles: int = 8, frames: int = 40, room: float = 200.0, noise: float = 5.0
    ) -> tuple[Boxes, Boxes]:
        generator = np.random.default_rng(seed)
        truth: list[tuple[float, ...]] = []
        predicted: list[tuple[float, ...]] = []
        for camera in range(41, 41 + cameras):
            for vehicle in range(vehicles):
                start = int(generator.integers(1, frames - 5))
                span = int(generator.integers(3, frames - start + 1))
                corner, speed = generator.uniform(0, room, 2), generator.uniform(-4, 4, 2)
                size = generator.uniform(30, 70, 2)
                identity, other = 100 + vehicle, 100 + int(generator.integers(0, vehicles + 3))
                change = int(generator.integers(0, 2 * span))
                for step in range(span):
                    box = np.concatenate((corner + speed * step, size)).round()
                    truth.append((camera, vehicle, start + step, *box))
                    if generator.random() < 0.85:
                        shifted = (box + generator.normal(0, noise, 4)).round()
                        shifted[2:] = np.maximum(shifted[2:], 5)
                        predicted.append((camera, identity if step < change else other, start + step, *shifted))
            for _ in range(vehicles):
                box = (*generator.uniform(0, room, 2).round(), *generator.uniform(20, 60, 2).round())
                predicted.append(
                    (camera, 500 + int(generator.integers(5)), int(generator.integers(1, frames + 9)), *box)
                )
        sides = []
        for rows in (truth, predicted):
            table = np.array(rows)
            boxes = Boxes.of(table[:, 0], table[:, 1], table[:, 2], table[:, 3:]).without_duplicates()
            sides.append(boxes[generator.permutation(len(boxes))])
        return sides[0], sides[1]

    return make


def _distances(truth: Boxes, predictions: Boxes) -> np.ndarray:
    """(n, m) 1 - IoU, box by box."""
    result = np.ones((len(truth), len(predictions)))
    for i, a in enumerate(truth.box):
        for j, b in enumerate(predictions.box):
            width = max(min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0]), 0)
            height = max(min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1]), 0)
            result[i, j] = 1 - width * height / (a[2] * a[3] + b[2] * b[3] - width * height)
    return result


def _frames(truth: Boxes, predictions: Boxes) -> list[tuple[Boxes, Boxes]]:
    """The boxes of each frame, camera after camera."""
    result = []
    for camera in sorted(set(truth.camera.tolist())):
        a, b = truth[truth.camera == camera], predictions[predictions.camera == camera]
        for frame in sorted({*a.frame.tolist(), *b.frame.tolist()}):
            result.append((a[a.frame == frame], b[b.frame == frame]))
    return result


@pytest.fixture
def motmetrics_figures() -> Reference:
    """All figures of motmetrics over all cameras; boxes coincide up to `limit` = 1 - IoU."""

    def figures(truth: Boxes, predictions: Boxes, limit: float = 0.5) -> dict[str, float]:
        accumulator = motmetrics.MOTAccumulator(auto_id=True)
        for a, b in _frames(truth, predictions):
            distance = _distances(a, b)
            distance[distance > limit] = np.nan
            accumulator.update(a.identity, b.identity, distance)
        names = [*motmetrics.metrics.motchallenge_metrics, "idtp", "idfp", "idfn", "num_misses"]
        result: dict[str, float] = motmetrics.metrics.create().compute(
            accumulator, metrics=names, return_dataframe=False
        )
        return result

    return figures


@pytest.fixture
def trackeval_figures() -> Reference:
    """HOTA, DetA, AssA and LocA of trackeval over all cameras, means over the thresholds."""

    def figures(truth: Boxes, predictions: Boxes) -> dict[str, float]:
        truth_names, predicted_names = np.unique(truth.identity), np.unique(predictions.identity)
        frames = _frames(truth, predictions)
        data = {
            "num_timesteps": len(frames),
            "num_gt_dets": len(truth),
            "num_tracker_dets": len(predictions),
            "num_gt_ids": len(truth_names),
            "num_tracker_ids": len(predicted_names),
            "gt_ids": [np.searchsorted(truth_names, a.identity) for a, _ in frames],
            "tracker_ids": [np.searchsorted(predicted_names, b.identity) for _, b in frames],
            "similarity_scores": [1 - _distances(a, b) for a, b in frames],
        }
        result = trackeval.metrics.HOTA().eval_sequence(data)
        return {name: float(np.mean(result[name])) for name in ("HOTA", "DetA", "AssA", "LocA")}

    return figures
