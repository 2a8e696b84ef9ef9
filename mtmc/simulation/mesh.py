"""Triangle meshes, the building blocks of vehicles and scenery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Mesh:
    """Triangles with smooth normals and texture coordinates.

    Attributes:
        position: (n, 3) float32, vertices in metres.
        normal: (n, 3) float32, unit length.
        uv: (n, 2) float32, texture coordinates in texels, x to the right and y down.
        triangle: (m, 3) int32, vertex indices, counter-clockwise seen from outside.
    """

    position: Floats
    normal: Floats
    uv: Floats
    triangle: npt.NDArray[np.int32]

    @classmethod
    def concatenate(cls, meshes: Sequence[Mesh]) -> Mesh:
        """Merge meshes into one."""
        offsets = np.cumsum([0] + [len(m.position) for m in meshes[:-1]])
        return cls(
            np.concatenate([m.position for m in meshes]),
            np.concatenate([m.normal for m in meshes]),
            np.concatenate([m.uv for m in meshes]),
            np.concatenate([m.triangle + int(o) for m, o in zip(meshes, offsets, strict=True)]).astype(np.int32),
        )

    def moved(self, offset: npt.ArrayLike, yaw: float = 0.0) -> Mesh:
        """Return the mesh rotated about z by `yaw` radians, then translated by `offset` (3,)."""
        c, s = np.cos(yaw), np.sin(yaw)
        turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], np.float32)
        return Mesh(
            (self.position @ turn.T + np.asarray(offset, np.float32)).astype(np.float32),
            (self.normal @ turn.T).astype(np.float32),
            self.uv,
            self.triangle,
        )


def grid_normals(points: Floats) -> Floats:
    """Unit normals (a, b, 3) of a grid of points (a, b, 3): cross product of the gradients along both axes."""
    along, across = np.gradient(points, axis=0), np.gradient(points, axis=1)
    normal = np.cross(along, across)
    length = np.linalg.norm(normal, axis=2, keepdims=True)
    return np.asarray(normal / np.maximum(length, 1e-9), np.float32)


def grid_mesh(points: Floats, normals: Floats, uv: Floats) -> Mesh:
    """Triangulate a grid (a, b, ...); the outward direction is (axis 0) x (axis 1)."""
    a, b = points.shape[:2]
    corner = (np.arange(a - 1)[:, None] * b + np.arange(b - 1)[None, :]).reshape(-1)
    triangle = np.concatenate(
        [np.column_stack([corner, corner + b, corner + b + 1]), np.column_stack([corner, corner + b + 1, corner + 1])]
    )
    return Mesh(
        np.ascontiguousarray(points.reshape(-1, 3), np.float32),
        np.ascontiguousarray(normals.reshape(-1, 3), np.float32),
        np.ascontiguousarray(uv.reshape(-1, 2), np.float32),
        triangle.astype(np.int32),
    )


_BOX_FACES = (  # normal axis, sign, first and second axis with first x second pointing outwards
    (0, 1, 1, 2),
    (0, -1, 2, 1),
    (1, 1, 2, 0),
    (1, -1, 0, 2),
    (2, 1, 0, 1),
    (2, -1, 1, 0),
)


def box(
    low: Sequence[float],
    high: Sequence[float],
    region: Sequence[float],
    faces: Sequence[int] = range(6),
    cell: float = 0.0,
) -> Mesh:
    """Create an axis-aligned box from corner `low` to corner `high` in metres.

    Args:
        region: left, top, right, bottom in texels of the texture of each face (z up on upright faces).
        faces: faces to create, from +x, -x, +y, -y, +z, -z (0 to 5).
        cell: maximum size of a grid cell of a face in metres; 0 does not subdivide. Lens distortion is applied
            to vertices only, so large faces need subdivision.
    """
    lo, hi = np.asarray(low, np.float64), np.asarray(high, np.float64)
    left, top, right, bottom = region
    meshes = []
    for axis, sign, first, second in (_BOX_FACES[f] for f in faces):
        counts = [2 if cell <= 0 else 1 + max(1, int(np.ceil((hi[a] - lo[a]) / cell))) for a in (first, second)]
        s, t = np.meshgrid(np.linspace(0, 1, counts[0]), np.linspace(0, 1, counts[1]), indexing="ij")
        points = np.empty((*s.shape, 3))
        points[..., axis] = hi[axis] if sign > 0 else lo[axis]
        points[..., first] = lo[first] + s * (hi[first] - lo[first])
        points[..., second] = lo[second] + t * (hi[second] - lo[second])
        normals = np.zeros_like(points)
        normals[..., axis] = sign
        across, up = (t, s) if first == 2 else (s, t)
        uv = np.stack([left + across * (right - left), bottom + up * (top - bottom)], axis=-1)
        meshes.append(grid_mesh(points.astype(np.float32), normals.astype(np.float32), uv.astype(np.float32)))
    return Mesh.concatenate(meshes)


def wheel(
    centre: Sequence[float], radius: float, width: float, outward: int, disc: Sequence[float], tread: Sequence[float]
) -> Mesh:
    """Create an upright wheel with its axle along y.

    Args:
        centre: centre of the outer face; `outward` is +1 for the left side (+y), -1 for the right.
        disc, tread: left, top, right, bottom in texels of the outer face and of a patch of rubber.
    """
    angle = np.linspace(0, 2 * np.pi, 19)
    ring = np.column_stack([np.cos(angle), np.zeros(19), np.sin(angle)])
    middle = np.asarray(centre, np.float64)
    rim = middle + ring * radius
    inner = rim - [0, outward * width, 0]
    left, top, right, bottom = disc
    half, centre_uv = np.array([right - left, top - bottom]) / 2, np.array([left + right, top + bottom]) / 2
    face_uv = centre_uv + ring[:, [0, 2]] * half
    position = np.concatenate([middle[None], rim])
    normal = np.tile([0.0, outward, 0.0], (20, 1))
    normal[1:] = 0.85 * normal[1:] + 0.5 * ring
    order = (0, 2, 1) if outward > 0 else (0, 1, 2)
    fan = np.column_stack([np.zeros(18, int), np.arange(1, 19), np.arange(2, 20)])[:, order]
    face = Mesh(
        position.astype(np.float32),
        (normal / np.linalg.norm(normal, axis=1, keepdims=True)).astype(np.float32),
        np.concatenate([centre_uv[None], face_uv]).astype(np.float32),
        fan.astype(np.int32),
    )
    sides = np.stack([rim, inner] if outward > 0 else [inner, rim])
    spot = np.broadcast_to(np.array([(tread[0] + tread[2]) / 2, (tread[1] + tread[3]) / 2]), (2, 19, 2))
    rubber = grid_mesh(sides.astype(np.float32), np.stack([ring, ring]).astype(np.float32), spot.astype(np.float32))
    return Mesh.concatenate([face, rubber])


def cylinder(
    foot: Sequence[float], top: Sequence[float], radius: float, region: Sequence[float], sides: int = 8
) -> Mesh:
    """Create an open cylinder from `foot` to `top`; `region` (texels) wraps around it once."""
    low, high = np.asarray(foot, np.float64), np.asarray(top, np.float64)
    axis = (high - low) / np.linalg.norm(high - low)
    first = np.cross(axis, [0.0, 1.0, 0.0] if abs(axis[1]) < 0.9 else [1.0, 0.0, 0.0])
    first /= np.linalg.norm(first)
    second = np.cross(axis, first)
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    ring = np.cos(angle)[:, None] * first + np.sin(angle)[:, None] * second
    rows = max(2, int(np.linalg.norm(high - low) / 2) + 1)
    along = np.linspace(0, 1, rows)
    points = low + along[None, :, None] * (high - low) + ring[:, None, :] * radius
    left, upper, right, lower = region
    uv = np.stack(
        np.broadcast_arrays(
            left + np.linspace(0, 1, sides + 1)[:, None] * (right - left), lower + along[None, :] * (upper - lower)
        ),
        axis=-1,
    )
    normals = np.broadcast_to(ring[:, None, :], points.shape)
    return grid_mesh(points.astype(np.float32), normals.astype(np.float32), uv.astype(np.float32))


def ellipsoid(centre: npt.ArrayLike, radii: Sequence[float], region: Sequence[float], sides: int = 10) -> Mesh:
    """Create an ellipsoid with axes along x, y, z; its texture is the middle of `region` (texels)."""
    turn, polar = np.linspace(0, 2 * np.pi, sides + 1), np.linspace(0, np.pi, max(4, sides // 2 + 2))
    unit = np.stack(
        [
            np.cos(turn)[:, None] * np.sin(polar),
            np.sin(turn)[:, None] * np.sin(polar),
            np.broadcast_to(np.cos(polar), (sides + 1, len(polar))),
        ],
        axis=-1,
    )[:, ::-1]
    scale = np.asarray(radii, np.float64)
    normal = unit / scale
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    spot = np.array([(region[0] + region[2]) / 2, (region[1] + region[3]) / 2])
    uv = np.broadcast_to(spot, (*unit.shape[:2], 2))
    points = np.asarray(centre, np.float64) + unit * scale
    return grid_mesh(points.astype(np.float32), normal.astype(np.float32), uv.astype(np.float32))


def tube(
    spine: Sequence[npt.ArrayLike], radii: Sequence[tuple[float, float]], region: Sequence[float], sides: int = 10
) -> Mesh:
    """Create a tube with elliptical sections, closed at both ends.

    Args:
        spine: centres of the sections (3,) from bottom to top, in metres.
        radii: of each section, lengthwise (as near to x as the section allows) and across (y).
        region: left, top, right, bottom in texels; it wraps around the tube once, with its lower edge at the first
            section.
    """
    centre = np.array([np.asarray(p, np.float64) for p in spine])
    way = np.gradient(centre, axis=0)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    across = np.tile([0.0, 1.0, 0.0], (len(centre), 1))
    across -= (across * way).sum(1, keepdims=True) * way
    steep = np.linalg.norm(across, axis=1) < 0.2
    across[steep] = np.cross(way[steep], [0.0, 0.0, 1.0])
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    ahead = np.cross(across, way)
    size = np.array(radii)
    closing = np.concatenate([[0.01], np.ones(len(centre)), [0.01]])
    index = np.concatenate([[0], np.arange(len(centre)), [len(centre) - 1]])
    turn = np.linspace(0, 2 * np.pi, sides + 1)
    ring = np.cos(turn)[:, None, None] * ahead[index] * (size[index, :1] * closing[:, None]) + np.sin(turn)[
        :, None, None
    ] * across[index] * (size[index, 1:] * closing[:, None])
    normal = (
        np.cos(turn)[:, None, None] * ahead[index] / size[index, :1]
        + np.sin(turn)[:, None, None] * across[index] / size[index, 1:]
    )
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    normal[:, 0], normal[:, -1] = -way[0], way[-1]
    left, top, right, bottom = region
    share = np.concatenate([[0.0], np.linspace(0, 1, len(centre)), [1.0]])
    uv = np.stack(
        np.broadcast_arrays(
            left + np.linspace(0, 1, sides + 1)[:, None] * (right - left), bottom + share[None] * (top - bottom)
        ),
        axis=-1,
    )
    points = (centre[index] + ring).astype(np.float32)
    return grid_mesh(points, normal.astype(np.float32), uv.astype(np.float32))
