"""Weather and darkness in a rendered image: what lies between the surfaces, as lit by day, and the camera's sensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mtmc.simulation.backdrop import viewing_directions
from mtmc.simulation.canvas import smooth_noise
from mtmc.simulation.conditions import Conditions
from mtmc.simulation.lamps import Glow, add_vehicle_lamps, beams, lit_by_others
from mtmc.simulation.lens import Lens
from mtmc.simulation.light import Light

Floats = npt.NDArray[np.float32]

_STREAKS = 5
"""Different patterns of falling rain; each frame shows one of them at a random place."""
_RAIN_LIFT = {False: (0.88, 20.0), True: (0.88, 5.0)}
"""Factor and offset in grey levels that rain on the lens applies by day and at night (True)."""
_SKY_BY_DAY = np.array([198, 201, 205], np.float32)
_LAMP_REACH = 7.5
"""Metres from a street lamp at which its light has fallen to a third. Raising it makes the road evenly lit."""


@dataclass(frozen=True, slots=True)
class Static:
    """What a camera sees of the city without vehicles.

    Attributes:
        image: (h, w, 3) uint8 RGB, lit by day.
        inverse_depth: (h, w) float32 1/metres of the scenery, 0 where there is none.
        open_ground: (h, w) whether road, pavement, grass or sky is seen.
        emission: (h, w, 3) uint8, lit windows and signals.
        lamps: (k, 3) street lamps in metres.
    """

    image: npt.NDArray[np.uint8]
    inverse_depth: Floats
    open_ground: npt.NDArray[np.bool_]
    emission: npt.NDArray[np.uint8]
    lamps: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scene:
    """The vehicles of one frame.

    Attributes:
        label: (h, w) int16, number of the vehicle seen, from 1; 0 is none.
        inverse_depth: (h, w) float32 1/metres of what is seen.
        poses: (n, 4) x, y, z in metres, heading in radians.
        velocity: (n, 2) metres per second.
        lengths: (n,) metres.
        lamps: the positions (k, 3) of each vehicle's lamps.
        box: (n, 4) left, top, width, height of the visible part in pixels; zeros if invisible.
        frame: frame number, which decides the pattern of the rain.
    """

    label: npt.NDArray[np.int16]
    inverse_depth: Floats
    poses: npt.NDArray[np.float64]
    velocity: npt.NDArray[np.float64]
    lengths: Sequence[float]
    lamps: Sequence[npt.NDArray[np.float64]]
    box: npt.NDArray[np.float32]
    frame: int


class Atmosphere:
    """Applies the conditions of one camera to its images.

    Args:
        conditions: what is applied.
        lens: the camera.
        light: sun and sky under these conditions.
        static: the city as this camera sees it.
        seed: seed of rain drops and dirt.
    """

    def __init__(self, conditions: Conditions, lens: Lens, light: Light, static: Static, seed: int) -> None:
        self._is, self._lens, self._static = conditions, lens, static
        self._random = np.random.default_rng([seed, 4, *(abs(int(v * 10)) for v in lens.centre[:2])])
        self._seed = seed
        rays = viewing_directions(lens, 1)
        down = np.minimum(rays[..., 2], -1e-3)
        reach = np.where(static.inverse_depth > 0, 1 / np.maximum(static.inverse_depth, 1e-3), -lens.centre[2] / down)
        self._depth = np.asarray(reach, np.float32)
        self._sky = (rays[..., 2] > -2e-3) & (static.inverse_depth == 0)
        self._ground = static.open_ground & ~self._sky
        self._place = lens.centre[:2].astype(np.float32) + rays[..., :2] * self._depth[..., None]
        self._lamps = static.lamps if conditions.night else np.zeros((0, 3))
        self._factor = self._brightness()
        self._added = self._additions(rays)
        self._clear = self._apply_veil()
        self._streaks = self._rain_patterns() if conditions.rain else []
        self._drops = self._lens_drops() if conditions.rain else []
        self._shade = self._vignette()
        self._glare = self._sun_glare(light) if conditions.low_sun else None

    def apply(self, image: npt.NDArray[np.uint8], scene: Scene) -> npt.NDArray[np.uint8]:
        """Return the image (h, w, 3) uint8 of a frame as it looks under the conditions."""
        result: Floats = image.astype(np.float32)
        seen = [i for i in range(len(scene.poses)) if scene.box[i, 2] > 0]
        masks = {i: self._mask(scene, i) for i in seen}
        if self._is.rain:
            for i in seen:
                self._reflect(result, scene, *masks[i])
        self._illuminate(result, scene, masks)
        if self._is.night or self._is.rain:
            self._add_lamps(result, scene)
        if self._is.low_sun:
            _warm(result)
        if self._is.exposure:
            for i in seen:
                self._smear(result, scene, i, *masks[i])
        if self._glare is not None:
            cv2.add(result, self._glare, dst=result)
        if self._is.rain:
            self._add_rain(result, scene.frame)
        if self._is.fringe:
            result = self._fringe(result)
        if self._shade is not None:
            result *= self._shade
        lift = _RAIN_LIFT[self._is.night] if self._is.rain else (1.0, 0.0)  # stray light in a wet lens
        return np.asarray(cv2.convertScaleAbs(result, alpha=lift[0], beta=lift[1]), np.uint8)

    def _brightness(self) -> Floats:
        """(h, w, 3) factor of the city's colours."""
        if self._is.night:
            factor = self._street_light(self._place[..., 0], self._place[..., 1])[..., None] * np.asarray(
                self._is.lamp_tint, np.float32
            )
            factor[self._sky] = np.array([0.10, 0.085, 0.08]) * (1.3 if self._is.lamp_tint[0] > 1 else 1.0)
        else:
            factor = np.ones((*self._depth.shape, 3), np.float32)
            if self._is.low_sun:
                factor[self._ground] = 0.84
        if self._is.rain:
            factor[self._ground] *= 1 - 0.42 * self._wetness()[self._ground][:, None]
        return np.asarray(factor, np.float32)

    def _street_light(self, x: npt.ArrayLike, y: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Brightness at points on the ground, relative to daylight."""
        x, y = np.asarray(x, np.float32), np.asarray(y, np.float32)
        light = np.zeros(x.shape, np.float32)
        for lamp in self._lamps.astype(np.float32):
            squared = ((x - lamp[0]) ** 2 + (y - lamp[1]) ** 2) / _LAMP_REACH**2
            light += 1 / (1 + squared) ** 1.5
        return np.asarray(self._is.night_sky + self._is.street_light * np.minimum(light, 1.6), np.float32)

    def _wetness(self) -> Floats:
        """(h, w) 0 dry to 1 wet: open ground that is not grass."""
        colour = self._static.image.astype(np.float32)
        grass = np.clip((colour[..., 1] - np.maximum(colour[..., 0], colour[..., 2])) / 8, 0, 1)
        return np.asarray(self._ground * (1 - 0.8 * grass), np.float32)

    def _additions(self, rays: Floats) -> Floats | None:
        """(h, w, 3) light that is added to the city: windows, signals, street lamps, and the sky on a wet road."""
        added = np.zeros((*self._depth.shape, 3), np.float32)
        if self._is.night:
            added += self._static.emission
            glow, mirror = Glow(*self._depth.shape), Glow(*self._depth.shape)
            pixels, depth = self._lens.project(self._lamps)
            below, _ = self._lens.project(self._lamps * [1, 1, -1])
            for (x, y), far, (_, y_below) in zip(pixels, depth, below, strict=True):
                if far > 4:
                    size = max(0.9, 0.14 * self._lens.focal / far)
                    rgb = 255 * 2.6 * np.array(self._is.lamp_tint)
                    glow.spot(x, y, (size * 1.4, size), rgb)
                    mirror.spot(x, y + 0.95 * (y_below - y), (max(1.5, 1.6 * size), 0.16 * (y_below - y)), rgb * 0.10)
            for light, mask in ((glow.full_size(0.3), 1.0), (mirror.full_size(0.0), self._wetness()[..., None])):
                if light is not None and (mask is not None and (isinstance(mask, float) or self._is.rain)):
                    added += light * mask
        if self._is.rain:
            grazing = np.clip(1 + rays[..., 2] / np.linalg.norm(rays, axis=2), 0, 1)
            noise = smooth_noise(256, 256, 9, self._random)
            puddle = cv2.remap(
                noise,
                np.asarray(self._place[..., 0] * 5 % 255, np.float32),
                np.asarray(self._place[..., 1] * 5 % 255, np.float32),
                cv2.INTER_LINEAR,
            )
            mirror_sky = (0.05 + 0.75 * grazing**4) * np.clip(np.asarray(puddle) * 1.9 - 0.35, 0.3, 1)
            sky = _SKY_BY_DAY * (0.07 if self._is.night else 0.8)
            added += (mirror_sky * self._wetness() * self._is.rain)[..., None] * sky
        if not self._is.night and ("overcast" in self._is.names or self._is.rain):
            level = 0.82 if self._is.rain else 1.0
            added[self._sky] = _SKY_BY_DAY * level
            self._factor[self._sky] = 0
        return added if added.any() else None

    def _apply_veil(self) -> Floats:
        """Include the veil of rain in the city's factors and additions; returns what it leaves of the light, (h, w)."""
        if not self._is.rain:
            return np.ones(self._depth.shape, np.float32)
        clear = np.asarray(1 - self._veil(self._depth), np.float32)
        self._factor *= clear[..., None]
        added = np.zeros_like(self._factor) if self._added is None else self._added
        self._added = added * clear[..., None] + (1 - clear)[..., None] * self._veil_colour
        return clear

    def _veil(self, metres: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Share of the light that comes from rain in front of a surface."""
        return np.asarray(0.8 * (1 - np.exp(-np.minimum(metres, 600.0) / self._is.visibility)), np.float32)

    @property
    def _veil_colour(self) -> Floats:
        return np.array([24, 22, 21] if self._is.night else [158, 163, 168], np.float32)

    def _mask(self, scene: Scene, i: int) -> tuple[slice, slice, npt.NDArray[np.bool_]]:
        """Rows and columns of a vehicle's box, and where in them it is seen."""
        left, top, width, height = scene.box[i]
        rows = slice(int(top), min(scene.label.shape[0], int(np.ceil(top + height)) + 1))
        columns = slice(int(left), min(scene.label.shape[1], int(np.ceil(left + width)) + 1))
        return rows, columns, scene.label[rows, columns] == i + 1

    def _reflect(self, image: Floats, scene: Scene, rows: slice, columns: slice, mask: npt.NDArray[np.bool_]) -> None:
        """Mirror a vehicle in the wet road: each column about its lowest pixel."""
        there = np.flatnonzero(mask.any(axis=0))
        if not len(there):
            return
        foot = rows.start + mask.shape[0] - 1 - np.argmax(mask[::-1, there], axis=0)
        reach = max(2, int(0.75 * mask.shape[0]))
        step = np.arange(1, reach + 1)[:, None]
        column = np.broadcast_to(columns.start + there, (reach, len(there)))
        source, target = np.maximum(foot - step, rows.start), foot + step
        inside = target < image.shape[0]
        target = np.minimum(target, image.shape[0] - 1)
        mirrored = np.asarray(cv2.GaussianBlur(image[source, column], (0, 0), 1.0, sigmaY=2.5)).reshape(
            reach, len(there), 3
        )
        free = inside & self._ground[target, column] & (scene.label[target, column] == 0)
        weight = 0.42 * self._is.rain * np.exp(-1.8 * step / reach) * free
        old = image[target, column]
        image[target, column] = old + (mirrored * 0.8 - old) * weight[..., None].astype(np.float32)

    def _illuminate(
        self,
        image: Floats,
        scene: Scene,
        masks: dict[int, tuple[slice, slice, npt.NDArray[np.bool_]]],
    ) -> None:
        """Apply brightness, added light and veil to the city, and brightness and veil to each vehicle."""
        own = {i: image[rows, columns][mask] for i, (rows, columns, mask) in masks.items()}
        factor = self._factor
        if self._is.night and len(scene.poses):
            light = beams(self._lens, scene.poses, scene.lengths, *image.shape[:2])
            if light is not None:
                strength = 0.55 if self._is.rain else 0.75  # a wet road throws the light forward
                factor = factor + (light * self._clear * self._ground * np.float32(strength))[..., None]
        cv2.multiply(image, factor, dst=image)
        if self._added is not None:
            cv2.add(image, self._added, dst=image)
        lit = lit_by_others(scene.poses) if self._is.night else np.zeros(len(scene.poses))
        for i, (rows, columns, mask) in masks.items():
            colour = own[i]
            if self._is.night:
                level = self._street_light(*scene.poses[i, :2]) * np.asarray(
                    self._is.lamp_tint, np.float32
                ) + np.float32(lit[i])
                colour = colour * level
            if self._is.rain:
                far = self._veil(float(np.linalg.norm(scene.poses[i, :3] - self._lens.centre)))
                colour = colour + (self._veil_colour - colour) * far
            image[rows, columns][mask] = colour

    def _add_lamps(self, image: Floats, scene: Scene) -> None:
        glow = Glow(*image.shape[:2])
        mirror = Glow(*image.shape[:2]) if self._is.rain else None
        brightness = 1.0 if self._is.night else 0.3
        for lamps, pose, velocity in zip(scene.lamps, scene.poses, scene.velocity, strict=True):
            braking = float(np.hypot(*velocity)) < 1.5
            add_vehicle_lamps(glow, mirror, self._lens, lamps, pose, scene.inverse_depth, brightness, braking)
        light = glow.full_size(0.32 if self._is.night else 0.12)
        if light is not None:
            cv2.add(image, light, dst=image)
        streaks = mirror.full_size(0.1) if mirror else None
        if streaks is not None:
            image += streaks * (((scene.label == 0) & self._ground) * np.float32(self._is.rain))[..., None]

    def _smear(
        self, image: Floats, scene: Scene, i: int, rows: slice, columns: slice, mask: npt.NDArray[np.bool_]
    ) -> None:
        """Blur a vehicle along its motion during the exposure."""
        here = scene.poses[i, :3] + [0, 0, 0.7]
        there = here + np.append(scene.velocity[i] * self._is.exposure, 0)
        pixels, depth = self._lens.project(np.stack([here, there]))
        if (depth < 1).any():
            return
        dx, dy = pixels[1] - pixels[0]
        length = float(np.hypot(dx, dy))
        if length < 1.2:
            return
        length = min(length, 60.0)
        angle = np.arctan2(dy, dx)
        margin = int(length / 2) + 2
        size = 2 * margin + 1
        kernel = np.zeros((size, size), np.float32)
        half = np.array([np.cos(angle), np.sin(angle)]) * length / 2 * 16
        centre = margin * 16
        ends = [tuple(round(float(v)) for v in (centre + s * half)) for s in (-1, 1)]
        _line(kernel, ends)
        kernel /= kernel.sum()
        top, bottom = max(0, rows.start - size), min(image.shape[0], rows.stop + size)
        left, right = max(0, columns.start - size), min(image.shape[1], columns.stop + size)
        patch = image[top:bottom, left:right]
        cover = np.zeros(patch.shape[:2], np.float32)
        cover[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = mask
        blurred = cv2.filter2D(patch, -1, kernel, borderType=cv2.BORDER_REPLICATE)
        weight = np.clip(np.asarray(cv2.filter2D(cover, -1, kernel)) * 1.6, 0, 1)[..., None]
        patch += (np.asarray(blurred, np.float32) - patch) * weight

    def _rain_patterns(self) -> list[tuple[npt.NDArray[np.int64], Floats]]:
        """Patterns of streaks: indices of the pixels that they cover, row by row, and how much, 0 to 1."""
        height, width = self._depth.shape
        slant = float(self._random.normal(0, 0.12))
        patterns = []
        for _ in range(_STREAKS):
            pattern = np.zeros((height, width), np.uint8)
            count = int(width * height / 1500 * self._is.rain)
            x, y = self._random.uniform(0, width, count), self._random.uniform(-40, height, count)
            near = self._random.random(count) ** 3
            length = height * (0.015 + 0.07 * near)
            level = self._random.uniform(60, 190, count)
            for a, b, reach, bright, wide in zip(x, y, length, level, near, strict=True):
                end = (int(a + slant * reach), int(b + reach))
                cv2.line(pattern, (int(a), int(b)), end, int(bright), 2 if wide > 0.7 else 1, cv2.LINE_AA)
            soft = np.asarray(cv2.GaussianBlur(pattern, (3, 3), 0.7)).ravel()
            where = np.flatnonzero(soft > 4)
            patterns.append((where, soft[where].astype(np.float32) / np.float32(255)))
        return patterns

    def _lens_drops(self) -> list[tuple[int, int, int]]:
        """Column, row and radius of drops on the lens in pixels."""
        height, width = self._depth.shape
        count = int(self._random.integers(2, 12))
        x, y = self._random.uniform(0.02, 0.98, (2, count)) * [[width], [height]]
        radius = self._random.uniform(0.008, 0.03, count) * width
        return [(int(a), int(b), int(r)) for a, b, r in zip(x, y, radius, strict=True)]

    def _add_rain(self, image: Floats, frame: int) -> None:
        random = np.random.default_rng([self._seed, 5, frame])
        where, amount = self._streaks[int(random.integers(len(self._streaks)))]
        pixels = image.reshape(-1, 3)
        where = (where + int(random.integers(len(pixels)))) % len(pixels)
        light, bright = (0.35, 92.0) if self._is.night else (0.42, 212.0)
        old = pixels[where]
        weight = (amount * np.float32(light * self._is.rain))[:, None]
        pixels[where] = old + np.maximum(bright - old, -60) * weight
        height, width = image.shape[:2]
        for x, y, radius in self._drops:
            top, bottom, left, right = (
                max(0, y - radius),
                min(height, y + radius),
                max(0, x - radius),
                min(width, x + radius),
            )
            patch = image[top:bottom, left:right]
            if patch.shape[0] < 3 or patch.shape[1] < 3:
                continue
            rows, columns = np.ogrid[top - y : bottom - y, left - x : right - x]
            inside = np.clip(1.25 - np.hypot(rows, columns * 1.15) / radius, 0, 0.25) * 4
            blurred = np.asarray(cv2.GaussianBlur(patch[::-1], (0, 0), radius / 3), np.float32) * np.float32(1.06)
            patch += (blurred - patch) * (0.85 * inside[..., None]).astype(np.float32)

    def _vignette(self) -> Floats | None:
        """(h, w, 1) brightness towards the corners, and smears of dirt."""
        if not self._is.vignette:
            return None
        height, width = self._depth.shape
        rows, columns = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        shade = 1 - self._is.vignette * np.clip((rows**2 + columns**2) / 2, 0, 1) ** 1.3
        dirt = np.clip(smooth_noise(height, width, width / 9, self._random) - 0.55, 0, 1) * 0.5
        return np.asarray((shade - dirt)[..., None], np.float32)

    def _fringe(self, image: Floats) -> Floats:
        """Displace red outwards and blue inwards."""
        height, width = image.shape[:2]
        channels = []
        for channel, sign in ((0, 1), (1, 0), (2, -1)):
            scale = 1 + sign * self._is.fringe
            matrix = np.array([[scale, 0, (1 - scale) * width / 2], [0, scale, (1 - scale) * height / 2]])
            plane = np.ascontiguousarray(image[..., channel])
            channels.append(
                cv2.warpAffine(plane, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE) if sign else plane
            )
        return np.asarray(np.stack([np.asarray(c, np.float32) for c in channels], axis=-1))

    def _sun_glare(self, light: Light) -> Floats:
        """(h, w, 3) stray light around the sun, more if the camera looks towards it."""
        height, width = self._depth.shape
        towards = float(light.sun @ self._lens.rotation[2])
        strength = 12 + 120 * max(0.0, towards) ** 2
        x = (
            width / 2
            + float(np.clip(light.sun @ self._lens.rotation[0] / max(0.2, abs(towards)), -1.2, 1.2)) * width / 2
        )
        rows, columns = np.ogrid[:height, :width]
        falloff = np.exp(-np.hypot(columns - x, 1.4 * (rows + 0.1 * height)) / (0.45 * width))
        return np.asarray(strength * falloff[..., None] * np.array([1.0, 0.86, 0.62]), np.float32)


def _line(kernel: Floats, ends: Sequence[tuple[int, ...]]) -> None:
    """Draw a line of weight 1 into a kernel; `ends` are in sixteenths of a pixel."""
    canvas = np.zeros(kernel.shape, np.uint8)
    cv2.line(canvas, ends[0], ends[1], 255, 1, cv2.LINE_AA, 4)
    kernel[:] = canvas
    if not kernel.any():
        kernel[kernel.shape[0] // 2, kernel.shape[1] // 2] = 1


def _warm(image: Floats) -> None:
    """Colour sunlit surfaces like the evening sun and shadows like the sky."""
    grey = np.asarray(cv2.transform(image, np.full((1, 3), 1 / 3)), np.float32)
    share = np.clip((grey - 40) / 90, 0, 1)[..., None]
    sunny, shady = np.array([1.58, 1.26, 0.86], np.float32), np.array([0.84, 0.92, 1.06], np.float32)
    image *= shady + (sunny - shady) * share
