"""Which of a detector's classes are vehicles, as COCO's class numbers."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt

from common.errors import InputError
from common.nearest import nearest

VEHICLES = (2, 3, 5, 7)
ClassChoice = Mapping[str | int, str | None] | Literal["all"]

_LABEL = {
    "car": 2,
    "automobile": 2,
    "sedan": 2,
    "hatchback": 2,
    "suv": 2,
    "van": 2,
    "minivan": 2,
    "taxi": 2,
    "pickup": 2,
    "pickup truck": 2,
    "vehicle": 2,
    "motor vehicle": 2,
    "small vehicle": 2,
    "motorcycle": 3,
    "motorbike": 3,
    "bus": 5,
    "minibus": 5,
    "coach": 5,
    "truck": 7,
    "lorry": 7,
    "large vehicle": 7,
}
_PLAIN = {name.replace(" ", ""): label for name, label in _LABEL.items()}
_CAR = 2
_COCO_COUNT = 80
_COCO = {2: "car", 3: "motorcycle", 5: "bus", 7: "truck"}


def coco_labels(
    names: Mapping[int, str],
    count: int | None,
    wanted: Collection[int],
    source: object,
    classes: ClassChoice | None = None,
) -> npt.NDArray[np.int16]:
    """The COCO label of each of a network's classes.

    Args:
        names: the network's class names by number; empty where its file does not say.
        count: how many classes the network distinguishes; None where nothing says.
        wanted: COCO labels that count as vehicles here.
        source: the weights, for errors.
        classes: vehicles by class name or number, for classes whose names say nothing, such as {"object": "car"};
            None leaves a class out. "all": every class is a vehicle, a car unless its name says otherwise.

    Returns:
        (count,) int16, -1 for classes that are not wanted.

    Raises:
        InputError: no class is a wanted one, the file names no classes and is no COCO network, or `classes` names a
            class that does not exist or a vehicle that is not known.

    >>> coco_labels({0: "Cars", 1: "person", 2: "thing"}, 3, VEHICLES, "x.onnx", {"thing": "truck"}).tolist()
    [2, -1, 7]
    """
    if not names and count == _COCO_COUNT:
        names = _COCO
    if not names and classes is None:
        which = "its classes" if count is None else "its class" if count == 1 else f"its {count} classes"
        raise InputError(
            f"{source}: does not name {which}; export it with its metadata (names), or say which are vehicles by "
            "number: --set 'detection.classes={0: car}'"
        )
    chosen = {} if classes is None or classes == "all" else _chosen(names, count, classes, source)
    length = max([count or 0, *(number + 1 for number in names), *(number + 1 for number in chosen)])
    labels = np.full(length, -1, np.int16)
    for number in range(length):
        label = chosen.get(number, coco_label(names.get(number, "")))
        if classes == "all" and label < 0:
            label = _CAR
        if label in wanted:
            labels[number] = label
    if (labels < 0).all():
        listed = ", ".join(list(names.values())[:8]) or "no names"
        example = next(iter(names.values()), "0")
        raise InputError(
            f"{source}: none of its classes is a wanted vehicle (it has {listed}; known: {known_names()}); "
            f"say which are, for example --set 'detection.classes={{{example}: car}}', or --set detection.classes=all"
        )
    return labels


def describe_labels(labels: npt.NDArray[np.integer], names: Mapping[int, str], limit: int = 8) -> str:
    """Which classes are taken for vehicles, and which are left out, for people.

    >>> describe_labels(np.array([2, 7, -1]), {0: "car", 1: "lorry", 2: "bicycle"})
    'vehicles: car, lorry as truck; other classes: bicycle'
    """
    taken = []
    for number in np.flatnonzero(labels >= 0).tolist():
        name, vehicle = names.get(number, str(number)), str(_COCO.get(int(labels[number])))
        taken.append(name if name.lower() == vehicle else f"{name} as {vehicle}")
    left = [names[number] for number in np.flatnonzero(labels < 0).tolist() if number in names]
    parts = [f"vehicles: {_listed(taken, limit)}", f"other classes: {_listed(left, limit)}" if left else ""]
    return "; ".join(part for part in parts if part)


def _listed(names: list[str], limit: int) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return f"{', '.join(names[:limit])}{more}"


def known_names() -> str:
    """The class names that are taken for vehicles, also in capitals and in the plural."""
    return ", ".join(_LABEL)


def coco_label(name: str) -> int:
    """The COCO number of a vehicle class by its name, in capitals or the plural too; -1 where it means no vehicle.

    >>> coco_label("Sedan"), coco_label("Lorries"), coco_label("person")
    (2, 7, -1)
    """
    plain = "".join(part for part in re.split(r"[\W_]+", name.lower()) if part)
    for ending, singular in (("", ""), ("s", ""), ("es", ""), ("ies", "y")):
        if plain.endswith(ending):
            label = _PLAIN.get(plain.removesuffix(ending) + singular)
            if label is not None:
                return label
    return -1


def class_names(labels: npt.NDArray[np.integer]) -> list[str | None]:
    """The names of vehicle classes given by their COCO number; None for -1 and for classes that are not vehicles.

    >>> class_names(np.array([2, 7, -1]))
    ['car', 'truck', None]
    """
    return [_COCO.get(label) for label in labels.tolist()]


def _chosen(
    names: Mapping[int, str], count: int | None, classes: Mapping[str | int, str | None], source: object
) -> dict[int, int]:
    """The labels that the user has chosen, by class number; -1 for classes that are to be left out."""
    known = {name.strip().lower(): number for number, name in names.items()}
    chosen = {}
    for name, vehicle in classes.items():
        text = str(name).strip().lower()
        number = known.get(text, int(text) if text.isdigit() else -1)
        if number < 0 or (names and number not in names) or (count is not None and number >= count):
            raise InputError(
                f"{source}: detection.classes: no class {name}{nearest(str(name), names.values())}; it has "
                f"{', '.join(list(names.values())[:8]) or f'{count} classes without names'}"
            )
        label = -1 if vehicle is None else coco_label(vehicle)
        if label < 0 and vehicle is not None:
            raise InputError(f"detection.classes: {name}: {vehicle} is not a vehicle; one of {known_names()}, or null")
        chosen[number] = label
    return chosen
