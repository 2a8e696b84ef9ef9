"""Parts of a vehicle's surface: front, back, roof and side, for masks beside the images of a re-id set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from mtmc.simulation.assembly import Body
from mtmc.simulation.bodies import Model

PARTS = ("front", "back", "roof", "side")
"""Value 1, 2, 3, 4 of a mask's pixel; 0 is the background. The parts of PVEN (D. Meng et al., CVPR 2020)."""
_FRONT, _BACK, _ROOF, _SIDE = range(len(PARTS))
_ROOF_HEIGHT = 0.85
"""Fraction of the cab's height above which a surface that faces upwards is roof; below, it is bonnet, boot or bed.
Raising it assigns more of the windscreen to the roof; chosen by looking at the masks of all models."""


def split_parts(body: Body, model: Model) -> tuple[Body, ...]:
    """Divide a vehicle into its front, back, roof and side, in the order of `PARTS`.

    A surface belongs to the part that it faces. Bonnet and windscreen are front; boot, bed and rear window are back;
    wheels are side; what is carried on the roof is roof.

    Returns:
        Four bodies that share the vertices of `body`; a part may have no triangles.
    """
    part = part_of_triangles(body, model)
    mesh = body.mesh
    return tuple(
        replace(body, mesh=replace(mesh, triangle=np.ascontiguousarray(mesh.triangle[part == number])))
        for number in range(len(PARTS))
    )


def part_of_triangles(body: Body, model: Model) -> npt.NDArray[np.int64]:
    """(m,) index into `PARTS` of each triangle of a vehicle's mesh."""
    corners = body.mesh.position[body.mesh.triangle].astype(np.float64)
    centre = corners.mean(axis=1)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    along, across, up = np.abs(normal).T
    ends = np.where(centre[:, 0] > 0, _FRONT, _BACK)
    facing = np.where(normal[:, 0] > 0, _FRONT, _BACK)
    part = np.where(up >= along, np.where(centre[:, 2] > _ROOF_HEIGHT * model.height, _ROOF, ends), facing)
    part[across >= np.maximum(along, up)] = _SIDE
    part[(up >= along) & (normal[:, 2] < 0)] = _SIDE  # the underside, which no camera sees
    axle = np.minimum(abs(centre[:, 0] - model.axle_front), abs(centre[:, 0] - model.axle_rear))
    low = centre[:, 2] < 2 * model.wheel_radius
    part[(axle < 1.1 * model.wheel_radius) & low & (abs(centre[:, 1]) > 0.7 * model.width / 2)] = _SIDE
    if not model.cargo[3]:  # behind a lorry's cab, what is higher than the cab is its box
        part[centre[:, 2] > model.height] = _ROOF
    return np.asarray(part, np.int64)
