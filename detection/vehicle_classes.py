"""Which of a detector's classes are vehicles, in COCO's numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import numpy.typing as npt

from common.errors import InputError

VEHICLES = (2, 3, 5, 7)

_LABEL = {
    "car": 2,
    "sedan": 2,
    "hatchback": 2,
    "suv": 2,
    "van": 2,
    "taxi": 2,
    "pickup": 2,
    "vehicle": 2,
    "motorcycle": 3,
    "motorbike": 3,
    "bus": 5,
    "truck": 7,
    "lorry": 7,
}
_COCO_COUNT = 80
_COCO = {2: "car", 3: "motorcycle", 5: "bus", 7: "truck"}


def coco_labels(names: Mapping[int, str], count: int, wanted: Collection[int], source: object) -> npt.NDArray[np.int16]:
    """The COCO label of each of a network's classes.

    Args:
        names: the network's class names by number; empty where its file does not say.
        count: how many classes the network tells apart.
        wanted: COCO labels that count as vehicles here.
        source: the weights, to be named in an error.

    Returns:
        (count,) int16, -1 for classes that are not wanted.

    Raises:
        InputError: no class is a wanted one, or the file names no classes and is no COCO network.
    """
    if not names and count == _COCO_COUNT:
        names = _COCO
    if not names:
        raise InputError(f"{source}: names none of its {count} classes; export it with its metadata (names)")
    labels = np.full(count, -1, np.int16)
    for number, name in names.items():
        label = _LABEL.get(name.strip().lower(), -1)
        if label in wanted and 0 <= number < count:
            labels[number] = label
    if (labels < 0).all():
        listed = ", ".join(list(names.values())[:8])
        raise InputError(f"{source}: none of its classes is a wanted vehicle (it has {listed}; known: {known_names()})")
    return labels


def known_names() -> str:
    """The class names that are taken for vehicles."""
    return ", ".join(_LABEL)


def coco_label(name: str) -> int:
    """The COCO number of a vehicle class by its name, -1 where the name means no vehicle.

    >>> coco_label("Sedan"), coco_label("person")
    (2, -1)
    """
    return _LABEL.get(name.strip().lower(), -1)


def class_names(labels: npt.NDArray[np.integer]) -> list[str | None]:
    """The names of vehicle classes given by their COCO number; None for -1 and for classes that are no vehicles.

    >>> class_names(np.array([2, 7, -1]))
    ['car', 'truck', None]
    """
    return [_COCO.get(label) for label in labels.tolist()]
