"""Rocks, houses and boats, and the shadows that things cast."""

from __future__ import annotations

import numpy as np

from i2i.data.scenery.canvas import THING, Canvas, Class, Mask, colour, mix, ramp
from i2i.data.scenery.ground import distance
from i2i.data.scenery.layout import Layout, Thing
from i2i.data.scenery.lighting import Lighting
from i2i.data.scenery.noise import Floats, fractal, smooth

_WALLS = ((0.93, 0.88, 0.78), (0.90, 0.80, 0.66), (0.95, 0.93, 0.90), (0.86, 0.72, 0.62))
_ROOFS = ((0.68, 0.25, 0.17), (0.60, 0.22, 0.16), (0.74, 0.32, 0.20), (0.56, 0.24, 0.20))
_LAMP = colour(1.0, 0.82, 0.42)
_SHADOWS = {"broadleaf": 0.36, "conifer": 0.26, "bush": 0.85, "rock": 0.75, "house": 0.85, "boat": 0.4}  # per size


def paint_shadow(canvas: Canvas, thing: Thing, foot: float, layout: Layout, light: Lighting) -> None:
    """Darken the ground at the foot, and on the side away from the sun."""
    size = thing.size * thing.nearness * _SHADOWS[thing.kind]
    flat = 0.1 + 0.12 * thing.nearness
    x0, y0 = thing.x - 0.45 * layout.light * size, foot - 0.2 * flat * size
    window = canvas.window(x0 - 1.3 * size, x0 + 1.3 * size, foot - flat * size * 1.4, foot + flat * size * 1.4)
    if window is None:
        return
    x = (window.x - np.float32(x0)) / np.float32(1.25 * size)
    y = (window.y - np.float32(y0)) / np.float32(1.3 * flat * size)
    strength = 0.75 * ramp(1.0, 0.35, x * x + y * y)
    strength[canvas.codes[window.rows, window.columns] >= THING] = 0
    ambient, direct = colour(*light.ambient), colour(*light.direct)
    shaded = ambient / (ambient + 0.65 * direct)
    canvas.photo[:, window.rows, window.columns] *= 1 - (1 - shaded) * strength


def paint_rock(canvas: Canvas, thing: Thing, foot: float, code: int, layout: Layout, light: Lighting) -> None:
    """A boulder of a few facets."""
    size = thing.size * thing.nearness
    window = canvas.window(thing.x - 0.85 * size, thing.x + 0.85 * size, foot - 1.0 * size, foot + 0.04 * size)
    if window is None:
        return
    rng = np.random.default_rng(thing.seed)
    x, y = (window.x - np.float32(thing.x)) / np.float32(size), (window.y - np.float32(foot)) / np.float32(size)
    rough = fractal(x * 2.5, y * 2.5, thing.seed % 256)
    angles = np.linspace(-0.15, np.pi + 0.15, 6) + rng.uniform(-0.2, 0.2, 6)
    reach = np.full(rough.shape, -9, np.float32)
    facet = np.zeros(rough.shape, np.float32)
    for angle in angles:
        out_x, out_y = np.float32(np.cos(angle)), np.float32(-np.sin(angle))
        width = np.float32(rng.uniform(0.52, 0.7) if abs(np.cos(angle)) > 0.6 else rng.uniform(0.5, 0.75))
        along = (out_x * (x + 0.08 * layout.light) + out_y * (y + 0.12)) / width
        facing = np.float32(0.42 * layout.light) * out_x - np.float32(0.55) * out_y + np.float32(rng.uniform(-0.1, 0.1))
        facet = np.where(along > reach, facing, facet)
        reach = np.maximum(reach, along)
    # The front face catches some light, too: it fades in from the middle of the stone.
    facet = mix(np.full_like(facet, 0.12), facet, ramp(0.35, 0.6, reach + 0.06 * rough))
    shade = np.clip(0.3 + 0.75 * facet + 0.12 * rough, 0.02, 1.1)
    stone = colour(0.70, 0.47, 0.34) if layout.kind == "desert" else colour(0.52, 0.50, 0.48)
    surface = stone * (0.95 + 0.09 * rough)
    surface = light.snowed(surface, ramp(0.15, 0.4, facet + 0.1 * rough))
    mask = (reach + 0.035 * rough < 1) & (y < 0.02 + 0.03 * rough)
    canvas.paint(window, mask, light.lit(surface, shade, distance(thing.nearness)), code)


