"""A software rasteriser: textured triangles with a depth buffer and per-vertex lighting, compiled by Numba.

It writes colour, inverse depth and object number into buffers of `SUPERSAMPLE` times the image size in each direction;
`resolve` averages them into the image. It needs no window, display or GPU, and gives the same pixels everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

SUPERSAMPLE = 2
NEAR = 0.5
"""Near plane in metres: triangles with a vertex closer than this are skipped."""

_F = TypeVar("_F", bound=Callable[..., Any])


def _compiled(function: _F) -> _F:
    return cast(_F, numba.njit(cache=True, nogil=True)(function))


@_compiled
def draw(
    position: npt.NDArray[np.float32],
    normal: npt.NDArray[np.float32],
    uv: npt.NDArray[np.float32],
    triangle: npt.NDArray[np.int32],
    texture: npt.NDArray[np.uint8],
    texel: float,
    pose: npt.NDArray[np.float64],
    rotation: npt.NDArray[np.float64],
    centre: npt.NDArray[np.float64],
    optics: npt.NDArray[np.float64],
    light: npt.NDArray[np.float64],
    shade: bool,
    two_sided: bool,
    number: int,
    colour: npt.NDArray[np.uint8],
    inverse_depth: npt.NDArray[np.float32],
    label: npt.NDArray[np.int16],
    stamp: npt.NDArray[np.int32],
    stamp_value: int,
) -> npt.NDArray[np.int64]:
    """Draw one mesh.

    Args:
        position, normal, uv, triangle: the mesh (see `Mesh`).
        texture: (h, w, 4) uint8, red, green, blue, gloss (0 matte, 255 a mirror at grazing angles).
        texel: texels of `texture` per unit of `uv` (1/2, 1/4, ... for mipmap levels).
        pose: (4,) x, y, z in metres and heading in radians.
        rotation, centre: the camera (see `Lens`).
        optics: (5,) focal length, principal point x and y in supersampled pixels, k1, k2.
        light: (8,) direction towards the sun x, y, z, sun intensity, ambient intensity, sky brightness, ground
            brightness, height in metres below which surfaces darken.
        shade: False does not write `colour`.
        two_sided: True disables back-face culling.
        number: object number, at least 1, written to `label` where this mesh is visible.
        colour, inverse_depth, label: (h, w, 3) uint8, (h, w) float32 1/metres, (h, w) int16: updated in place.
        stamp, stamp_value: (h, w) int32 scratch buffer and a value not yet in it, to count each covered pixel once.

    Returns:
        (5,) int64: number of covered pixels, visible or not, and their left, top, right, bottom (right < left if there
        are none).
    """
    n = position.shape[0]
    height, width = label.shape
    px = np.empty(n, np.float32)
    py = np.empty(n, np.float32)
    pw = np.empty(n, np.float32)
    lit = np.empty(n, np.float32)
    mirror = np.empty(n, np.float32)
    cos, sin = np.cos(pose[3]), np.sin(pose[3])
    focal, cx, cy, k1, k2 = optics[0], optics[1], optics[2], optics[3], optics[4]
    for i in range(n):
        ox, oy, oz = position[i, 0], position[i, 1], position[i, 2]
        wx = cos * ox - sin * oy + pose[0] - centre[0]
        wy = sin * ox + cos * oy + pose[1] - centre[1]
        wz = oz + pose[2] - centre[2]
        zc = rotation[2, 0] * wx + rotation[2, 1] * wy + rotation[2, 2] * wz
        if zc < NEAR:
            pw[i] = -1.0
            continue
        xn = (rotation[0, 0] * wx + rotation[0, 1] * wy + rotation[0, 2] * wz) / zc
        yn = (rotation[1, 0] * wx + rotation[1, 1] * wy + rotation[1, 2] * wz) / zc
        r2 = xn * xn + yn * yn
        if r2 > 3.0:  # far outside the image, where the distortion polynomial may fold back into it
            pw[i] = -1.0
            continue
        bend = 1.0 + k1 * r2 + k2 * r2 * r2
        px[i] = xn * bend * focal + cx
        py[i] = yn * bend * focal + cy
        pw[i] = 1.0 / zc
        if shade:
            nx = cos * normal[i, 0] - sin * normal[i, 1]
            ny = sin * normal[i, 0] + cos * normal[i, 1]
            nz = normal[i, 2]
            distance = np.sqrt(wx * wx + wy * wy + wz * wz)
            vx, vy, vz = -wx / distance, -wy / distance, -wz / distance
            facing = nx * vx + ny * vy + nz * vz
            if two_sided and facing < 0:
                nx, ny, nz, facing = -nx, -ny, -nz, -facing
            sun = nx * light[0] + ny * light[1] + nz * light[2]
            amount = light[4] * (0.68 + 0.32 * nz)
            if sun > 0:
                amount += light[3] * sun
            up = oz + pose[2]
            if up < light[7]:
                amount *= 0.45 + 0.55 * up / light[7]
            lit[i] = amount
            rx, ry, rz = 2 * facing * nx - vx, 2 * facing * ny - vy, 2 * facing * nz - vz
            if rz > 0.22:
                glow = light[5] * (1.0 - 0.3 * rz)
            elif rz > 0.02:
                glow = light[6] + (light[5] - light[6]) * (rz - 0.02) / 0.2
            else:
                glow = light[6] * (1.0 + 0.3 * rz)
            grazing = 1.0 - min(1.0, max(0.0, facing))
            fresnel = 0.16 + 0.84 * grazing * grazing * grazing * grazing
            glint = rx * light[0] + ry * light[1] + rz * light[2]
            value = glow * fresnel
            if glint > 0.9:
                value += light[3] * ((glint - 0.9) * 10.0) ** 6 * 0.9
            mirror[i] = value
    texture_height, texture_width = texture.shape[0], texture.shape[1]
    covered = 0
    left, top, right, bottom = width, height, -1, -1
    for t in range(triangle.shape[0]):
        a, b, c = triangle[t, 0], triangle[t, 1], triangle[t, 2]
        if pw[a] < 0 or pw[b] < 0 or pw[c] < 0:
            continue
        ax, ay, bx, by, ex, ey = px[a], py[a], px[b], py[b], px[c], py[c]
        area = (bx - ax) * (ey - ay) - (ex - ax) * (by - ay)
        if area >= 0:  # y points down, which reverses the orientation
            if not two_sided or area == 0:
                continue
            b, c = c, b
            bx, by, ex, ey = ex, ey, bx, by
            area = -area
        x0 = max(0, int(np.ceil(min(ax, bx, ex) - 0.5)))
        x1 = min(width - 1, int(np.floor(max(ax, bx, ex) - 0.5)))
        y0 = max(0, int(np.ceil(min(ay, by, ey) - 0.5)))
        y1 = min(height - 1, int(np.floor(max(ay, by, ey) - 0.5)))
        if x1 < x0 or y1 < y0:
            continue
        scale = 1.0 / area
        dax, day = (by - ey) * scale, (ex - bx) * scale
        dbx, dby = (ey - ay) * scale, (ax - ex) * scale
        for y in range(y0, y1 + 1):
            fy = y + 0.5
            wa = (x0 + 0.5 - bx) * dax + (fy - by) * day
            wb = (x0 + 0.5 - ex) * dbx + (fy - ey) * dby
            for x in range(x0, x1 + 1):
                wc = 1.0 - wa - wb
                if wa >= 0 and wb >= 0 and wc >= 0:
                    if stamp[y, x] != stamp_value:
                        stamp[y, x] = stamp_value
                        covered += 1
                        if x < left:
                            left = x
                        if x > right:
                            right = x
                        if y < top:
                            top = y
                        if y > bottom:
                            bottom = y
                    depth = wa * pw[a] + wb * pw[b] + wc * pw[c]
                    if depth > inverse_depth[y, x]:
                        inverse_depth[y, x] = depth
                        label[y, x] = number
                        if shade:
                            u = int((wa * uv[a, 0] + wb * uv[b, 0] + wc * uv[c, 0]) * texel)
                            v = int((wa * uv[a, 1] + wb * uv[b, 1] + wc * uv[c, 1]) * texel)
                            u = min(max(u, 0), texture_width - 1)
                            v = min(max(v, 0), texture_height - 1)
                            amount = wa * lit[a] + wb * lit[b] + wc * lit[c]
                            gloss = texture[v, u, 3] * (wa * mirror[a] + wb * mirror[b] + wc * mirror[c])
                            for k in range(3):
                                value = texture[v, u, k] * amount + gloss * (0.94 + 0.05 * k)
                                colour[y, x, k] = 255 if value > 255 else int(value)
                wa += dax
                wb += dbx
    result = np.empty(5, np.int64)
    result[0], result[1], result[2], result[3], result[4] = covered, left, top, right, bottom
    return result


@_compiled
def resolve(
    colour: npt.NDArray[np.uint8],
    label: npt.NDArray[np.int16],
    background: npt.NDArray[np.uint8],
    shadow: npt.NDArray[np.uint8],
    output: npt.NDArray[np.uint8],
) -> None:
    """Downsample the objects and blend them over the background darkened by the shadow.

    Args:
        colour, label: supersampled buffers; label 0 is background.
        background: (h, w, 3) uint8 at image size.
        shadow: (h, w) uint8, 255 is darkest.
        output: (h, w, 3) uint8, updated in place.
    """
    height, width = output.shape[0], output.shape[1]
    for y in range(height):
        for x in range(width):
            red, green, blue, count = 0, 0, 0, 0
            for j in range(2):
                for i in range(2):
                    if label[2 * y + j, 2 * x + i] > 0:
                        count += 1
                        red += colour[2 * y + j, 2 * x + i, 0]
                        green += colour[2 * y + j, 2 * x + i, 1]
                        blue += colour[2 * y + j, 2 * x + i, 2]
            keep = (4 - count) * (256 - ((int(shadow[y, x]) * 166) >> 8))
            output[y, x, 0] = (red * 256 + keep * background[y, x, 0]) >> 10
            output[y, x, 1] = (green * 256 + keep * background[y, x, 1]) >> 10
            output[y, x, 2] = (blue * 256 + keep * background[y, x, 2]) >> 10


@_compiled
def visible_boxes(
    label: npt.NDArray[np.int16], left: int, top: int, right: int, bottom: int, count: int
) -> npt.NDArray[np.int64]:
    """Visible pixels and left, top, right, bottom (inclusive) of each object: (count + 1, 5) int64, row 0 unused."""
    result = np.zeros((count + 1, 5), np.int64)
    result[:, 1] = label.shape[1]
    result[:, 2] = label.shape[0]
    result[:, 3:] = -1
    for y in range(top, bottom + 1):
        for x in range(left, right + 1):
            n = label[y, x]
            if n > 0:
                row = result[n]
                row[0] += 1
                if x < row[1]:
                    row[1] = x
                if y < row[2]:
                    row[2] = y
                if x > row[3]:
                    row[3] = x
                if y > row[4]:
                    row[4] = y
    return result