def paint_house(canvas: Canvas, thing: Thing, foot: float, code: int, layout: Layout, light: Lighting) -> None:
    """A gable wall, a long wall and the roof above it, seen across the corner."""
    size = thing.size * thing.nearness
    window = canvas.window(thing.x - 0.95 * size, thing.x + 0.95 * size, foot - 1.15 * size, foot)
    if window is None:
        return
    rng = np.random.default_rng(thing.seed)
    turned = rng.choice((-1.0, 1.0))  # which side the gable is on
    wall, roof = colour(*_WALLS[rng.integers(4)]), colour(*_ROOFS[rng.integers(4)])
    x = (window.x - np.float32(thing.x)) / np.float32(size * turned)
    y = (foot - window.y) / np.float32(size)  # upwards from the ground
    left, corner, right, eaves, top = -0.8, rng.uniform(-0.2, 0.0), 0.85, rng.uniform(0.46, 0.56), rng.uniform(0.9, 1.0)
    ridge = (left + corner) / 2
    away = distance(thing.nearness)
    gable_shade, long_shade = (0.85, 0.3) if turned * layout.light < 0 else (0.3, 0.85)

    def paint(mask: Mask, surface: Floats, shade: float) -> None:
        canvas.paint(window, mask, light.lit(surface, shade, away), code)

    def lamps(mask: Mask) -> None:
        glass = light.lit(colour(0.20, 0.27, 0.34), 0.4, away)
        canvas.paint(window, mask, mix(glass, _LAMP, light.lamps), code)

    flat = np.zeros(np.broadcast_shapes(x.shape, y.shape), np.float32)
    streaks = 0.025 * smooth(x * 6 + flat, y * 6, thing.seed % 256)
    slope = np.abs(x - ridge) / ((corner - left) / 2)
    paint((x > ridge + 0.42) & (x < ridge + 0.56) & (y > 0.7) & (y < top + 0.14), roof * 0.8 + flat, long_shade)
    paint((x > left) & (x < corner) & (y < eaves + (top - eaves) * (1 - slope)), wall * (0.96 + streaks), gable_shade)
    paint((x >= corner) & (x < right) & (y < eaves), wall * (0.9 + streaks), long_shade)
    lamps((np.abs(x - ridge) < 0.1) & (y > 0.6) & (y < 0.76))
    lamps((x > corner + 0.1) & (x < right - 0.08) & (np.mod(x - corner - 0.1, 0.3) < 0.17) & (y > 0.18) & (y < 0.38))
    paint((np.abs(x - ridge) < 0.1) & (y < 0.34), colour(0.40, 0.24, 0.16) + flat, gable_shade)

    tilt = np.clip((top - y) / (top - eaves), -0.1, 1.12)  # 0 at the ridge, 1 at the eaves
    start = ridge + tilt * (corner - ridge)
    tiles = 0.95 + 0.09 * np.sin(tilt * 26) + streaks
    covered = (y < top) & (y > eaves - 0.06) & (x > start - 0.02) & (x < start + right - corner + 0.05)
    paint(covered, light.snowed(roof * tiles, np.full_like(flat, 0.92) + streaks), long_shade * 0.9 + 0.1)
    verge = (np.abs(y - (eaves + (top - eaves) * (1 - slope)) - 0.01) < 0.055) & (x < ridge + 0.02) & (x > left - 0.07)
    paint(verge, light.snowed(roof * 0.85 + flat, np.full_like(flat, 0.7)), gable_shade)


def paint_boat(canvas: Canvas, thing: Thing, foot: float, code: int, layout: Layout, light: Lighting) -> None:
    """A sailing boat and, upside down, what the water mirrors of its sails."""
    size = thing.size * thing.nearness
    window = canvas.window(thing.x - 0.5 * size, thing.x + 0.5 * size, foot - size, foot + 0.5 * size)
    if window is None:
        return
    rng = np.random.default_rng(thing.seed)
    turned = rng.choice((-1.0, 1.0))
    paint_colour = colour(*((0.72, 0.16, 0.14), (0.16, 0.26, 0.52), (0.80, 0.34, 0.14))[rng.integers(3)])
    x = (window.x - np.float32(thing.x)) / np.float32(size * turned)
    y = (foot - window.y) / np.float32(size)
    height = np.abs(y)
    main = (x > 0.02) & (height > 0.2) & (x < 0.4 * (0.98 - height) / 0.78)
    jib = (x < -0.03) & (height > 0.22) & (x > -0.34 * (0.85 - height) / 0.63)
    mast = (np.abs(x) < 0.02) & (height > 0.1) & (height < 0.98)
    hull = (height < 0.17) & (np.abs(x - 0.03) < 0.33 + 0.75 * height)
    away = distance(thing.nearness)
    up = y >= 0
    flat = np.zeros(up.shape[:1] + x.shape[1:], np.float32)
    water = canvas.photo[:, window.rows, window.columns]
    mirror = (main | jib) & ~up & (canvas.codes[window.rows, window.columns] == Class.WATER)
    canvassed = colour(0.96, 0.94, 0.88) * (0.95 + 0.1 * x) + flat
    sail = light.lit(canvassed, 0.45 + 0.3 * float(np.sign(turned * layout.light)), away)
    water[:] = np.where(mirror, mix(water, sail, 0.35), water)
    canvas.paint(window, mast & up, light.lit(colour(0.36, 0.26, 0.18) + flat, 0.5, away), code)
    canvas.paint(window, (main | jib) & up, sail, code)
    stripe = colour(0.94, 0.92, 0.88) * (height > 0.12) + paint_colour * (height <= 0.12)
    canvas.paint(window, hull & up, light.lit(stripe.astype(np.float32) + flat, 0.55, away), code)
